"""A listener that is killed at any step loses nothing that it acknowledged; all else may be sent again."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from integration.gated import PAUSE_SECONDS, WAIT_SECONDS, files_of, stored_in
from integration.mortal import Mortal, is_at_rest
from pydicom.uid import ExplicitVRLittleEndian
from servers.heltig_listener import HeltigListener
from servers.orthanc import Orthanc
from unit.connectors.dimse.doors import associated

pytestmark = [
    pytest.mark.orthanc,
    # Where a peer is gone, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STAGES = [
    "before keep",
    "after keep",
    "after enter",
    "before add_entries",
    "after add_entries",
    "after _dispose",
]


@pytest.fixture(scope="module")
def mortal(
    _orthanc_server: Orthanc, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mortal[HeltigListener]]:
    """One for all tests: each has a study of its own."""
    folder = tmp_path_factory.mktemp("listener")
    home, secret = folder / "home", {"HELTIG_SECRET_ORTHANC": _orthanc_server.password}
    _configure(home, _orthanc_server)
    made = Mortal(
        folder / "stage",
        lambda environ, program: HeltigListener(home, ["main"], {**secret, **environ}, program),
    )
    try:
        yield made
        assert made.running.stop() == 0
    finally:
        made.running.kill()


@pytest.mark.parametrize("stage", STAGES)
def test_what_was_acknowledged_arrives(stage: str, orthanc: Orthanc, mortal: Mortal[HeltigListener]) -> None:
    files = files_of("cr-chest", 60 + STAGES.index(stage))
    with mortal.killed(stage):
        acknowledged = _send(mortal.running, files)
    listener = mortal.running
    _until(listener, lambda: acknowledged <= set(stored_in(orthanc)))
    assert _send(listener, files) == _uids(files)
    _until(listener, lambda: _uids(files) <= set(stored_in(orthanc)))
    _until(listener, lambda: is_at_rest(listener.home))


def _configure(home: Path, orthanc: Orthanc) -> None:
    options = ["--user", orthanc.username, "--password-secret", "env:HELTIG_SECRET_ORTHANC"]
    gate = ["--strategy", "none", "--gate", "hold", "--gate-idle-seconds", "0.2"]
    subprocess.run(
        [sys.executable, "-m", "heltig", "archives", "add", "main", orthanc.root, *options, *gate],
        env={**os.environ, "HELTIG_HOME": str(home), "HELTIG_SECRET_ORTHANC": orthanc.password},
        check=True,
        capture_output=True,
    )


def _send(listener: HeltigListener, files: list[bytes]) -> set[str]:
    """Sends files until the listener is gone; gives the SOP Instance UIDs of what was acknowledged."""
    acknowledged = set()
    datasets = [pydicom.dcmread(io.BytesIO(file)) for file in files]
    contexts = {(str(one.SOPClassUID), str(ExplicitVRLittleEndian)) for one in datasets}
    with associated(listener.port, *contexts) as association:
        for dataset in datasets:
            if association.send_c_store(dataset).get("Status") != 0:
                break
            acknowledged.add(str(dataset.SOPInstanceUID))
    return acknowledged


def _uids(files: list[bytes]) -> set[str]:
    return {str(pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID) for file in files}


def _until(listener: HeltigListener, is_so: Callable[[], bool]) -> None:
    """Asks until something is so: nothing tells another process of it."""
    for _ in range(int(WAIT_SECONDS / PAUSE_SECONDS)):
        if is_so():
            return
        try:
            code = listener.process.wait(PAUSE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the listener ended with {code}:\n{listener.output}")
    raise AssertionError(f"it did not happen in time:\n{listener.output}")
