"""A real `heltig serve` in a process of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from servers.heltig_process import PROGRAM, HeltigProcess, settings_of


class HeltigServer(HeltigProcess):
    """A running server.

    Attributes:
        url: Its root, without a slash at the end.
        consult: The root of its consult listener, empty without one.
    """

    def __init__(self, home: Path, environ: Mapping[str, str], program: Sequence[str] = PROGRAM) -> None:
        self.url = ""
        self.consult = ""
        super().__init__(home, ["serve"], {"HELTIG_PORT": "0", **environ}, program)

    def hears(self, line: str) -> bool:
        words = line.split()
        if line.startswith("Heltig "):
            self.url = words[-1].rstrip("/")
        elif words[:1] == ["consult"]:
            self.consult = words[1].removesuffix("/consult/studies/UID")
        return words[:1] == ["access"] and bool(self.url)  # the last of the lines that say where it is


@contextmanager
def heltig_server(home: Path, program: Sequence[str] = PROGRAM, **settings: str) -> Iterator[HeltigServer]:
    """Runs a server until the end of the block; settings without their prefix, in lower case."""
    server = HeltigServer(home, settings_of(settings), program)
    try:
        yield server
    finally:
        server.kill()
