"""A server that is ended while many send to it: what it accepted is there at the next start, and judged."""

import base64
import hashlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.heltig_server import HeltigServer
from servers.ports import free_port
from synthetic import synthetic_study
from unit.api.service import values, zip_of

from heltig.demo.samples import part10_files

WAIT_SECONDS = 120.0
SENDERS = 6
EACH = 4
PIECE = {"Content-Type": "application/offset+octet-stream"}


def package(seed: int) -> tuple[str, bytes]:
    """A study that no other has, and a ZIP of it."""
    study = synthetic_study("dx-hand", seed)
    return str(study.datasets[0]["0020000D"]["Value"][0]), zip_of(part10_files(study))


class Sending:
    """Clients that send until it is accepted, whatever becomes of the server.

    Attributes:
        accepted: Studies whose upload was answered, in order.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.accepted: list[str] = []
        self.wrong: list[str] = []
        self._changed = threading.Condition()

    def send(self, sender: int) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            for number in range(EACH):
                study, content = package(100 + sender * EACH + number)
                self._until_answered(lambda: self._send(client, sender, content))  # noqa: B023 - called at once
                with self._changed:
                    self.accepted.append(study)
                    self._changed.notify_all()

    def wait_for(self, number: int) -> None:
        """Waits until so many are accepted."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.accepted) >= number, WAIT_SECONDS), self.wrong

    def _until_answered(self, send: Callable[[], httpx.Response]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                answer = send()
                if answer.is_success:
                    return
                self.wrong.append(f"{answer.status_code} {answer.text}")
            time.sleep(0.1)  # there is no server now
        raise AssertionError(f"nothing was accepted any more: {self.wrong}")

    def _send(self, client: httpx.Client, sender: int, content: bytes) -> httpx.Response:
        if sender % 2:
            return client.post("/api/v1/jobs/upload/async", content=content)
        digest = base64.b64encode(hashlib.sha256(content).hexdigest().encode()).decode()
        announced = {"Upload-Length": str(len(content)), "Upload-Metadata": f"sha256 {digest}"}
        answer = client.post("/api/v1/uploads", headers=announced)
        place = answer.headers.get("location", "")
        while answer.is_success and (at := int(answer.headers["upload-offset"])) < len(content):
            piece = content[at : at + len(content) // 3]
            answer = client.patch(place, content=piece, headers={**PIECE, "Upload-Offset": str(at)})
        return answer


@pytest.mark.skipif(sys.platform == "win32", reason="ends by signals")
def test_nothing_that_was_accepted_is_lost(tmp_path: Path) -> None:
    port = {"HELTIG_PORT": str(free_port())}
    server = HeltigServer(tmp_path, port)
    sending = Sending(server.url)
    try:
        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [pool.submit(sending.send, number) for number in range(SENDERS)]
            for accepted, number in ((4, signal.SIGKILL), (12, signal.SIGTERM)):
                sending.wait_for(accepted)
                server.stop(number)
                server = HeltigServer(tmp_path, port)
            for one in senders:
                one.result(WAIT_SECONDS)
        assert [text for text in sending.wrong if not text.startswith("503")] == []
        assert len(sending.accepted) == SENDERS * EACH
        judged(server, sending.accepted)
        failed = httpx.get(f"{server.url}/api/v1/jobs", params={"state": "failed"}, timeout=60).json()[
            "items"
        ]
        assert failed == []
        for study in sending.accepted:
            rows = httpx.get(f"{server.url}/dicom-web/studies/{study}/metadata", timeout=60).json()
            assert len(rows) == 2
        assert not [path for path in (tmp_path / "spool" / "open").iterdir() if path.suffix != ".part"]
    finally:
        if server.process.poll() is None:
            server.kill()


def judged(server: HeltigServer, studies: list[str]) -> None:
    """Waits until all are: nothing tells another process of it."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        found: list[dict[str, Any]] = httpx.post(
            f"{server.url}/dicom-web/studies/readiness", json=studies, timeout=60
        ).json()
        states = {values(row, "00991009")[0] for row in found}
        if states == {"JUDGED"}:
            return
        assert time.monotonic() < end, f"{states}\n{server.output}"
        time.sleep(0.1)
