"""Jobs that wait long for what others have to give: they go on in a slow lane, and leave their places.

An archive that gives its studies slowly would else have, with two more of its kind, every place of a process
for as long as it likes. One long job makes nobody slow: only a group whose jobs last long one after the other
has the next ones begin in the lane. What is known of it stands in this process only: another one finds out as
well.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from heltig.jobs.attempt import Attempt
from heltig.store.shares import Beside, Share, SlowLane

IN_A_ROW: Final = 2
"""A group is slow when so many of its jobs lasted long, and none was quick in between."""

REMEMBERED: Final = 5
"""So many times `SlowLane.after` a slow group has no place. Then it is tried again: its lane may be full for
long, and the next ones of its jobs may be short."""

PUT_OFF: Final = 2 * REMEMBERED
"""So many times `SlowLane.after` a job waits that found no room in the lane: others of its group come first,
since they may be short."""

_Key: TypeAlias = tuple[Share, str]


class SlowLanes:
    """The slow lanes of a runner's shares. Used by the event loop's thread only."""

    def __init__(
        self,
        shares: Sequence[Share],
        attempts: Collection[Attempt],
        *,
        clock: Callable[[], datetime],
        changed: Callable[[], None],
    ) -> None:
        """Makes it; no group is slow yet.

        Args:
            shares: The runner's.
            attempts: What the runner has at work, at any time.
            clock: The time.
            changed: Called when a place may have become free.
        """
        self._shares = [share for share in shares if share.lane is not None]
        self._attempts = attempts
        self._clock = clock
        self._changed = changed
        self._long_ones: dict[_Key, tuple[int, datetime]] = {}  # how many in a row, and when the last one was

    def in_places(self) -> list[Attempt]:
        """What is at work in places of the runner, and not in a lane."""
        return [attempt for attempt in self._attempts if not attempt.in_lane]

    def beside(self) -> Beside:
        """What is in the lanes now, for another thread."""
        return Beside(
            frozenset(attempt.job_id for attempt in self._attempts if attempt.in_lane),
            frozenset(key for key in self._long_ones if self._is_slow(key)),
        )

    def begin(self, attempt: Attempt) -> None:
        """Has an attempt begin in the lane where its group is slow."""
        share = self._share_of(attempt)
        attempt.in_lane = share is not None and self._is_slow((share, attempt.group))

    @contextmanager
    def watch(self, attempt: Attempt) -> Iterator[None]:
        """While an attempt runs: whether it lasts long, and whether its group is slow no more."""
        share = self._share_of(attempt)
        if share is None or share.lane is None:
            yield
            return
        timer = asyncio.get_running_loop().call_later(
            share.lane.after, self._lasts, attempt, share, share.lane
        )
        try:
            yield
        finally:
            timer.cancel()
        if attempt.was_quick:
            self._long_ones.pop((share, attempt.group), None)

    def _lasts(self, attempt: Attempt, share: Share, lane: SlowLane) -> None:
        """Has an attempt go on in the lane where there is room, and else later."""
        if not attempt.is_waiting:
            return
        key = share, attempt.group
        number, _ = self._long_ones.get(key, (0, None))
        self._long_ones[key] = number + 1, self._clock()
        attempt.say_slow()
        if not attempt.in_lane:
            within = [one.group for one in self._attempts if one.in_lane and one.kind in share.kinds]
            attempt.in_lane = lane.room(within, attempt.group, is_slow=self._is_slow(key)) > 0
        if not attempt.in_lane:
            attempt.interrupt(wait=PUT_OFF * timedelta(seconds=lane.after))
        self._changed()

    def _is_slow(self, key: _Key) -> bool:
        share, _ = key
        if share.lane is None or key not in self._long_ones:
            return False
        number, last = self._long_ones[key]
        remembered = REMEMBERED * timedelta(seconds=share.lane.after)
        return number >= IN_A_ROW and timedelta(0) <= self._clock() - last < remembered

    def _share_of(self, attempt: Attempt) -> Share | None:
        return next((share for share in self._shares if attempt.kind in share.kinds), None)
