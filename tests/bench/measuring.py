"""How the benchmarks measure and print.

Ways of doing one thing take turns, so that a busy moment of the machine falls on all of them. Measured is CPU
time, of child processes too. A figure is the median of the rounds with the lowest and the highest; a ratio is
the median of the rounds' own ratios.
"""

import gc
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

ROUNDS = 5

Way = Callable[[int], int]
"""Does the work of a round, given its number, and returns for how many units: instances or files."""


class Timing(NamedTuple):
    """Microseconds a unit, one number a round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(min(self.rounds))}–{_short(max(self.rounds))})"

    def times(self, other: "Timing") -> float:
        """How many times the other one's cost."""
        if len(self.rounds) != len(other.rounds):
            return self.median / other.median
        return statistics.median(a / b for a, b in zip(self.rounds, other.rounds, strict=True))


class Row(NamedTuple):
    """A line of the table that a benchmark prints."""

    what: str
    ours: Timing | str
    peer: str = ""
    theirs: Timing | str = ""
    ratio: str = ""
    aim: str = ""


def race(ways: Mapping[str, Way], *, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Let ways of doing one thing take turns."""
    costs: dict[str, list[float]] = {name: [] for name in ways}
    gc.collect()
    gc.set_threshold(50_000, 20, 20)  # as `heltig` and its judging processes do
    gc.freeze()  # what the benchmark and the peers hold is not looked through again and again
    for number in range(rounds):
        for name, way in ways.items():
            gc.collect()
            start = cpu_seconds()
            units = way(number)
            costs[name].append((cpu_seconds() - start) / units * 1e6)
    gc.unfreeze()
    return {name: Timing(tuple(cost)) for name, cost in costs.items()}


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def at_most(limit: float, what: str, ours: Timing, peer: str, theirs: Timing) -> Row:
    """Heltig against what it cannot beat: its cost should be at most `limit` times the peer's."""
    times = ours.times(theirs)
    return Row(what, ours, peer, theirs, f"{_short(times)} × its cost", _aim(f"≤ {limit}", times <= limit))


def at_least(limit: float, what: str, ours: Timing, peer: str, theirs: Timing) -> Row:
    """Heltig against another way: it should be at least `limit` times as fast."""
    met = theirs.times(ours) >= limit
    return Row(what, ours, peer, theirs, faster(ours, theirs), _aim(f"≥ {limit}", met))


def faster(ours: Timing, theirs: Timing) -> str:
    """How many times as fast as another way Heltig is."""
    return f"{_short(theirs.times(ours))} × as fast"


def within(limit: float, aim: str, what: str, shown: str, value: float) -> Row:
    """A figure of ours that should be at most `limit`, which `aim` puts in words."""
    return Row(what, shown, aim=_aim(aim, value <= limit))


def print_table(title: str, rows: Iterable[Row]) -> None:
    """Print rows as a Markdown table, each as soon as it is there."""
    print(f"\n### {title}\n")
    print("| what | Heltig | against | theirs | ratio | aim |\n|---|---|---|---|---|---|", flush=True)
    for row in rows:
        print("|", " | ".join(map(str, row)), "|", flush=True)


def machine(*packages: str) -> str:
    """The machine and the versions in one line, without any name of its owner's."""
    parts = [f"{_processor()}, {os.cpu_count()} cores", platform.system() + " " + platform.machine()]
    parts += [f"{platform.python_implementation()} {platform.python_version()}"]
    return "; ".join([*parts, *(f"{package} {version(package)}" for package in packages)])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _aim(text: str, met: bool) -> str:
    return f"{text}: {'met' if met else 'missed'}"


def _short(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
