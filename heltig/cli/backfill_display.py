"""What `heltig pull --backfill` shows: a bar on a terminal, elsewhere a line now and then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from heltig.pipeline.backfill.report import BackfillReport, Progress
from heltig.pipeline.pull.run import PulledStudy
from heltig.reports.text import COLOURS, WIDTH_WITHOUT_TERMINAL
from heltig.reports.wording import counted
from heltig.verdict import READINESS

EVERY: Final = 10.0
"""Seconds from one line to the next where there is no terminal."""

_RULES_SHOWN: Final = 10


class BackfillDisplay:
    """Shows how far a backfill is, and sums it up."""

    def __init__(self, console: Console, bar: Bar | None) -> None:
        self._console = console
        self._bar = bar
        self._task = bar.add_task("", total=None) if bar else None
        self._shown = -EVERY
        self._state = ""
        self._notes: set[str] = set()

    def told(self, progress: Progress) -> None:
        """Shows how far it is."""
        for note in progress.notes:
            if note not in self._notes:
                self._notes.add(note)
                self._print(f"note: {note}", COLOURS["note"])
        if self._bar is not None and self._task is not None:
            total = progress.studies if progress.listed else None
            self._bar.update(
                self._task, description=described(progress), completed=progress.done, total=total
            )
            return
        now = time.monotonic()
        if now - self._shown >= EVERY or progress.state != self._state:
            self._shown, self._state = now, progress.state
            self._print(described(progress))

    def pulled(self, study: PulledStudy) -> None:
        """Shows a study that failed; of the others the report tells."""
        if study.outcome == "failed":
            uid, error = (
                "".join(c if c.isprintable() else "?" for c in text) for text in (study.uid, study.error)
            )
            self._print(f"failed  {uid}  {error}", COLOURS["block"])

    def say(self, text: str) -> None:
        """Shows a sentence."""
        self._print(text)

    def summary(self, report: BackfillReport) -> None:
        """Sums up what it came to so far."""
        figures = report.figures
        total = figures.total
        verdicts = [f"{total.verdicts[name]:,} {name}" for name in READINESS if total.verdicts.get(name)]
        if total.without_verdict:
            verdicts.append(f"{total.without_verdict:,} without a verdict")
        number = counted(total.studies, "study", "studies")
        self._print(": ".join([number, ", ".join(verdicts)]).rstrip(": ") + ".")
        objecting = [rule for rule in figures.rules if rule.severity != "note"]
        for rule in objecting[:_RULES_SHOWN]:
            studies = counted(rule.studies, "study", "studies")
            self._print(f"  {rule.severity:<7} {rule.rule:<28} {studies}")
        if len(objecting) > _RULES_SHOWN:
            self._print(f"  and {counted(len(objecting) - _RULES_SHOWN, 'rule')} more")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)


def described(progress: Progress) -> str:
    """How far a backfill is, in a line.

    A line has the rate only where studies are being pulled, and the time left only where it is known.
    """
    done = f"{progress.done:,} of {counted(progress.studies, 'study', 'studies')}"
    said = [f"{progress.state}: {done}" + ("" if progress.listed else " listed so far")]
    if not progress.finished and progress.per_minute:
        said.append(f"{progress.per_minute:,.0f} a minute")
    if progress.seconds_left:
        said.append(f"{_duration(progress.seconds_left)} left")
    if progress.error and not progress.finished:
        said.append(progress.error)
    elif progress.waits:
        until = f", until {progress.waits_until:%Y-%m-%d %H:%M:%S} UTC" if progress.waits_until else ""
        said.append(f"it waits: {progress.waits}{until}")
    return ", ".join(said)


@contextmanager
def backfill_display(file: IO[str]) -> Iterator[BackfillDisplay]:
    """A display on a file."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        plain = Console(file=file, highlight=False, width=WIDTH_WITHOUT_TERMINAL, color_system=None)
        yield BackfillDisplay(plain, None)
        return
    with Bar(BarColumn(), TextColumn("{task.description}"), console=console, transient=True) as bar:
        yield BackfillDisplay(console, bar)


def _duration(seconds: int) -> str:
    """A time to about a tenth of it."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds} s"
