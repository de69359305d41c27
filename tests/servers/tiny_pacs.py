"""A real tiny_pacs on loopback: the opposite of Orthanc, without counts and without metadata.

`python -m servers.tiny_pacs`, in `tests/`, runs one by hand until it is interrupted.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx

from servers.ports import free_port

START_SECONDS = 30
WHAT_IT_NEEDS = "tiny_pacs[dicomweb] (pip install -e '.[dev]') and a C compiler (Debian: gcc libc6-dev)"


class TinyPacsNotInstalledError(Exception):
    """This machine cannot run a tiny_pacs."""

    def __init__(self) -> None:
        super().__init__(WHAT_IT_NEEDS)


@dataclass(frozen=True)
class TinyPacs:
    """A running tiny_pacs.

    Attributes:
        root: The root of its DICOMweb services, without a slash at the end.
    """

    root: str

    def store(self, files: Iterable[bytes]) -> None:
        """Puts Part 10 files into the archive, each by a STOW-RS request (PS3.18 10.5)."""
        with httpx.Client(trust_env=False) as client:
            for file in files:
                body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--part--\r\n"
                kind = 'multipart/related; type="application/dicom"; boundary=part'
                answer = client.post(f"{self.root}/studies", content=body, headers={"Content-Type": kind})
                answer.raise_for_status()


@contextmanager
def running_tiny_pacs(folder: Path) -> Iterator[TinyPacs]:
    """Runs a tiny_pacs that keeps everything in memory.

    Raises:
        TinyPacsNotInstalledError: There is none, or no C compiler.
        RuntimeError: It does not start.
    """
    compiler = shutil.which("cc")
    if not compiler or find_spec("tiny_pacs_dicomweb") is None:
        raise TinyPacsNotInstalledError
    shim = folder / "loopback_bind.so"  # its DIMSE port would be open to every address
    source = Path(__file__).with_name("loopback_bind.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    port, dimse_port = free_port(), free_port()
    configuration = folder / "tiny_pacs.json"
    configuration.write_text(json.dumps(_configuration(port, dimse_port)))
    log = folder / "tiny_pacs.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tiny_pacs", "run", "-c", configuration],
            env={**os.environ, "LD_PRELOAD": str(shim)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        server = TinyPacs(f"http://127.0.0.1:{port}/dicomweb")
        _wait_for(server, process=process, log=log)
        yield server
    finally:
        process.kill()
        process.wait()


def _configuration(port: int, dimse_port: int) -> dict[str, object]:
    return {
        "ae": {"ae_title": ["TINY_PACS"], "port": dimse_port, "dump_ds": False},
        "log": {
            "version": 1,
            "disable_existing_loggers": False,
            "root": {"level": "WARNING", "handlers": []},
        },
        "components": {
            "HttpServer": {"on": True, "host": "127.0.0.1", "port": port},
            "DICOMWeb": {"on": True},
        },
    }


def _wait_for(server: TinyPacs, *, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get(f"{server.root}/studies").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise RuntimeError(f"tiny_pacs did not start:\n{log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory() as scratch,
        running_tiny_pacs(Path(scratch)) as server,
    ):
        print(server.root, flush=True)
        signal.pause()
