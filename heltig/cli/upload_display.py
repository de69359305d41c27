"""What `heltig upload` shows while it sends: on a terminal a progress bar, elsewhere a line now and then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from heltig.reports.text import COLOURS, WIDTH_WITHOUT_TERMINAL
from heltig.uploading import client

_LINES: Final = 10
"""Lines of one upload where there is no terminal."""

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


class Display(client.Progress):
    """Shows how an upload goes."""

    def __init__(self, console: Console, progress: Progress | None, size: int) -> None:
        self._console = console
        self._progress = progress
        self._size = size
        self._task = progress.add_task("Sending", total=size) if progress else None
        self._began = time.monotonic()
        self._first = -1
        self._last = -1
        self._shown = 0

    def at(self, offset: int) -> None:
        """So many bytes are sent."""
        if self._progress and self._task is not None:
            done = offset >= self._size
            self._progress.update(self._task, completed=offset, description="Judging" if done else "Sending")
            return
        if self._first < 0:
            self._first = offset
            if offset:
                self._say(f"{_size(offset)} of {_size(self._size)} are there already")
        tenth = offset * _LINES // self._size
        if tenth > self._shown and offset > max(self._first, self._last):
            self._shown = tenth
            seconds = max(time.monotonic() - self._began, 0.001)
            speed = (offset - self._first) / seconds
            self._say(f"{_size(offset)} of {_size(self._size)} sent, {_size(speed)}/s")
        self._last = max(self._last, offset)

    def broken(self, reason: str, seconds: float) -> None:
        """It broke off, and goes on after some seconds."""
        text = f"{reason} Going on in {seconds:.0f} s."
        self._console.print(Text(text, style=COLOURS["review"]), soft_wrap=True)

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


@contextmanager
def display_for(file: IO[str], *, size: int) -> Iterator[Display]:
    """A display on a file, for so many bytes."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        plain = Console(file=file, highlight=False, width=WIDTH_WITHOUT_TERMINAL, color_system=None)
        yield Display(plain, None, size)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Display(console, progress, size)


def _size(number: float) -> str:
    """A number of bytes for people.

    >>> _size(0), _size(2_621_440)
    ('0.0 B', '2.5 MiB')
    """
    unit = 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:,.1f} {_UNITS[unit]}"
