"""A real Orthanc on loopback, started for the tests and stopped after them.

`python -m servers.orthanc`, in `tests/`, runs one by hand until it is interrupted.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from servers.ports import free_port

# Orthanc's own name, from its configuration: only an Orthanc of this name is ever emptied.
NAME = "HELTIG-TEST"
USERNAME = "heltig"
PASSWORD = "heltig"
START_SECONDS = 30
WHAT_IT_NEEDS = (
    "Orthanc, its DICOMweb plugin and a C compiler (Debian: orthanc orthanc-dicomweb gcc libc6-dev)"
)


class OrthancNotInstalledError(Exception):
    """This machine cannot run an Orthanc."""

    def __init__(self) -> None:
        super().__init__(WHAT_IT_NEEDS)


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc.

    Attributes:
        root: The root of its DICOMweb services, without a slash at the end.
        username: For basic authentication.
        password: For basic authentication.
        dicom_port: Where it takes C-STORE, as the application entity ORTHANC; 0 where it does not.
        log: The file it logs to, where it is one of ours.
    """

    root: str
    username: str = USERNAME
    password: str = PASSWORD
    dicom_port: int = 0
    log: Path | None = None

    def rest(self) -> httpx.Client:
        """A client of Orthanc's own REST interface, beside DICOMweb."""
        base = self.root.rstrip("/").removesuffix("/dicom-web")
        return httpx.Client(base_url=base, auth=(self.username, self.password), trust_env=False)

    def store(self, files: Iterable[bytes]) -> None:
        """Puts Part 10 files into the archive."""
        with self.rest() as rest:
            for file in files:
                rest.post("/instances", content=file).raise_for_status()

    def clear(self) -> None:
        """Removes every patient; refused where the server is not one of ours."""
        with self.rest() as rest:
            name = rest.get("/system").raise_for_status().json()["Name"]
            if name != NAME:
                raise RuntimeError(f"{self.root}: this Orthanc is named {name}, not {NAME}: not emptied")
            for patient in rest.get("/patients").raise_for_status().json():
                rest.delete(f"/patients/{patient}").raise_for_status()


Metadata = Literal["Full", "MainDicomTags", "Extrapolate"]
"""What an Orthanc gives as metadata: every attribute, read from the files, or some that it has at hand."""


@contextmanager
def running_orthanc(
    folder: Path,
    *,
    metadata: Metadata = "Full",
    script: Path | None = None,
    takes_dicom: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Orthanc]:
    """Runs an Orthanc whose files lie in a folder.

    Args:
        folder: The folder.
        metadata: What it gives as metadata.
        script: A script in Lua; with one it takes C-STORE too.
        takes_dicom: It takes C-STORE.
        environ: Beside what this process has.

    Raises:
        OrthancNotInstalledError: There is no Orthanc, no plugin or no C compiler.
        RuntimeError: It does not start, or not on loopback only.
    """
    program = shutil.which("Orthanc", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    compiler = shutil.which("cc")
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    if not program or not compiler or not plugin.exists():
        raise OrthancNotInstalledError
    shim = folder / "loopback_bind.so"
    source = Path(__file__).with_name("loopback_bind.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)

    takes_dicom = takes_dicom or script is not None
    port, dicom_port = free_port(), free_port() if takes_dicom else 0
    configuration = folder / "orthanc.json"
    chosen = _configuration(folder, port=port, plugin=plugin, metadata=metadata)
    if script is not None:
        chosen["LuaScripts"] = [str(script)]
    if takes_dicom:
        chosen |= {"DicomServerEnabled": True, "DicomPort": dicom_port}
        chosen |= {"DicomAlwaysAllowStore": True, "DicomCheckCalledAet": False}
    configuration.write_text(json.dumps(chosen))
    log = folder / "orthanc.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, configuration],
            env={**os.environ, **(environ or {}), "LD_PRELOAD": str(shim)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        orthanc = Orthanc(root=f"http://127.0.0.1:{port}/dicom-web", dicom_port=dicom_port, log=log)
        _wait_for(orthanc, process=process, log=log)
        _insist_on_loopback(port)
        _insist_on_loopback(dicom_port)
        yield orthanc
    finally:
        process.kill()  # it takes seconds to put away what nobody will read
        process.wait()


def _configuration(folder: Path, *, port: int, plugin: Path, metadata: Metadata) -> dict[str, object]:
    return {
        "Name": NAME,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USERNAME: PASSWORD},
        "HttpCompressionEnabled": True,
        "KeepAlive": True,
        "DicomServerEnabled": False,
        "UnknownSopClassAccepted": True,
        "StableAge": 3,
        "SaveJobs": False,
        "Plugins": [str(plugin)],
        "DicomWeb": {
            "Enable": True,
            "Root": "/dicom-web/",
            "StudiesMetadata": metadata,
            "SeriesMetadata": metadata,
        },
    }


def _wait_for(orthanc: Orthanc, *, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with orthanc.rest() as rest:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if rest.get("/system").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise RuntimeError(f"Orthanc did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _insist_on_loopback(port: int) -> None:
    """Where the shim is not loaded, the linker only warns: look at what the kernel says."""
    local = {"0100007F", "00000000000000000000000001000000"}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            address, _, listening_port = line.split()[1].partition(":")
            is_listening = line.split()[3] == "0A"
            if is_listening and int(listening_port, 16) == port and address not in local:
                raise RuntimeError(f"Orthanc listens on other addresses than loopback (port {port})")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory() as scratch,
        running_orthanc(Path(scratch)) as server,
    ):
        print(f"HELTIG_TEST_ORTHANC={server.root} ({server.username}:{server.password})", flush=True)
        signal.pause()
