"""A gate that is killed at any step loses nothing that it answered for; all else may be sent again."""

from pathlib import Path

import httpx
import pytest
from integration.gated import Gated, files_of, gated, stored_in, uid_of
from integration.test_gate import sop_uids
from servers.heltig_server import heltig_server
from servers.orthanc import Orthanc
from servers.store_front import store_front

pytestmark = pytest.mark.orthanc

DYING = Path(__file__).with_name("dying_gate.py")

HELD = [
    "before add_entries",
    "after add_entries",
    "after _hand_on",
    "after arrive_and_publish",
    "after _dispose",
    "after store",
    "after _forwarded",
]
PASSED_ON = ["after store", "after add_entries", "after _dispose"]


@pytest.mark.parametrize(
    ("mode", "stage"), [*(("hold", one) for one in HELD), *(("enforce", one) for one in PASSED_ON)]
)
def test_whatever_was_answered_arrives(mode: str, stage: str, orthanc: Orthanc, tmp_path: Path) -> None:
    files, study = files_of("cr-chest", 30), uid_of("cr-chest", 30)
    home = tmp_path / "home"
    options = {"password": orthanc.password, "gate": mode, "gateIdleSeconds": 0.2}
    with gated(home, orthanc.root, program=(str(DYING),), settings={"test_dies": stage}, **options) as gate:
        answered = _is_stored(gate, files)
        assert gate.server.process.wait(60) == -9, f"it was not killed:\n{gate.server.output}"
    with heltig_server(home, secret_orthanc=orthanc.password) as server:
        gate = Gated(server)
        assert answered or _is_stored(gate, files)
        gate.until(lambda: gate.readiness(study) == "READY" and len(stored_in(orthanc)) == len(files))
        assert stored_in(orthanc) == sop_uids(files)
        assert gate.quarantine() == []
        gate.client.close()


def test_an_archive_that_refuses_duplicates_is_sent_the_same_again(orthanc: Orthanc, tmp_path: Path) -> None:
    """Killed between the archive's answer and the rows of it."""
    files, home = files_of("cr-chest", 31), tmp_path / "home"
    options = {"password": orthanc.password, "gate": "observe", "gateIdleSeconds": 0.2}
    settings = {"test_dies": "after store"}
    with store_front(orthanc) as front:
        with gated(home, orthanc.root, program=(str(DYING),), settings=settings, **options) as gate:
            change = {"stowUrl": front.root}
            answer = gate.client.patch("/api/v1/archives/main", json=change, headers={"If-Match": "*"})
            assert answer.is_success, answer.text
            assert not _is_stored(gate, files)
            assert gate.server.process.wait(60) == -9, f"it was not killed:\n{gate.server.output}"
        assert stored_in(orthanc) == sop_uids(files)
        with heltig_server(home, secret_orthanc=orthanc.password) as server:
            gate = Gated(server)
            assert gate.store(files).status_code == 200
            gate.client.close()


def _is_stored(gate: Gated, files: list[bytes]) -> bool:
    try:
        return gate.store(files).status_code == 200
    except httpx.TransportError:
        return False
