"""One claim of jobs by a runner, which may be made again where its answer was lost."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from heltig.jobs.queue import Clock
from heltig.store import claims, leases
from heltig.store.jobs import Job
from heltig.store.shares import Beside, Share
from heltig.store.transaction import WriteTransaction


class Claim:
    """Claims jobs in a transaction that may be tried again.

    Where a connection breaks while it commits, nobody knows whether it did. If so, the jobs are leased to a
    runner that has not heard of them. So the next try takes these up before it claims others.

    Attributes:
        jobs: Those that the last try found.
    """

    def __init__(
        self,
        kinds: Collection[str],
        *,
        owner: str,
        lease: timedelta,
        clock: Clock,
        shares: Sequence[Share] = (),
    ) -> None:
        """Makes it.

        Args:
            kinds: Those that the runner has a handler for.
            owner: The runner.
            lease: For how long.
            clock: The time.
            shares: What some kinds may take of its places.
        """
        self.jobs: list[Job] = []
        self._kinds = kinds
        self._owner = owner
        self._lease = lease
        self._clock = clock
        self._shares = shares

    def make(self, transaction: WriteTransaction, *, limit: int, beside: Beside) -> list[Job]:
        """The jobs to start; of more than `limit` only those that are leased to the runner already.

        Args:
            transaction: Any that writes.
            limit: The most jobs.
            beside: What the runner has in slow lanes.
        """
        now = self._clock()
        until = now + self._lease
        held = leases.held(transaction, self.jobs, owner=self._owner, until=until)
        more = limit - len(held)
        found = (
            claims.claim(
                transaction,
                kinds=self._kinds,
                owner=self._owner,
                now=now,
                until=until,
                limit=more,
                shares=self._shares,
                beside=beside,
            )
            if more > 0
            else []
        )
        self.jobs = [*held, *found]
        return self.jobs
