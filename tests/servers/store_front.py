"""The STOW-RS service of an archive that does not take what it has: before an Orthanc."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import pydicom

from servers.orthanc import Orthanc

Losing = Literal["", "answer", "all"]


class StoreFront:
    """A running one.

    Attributes:
        root: The root of its STOW-RS, which is all that it has.
        losing: It hangs up: after it stored what came (`answer`), or before (`all`).
        reason: Why it refuses an instance whose UID it has, in whatever study; None has it say that it
            stored it.
        refuses: Failure Reasons by SOP Instance UID.
        came: SOP Instance UIDs of what was sent, in turn.
        on_store: Called after each request whose objects were stored.
    """

    def __init__(self, orthanc: Orthanc) -> None:
        self.root = ""
        self.losing: Losing = ""
        self.reason: int | None = 0x0111
        self.refuses: dict[str, int] = {}
        self.came: list[str] = []
        self.on_store: Callable[[], None] = lambda: None
        self.orthanc = orthanc

    def store(self, files: list[bytes]) -> tuple[int, bytes]:
        """Stores what is not there; gives the status and the body of an answer."""
        stored, failed = [], []
        with self.orthanc.rest() as rest:
            for file in files:
                dataset = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
                self.came.append(str(dataset.SOPInstanceUID))
                item = {"00081155": {"vr": "UI", "Value": [dataset.SOPInstanceUID]}}
                if refusal := self.refuses.get(dataset.SOPInstanceUID):
                    failed.append({**item, "00081197": {"vr": "US", "Value": [refusal]}})
                    continue
                is_known = bool(rest.post("/tools/lookup", content=dataset.SOPInstanceUID).json())
                if not is_known:
                    rest.post("/instances", content=file).raise_for_status()
                if is_known and self.reason is not None:
                    failed.append({**item, "00081197": {"vr": "US", "Value": [self.reason]}})
                else:
                    stored.append(item)
        self.on_store()
        lists = {"00081199": stored, "00081198": failed}
        body = {tag: {"vr": "SQ", "Value": items} for tag, items in lists.items() if items}
        return (200 if not failed else 202 if stored else 409), json.dumps(body).encode()


@contextmanager
def store_front(orthanc: Orthanc) -> Iterator[StoreFront]:
    """Runs one."""
    front = StoreFront(orthanc)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            boundary = b"--" + self.headers["Content-Type"].partition("boundary=")[2].encode()
            files = [part.partition(b"\r\n\r\n")[2][:-2] for part in body.split(boundary)[1:-1]]
            if front.losing != "all":
                status, answer = front.store(files)
            self.close_connection = True
            if not front.losing:
                self.send_response(status)
                self.send_header("Content-Type", "application/dicom+json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        front.root = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()
