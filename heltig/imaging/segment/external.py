"""Programs of other people that find structures: run contained, and what becomes of their end.

What such a program prints may show what is in the images. It goes into files in its working folder, never
into a message or a log.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from heltig.imaging.contained import Ended, Limits, environment, run
from heltig.imaging.refusal import Refused

_LARGEST_FILE: Final = 16 << 30
_PRINTED: Final = 1 << 18
_PRINTS: Final = ("output.txt", "errors.txt")


def limits(seconds: float, memory_gib: float | None) -> Limits:
    """Limits of a segmenter's program."""
    memory = None if memory_gib is None else int(memory_gib * (1 << 30))
    return Limits(seconds, memory_bytes=memory, file_bytes=_LARGEST_FILE, output_bytes=_PRINTED)


def new_folder(workdir: Path, name: str) -> Path:
    """An empty folder for one run; the number of the run stands behind its name.

    Raises:
        OSError: It cannot be made.
    """
    number = 1
    while (folder := workdir / f"{name}-{number}").exists():
        number += 1
    folder.mkdir(parents=True)
    return folder


def run_segmenter(
    command: Sequence[str | os.PathLike[str]],
    *,
    folder: Path,
    within: Limits,
    variables: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Ended:
    """Run a program in a folder of its own, which is its home and has its temporary files, too.

    Args:
        command: The program and its arguments.
        folder: Where it works; `output.txt` and `errors.txt` in it are what it printed.
        within: What it may use.
        variables: Of its environment, beside the usual ones.
        stdin: Its standard input.

    Raises:
        Refused: It could not be started, did not end in time, or ended with an error.
        OSError: The folder cannot be written.
    """
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    given: dict[str, Any] = {"HOME": str(folder), "TMPDIR": str(temporary), **(variables or {})}
    try:
        ended = run(
            [os.fspath(word) for word in command],
            limits=within,
            environment=environment(**given),
            cwd=folder,
            stdin=stdin,
        )
    except OSError as problem:
        raise Refused("SEGMENTER_FAILED", f"it does not start, errno {problem.errno}") from None
    for name, text in zip(_PRINTS, (ended.output, ended.errors), strict=True):
        (folder / name).write_bytes(text)
    if ended.cause == "timeout":
        raise Refused("SEGMENTER_TIMEOUT", f"{within.seconds:g} s")
    if ended.exit_code:
        raise Refused("SEGMENTER_FAILED", f"exit code {ended.exit_code}")
    return ended


def keep_printed(scratch: Path, kept: Path) -> None:
    """Copy what programs printed.

    Args:
        scratch: The folder that their working folders are in.
        kept: Where to; files are called after backend, run and stream.

    Raises:
        OSError: It cannot be written.
    """
    kept.mkdir(parents=True, exist_ok=True)
    for path in sorted(scratch.rglob("*.txt")):
        if path.name in _PRINTS and path.is_file() and not path.is_symlink():
            shutil.copyfile(path, kept / "-".join(path.relative_to(scratch).parts))
