"""Jobs that wait long for what others have to give: they go on in a slow lane, and leave their places.

An archive that gives its studies slowly would else have, with two more of its kind, every place of a process
for as long as it likes. What is known of it stands in this process only: another one finds out as well.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from heltig.jobs.attempt import Attempt
from heltig.store.shares import Share


class SlowLanes:
    """The slow lanes of a runner's shares.

    Attributes:
        slow: The groups that are in the lane of a share.
    """

    def __init__(
        self, shares: Sequence[Share], attempts: Collection[Attempt], *, changed: Callable[[], None]
    ) -> None:
        """Makes it; no group is slow yet.

        Args:
            shares: The runner's.
            attempts: What the runner has at work, at any time.
            changed: Called when a place may have become free.
        """
        self.slow: set[tuple[Share, str]] = set()
        self._shares = [share for share in shares if share.lane is not None]
        self._attempts = attempts
        self._changed = changed

    def in_places(self) -> list[Attempt]:
        """What is at work in places of the runner, and not in a lane."""
        return [attempt for attempt in self._attempts if not self._is_beside(attempt)]

    @contextmanager
    def watch(self, attempt: Attempt) -> Iterator[None]:
        """While an attempt runs: its group is slow when it lasts too long, and no more when it did not."""
        share = self._share_of(attempt)
        if share is None or share.lane is None:
            yield
            return
        clock = asyncio.get_running_loop().time
        begun, lane = clock(), share.lane
        timer = asyncio.get_running_loop().call_later(lane.after, self._lasts, share, attempt)
        try:
            yield
        finally:
            timer.cancel()
        if attempt.succeeded and clock() - begun < lane.after and not self._others(share, attempt.group):
            self.slow.discard((share, attempt.group))

    def _lasts(self, share: Share, attempt: Attempt) -> None:
        """Has an attempt go on in the lane where there is room, and else later."""
        lane = share.lane
        if lane is None or not attempt.is_waiting:
            return
        self.slow.add((share, attempt.group))
        has_room = (
            len(self._others(share)) < lane.most
            and len(self._others(share, attempt.group)) < lane.most_of_group
        )
        if has_room:
            attempt.say_slow()
        else:
            attempt.interrupt(wait=timedelta(seconds=lane.after))
        self._changed()

    def _others(self, share: Share, group: str | None = None) -> list[Attempt]:
        """Attempts that last, of a group or of all."""
        return [
            other
            for other in self._attempts
            if other.is_slow and other.kind in share.kinds and group in (None, other.group)
        ]

    def _is_beside(self, attempt: Attempt) -> bool:
        share = self._share_of(attempt)
        return share is not None and (share, attempt.group) in self.slow

    def _share_of(self, attempt: Attempt) -> Share | None:
        return next((share for share in self._shares if attempt.kind in share.kinds), None)
