"""What some kinds of jobs, and some groups of these, may take of a runner's places."""

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec


class Share(msgspec.Struct, frozen=True):
    """Kinds of jobs that may not take every place of an owner.

    Attributes:
        kinds: These.
        most: Jobs of them at a time.
        most_of_group: Jobs of them at a time that one group may have; None for all.
    """

    kinds: frozenset[str]
    most: int
    most_of_group: int | None = None

    def room(self, at_work: Iterable[str]) -> int:
        """How many more of them may be begun beside jobs of the kinds `at_work`."""
        return max(self.most - sum(kind in self.kinds for kind in at_work), 0)

    def rooms_of_groups(self, at_work: Iterable[tuple[str, str]]) -> dict[str, int]:
        """How many more of them the groups that have some of them at work may begin.

        Args:
            at_work: The kind and the group of each job.
        """
        if self.most_of_group is None:
            return {}
        counted = Counter(group for kind, group in at_work if kind in self.kinds)
        return {group: max(self.most_of_group - number, 0) for group, number in counted.items()}


class Allowed:
    """What may be begun beside what is at work.

    Attributes:
        jobs: The `kinds` that have room, and where a group has no more for some of them, these as
            "KIND GROUP" (`full`); the parameters of `heltig.store.claims`.
        most: So many of whatever kind and group leave no share passed.
    """

    def __init__(
        self, shares: Sequence[Share], at_work: Sequence[tuple[str, str]], *, kinds: Collection[str]
    ) -> None:
        without = set[str]()
        full: list[str] = []
        rooms: list[int] = []
        for share in shares:
            room = share.room(kind for kind, _ in at_work)
            if not room:
                without |= share.kinds
                continue
            of_groups = share.rooms_of_groups(at_work)
            full += [
                f"{kind} {group}" for group, left in of_groups.items() if not left for kind in share.kinds
            ]
            rooms += [room, share.most_of_group or room, *(left for left in of_groups.values() if left)]
        self.jobs = {"kinds": [kind for kind in kinds if kind not in without], "full": full}
        self.most = min(rooms, default=sys.maxsize)
