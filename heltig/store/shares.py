"""What some kinds of jobs, and some groups of these, may take of a runner's places."""

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec


class SlowLane(msgspec.Struct, frozen=True):
    """Where jobs go on that last long, beside the places of their share.

    Attributes:
        after: Seconds that a job waits for its group before that is slow; until one of its jobs succeeds in
            less, all of them are in the lane.
        most: Jobs in it at a time.
        most_of_group: Jobs in it at a time that one group may have.
    """

    after: float
    most: int
    most_of_group: int = 1


class Share(msgspec.Struct, frozen=True):
    """Kinds of jobs that may not take every place of an owner.

    Attributes:
        kinds: These.
        most: Jobs of them at a time.
        most_of_group: Jobs of them at a time that one group may have; None for all.
        lane: Where those of slow groups are, which do not count for `most`; None where there is none.
    """

    kinds: frozenset[str]
    most: int
    most_of_group: int | None = None
    lane: SlowLane | None = None

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

    def rooms_in_lane(self, slow: Collection[str], at_work: Iterable[tuple[str, str]]) -> dict[str, int]:
        """How many more of them each of the groups that are slow may begin.

        Args:
            slow: The groups.
            at_work: The kind and the group of each job.
        """
        if self.lane is None:
            return {}
        counted = Counter(group for kind, group in at_work if kind in self.kinds and group in slow)
        left = max(self.lane.most - counted.total(), 0)
        return {group: max(min(self.lane.most_of_group - counted[group], left), 0) for group in slow}


class Allowed:
    """What may be begun beside what is at work.

    Attributes:
        jobs: The `kinds` that have room, and where a group has no more for some of them, these as
            "KIND GROUP" (`full`); so, too, those for which a group has room where the kind has none
            (`slow`); the parameters of `heltig.store.claims`.
        most: So many of whatever kind and group leave no share passed.
    """

    def __init__(
        self,
        shares: Sequence[Share],
        at_work: Sequence[tuple[str, str]],
        *,
        kinds: Collection[str],
        slow: Collection[tuple[Share, str]] = (),
    ) -> None:
        without = set[str]()
        full: list[str] = []
        beside: list[str] = []
        rooms: list[int] = []
        for share in shares:
            slow_groups = {group for its, group in slow if its == share}
            of_share = [(kind, group) for kind, group in at_work if group not in slow_groups]
            known = [kind for kind in share.kinds if kind in kinds]
            for group, left in share.rooms_in_lane(slow_groups, at_work).items():
                (beside if left else full).extend(f"{kind} {group}" for kind in known)
                rooms += [left] if left else []
            room = share.room(kind for kind, _ in of_share)
            if not room:
                without |= share.kinds
                continue
            of_groups = share.rooms_of_groups(of_share)
            full += [f"{kind} {group}" for group, left in of_groups.items() if not left for kind in known]
            rooms += [room, share.most_of_group or room, *(left for left in of_groups.values() if left)]
        self.jobs = {
            "kinds": [kind for kind in kinds if kind not in without],
            "full": full,
            "slow": beside,
        }
        self.most = min(rooms, default=sys.maxsize)
