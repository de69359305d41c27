"""The gate before a real archive, spoken to by real clients."""

import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from integration.gated import (
    FAILED,
    OTHERS,
    STORED,
    Gated,
    body_of,
    content_type,
    files_of,
    gated,
    reasons,
    stored_in,
    uid_of,
    uids,
)
from servers.orthanc import Orthanc

from heltig.pipeline.gate import refusal_codes as codes

pytestmark = pytest.mark.orthanc

MOST_PART = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def site(_orthanc_server: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    settings = {"member_max_size": str(MOST_PART), "gate_read_seconds": "1", "gate_max_parts": "20000"}
    with gated(
        tmp_path_factory.mktemp("gate") / "home",
        _orthanc_server.root,
        password=_orthanc_server.password,
        settings=settings,
        gate="hold",
        gateIdleSeconds=0.5,
    ) as made:
        yield made


@pytest.fixture
def gate(site: Gated, orthanc: Orthanc) -> Iterator[Gated]:
    site.change(gate="hold", gateReview="forward", gateFailing="closed")
    yield site
    site.until(lambda: len(site.spooled()) == sum(one["objects"] for one in site.quarantine()))


def sop_uids(files: list[bytes]) -> dict[str, bytes]:
    return {
        pydicom.dcmread(io.BytesIO(file), specific_tags=["SOPInstanceUID"]).SOPInstanceUID: file
        for file in files
    }


def test_observe_forwards_byte_for_byte_and_judges_beside(gate: Gated, orthanc: Orthanc) -> None:
    gate.change(gate="observe")
    files = files_of("two-patient-ids", 2)
    answer = gate.store(files)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/dicom+json"
    assert uids(answer, STORED) == set(sop_uids(files))
    assert FAILED not in answer.json()
    assert stored_in(orthanc) == sop_uids(files)
    assert gate.until(lambda: gate.readiness(uid_of("two-patient-ids", 2))) == "BLOCKED"
    gate.until(lambda: not gate.spooled())
    assert gate.quarantine() == []


def test_enforce_refuses_the_instances_that_contradict_those_before(gate: Gated, orthanc: Orthanc) -> None:
    gate.change(gate="enforce")
    files = files_of("two-patient-ids", 3)
    first, second = list(sop_uids(files))[:12], list(sop_uids(files))[12:]
    answer = gate.store(files)
    assert answer.status_code == 202
    assert uids(answer, STORED) == set(first)
    assert uids(answer, FAILED) == set(second)
    assert set(reasons(answer)) == {codes.FAMILIES["PAT"]}
    assert "PAT-ID-CONFLICT" in answer.headers["Warning"]
    comment = answer.json()[FAILED]["Value"][0]["00991014"]["Value"]
    assert comment == ["PAT-ID-CONFLICT"]
    assert set(stored_in(orthanc)) == set(first)
    assert gate.until(lambda: gate.readiness(uid_of("two-patient-ids", 3))) == "NEEDS_REVIEW"  # slices lack
    again = gate.store(files[12:13])  # what was accepted is known by its snapshot alone now
    assert (again.status_code, reasons(again)) == (409, [codes.FAMILIES["PAT"]])


def test_enforce_holds_a_request_against_those_before_it(gate: Gated, orthanc: Orthanc) -> None:
    gate.change(gate="enforce")
    files = files_of("two-patient-ids", 4)
    assert gate.store(files[:3]).status_code == 200
    assert gate.store(files[12:14]).status_code == 409
    assert gate.store(files[3:5]).status_code == 200
    assert gate.store(files[:3]).status_code == 200  # the same bytes again are no duplicates
    assert set(stored_in(orthanc)) == set(sop_uids(files[:5]))


def test_another_object_under_a_known_uid_is_refused(gate: Gated) -> None:
    gate.change(gate="enforce")
    files = files_of("ct-lungs", 4)
    assert gate.store(files[:2]).status_code == 200
    dataset = pydicom.dcmread(io.BytesIO(files[0]))
    dataset.ContentTime = "235959"
    other = io.BytesIO()
    dataset.save_as(other)
    answer = gate.store([other.getvalue(), files[1]])
    assert (answer.status_code, reasons(answer)) == (202, [codes.FAMILIES["INS"]])


def test_hold_answers_at_once_and_forwards_what_is_ready(gate: Gated, orthanc: Orthanc) -> None:
    files = files_of("cr-chest", 5)
    answer = gate.store(files)
    assert answer.status_code == 200
    url = answer.json()[STORED]["Value"][0]["00081190"]["Value"][0]
    assert url.startswith(f"{gate.server.url}/gate/main/studies/{uid_of('cr-chest', 5)}/series/")
    gate.until(lambda: len(stored_in(orthanc)) == len(files))
    assert stored_in(orthanc) == sop_uids(files)
    gate.until(lambda: not gate.spooled())
    assert gate.readiness(uid_of("cr-chest", 5)) == "READY"


def test_hold_takes_again_what_is_damaged_in_its_spool(gate: Gated, orthanc: Orthanc) -> None:
    files = files_of("cr-chest", 15)
    gate.change(gateIdleSeconds=3600)
    try:
        assert gate.store(files).status_code == 200
        for path in gate.spooled():
            path.write_bytes(path.read_bytes()[:-1])
    finally:
        gate.change(gateIdleSeconds=0.5)
    assert gate.store(files).status_code == 200
    gate.until(lambda: len(stored_in(orthanc)) == len(files))
    assert stored_in(orthanc) == sop_uids(files)


def test_a_blocked_study_waits_for_a_person_who_releases_it(gate: Gated, orthanc: Orthanc) -> None:
    files = files_of("uid-duplicate", 6)
    assert gate.store(files).status_code == 200
    [found] = gate.until(gate.quarantine)
    assert (found["reason"], found["objects"], found["readiness"]) == (
        "It is BLOCKED.",
        len(files),
        "BLOCKED",
    )
    assert not stored_in(orthanc)
    assert gate.store(files).status_code == 200  # identical bytes: nothing new
    path = f"/api/v1/quarantine/{found['id']}"
    assert len(gate.get(path)["objects"]) == len(files)
    assert gate.client.post(f"{path}/release", json={}).status_code == 400
    released = gate.client.post(f"{path}/release", json={"reason": "The radiologist wants it."})
    assert released.json()["objects"] == len(files)
    # Two files have one UID: Orthanc keeps the first, and says of the second that it stored it.
    [left] = gate.until(gate.quarantine)
    assert (left["reason"], left["objects"]) == ("The archive refuses it (0111H).", 1)
    assert set(stored_in(orthanc)) == set(sop_uids(files))
    path = f"/api/v1/quarantine/{left['id']}"
    assert gate.client.post(f"{path}/discard", json={"reason": "One is enough."}).is_success
    assert not gate.spooled()
    assert gate.quarantine() == []
    assert gate.client.post(f"{path}/release", json={"reason": "again"}).status_code == 404


def test_a_person_throws_a_blocked_study_away_and_it_may_come_again(gate: Gated, orthanc: Orthanc) -> None:
    files = files_of("modality-mixed", 7)
    assert gate.store(files).status_code == 200
    [found] = gate.until(gate.quarantine)
    path = f"/api/v1/quarantine/{found['id']}"
    assert gate.client.post(f"{path}/discard", json={"reason": "A phantom."}).status_code == 200
    assert gate.quarantine() == []
    assert not gate.spooled()
    assert gate.store(files).status_code == 200
    [again] = gate.until(gate.quarantine)
    assert again["objects"] == len(files)
    assert gate.client.post(f"{path}/discard", json={"reason": "A phantom."}).status_code == 200
    assert not stored_in(orthanc)


def test_what_needs_review_waits_where_the_site_wants_that(gate: Gated, orthanc: Orthanc) -> None:
    gate.change(gateReview="quarantine")
    assert gate.store(files_of("age-mismatch", 8)).status_code == 200
    [found] = gate.until(gate.quarantine)
    assert found["reason"] == "It is NEEDS_REVIEW."
    gate.client.post(f"/api/v1/quarantine/{found['id']}/release", json={"reason": "Age is right."})
    gate.until(lambda: stored_in(orthanc))
    gate.change(gateReview="forward")
    assert gate.store(files_of("age-mismatch", 9)).status_code == 200
    gate.until(lambda: len(stored_in(orthanc)) == 2)


def test_late_instances_are_judged_with_those_that_are_gone(gate: Gated, orthanc: Orthanc) -> None:
    files = files_of("two-patient-ids", 10)
    assert gate.store(files[:6]).status_code == 200
    gate.until(lambda: len(stored_in(orthanc)) == 6)
    gate.until(lambda: not gate.spooled())
    assert gate.store(files[12:14]).status_code == 200
    [found] = gate.until(gate.quarantine)
    assert found["objects"] == 2
    study = gate.get(f"/api/v1/quarantine/{found['id']}")
    assert sorted(one["state"] for one in study["objects"]) == ["forwarded"] * 6 + ["quarantined"] * 2
    gate.client.post(f"/api/v1/quarantine/{found['id']}/discard", json={"reason": "Another patient."})


def test_the_study_of_the_url_is_the_only_one(gate: Gated) -> None:
    ours, others = files_of("cr-chest", 11), files_of("dx-hand", 11)
    answer = gate.store([*ours, *others], study=uid_of("cr-chest", 11))
    assert answer.status_code == 202
    assert uids(answer, STORED) == set(sop_uids(ours))
    assert reasons(answer) == [codes.OTHER_STUDY] * 2
    answer = gate.store(others, study=uid_of("cr-chest", 11))
    assert (answer.status_code, reasons(answer)) == (409, [codes.OTHER_STUDY] * 2)


def test_dicomweb_client_stores_through_the_gate(gate: Gated, orthanc: Orthanc) -> None:
    gate.change(gate="enforce")
    files = files_of("us-abdomen", 12)
    client = DICOMwebClient(f"{gate.server.url}/gate/main")
    told = client.store_instances([pydicom.dcmread(io.BytesIO(file)) for file in files])
    assert {item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence} == set(sop_uids(files))
    assert told.RetrieveURL.endswith(uid_of("us-abdomen", 12))
    assert set(stored_in(orthanc)) == set(sop_uids(files))


def test_an_answer_in_xml(gate: Gated) -> None:
    answer = gate.store(
        [*files_of("ecg", 13), b"junk"], headers={"Accept": 'application/dicom+xml; charset="utf-8"'}
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, "application/dicom+xml")
    tree = ET.fromstring(answer.content)  # noqa: S314 - our own
    assert [one.get("keyword") for one in tree] == [
        "RetrieveURL",
        "ReferencedSOPSequence",
        "OtherFailuresSequence",
    ]


def test_junk_beside_objects_and_alone(gate: Gated) -> None:
    files = files_of("cr-chest", 14)
    answer = gate.store([b"", b"\0" * 5000, *files, b"<html>no</html>"])
    assert answer.status_code == 202
    assert uids(answer, STORED) == set(sop_uids(files))
    assert reasons(answer, OTHERS) == [codes.UNREADABLE] * 3
    answer = gate.store([b"junk"])
    assert (answer.status_code, reasons(answer, OTHERS)) == (400, [codes.UNREADABLE])
    body = body_of([b"text"], boundary="b", header=b"Content-Type: text/plain")
    answer = gate.client.post(gate.path, content=body, headers={"Content-Type": content_type("b")})
    assert (answer.status_code, reasons(answer, OTHERS)) == (400, [codes.NOT_DICOM])


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ('multipart/related; type="application/dicom"; boundary=other', 400),
        ('multipart/related; type="application/dicom"', 400),
        ('multipart/related; type="application/dicom+json"; boundary=b', 415),
        ('multipart/related; type="application/dicom+xml"; boundary=b', 415),
        ("multipart/form-data; boundary=b", 415),
        ("application/dicom+json", 415),
        ("", 415),
    ],
)
def test_other_bodies_are_refused(gate: Gated, given: str, status: int) -> None:
    body = body_of(files_of("cr-chest", 15), boundary="b")
    answer = gate.client.post(gate.path, content=body, headers={"Content-Type": given})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert not gate.spooled()


def test_a_body_that_ends_before_its_end_leaves_nothing(gate: Gated, orthanc: Orthanc) -> None:
    body = body_of(files_of("cr-chest", 16), boundary="b")
    answer = gate.client.post(gate.path, content=body[:-4], headers={"Content-Type": content_type("b")})
    assert answer.status_code == 400
    assert not gate.spooled()


def test_gates_and_archives_that_are_not_there(gate: Gated) -> None:
    assert (
        gate.client.post("/gate/none/studies", headers={"Content-Type": content_type("b")}).status_code == 404
    )
    gate.change(gate=None)
    assert gate.store(files_of("cr-chest", 16)).status_code == 404


def test_a_part_that_is_too_large_is_told_beside_the_others(gate: Gated) -> None:
    files = files_of("cr-chest", 17)
    answer = gate.store([files[0], files[1] + b"\0" * MOST_PART, files[1]])
    assert answer.status_code == 202
    assert uids(answer, STORED) == set(sop_uids(files))
    assert reasons(answer, OTHERS) == [codes.OUT_OF_RESOURCES]
    answer = gate.store([b"\0" * (MOST_PART + 1)])
    assert (answer.status_code, reasons(answer, OTHERS)) == (413, [codes.OUT_OF_RESOURCES])


def test_ten_thousand_small_parts(gate: Gated) -> None:
    files = files_of("mg-screening", 18)
    answer = gate.store([*files[:2], *[b"x"] * 10_000, *files[2:]])
    assert answer.status_code == 202
    assert uids(answer, STORED) == set(sop_uids(files))
    assert len(reasons(answer, OTHERS)) == 10_000
    assert gate.store([b"x"] * 20_001).status_code == 413


def test_a_sender_that_stays_silent_is_told_so(gate: Gated) -> None:
    body = body_of(files_of("cr-chest", 19), boundary="b")
    place = urlsplit(gate.server.url)
    head = (
        f"POST {gate.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: {content_type('b')}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall(head.encode() + body[:1000])
        answer = connection.recv(65536)  # nothing more is sent
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert not gate.spooled()


@pytest.mark.parametrize(("mode", "seed"), [("hold", 20), ("enforce", 21), ("observe", 22)])
def test_one_study_in_fifty_requests_at_the_same_time(
    gate: Gated, orthanc: Orthanc, mode: str, seed: int
) -> None:
    gate.change(gate=mode)
    files = files_of("ct-liver", seed)
    portions = [files[number::50] for number in range(50)]
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(gate.store, portions))
    assert {answer.status_code for answer in answers} == {200}
    gate.until(lambda: not gate.spooled())
    assert stored_in(orthanc) == sop_uids(files)
    assert gate.until(lambda: gate.readiness(uid_of("ct-liver", seed))) == "READY"


def test_an_archive_that_is_away(gate: Gated) -> None:
    """In `enforce` nothing is taken; in `hold` it is kept until the archive is back."""
    options = {"gate": "enforce", "gateIdleSeconds": 0.5, "strategy": "none"}
    entry = {"name": "away", "qidoUrl": "http://127.0.0.1:9/dicom-web", "options": options}
    assert gate.client.post("/api/v1/archives", json=entry).is_success
    away = Gated(gate.server, "away")
    answer = away.store(files_of("dx-hand", 21))
    assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (503, True)
    assert not away.spooled()
    away.change(gate="hold")
    assert away.store(files_of("dx-hand", 21)).status_code == 200
    jobs = "/api/v1/jobs?kind=forward&limit=100"
    gate.until(
        lambda: [one for one in gate.get(jobs)["items"] if one["group"] == "gate:away" and one["error"]]
    )
    assert len(away.spooled()) == 2
    away.client.close()


@pytest.mark.parametrize("is_chunked", [True, False])
def test_orthancs_own_client_stores_through_the_gate(gate: Gated, orthanc: Orthanc, is_chunked: bool) -> None:
    """It separates the parts by 73 characters, three more than RFC 2046 allows."""
    gate.change(gate="observe")
    study = uid_of("mg-screening", 50 + is_chunked)
    orthanc.store(files_of("mg-screening", 50 + is_chunked))
    with orthanc.rest() as rest:
        rest.timeout = 60
        server = {"Url": f"{gate.server.url}/gate/main/", "ChunkedTransfers": is_chunked}
        rest.put("/dicom-web/servers/gate", json=server).raise_for_status()
        (found,) = rest.get("/studies").json()
        sent = rest.post("/dicom-web/servers/gate/stow", json={"Resources": [found], "Synchronous": True})
        assert sent.is_success, sent.text
    assert gate.until(lambda: gate.readiness(study)) == "READY"


def test_a_type_without_quotes_is_understood(gate: Gated) -> None:
    gate.change(gate="observe")
    told = gate.client.post(
        gate.path,
        content=body_of(files_of("mg-screening", 60), boundary="b"),
        headers={"Content-Type": "multipart/related; type=application/dicom; boundary=b"},
    )
    assert told.status_code == 200, told.text
