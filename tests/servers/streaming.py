"""A loopback server whose answers are streams: large ones, endless ones, such as break off."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO

Streams = Callable[[str, BinaryIO], None]
"""Writes the whole answer, head included, to a request with such a target. The connection is closed then."""


class Streaming:
    """A running one.

    Attributes:
        root: Its address.
        left: Set when a client went before its answer was whole.
    """

    def __init__(self, answers: Streams) -> None:
        self.left = threading.Event()
        left = self.left

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.close_connection = True
                try:
                    answers(self.path, self.wfile)
                except ConnectionError:
                    left.set()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}/dicom-web"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def streaming(answers: Streams) -> Iterator[Streaming]:
    """Runs a server for as long as it is needed."""
    server = Streaming(answers)
    try:
        yield server
    finally:
        server.close()
