"""The output folder of a case: it has its name when it is whole, and not before."""

import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from heltig.errors import ConflictError, StorageError, UsageError


class UnfinishedFolder:
    """A hidden folder beside the output folder, which takes its name in one step.

    Whatever ends the process before, the output folder is not there, or empty. What is left of the hidden one
    is taken away by the next case with this output.

    Args:
        output: The output folder: it is not there, or empty.

    Attributes:
        path: Where to write; it is empty.
        scratch: A folder in it for what is not a result.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.path = output.with_name(f".{output.name}.unfinished")
        self.scratch = self.path / "scratch"

    def __enter__(self) -> Self:
        """Make it.

        Raises:
            StorageError: It cannot be written.
            UsageError: The output folder is not empty.
            ConflictError: Another process writes it now.
        """
        try:
            self._check_output()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as problem:
            raise _unusable(problem) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConflictError("Another process writes the output folder of this analysis now.") from None
        self.clear()
        self.scratch.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)
        shutil.rmtree(self.path, ignore_errors=True)

    def clear(self) -> None:
        """Take away all that is in it."""
        for entry in list(self.path.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def finish(self) -> None:
        """Give it its name.

        Raises:
            StorageError: Somebody has put something into the output folder meanwhile.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        try:
            self.path.rename(self._output)
        except OSError as problem:
            raise _unusable(problem) from None

    def _check_output(self) -> None:
        if self._output.is_symlink() or (self._output.exists() and list(self._output.iterdir())):
            raise UsageError("The output folder is not empty. Name a new one for each analysis.")


def _unusable(problem: OSError) -> StorageError:
    why = os.strerror(problem.errno) if problem.errno else type(problem).__name__
    return StorageError(f"The output folder cannot be written: {why}.")
