"""Places where the audit trail is not what was written: the first of them, and how many there are."""

from typing import Self

import msgspec


class Break(msgspec.Struct, frozen=True):
    """A place where the trail is not what was written.

    Attributes:
        sequence: The first entry that is concerned; 0 where it is the trail as a whole.
        why: What is wrong.
    """

    sequence: int
    why: str


class Breaks:
    """Collects breaks: memory does not grow with what is wrong."""

    def __init__(self, most: int) -> None:
        """Makes it.

        Args:
            most: The most that are kept one by one.
        """
        self._most = most
        self._count = 0
        self.told: list[Break] = []

    @property
    def untold(self) -> int:
        """How many there are that are not kept."""
        return self._count - len(self.told)

    def add(self, one: Break) -> None:
        """Adds a break."""
        if len(self.told) < self._most:
            self.told.append(one)
        self._count += 1

    def join(self, others: Self) -> None:
        """Adds those that somebody else collected, after these."""
        self.told = [*self.told, *others.told][: self._most]
        self._count += others._count
