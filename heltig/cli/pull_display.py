"""What `heltig pull` shows: on a terminal a growing table over a progress bar, elsewhere one line a study."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from heltig.pipeline.pull.run import PulledStudy
from heltig.reports.text import COLOURS, WIDTH_WITHOUT_TERMINAL
from heltig.reports.wording import counted
from heltig.verdict import READINESS, Readiness

_RULES_SHOWN: Final = 3
_OUTCOMES: Final = {"gone": "gone from the archive", "not found": "not found", "failed": "failed"}


class Display:
    """Shows studies as they are done, and sums up."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console = console
        self._progress = progress
        self._task: TaskID | None = None
        if progress:
            self._task = progress.add_task("Listing", total=None)
        self._readiness: dict[str, Readiness] = {}  # by UID: what was said last
        self._outcomes: Counter[str] = Counter()

    def listing(self, rows: int) -> None:
        """Says how many studies are listed so far."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, completed=rows)

    def begin(self, studies: int) -> None:
        """Says how many studies are to be pulled."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, description="Pulling", completed=0, total=studies)

    def note(self, text: str) -> None:
        """Shows something about the archive."""
        self._console.print(Text(f"note: {text}", style=COLOURS["note"]), soft_wrap=True)

    def show(self, study: PulledStudy) -> None:
        """Shows a study that is done."""
        self._outcomes[study.outcome] += 1
        if study.readiness:
            self._readiness[study.uid] = study.readiness
        self._console.print(_line(study), soft_wrap=True)
        if self._progress and self._task is not None:
            self._progress.advance(self._task)

    def show_again(self, study: PulledStudy) -> None:
        """Shows a study that was judged again, since another one came or went."""
        if study.readiness and study.uid in self._readiness:
            self._readiness[study.uid] = study.readiness
        self._console.print(Text.assemble(_line(study), ("  judged again", "dim")), soft_wrap=True)

    def summary(self) -> None:
        """Sums up what was shown."""
        given = Counter(self._readiness.values())
        verdicts = [f"{given[name]:,} {name}" for name in READINESS if given[name]]
        further = [
            f"{self._outcomes[outcome]:,} {text}"
            for outcome, text in {"unchanged": "unchanged", **_OUTCOMES}.items()
            if self._outcomes[outcome]
        ]
        total = counted(self._outcomes.total(), "study", "studies")
        self._console.print(Text(": ".join([total, ", ".join(verdicts + further)]).rstrip(": ") + "."))


@contextmanager
def display_for(file: IO[str]) -> Iterator[Display]:
    """A display on a file; sums up at the end, also when it ends early."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        display = Display(
            Console(file=file, highlight=False, width=WIDTH_WITHOUT_TERMINAL, color_system=None), None
        )
        try:
            yield display
        finally:
            display.summary()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        display = Display(console, progress)
        try:
            yield display
        finally:
            progress.stop()
            display.summary()


def _line(study: PulledStudy) -> Text:
    uid = _printable(study.uid)
    if study.outcome in ("failed", "not found"):
        return Text.assemble(
            (f"{study.outcome:<12}", COLOURS["block"]), f"  {uid}  {_printable(study.error)}"
        )
    if study.outcome == "gone":
        return Text.assemble((f"{'gone':<12}", "dim"), f"  {uid}  the archive has it no more: withdrawn")
    readiness = study.readiness or ""
    size = f"{counted(study.series, 'series', 'series')}, {counted(study.instances, 'instance')}"
    rules = ", ".join(study.rules[:_RULES_SHOWN])
    if len(study.rules) > _RULES_SHOWN:
        rules += f" and {len(study.rules) - _RULES_SHOWN} more"
    return Text.assemble(
        (f"{readiness:<12}", COLOURS.get(readiness, "")),
        f"  {uid}  ",
        (size, "dim"),
        (", unchanged" if study.outcome == "unchanged" else "", "dim"),
        f"  {rules}" if rules else "",
    )


def _printable(text: str) -> str:
    """A text of an archive, without what would move a terminal's cursor."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
