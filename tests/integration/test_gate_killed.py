"""A gate that is killed at any step loses nothing that it answered for; all else may be sent again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from integration.gated import Gated, files_of, stored_in, uid_of
from integration.mortal import Mortal, is_at_rest
from integration.test_gate import sop_uids
from servers.heltig_server import HeltigServer
from servers.orthanc import PASSWORD, Orthanc
from servers.store_front import store_front

pytestmark = pytest.mark.orthanc

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
STAGES = [*(("hold", one) for one in HELD), *(("enforce", one) for one in PASSED_ON)]


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal[HeltigServer]]:
    """One for all tests: each has an archive and a study of its own."""
    folder = tmp_path_factory.mktemp("gate")
    secret = {"HELTIG_SECRET_ORTHANC": PASSWORD}
    made = Mortal(
        folder / "stage",
        lambda environ, program: HeltigServer(folder / "home", {**secret, **environ}, program),
    )
    try:
        yield made
    finally:
        made.running.kill()


@pytest.mark.parametrize(("mode", "stage"), STAGES)
def test_whatever_was_answered_arrives(
    mode: str, stage: str, orthanc: Orthanc, mortal: Mortal[HeltigServer]
) -> None:
    seed = 100 + STAGES.index((mode, stage))
    files, study, archive = files_of("cr-chest", seed), uid_of("cr-chest", seed), f"archive-{seed}"
    _add(mortal, archive, orthanc, gate=mode)
    with mortal.killed(stage), _gated(mortal, archive) as gate:
        answered = _is_stored(gate, files)
    with _gated(mortal, archive) as gate:
        assert answered or _is_stored(gate, files)
        gate.until(lambda: gate.readiness(study) == "READY" and len(stored_in(orthanc)) == len(files))
        assert stored_in(orthanc) == sop_uids(files)
        assert gate.quarantine() == []
        gate.until(lambda: is_at_rest(gate.server.home))


def test_an_archive_that_refuses_duplicates_is_sent_the_same_again(
    orthanc: Orthanc, mortal: Mortal[HeltigServer]
) -> None:
    """Killed between the archive's answer and the rows of it."""
    files = files_of("cr-chest", 31)
    with store_front(orthanc) as front:
        _add(mortal, "refusing", orthanc, stow_url=front.root, gate="observe")
        with mortal.killed("after store"), _gated(mortal, "refusing") as gate:
            assert not _is_stored(gate, files)
        assert stored_in(orthanc) == sop_uids(files)
        with _gated(mortal, "refusing") as gate:
            assert gate.store(files).status_code == 200
            gate.until(lambda: is_at_rest(gate.server.home))


@contextmanager
def _gated(mortal: Mortal[HeltigServer], archive: str) -> Iterator[Gated]:
    gate = Gated(mortal.running, archive)
    with gate.client:
        yield gate


def _add(mortal: Mortal[HeltigServer], name: str, orthanc: Orthanc, *, stow_url: str = "", gate: str) -> None:
    """Puts a gate before an Orthanc."""
    entry: dict[str, Any] = {
        "name": name,
        "qidoUrl": orthanc.root,
        "options": {"strategy": "none", "gate": gate, "gateIdleSeconds": 0.2},
        "auth": {"kind": "basic", "username": orthanc.username, "secret": "env:HELTIG_SECRET_ORTHANC"},
    }
    if stow_url:
        entry["stowUrl"] = stow_url
    with _gated(mortal, name) as at:
        at.client.post("/api/v1/archives", json=entry).raise_for_status()


def _is_stored(gate: Gated, files: list[bytes]) -> bool:
    try:
        return gate.store(files).status_code == 200
    except httpx.TransportError:
        return False
