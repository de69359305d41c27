"""What some kinds of jobs, and some groups of these, may take of a runner's places."""

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec


class SlowLane(msgspec.Struct, frozen=True):
    """Where jobs go on that last long, beside the places of their share.

    Attributes:
        after: Seconds that a job waits for its group before it leaves its place.
        most: Jobs in it at a time.
    """

    after: float
    most: int

    def room(self, within: Collection[str], group: str, *, is_slow: bool) -> int:
        """How many more jobs of a group may go on in it.

        Half of it is for groups that have none in it. A quarter is for those that are not slow: a long job of
        theirs comes from a place, where those of slow groups would else always be there before it.

        Args:
            within: The group of each job in it.
            group: The group.
            is_slow: Whether its jobs last long again and again.
        """
        left = (3 * self.most // 4 if is_slow else self.most) - len(within)
        if left <= 0:
            return 0
        return max(min(left, self.most // 2 - len(within)), int(group not in within))


class Share(msgspec.Struct, frozen=True):
    """Kinds of jobs that may not take every place of an owner.

    Attributes:
        kinds: These.
        most: Jobs of them at a time.
        most_of_group: Jobs of them at a time that one group may have; None for all.
        lane: Where those go on that last long, which count for neither; None where there is none.
        is_counted: Whether they count for what a group may have at work (`heltig.store.claims.set_group`).
            Those that do not have to come before all others, or wait for them.
    """

    kinds: frozenset[str]
    most: int
    most_of_group: int | None = None
    lane: SlowLane | None = None
    is_counted: bool = True

    def room(self, at_work: Iterable[str]) -> int:
        """How many more of them may be begun beside jobs of the kinds `at_work`."""
        return max(self.most - sum(kind in self.kinds for kind in at_work), 0)

    def rooms_of_groups(self, at_work: Iterable[str]) -> dict[str, int]:
        """How many more of them the groups that have some of them at work may begin.

        Args:
            at_work: The group of each job of these kinds.
        """
        if self.most_of_group is None:
            return {}
        return {group: max(self.most_of_group - number, 0) for group, number in Counter(at_work).items()}


class Working(msgspec.Struct, frozen=True):
    """A job at work."""

    id: int
    kind: str
    group: str


class Beside(msgspec.Struct, frozen=True):
    """What an owner has in slow lanes, at one moment.

    Attributes:
        jobs: The ids of the jobs that go on there.
        groups: The groups whose jobs begin there, since they last long again and again.
    """

    jobs: frozenset[int] = frozenset()
    groups: frozenset[tuple[Share, str]] = frozenset()


class Allowed:
    """What may be begun beside what is at work.

    Attributes:
        jobs: The `kinds` that have room, and where a group has no more for some of them, these as
            "KIND GROUP" (`full`); so, too, those for which a group has room where the kind has none
            (`slow`); and those that do not count for what a group may have at work (`uncounted`): the
            parameters of `heltig.store.claims`.
        most: So many of whatever kind and group leave no share passed.
    """

    def __init__(
        self,
        shares: Sequence[Share],
        at_work: Sequence[Working],
        *,
        kinds: Collection[str],
        beside: Beside,
    ) -> None:
        without = set[str]()
        full: list[str] = []
        slow: list[str] = []
        rooms: list[int] = []
        for share in shares:
            of_share = [job for job in at_work if job.kind in share.kinds]
            known = [kind for kind in share.kinds if kind in kinds]
            slow_groups = {group for its, group in beside.groups if its == share}
            if share.lane is not None:
                within = [job.group for job in of_share if job.id in beside.jobs]
                for group in slow_groups:
                    left = share.lane.room(within, group, is_slow=True)
                    (slow if left else full).extend(f"{kind} {group}" for kind in known)
                    rooms += [left] if left else []
            in_places = [job for job in of_share if job.id not in beside.jobs]
            room = share.room(job.kind for job in in_places)
            if not room:
                without |= share.kinds
                continue
            for group, left in share.rooms_of_groups(job.group for job in in_places).items():
                if group not in slow_groups:
                    full += [] if left else [f"{kind} {group}" for kind in known]
                    rooms += [left] if left else []
            rooms += [room, share.most_of_group or room]
        self.jobs = {
            "kinds": [kind for kind in kinds if kind not in without],
            "full": full,
            "slow": slow,
            "uncounted": [kind for share in shares if not share.is_counted for kind in share.kinds],
        }
        self.most = min(rooms, default=sys.maxsize)
