"""Batches of one request are forwarded beside one another, but for what has the same UID."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from integration.gated import body_of, content_type, files_of
from unit.api.service import running

WAIT_SECONDS = 1.0


class Upstream(BaseHTTPRequestHandler):
    """An archive that looks, while it has the first version of an object, whether the second one comes.

    Attributes:
        versions: Of the object, by their bytes.
        came: The numbers of the versions that came, in their order.
        both_at_once: The second came before the first was answered.
    """

    protocol_version = "HTTP/1.1"
    versions: tuple[bytes, bytes]
    came: list[int]
    second = threading.Event()
    both_at_once = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for number, version in enumerate(self.versions):
            if version in body:
                self.came.append(number)
                if number:
                    self.second.set()
                else:
                    type(self).both_at_once = self.second.wait(WAIT_SECONDS)
        self._answer(b'{"00081190":{"vr":"UR"}}')

    def do_GET(self) -> None:
        self._answer(b"[]")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Says nothing."""


@contextmanager
def archive(*versions: bytes) -> Iterator[str]:
    Upstream.versions, Upstream.came = (versions[0], versions[1]), []
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def test_the_second_version_of_an_object_goes_after_the_first(tmp_path: Path) -> None:
    files = files_of("ct-liver")[:40]
    first, second = files[0], files[0][:-1] + bytes([files[0][-1] ^ 1])
    with archive(first, second) as root:
        async with running(tmp_path / "home") as service:
            options = {"gate": "observe", "strategy": "none"}
            entry = {"name": "main", "qidoUrl": root, "options": options}
            assert (await service.post("/api/v1/archives", json=entry)).is_success
            await service.post(
                "/gate/main/studies",
                content=body_of([first, *files[1:30], second, *files[30:]], boundary="b"),
                headers={"Content-Type": content_type("b")},
            )
    assert (Upstream.came, Upstream.both_at_once) == ([0, 1], False)
