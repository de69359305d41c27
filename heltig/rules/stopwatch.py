"""Takes the time of rules at work."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Stopwatch:
    """How long the functions of rules take, and what several rules share.

    Attributes:
        clock: Seconds, of any beginning.
        seconds: What each rule took so far, by id, without what it shares with others.
        shared: What was made once for several rules (`RowsView.once`), by module and function.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self.shared: dict[str, float] = {}
        self._inside = 0.0  # what was taken and is counted already, within what is being measured

    def rule(self, id: str, work: Callable[[], T]) -> T:
        """Measures a rule at work."""
        return self._measured(self.seconds, id, work)

    def making(self, make: Callable[[Any], T], view: Any) -> T:
        """Measures what rules share, as it is made."""
        name = f"{make.__module__.rpartition('.')[2]}.{make.__name__.lstrip('_')}"
        return self._measured(self.shared, name, lambda: make(view))

    def _measured(self, into: dict[str, float], name: str, work: Callable[[], T]) -> T:
        before, self._inside = self._inside, 0.0
        start = self.clock()
        try:
            return work()
        finally:
            taken = self.clock() - start
            into[name] = into.get(name, 0.0) + taken - self._inside
            self._inside = before + taken
