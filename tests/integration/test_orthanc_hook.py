"""Orthanc asks before it stores: the script in deploy/, in a real Orthanc, and a real Heltig."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers.heltig_server import HeltigServer, heltig_server
from servers.orthanc import Orthanc, OrthancNotInstalledError, running_orthanc
from unit.api.service import study_zip, synthetic

from heltig.demo.samples import part10_files

SCRIPT = Path(__file__).parents[2] / "deploy/orthanc/heltig.lua"
READY, BLOCKED, UNKNOWN = "cr-chest", "two-patient-ids", "dx-hand"


def uid_of(name: str) -> str:
    uid: str = synthetic(name).datasets[0]["0020000D"]["Value"][0]
    return uid


def files_of(name: str) -> list[bytes]:
    return [content for _, content in part10_files(synthetic(name))]


@pytest.fixture(scope="module")
def heltig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeltigServer]:
    """A server that has judged a study that is READY and one that is BLOCKED; the last test ends it."""
    home = tmp_path_factory.mktemp("heltig") / "home"
    with heltig_server(home, consult_bind="127.0.0.1:0") as server:
        for name in (READY, BLOCKED):
            answer = httpx.post(f"{server.url}/api/v1/jobs/upload", content=study_zip(name), timeout=120)
            assert answer.status_code == 201
        yield server


@pytest.fixture
def asking(tmp_path: Path, heltig: HeltigServer) -> Iterator[Orthanc]:
    """An Orthanc that asks it."""
    folder = tmp_path / "orthanc"
    folder.mkdir()
    try:
        with running_orthanc(folder, script=SCRIPT, environ={"HELTIG_CONSULT_URL": heltig.consult}) as server:
            yield server
    except OrthancNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


def stored(orthanc: Orthanc) -> dict[str, int]:
    """The studies that it has, with their numbers of instances."""
    with orthanc.rest() as rest:
        studies = rest.get("/studies?expand").raise_for_status().json()
        return {
            study["MainDicomTags"]["StudyInstanceUID"]: len(
                rest.get(f"/studies/{study['ID']}/instances").raise_for_status().json()
            )
            for study in studies
        }


def consulted(heltig: HeltigServer) -> int:
    """How often it was asked."""
    metrics = httpx.get(f"{heltig.url}/metrics").raise_for_status().text
    found = re.findall(r'^heltig_http_requests_total.*route="/consult/.* ([0-9.]+)$', metrics, re.MULTILINE)
    return int(sum(map(float, found)))


def send_by_stow(orthanc: Orthanc, name: str) -> None:
    parts = [b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files_of(name)]
    answer = httpx.post(
        f"{orthanc.root}/studies",
        content=b"".join([*parts, b"--b--\r\n"]),
        headers={
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b',
            "Accept": "application/dicom+json",
        },
        auth=(orthanc.username, orthanc.password),
        timeout=60,
    )
    assert answer.is_success


def send_by_rest(orthanc: Orthanc, name: str) -> None:
    with orthanc.rest() as rest:
        for file in files_of(name):
            rest.post("/instances", content=file, timeout=60).raise_for_status()


def send_by_c_store(orthanc: Orthanc, name: str, folder: Path) -> None:
    program = shutil.which("storescu", path="/usr/bin")
    if program is None:
        pytest.skip("needs storescu (Debian: dcmtk)")
    for number, file in enumerate(files_of(name)):
        (folder / f"{number}.dcm").write_bytes(file)
    subprocess.run(
        [program, "-aec", "ORTHANC", "127.0.0.1", str(orthanc.dicom_port), "+sd", str(folder)],
        check=True,
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("way", ["stow", "rest", "c-store"])
def test_what_is_ready_is_stored_and_nothing_else(
    asking: Orthanc, heltig: HeltigServer, tmp_path: Path, way: str
) -> None:
    for name in (READY, BLOCKED, UNKNOWN):
        folder = tmp_path / name
        folder.mkdir()
        match way:
            case "stow":
                send_by_stow(asking, name)
            case "rest":
                send_by_rest(asking, name)
            case _:
                send_by_c_store(asking, name, folder)
    assert stored(asking) == {uid_of(READY): len(files_of(READY))}
    assert asking.log is not None
    assert f"Heltig says BLOCKED: instances of {uid_of(BLOCKED)} are refused" in asking.log.read_text()


def test_a_study_is_asked_about_once(asking: Orthanc, heltig: HeltigServer) -> None:
    before = consulted(heltig)
    send_by_rest(asking, BLOCKED)
    assert len(files_of(BLOCKED)) > 20
    assert consulted(heltig) == before + 1


def test_nothing_is_stored_while_heltig_does_not_answer(asking: Orthanc, heltig: HeltigServer) -> None:
    heltig.kill()
    send_by_rest(asking, READY)
    assert stored(asking) == {}
    assert asking.log is not None
    assert "Heltig does not answer; instances are refused" in asking.log.read_text()
