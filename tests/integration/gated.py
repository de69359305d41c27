"""A gate before an archive, and senders that speak to it."""

import secrets
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from servers.heltig_server import HeltigServer, heltig_server
from servers.orthanc import Orthanc
from synthetic import synthetic_study

from heltig.demo.samples import part10_files

WAIT_SECONDS = 120.0
PAUSE_SECONDS = 0.05
OBJECT = b"Content-Type: application/dicom"
FAILED, STORED, OTHERS = "00081198", "00081199", "0008119A"
UID, REASON = "00081155", "00081197"


def files_of(name: str, seed: int = 1) -> list[bytes]:
    """The files of a synthetic study; another one of its kind for each seed."""
    return [content for _, content in part10_files(synthetic_study(name, seed))]


def uid_of(name: str, seed: int = 1) -> str:
    """Its StudyInstanceUID."""
    found: str = synthetic_study(name, seed).datasets[0]["0020000D"]["Value"][0]
    return found


def body_of(parts: Iterable[bytes], *, boundary: str, header: bytes = OBJECT) -> bytes:
    before = b"--" + boundary.encode() + b"\r\n" + header + b"\r\n\r\n"
    return b"".join(before + part + b"\r\n" for part in parts) + b"--" + boundary.encode() + b"--\r\n"


def content_type(boundary: str) -> str:
    return f'multipart/related; type="application/dicom"; boundary={boundary}'


class Gated:
    """A server with a gate before an archive."""

    def __init__(self, server: HeltigServer, archive: str = "main") -> None:
        self.server = server
        self.archive = archive
        self.client = httpx.Client(base_url=server.url, trust_env=False, timeout=120)

    @property
    def path(self) -> str:
        return f"/gate/{self.archive}/studies"

    def store(
        self, parts: Iterable[bytes], *, study: str = "", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        boundary = secrets.token_hex(12)
        return self.client.post(
            self.path + (f"/{study}" if study else ""),
            content=body_of(parts, boundary=boundary),
            headers={"Content-Type": content_type(boundary), **(headers or {})},
        )

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def change(self, **options: Any) -> None:
        answer = self.client.patch(
            f"/api/v1/archives/{self.archive}", json={"options": options}, headers={"If-Match": "*"}
        )
        assert answer.is_success, answer.text

    def quarantine(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/v1/quarantine")["items"]
        return found

    def spooled(self) -> list[Path]:
        return list((self.server.home / "spool" / "gate" / self.archive).glob("*.dcm"))

    def readiness(self, study: str) -> str | None:
        """What the gate's verdict on a study is; None while there is none."""
        answer = self.client.get(
            f"/dicom-web/studies/{study}/readiness", params={"archive": f"gate:{self.archive}"}
        )
        values = answer.json()["00991001"].get("Value") if answer.is_success else None
        return values[0] if values else None

    def until(self, is_so: Callable[[], Any]) -> Any:
        """Asks until something is so: nothing tells another process of it."""
        end = time.monotonic() + WAIT_SECONDS
        while not (found := is_so()):
            assert time.monotonic() < end, f"it did not happen in time:\n{self.server.output}"
            with suppress(subprocess.TimeoutExpired):
                code = self.server.process.wait(PAUSE_SECONDS)
                raise AssertionError(f"the server ended with {code}:\n{self.server.output}")
        return found


@contextmanager
def gated(
    home: Path,
    root: str,
    *,
    password: str = "",
    program: Sequence[str] = ("-m", "heltig"),
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[Gated]:
    """Runs a server with a gate before what is at `root`."""
    with ExitStack() as stack:
        made = heltig_server(home, program, secret_orthanc=password or "none", **(settings or {}))
        server = stack.enter_context(made)
        gate = Gated(server)
        stack.callback(gate.client.close)
        entry: dict[str, Any] = {"name": "main", "qidoUrl": root, "options": {"strategy": "none", **options}}
        if password:
            entry["auth"] = {"kind": "basic", "username": "heltig", "secret": "env:HELTIG_SECRET_ORTHANC"}
        answer = gate.client.post("/api/v1/archives", json=entry)
        assert answer.is_success, answer.text
        yield gate


def stored_in(orthanc: Orthanc) -> dict[str, bytes]:
    """The files that an Orthanc has, by SOP Instance UID."""
    with orthanc.rest() as rest:
        found = {}
        for instance in rest.get("/instances?expand").json():
            uid = instance["MainDicomTags"]["SOPInstanceUID"]
            found[uid] = rest.get(f"/instances/{instance['ID']}/file").content
        return found


def uids(answer: httpx.Response, tag: str) -> set[str]:
    """The SOP Instance UIDs in one sequence of an answer."""
    return {item[UID]["Value"][0] for item in answer.json().get(tag, {}).get("Value", [])}


def reasons(answer: httpx.Response, tag: str = FAILED) -> list[int]:
    return [item[REASON]["Value"][0] for item in answer.json().get(tag, {}).get("Value", [])]
