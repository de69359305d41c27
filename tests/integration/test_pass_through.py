"""QIDO-RS and WADO-RS through a gate: a real server before a real archive, spoken to by real clients."""

import io
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session_from_user_pass
from integration.gated import Gated, files_of, gated, uid_of
from servers.orthanc import Orthanc
from servers.ports import free_port
from servers.streaming import Streaming, streaming
from servers.tiny_pacs import TinyPacsNotInstalledError, running_tiny_pacs

OCTETS = ("application/octet-stream",)
MIB = 1024 * 1024
MOST_GROWTH = 30 * MIB
READINESS, STATE, URL = "00991001", "00991009", "00081190"


@pytest.fixture(scope="module")
def before_orthanc(
    _orthanc_server: Orthanc, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gated, Orthanc]]:
    """A gate before an Orthanc that has some studies."""
    _orthanc_server.clear()
    for name in ("ct-chest", "cr-chest", "us-abdomen"):
        _orthanc_server.store(files_of(name, 21))
    port = free_port()
    # dicomweb-client names us without our port, and follows the addresses that it is given.
    settings = {"port": str(port), "public_url": f"http://127.0.0.1:{port}"}
    with gated(
        tmp_path_factory.mktemp("pass") / "home",
        _orthanc_server.root,
        password=_orthanc_server.password,
        settings=settings,
        gate="observe",
        gateIdleSeconds=0.2,
    ) as gate:
        yield gate, _orthanc_server


class Both:
    """The same client twice: straight to the archive, and through the gate before it."""

    def __init__(self, gate: Gated, orthanc: Orthanc) -> None:
        self.gate = gate
        self.root = orthanc.root
        self.through_root = f"{gate.server.url}/gate/main"
        session = create_session_from_user_pass(orthanc.username, orthanc.password)
        self.straight = DICOMwebClient(self.root, session=session)
        self.through = DICOMwebClient(self.through_root)
        self._auth = (orthanc.username, orthanc.password)

    def asked(self, path: str, **headers: str) -> tuple[httpx.Response, httpx.Response]:
        """The answers to a request as they are."""
        given = {"Accept-Encoding": "identity", **headers}
        straight = httpx.get(
            f"{self.root}/{path}", headers=given, auth=self._auth, trust_env=False, timeout=60
        )
        return straight, self.gate.client.get(f"/gate/main/{path}", headers=given)

    def led(self, answer: Any) -> Any:
        """What is to come through the gate for what came straight."""
        without_port = re.sub(r":\d+/", "/", self.root)  # as dicomweb-client names it, see above
        text = json.dumps(answer).replace(self.root, self.through_root)
        return json.loads(text.replace(without_port, self.through_root))


@pytest.fixture(scope="module")
def both(before_orthanc: tuple[Gated, Orthanc]) -> Both:
    return Both(*before_orthanc)


def first_instance(both: Both, study: str) -> tuple[str, str, str]:
    series = both.through.search_for_series(study)[0]["0020000E"]["Value"][0]
    instance = both.through.search_for_instances(study, series)[0]["00080018"]["Value"][0]
    return study, series, instance


def without_block(row: dict[str, Any]) -> dict[str, Any]:
    return {tag: row[tag] for tag in row if not tag.startswith("0099")}


@pytest.mark.orthanc
def test_searches_find_what_the_archive_finds_and_say_how_studies_stand(both: Both) -> None:
    one_study = {"StudyInstanceUID": uid_of("cr-chest", 21)}
    for filters, limit in (({}, None), ({}, 2), ({"ModalitiesInStudy": "CT"}, None), (one_study, None)):
        search: dict[str, Any] = {"search_filters": filters, "limit": limit}
        straight = both.straight.search_for_studies(**search)
        through = both.through.search_for_studies(**search)
        assert [without_block(row) for row in through] == both.led(straight)
        assert straight
        assert {row[STATE]["Value"][0] for row in through} == {"UNKNOWN"}
    study = uid_of("ct-chest", 21)
    assert both.through.search_for_series(study) == both.led(both.straight.search_for_series(study))
    assert both.through.search_for_instances(study) == both.led(both.straight.search_for_instances(study))
    assert both.through.search_for_series() == both.led(both.straight.search_for_series())
    assert both.through.search_for_instances(limit=5) == both.led(both.straight.search_for_instances(limit=5))


@pytest.mark.orthanc
@pytest.mark.parametrize("name", ["ct-chest", "us-abdomen"])
def test_objects_come_byte_for_byte(both: Both, name: str) -> None:
    study, series, instance = first_instance(both, uid_of(name, 21))
    for path in (
        f"studies/{study}",
        f"studies/{study}/series/{series}",
        f"studies/{study}/series/{series}/instances/{instance}",
    ):
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        straight, through = both.asked(path, Accept=accept)
        assert (straight.status_code, through.status_code) == (200, 200)
        assert contents(through) == contents(straight)
    files = {pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID: file for file in files_of(name, 21)}
    assert set(contents(through)) <= set(files.values())
    retrieved = both.through.retrieve_study(study)
    assert {dataset.SOPInstanceUID for dataset in retrieved} == set(files)
    assert both.through.retrieve_instance(study, series, instance) == both.straight.retrieve_instance(
        study, series, instance
    )


def contents(answer: httpx.Response) -> list[bytes]:
    """The contents of the parts of an answer."""
    boundary = answer.headers["Content-Type"].rpartition("boundary=")[2].strip('"').encode()
    parts = answer.content.split(b"--" + boundary)
    assert parts[-1].startswith(b"--")
    return [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:-1]]


@pytest.mark.orthanc
def test_metadata_differs_in_addresses_alone_and_these_lead_to_the_same_bytes(both: Both) -> None:
    study, series, instance = first_instance(both, uid_of("ct-chest", 21))
    for path in (f"studies/{study}", f"studies/{study}/series/{series}"):
        straight, through = both.asked(f"{path}/metadata", Accept="application/dicom+json")
        assert through.content == straight.content.replace(both.root.encode(), both.through_root.encode())
        assert through.headers["Heltig-Readiness"] == "UNKNOWN"
    metadata = both.through.retrieve_instance_metadata(study, series, instance)
    address = metadata["7FE00010"]["BulkDataURI"]
    assert address.startswith(f"{both.through_root}/studies/{study}/")
    bulk = both.through.retrieve_bulkdata(address, OCTETS)
    assert bulk == both.straight.retrieve_bulkdata(address.replace(both.through_root, both.root), OCTETS)
    pixels = pydicom.dcmread(io.BytesIO(files_of("ct-chest", 21)[0])).PixelData
    assert len(bulk[0]) == len(pixels)


@pytest.mark.orthanc
def test_frames_and_pictures(both: Both) -> None:
    uids = first_instance(both, uid_of("ct-chest", 21))
    frames = [
        client.retrieve_instance_frames(*uids, [1], media_types=OCTETS)
        for client in (both.through, both.straight)
    ]
    assert frames[0] == frames[1]
    path = "studies/{}/series/{}/instances/{}".format(*uids)
    straight, through = both.asked(f"{path}/frames/1")
    locations = [line for line in through.content.split(b"\r\n") if line.startswith(b"Content-Location: ")]
    assert locations
    for location in locations:
        assert location.startswith(f"Content-Location: {both.through_root}/{path}/frames/1".encode())
    for picture in (f"{path}/rendered", f"{path}/frames/1/rendered"):
        straight, through = both.asked(picture, Accept="image/jpeg")
        assert (through.content, through.headers["Content-Type"]) == (straight.content, "image/jpeg")


@pytest.mark.orthanc
def test_a_study_that_went_in_through_the_gate_is_refused_on_its_way_out_once_it_is_blocked(
    both: Both,
) -> None:
    gate, study = both.gate, uid_of("modality-mixed", 22)
    assert gate.store(files_of("modality-mixed", 22)).status_code == 200
    gate.until(lambda: gate.readiness(study) == "BLOCKED")
    [row] = both.through.search_for_studies(search_filters={"StudyInstanceUID": study})
    assert row[READINESS]["Value"] == ["BLOCKED"]
    _, through = both.asked(f"studies/{study}/metadata")
    assert through.headers["Heltig-Readiness"] == "BLOCKED"
    gate.change(gateBlocked="refuse")
    try:
        for path in (f"studies/{study}", f"studies/{study}/metadata"):
            assert gate.client.get(f"/gate/main/{path}").status_code == 403
            other = path.replace(study, f"{study}.")
            assert httpx.get(f"{both.root}/{other}", auth=both._auth, trust_env=False).status_code == 200
            assert gate.client.get(f"/gate/main/{other}").status_code == 403
        assert both.through.search_for_studies(search_filters={"StudyInstanceUID": study}) == [row]
        assert both.through.retrieve_study_metadata(uid_of("cr-chest", 21))
    finally:
        gate.change(gateBlocked="pass")


@pytest.mark.orthanc
def test_curl_gets_no_further_than_the_resources(both: Both) -> None:
    study = uid_of("cr-chest", 21)

    def curl(path: str, *options: str) -> str:
        command = ["curl", "--silent", "--path-as-is", "--output", "/dev/null", "--write-out", "%{http_code}"]
        ran = subprocess.run(
            [*command, *options, f"{both.through_root}{path}"], check=True, capture_output=True, text=True
        )
        return ran.stdout

    assert curl(f"/studies/{study}/metadata", "--compressed") == "200"
    assert curl(f"/studies/{study}", "--head") == "200"
    for path in (
        "/../system",
        "/studies/../servers",
        f"/studies/{study}/../../servers",
        f"/studies/{study}/%2e%2e/%2e%2e/servers",
        f"/studies/{study}%2f..%2f..%2fservers",
        "/servers",
        "/studies/%0d%0aX:%20y",
    ):
        assert curl(path) in ("400", "404"), path
    assert curl(f"/studies/{study}", "--request", "DELETE") == "405"


CHUNK = bytes(range(256)) * 256
PARTS = b'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n'


def answers(target: str, out: BinaryIO) -> None:
    """Of 300 MiB in several forms, of some that break off, of an endless one."""
    kind = target.rpartition("/")[2]
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    match kind:
        case "whole":
            length = len(body) + 300 * MIB + len(b"\r\n--b--\r\n")
            out.write(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (PARTS, length, body))
            for _ in range(300 * MIB // len(CHUNK)):
                out.write(CHUNK)
            out.write(b"\r\n--b--\r\n")
        case "metadata":
            out.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n\r\n[")
            one = b'{"7FE00010":{"vr":"OW","BulkDataURI":"bulkdata/1"},"00081030":{"vr":"LO","Value":["%s"]}}'
            row = one % (b"x" * 3000)
            for number in range(64 * MIB // len(row)):
                out.write(b",%s" % row if number else row)
            out.write(b"]")
        case "endless":
            out.write(b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (PARTS, body))
            while True:
                out.write(CHUNK)
        case "length":
            out.write(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 9999999\r\n\r\n" + CHUNK)
        case "chunked":
            out.write(b"HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n" % PARTS)
            out.write(b"%x\r\n%s\r\n" % (len(body), body))
        case "closed":
            out.write(b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (PARTS, body + CHUNK))
        case _:
            out.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n\r\n[{"00100020":{}},')


@pytest.fixture(scope="module")
def upstream() -> Iterator[Streaming]:
    with streaming(answers) as server:
        yield server


@pytest.fixture(scope="module")
def before_streams(upstream: Streaming, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("streams") / "home", upstream.root, gate="observe") as gate:
        yield gate


def memory(gate: Gated, name: str) -> int:
    """Bytes of memory of the server: `VmRSS` now, `VmHWM` at most so far."""
    status = Path(f"/proc/{gate.server.process.pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


@pytest.mark.parametrize(("path", "least"), [("bulkdata/whole", 300 * MIB), ("metadata", 60 * MIB)])
def test_what_goes_through_is_not_kept_in_memory(before_streams: Gated, path: str, least: int) -> None:
    gate = before_streams
    gate.client.get("/gate/main/studies/1.2/bulkdata/none")  # what is made at first is there
    Path(f"/proc/{gate.server.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    before = memory(gate, "VmRSS")
    with gate.client.stream("GET", f"/gate/main/studies/1.2/{path}") as answer:
        assert answer.status_code == 200
        size = sum(len(piece) for piece in answer.iter_raw())
    assert size > least
    assert memory(gate, "VmHWM") - before < MOST_GROWTH


@pytest.mark.parametrize("reads", [0, 3 * MIB])
def test_a_client_that_goes_is_the_end_of_the_request_to_the_archive(
    before_streams: Gated, upstream: Streaming, reads: int
) -> None:
    upstream.left.clear()
    host, port = before_streams.server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"GET /gate/main/studies/1.2/bulkdata/endless HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(17) == b"HTTP/1.1 200 OK\r\n"
        while reads > 0:
            reads -= len(connection.recv(65536))
    assert upstream.left.wait(60)


@pytest.mark.parametrize("kind", ["bulkdata/length", "bulkdata/chunked", "bulkdata/closed", "series"])
def test_an_answer_that_breaks_off_never_looks_whole(before_streams: Gated, kind: str) -> None:
    path = "/gate/main/studies" if kind == "series" else f"/gate/main/studies/1.2/{kind}"
    with before_streams.client.stream("GET", path) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    assert before_streams.client.get("/health").status_code == 200
    before_streams.until(lambda: "gate.broken-off" in before_streams.server.output)


def test_an_archive_that_does_things_otherwise(tmp_path: Path) -> None:
    """tiny_pacs: 204 where nothing is found, no metadata, errors in plain text, other framing."""
    (tmp_path / "tiny").mkdir()
    with ExitStack() as stack:
        try:
            tiny = stack.enter_context(running_tiny_pacs(tmp_path / "tiny"))
        except TinyPacsNotInstalledError as missing:
            pytest.skip(f"needs {missing}")
        gate = stack.enter_context(gated(tmp_path / "home", tiny.root, gate="observe"))
        tiny.store(files_of("cr-chest", 23))
        study = uid_of("cr-chest", 23)
        asked = {
            path: (httpx.get(f"{tiny.root}/{path}", trust_env=False), gate.client.get(f"/gate/main/{path}"))
            for path in (f"studies/{study}", "studies", "studies?PatientID=none", "studies?limit=x")
        }
        assert {path: through.status_code for path, (_, through) in asked.items()} == {
            path: straight.status_code for path, (straight, _) in asked.items()
        }
        straight, through = asked[f"studies/{study}"]
        assert contents(through) == contents(straight) != []
        straight, through = asked["studies"]
        root = f"{gate.server.url}/gate/main"
        assert [without_block(row) for row in through.json()] == json.loads(
            straight.text.replace(tiny.root, root)
        )
        refused = gate.client.get(f"/gate/main/studies/{study}/metadata")
        assert (refused.status_code, refused.json()["type"]) == (404, "/problems/archive-not-found")
