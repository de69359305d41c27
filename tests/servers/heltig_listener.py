"""A real `heltig listen` in a process of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from servers.heltig_process import PROGRAM, HeltigProcess, settings_of


class HeltigListener(HeltigProcess):
    """A running listener.

    Attributes:
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(
        self,
        home: Path,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.port = 0
        own = {"HELTIG_DICOM_PORT": "0", "HELTIG_LOG_FORMAT": "json"}
        super().__init__(home, ["listen", *arguments], {**own, **environ}, program)

    def hears(self, line: str) -> bool:
        if not line.startswith("Heltig "):
            return False
        self.port = int(line.rpartition(":")[2])
        return True


@contextmanager
def heltig_listener(
    home: Path, *arguments: str, program: Sequence[str] = PROGRAM, **settings: str
) -> Iterator[HeltigListener]:
    """Runs a listener until the end of the block; settings without their prefix, in lower case."""
    listener = HeltigListener(home, arguments, settings_of(settings), program)
    try:
        yield listener
    finally:
        listener.kill()
