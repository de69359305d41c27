"""A listener that is killed at any step loses nothing that it acknowledged; all else may be sent again."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from integration.gated import PAUSE_SECONDS, WAIT_SECONDS, files_of, stored_in
from pydicom.uid import ExplicitVRLittleEndian
from servers.heltig_listener import HeltigListener, heltig_listener
from servers.orthanc import Orthanc
from unit.connectors.dimse.doors import associated

pytestmark = [
    pytest.mark.orthanc,
    # Where a peer is gone, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DYING = Path(__file__).with_name("dying_gate.py")


@pytest.mark.parametrize(
    "stage",
    ["before keep", "after keep", "after enter", "before add_entries", "after add_entries", "after _dispose"],
)
def test_what_was_acknowledged_arrives(stage: str, orthanc: Orthanc, tmp_path: Path) -> None:
    home, files = tmp_path / "home", files_of("cr-chest", 60)
    _configure(home, orthanc)
    with heltig_listener(
        home, "main", program=(str(DYING),), test_dies=stage, secret_orthanc=orthanc.password
    ) as listener:
        acknowledged = _send(listener, files)
        assert listener.process.wait(60) == -9, f"it was not killed:\n{listener.output}"
    with heltig_listener(home, "main", secret_orthanc=orthanc.password) as listener:
        _until_stored(listener, orthanc, acknowledged)
        assert _send(listener, files) == _uids(files)
        _until_stored(listener, orthanc, _uids(files))
        assert listener.stop() == 0


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


def _until_stored(listener: HeltigListener, orthanc: Orthanc, wanted: set[str]) -> None:
    """Asks until the archive has some objects: nothing tells another process of it."""
    for _ in range(int(WAIT_SECONDS / PAUSE_SECONDS)):
        if wanted <= set(stored_in(orthanc)):
            return
        try:
            code = listener.process.wait(PAUSE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the listener ended with {code}:\n{listener.output}")
    raise AssertionError(f"it did not arrive in time:\n{listener.output}")
