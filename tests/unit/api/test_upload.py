"""Uploads through the API, judged by real processes."""

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from unit.api.service import Service, in_one_task, running, study_zip, synthetic, zip_of
from unit.connectors.upload.made import dicom, spoilt, zipped
from unit.store.samples import NOW

from heltig.demo.part10 import part10
from heltig.pipeline.reading import read_inputs
from heltig.setting_types import Size
from heltig.store import archives
from heltig.store.archives import Archive
from heltig.store.search import count
from heltig.store.study_query import StudyQuery
from heltig.store.uploads import mark_purged

UPLOAD = "/api/v1/jobs/upload"
ZIP = {"Content-Type": "application/zip"}
LINK = zipfile.ZipInfo("link")
LINK.external_attr = 0o120777 << 16


async def test_an_upload_is_judged_in_the_request(service: Service) -> None:
    package = study_zip("ct-chest", "two-patient-ids")
    answer = await service.post(UPLOAD, content=package, headers=ZIP)
    assert answer.status_code == 201
    said = answer.json()
    assert said["upload"]["sha256"] == hashlib.sha256(package).hexdigest()
    assert said["upload"]["size"] == len(package)
    assert said["upload"]["repeat"] is False
    assert said["readiness"] == "BLOCKED"
    worst, best = said["studies"]
    assert (worst["study"]["readiness"], best["study"]["readiness"]) == ("BLOCKED", "READY")
    assert "PAT-ID-CONFLICT" in [finding["rule"] for finding in worst["findings"]]
    job = said["job"]
    assert (job["kind"], job["state"]) == ("upload", "succeeded")
    assert job["result"]["studies"] == 2
    assert job["result"]["members"] == job["result"]["instances"]
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (await service.get(answer.headers["location"])).json() == job

    uid, location = worst["study"]["key"], worst["study"]["location"]
    seen = await service.get(f"/dicom-web/studies/{uid}/readiness", params={"archive": location})
    assert seen.headers["heltig-readiness"] == "BLOCKED"
    findings = await service.get(f"/api/v1/studies/{uid}/findings", params={"severity": "block"})
    assert {item["rule"] for item in findings.json()["items"]} >= {"PAT-ID-CONFLICT"}
    (entry,) = await service.audit("upload.accept")
    assert (entry.actor, entry.subject, entry.outcome) == ("local", location, "success")

    await service.services.uploads.sweep()
    assert service.spooled() == []


async def test_the_same_bytes_again_are_the_first_upload(service: Service) -> None:
    store = service.services.store
    await store.write(archives.add, Archive(name="vna", qido_url="http://v/q", wado_url="http://v/w"))
    package = study_zip("dx-hand")
    first = (await service.post(UPLOAD, content=package)).json()
    again = await service.post(UPLOAD, content=package)
    assert again.status_code == 200
    assert again.json()["job"] == first["job"]
    assert again.json()["upload"] == {**first["upload"], "repeat": True}
    queued = await service.post(f"{UPLOAD}/async", content=package)
    assert (queued.status_code, queued.json()["job"]["id"]) == (200, first["job"]["id"])

    other_target = (await service.post(UPLOAD, content=package, params={"target": "vna"})).json()
    assert other_target["job"]["id"] != first["job"]["id"]
    assert other_target["upload"]["target"] == "vna"

    await store.write(mark_purged, first["upload"]["location"].partition(":")[2], at=NOW)
    anew = await service.post(UPLOAD, content=package)
    assert (anew.status_code, anew.json()["upload"]["repeat"]) == (201, False)
    # The service may have begun to watch the archive.
    jobs = (await service.get("/api/v1/jobs", params={"kind": "upload"})).json()["items"]
    assert len({job["id"] for job in jobs}) == 3


async def test_a_queued_upload(service: Service) -> None:
    answer = await service.post(f"{UPLOAD}/async", content=study_zip("dx-hand"))
    assert answer.status_code == 202
    job = await service.services.uploads.ended(answer.json()["job"]["id"], within=60)
    assert job.state == "succeeded"
    assert job.result
    assert job.result["readiness"] == {"READY": 1}
    await service.services.store.write(lambda transaction: None)  # after what the job's end had to write
    assert service.spooled() == []  # without a sweep


async def test_a_form_with_one_file(service: Service) -> None:
    package = study_zip("dx-hand")
    form: dict[str, Any] = {"data": {"note": "x"}, "files": {"file": ("Doe^Jane.zip", package)}}
    answer = await service.post(UPLOAD, **form)
    assert answer.status_code == 201
    assert answer.json()["upload"]["sha256"] == hashlib.sha256(package).hexdigest()
    assert "Jane" not in answer.text.replace(str(answer.json()["studies"]), "")
    two = {"a": ("a.zip", b"1"), "b": ("b.zip", b"2")}
    for wrong in ({"files": two}, {"files": {"field": (None, b"no file")}}):
        refused = await service.post(UPLOAD, **wrong)  # type: ignore[arg-type]
        assert refused.status_code == 400
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await service.post(UPLOAD, content=b"--x\r\nbroken", headers=boundary)).status_code == 400
    assert (
        await service.post(UPLOAD, content=b"{}", headers={"Content-Type": "text/xml"})
    ).status_code == 415


UNSAFE: dict[str, tuple[bytes, int, str]] = {
    "traversal": (zipped([("ok.dcm", dicom()), ("../../etc/passwd", b"x")]), 422, "../../etc/passwd"),
    "absolute-path": (zipped([("/etc/passwd", b"x")]), 422, "/etc/passwd"),
    "special-member": (zipped([(LINK, b"/etc/passwd")]), 422, "link"),
    "encrypted": (spoilt(zipped([("a.dcm", dicom())]), b"PK\x01\x02", 8, "<H", 1), 422, "a.dcm"),
    "header-mismatch": (spoilt(zipped([("a.dcm", dicom())]), b"PK\x03\x04", 8, "<H", 0), 422, "a.dcm"),
    "bomb": (zipped([("big.dcm", bytes(20_000_000))]), 413, "big.dcm"),
    "too-large": (zipped([("a.dcm", bytes(3_000_000))], method=zipfile.ZIP_STORED), 413, "a.dcm"),
    "too-many": (zipped((f"{n}.dcm", b"x") for n in range(60)), 413, ""),
    "nesting": (
        zipped([("a.zip", zipped([("b.zip", zipped([("c.zip", zipped([("d", b"x")]))]))]))]),
        413,
        "a.zip",
    ),
    "not a ZIP": (b"\x89PNG", 422, ""),
    "truncated": (study_zip("dx-hand")[:-30], 422, ""),
    "empty": (zip_of([]), 422, ""),
    "no DICOM": (zip_of([("notes.txt", b"hello")]), 422, ""),
}


async def test_what_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    options = {
        "upload_max_members": 50,
        "upload_max_size": Size(4_000_000),
        "member_max_size": Size(2_000_000),
    }
    async with in_one_task(running(tmp_path / "home", **options)) as service:
        for name, (package, status, member) in UNSAFE.items():
            for path in (UPLOAD, f"{UPLOAD}/async"):
                if (name, path) == ("no DICOM", f"{UPLOAD}/async"):
                    continue  # that is only known once it is read
                answer = await service.post(path, content=package, headers=ZIP)
                assert (name, answer.status_code) == (name, status)
                assert answer.headers["content-type"] == "application/problem+json"
                detail = answer.json()["detail"]
                assert member in detail
                assert detail.count(".") >= 1
        await service.services.uploads.sweep()
        assert service.spooled() == []
        store = service.services.store
        assert await store.read(count, StudyQuery(states=("PENDING", "JUDGED")), now=NOW) == 0
        jobs = (await service.get("/api/v1/jobs?kind=upload")).json()["items"]
        assert [job["state"] for job in jobs] == ["failed"]
        assert "DICOM" in jobs[0]["error"]
        assert "notes" not in str(jobs)


UNUSABLE: dict[str, tuple[bytes, str]] = {
    "nothing": (
        b"",
        "Nothing was sent: the body has no bytes. Send the ZIP as the body, or as the file of a form.",
    ),
    "empty": (zip_of([]), "The ZIP holds no files; pack the folder of DICOM files anew."),
    "a program": (
        b"MZ" + bytes(500) + study_zip("dx-hand"),
        "Something stands in front of the ZIP, as in a self-extracting program; make a plain ZIP of the "
        "files.",
    ),
    "a ZIP in front": (
        zip_of([("a", b"x")]) + study_zip("dx-hand"),
        "The ZIP's directory is not where its end record says: 101 bytes were put into it or in front of it; "
        "make a plain ZIP of the files.",
    ),
    "cut": (
        study_zip("dx-hand")[:-30],
        "The ZIP has no end record: it is cut off or damaged; copy or send it again.",
    ),
    "cut within": (
        study_zip("dx-hand")[:100] + study_zip("dx-hand")[150:],
        "The ZIP's directory is not where its end record says: 50 bytes are missing; copy or send it again.",
    ),
}


async def test_a_zip_that_cannot_be_opened_is_told_with_what_to_do(service: Service) -> None:
    told = {name: await service.post(UPLOAD, content=package) for name, (package, _) in UNUSABLE.items()}
    assert {answer.status_code for answer in told.values()} == {422}
    assert {name: answer.json()["detail"] for name, answer in told.items()} == {
        name: detail for name, (_, detail) in UNUSABLE.items()
    }


async def test_an_upload_is_unpacked_whole_and_blocked_for_what_did_not_come_as_it_was_sent(
    service: Service,
) -> None:
    package = zipped([(f"{n}.dcm", dicom(f"1.{n}")) for n in range(3)], method=zipfile.ZIP_STORED)
    place = package.rindex(bytes(512))
    said = (await service.post(UPLOAD, content=package[:place] + b"\1" + package[place + 1 :])).json()
    (study,) = said["studies"]
    (finding,) = (one for one in study["findings"] if one["rule"] == "SRC-MEMBER-DAMAGED")
    assert (said["readiness"], finding["severity"], finding["count"]) == ("BLOCKED", "block", 1)
    assert finding["observed"].startswith("checksum: CRC-32 is ")
    well = (await service.post(UPLOAD, content=package)).json()
    assert "SRC-MEMBER-DAMAGED" not in str(well)


async def test_a_member_that_cannot_be_read_needs_review(service: Service) -> None:
    package = zipped([(f"{n}.dcm", dicom(f"1.{n}")) for n in range(3)] + [("3.dcm", b"")])
    (study,) = (await service.post(UPLOAD, content=package)).json()["studies"]
    (finding,) = (one for one in study["findings"] if one["rule"] == "SRC-MEMBER-UNREAD")
    assert (finding["severity"], finding["observed"]) == (
        "review",
        "1 member: empty-member: a member of 0 bytes",
    )


async def test_a_failed_upload_is_tried_anew_when_it_is_sent_again(service: Service) -> None:
    package = zip_of([("notes.txt", b"hello")])
    for _ in range(2):
        assert (await service.post(UPLOAD, content=package)).status_code == 422
    jobs = (await service.get("/api/v1/jobs?kind=upload")).json()["items"]
    assert len(jobs) == 2


async def test_a_body_over_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(64 * 1024)

    async with in_one_task(running(tmp_path / "home", upload_max_size=Size(1024 * 1024))) as service:
        answer = await service.post(UPLOAD, content=endless())
        assert answer.status_code == 413
        assert "HELTIG_UPLOAD_MAX_SIZE" in answer.json()["detail"]
        assert read < 30
        said = await service.post(UPLOAD, content=b"x", headers={"Content-Length": "9" * 12})
        assert said.status_code == 413
        assert service.spooled() == []


async def test_a_sender_that_goes_away_leaves_nothing_behind(service: Service) -> None:
    sent = [
        {"type": "http.request", "body": b"PK\x03\x04" + bytes(1000), "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return sent.pop(0)

    async def send(message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": UPLOAD,
        "raw_path": UPLOAD.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/zip")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8042),
        "scheme": "http",
        "http_version": "1.1",
    }
    await service.app(scope, receive, send)  # type: ignore[arg-type]
    assert sent == []
    assert service.spooled() == []
    assert (await service.get("/api/v1/jobs?kind=upload")).json()["items"] == []


async def test_an_unknown_target(service: Service) -> None:
    answer = await service.post(UPLOAD, content=b"x", params={"target": "nowhere"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_two_that_send_the_same_at_the_same_time_get_one_job(service: Service) -> None:
    package = study_zip("dx-hand")
    answers = await asyncio.gather(*(service.post(UPLOAD, content=package) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json()["job"]["id"] for answer in answers}) == 1
    await service.services.uploads.sweep()
    assert service.spooled() == []


async def test_where_identifiers_are_hashed_they_cannot_be_guessed_from_the_key_of_a_study_without_a_uid(
    tmp_path: Path,
) -> None:
    first = dict(synthetic("dx-hand").datasets[0])
    del first["0020000D"]
    package = zip_of([("1.dcm", part10(first, {}))])
    (tmp_path / "plain.zip").write_bytes(package)
    [plain] = read_inputs([tmp_path / "plain.zip"]).studies
    async with running(tmp_path / "home", identifiers="hashed") as service:
        keys = set()
        for content in (package, zip_of([("renamed.dcm", part10(first, {}))])):
            [judged] = (await service.post(UPLOAD, content=content, headers=ZIP, timeout=120)).json()[
                "studies"
            ]
            keys.add(judged["study"]["key"])
        [key] = keys
        assert (key[:13], len(key)) == (plain.key[:13], len(plain.key))
        assert key != plain.key
        again = {"dryRun": True, "study": key, "profile": "strict"}
        job = (await service.post("/api/v1/rescore", json=again)).json()["id"]
        done = await service.services.uploads.ended(job, within=120)
        assert done.result
        assert (done.result["studies"], done.result["failed"]) == (2, [])


async def test_where_studies_are_analysed_a_zip_stays_for_a_while(tmp_path: Path) -> None:
    now = [NOW]
    settings = {"analysis_enabled": True, "analysis_use": "research-only", "alert_disk": Size(1)}
    async with in_one_task(running(tmp_path / "home", clock=lambda: now[0], **settings)) as service:
        said = (await service.post(UPLOAD, content=study_zip("ct-chest"), headers=ZIP)).json()
        [study] = said["studies"]
        sweep = service.services.uploads.sweep
        await sweep()
        assert service.spooled() == ["uploads"]
        asked = {"study": study["study"]["key"], "segmenters": ["classical"]}
        ordered = await service.post("/api/v1/research/analyses", json=asked)
        assert ordered.status_code == 202, ordered.text
        async with asyncio.timeout(60):
            while True:
                found = (await service.get(ordered.headers["location"])).json()
                if found["finished"]:
                    break
                await asyncio.sleep(0.05)
        assert (found["location"], found["code"]) == (study["study"]["location"], "IDENTIFIED")
        now[0] += timedelta(days=8)
        await sweep()
        assert service.spooled() == []
