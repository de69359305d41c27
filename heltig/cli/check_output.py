"""Where a command writes a report: tried before the work, so that nobody waits for what cannot be kept."""

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from heltig.errors import StorageError, UsageError

_START: Final = 4096  # bytes; a Part 10 file has its preamble there, a ZIP the lengths of its first member
_ELSEWHERE: Final = "name a file in a folder that you may write to"


def try_file(path: Path, *, option: str) -> None:
    """See that a file can be written, and leave nothing behind.

    Args:
        path: As it was given.
        option: The option that it was given with.

    Raises:
        UsageError: It is a folder, there is none that it could be in, or it holds something else than text.
        StorageError: The system does not let it be written.
    """
    with _told(path, option):
        if _is_regular(path):
            target = path.resolve()
            if target.exists() and not os.access(target, os.W_OK):
                raise PermissionError(0, "it is write-protected")
            if target.exists() and b"\0" in _start_of(target):  # an image or a ZIP, perhaps the one to judge
                raise UsageError(f"{option}: {path} holds data and no report; name another file.")
            part = _part_of(target, option)
            part.open("x").close()
            part.unlink()
        elif path.is_dir():
            raise UsageError(f"{option}: {path} is a folder; name a file.")
        elif not os.access(path, os.W_OK):
            raise PermissionError(0, "it is write-protected")


@contextmanager
def file_for(path: Path, *, option: str) -> Iterator[IO[str]]:
    """A text file that is whole or not there, as it takes the place of an older one at the end.

    What a symbolic link leads to is written, not the link. A device or a pipe is written to as it is.

    Args:
        path: As it was given.
        option: The option that it was given with.

    Raises:
        StorageError: It cannot be written.
    """
    with _told(path, option):
        if not _is_regular(path):
            with path.open("w", encoding="utf-8", newline="\n") as file:
                yield file
            return
        target = path.resolve()
        part = _part_of(target, option)
        try:
            with part.open("x", encoding="utf-8", newline="\n") as file:
                yield file
            if target.exists():
                shutil.copymode(target, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def standard_output() -> Iterator[IO[str]]:
    """Standard output.

    Raises:
        StorageError: It is closed, its reader has gone, or its device is full.
    """
    if sys.stdout is None:  # the shell's `>&-`
        raise StorageError("standard output is closed; name a file with --output.")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError as error:
        _give_up(sys.stdout)
        raise StorageError(
            "the report is cut short: what reads it has closed the pipe. Write it to a file with --output, "
            "and read that."
        ) from error
    except OSError as error:
        _give_up(sys.stdout)
        raise StorageError(
            f"the report cannot be written to standard output: {_why(error)}. Make room, or name a file "
            "elsewhere with --output."
        ) from error


def _is_regular(path: Path) -> bool:
    """Whether a regular file is there, by a link or not, or nothing."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _start_of(target: Path) -> bytes:
    with target.open("rb") as file:
        return file.read(_START)


def _part_of(target: Path, option: str) -> Path:
    """A new name beside a file."""
    if not target.parent.is_dir():
        raise UsageError(
            f"{option}: there is no folder {target.parent}; make it first, or name another file."
        )
    return target.parent / f".heltig-{secrets.token_hex(6)}.part"


@contextmanager
def _told(path: Path, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{option}: {path} cannot be written: {_why(error)}; {_ELSEWHERE}.") from error


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _give_up(stream: IO[str]) -> None:
    """Let what is left go nowhere: Python would try to write it once more when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
