"""The studies of backfills: which of them are done, and what became of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, bindparam, case, func, or_, select, text, update

from heltig.store.observations import COLUMNS, Observation, observation_of
from heltig.store.tables import backfill_studies, observations, studies
from heltig.store.tables.pulling import UNDONE
from heltig.store.transaction import ReadTransaction, WriteTransaction

Outcome: TypeAlias = Literal["known", "judged", "unchanged", "gone", "failed"]
"""What became of a study: it was `known` as it is listed, so that nothing was asked; it was pulled and
`judged`, or `unchanged`; it is `gone` from the archive; it `failed`, and what was known of it stands."""

RECENTLY: Final = timedelta(minutes=10)
"""The time over which the rate is taken."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many studies of a backfill are where.

    Attributes:
        studies: That were listed so far.
        outcomes: Of those that are done, how many ended how.
        instances: Of those that were pulled.
        recently: How many were pulled in the last `RECENTLY`, or since it was started.
        since: When the first of these was written down; None without any.
        later: How many of them were after that. Together they tell the rate where somebody goes on with a
            backfill: the time in which nobody worked is not in it.
    """

    studies: int
    outcomes: dict[Outcome, int]
    instances: int
    recently: int
    since: datetime | None = None
    later: int = 0

    @property
    def done(self) -> int:
        """Studies of which nothing is left to do."""
        return sum(self.outcomes.values())


class Undone(msgspec.Struct, frozen=True):
    """A study of a backfill that was not yet said to be done.

    Attributes:
        observation: What is known of it.
        judged: When its verdict was given.
        instances: Of its newest snapshot.
    """

    observation: Observation
    judged: datetime | None
    instances: int


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a study.

    Attributes:
        row: The study's row.
        error: Why it failed, without patient data.
    """

    row: int
    outcome: Outcome
    instances: int = 0
    error: str | None = None


_IS_PULLED: Final[ColumnElement[bool]] = backfill_studies.c.outcome.in_(("judged", "unchanged"))
_COUNTS = (
    select(
        backfill_studies.c.outcome,
        func.count().label("number"),
        func.sum(case((_IS_PULLED, backfill_studies.c.instances), else_=0)).label("instances"),
    )
    .where(backfill_studies.c.backfill_row == bindparam("backfill"))
    .group_by(backfill_studies.c.outcome)
)
_PULLED_SINCE = (
    select(backfill_studies.c.finished, func.count())
    .where(
        backfill_studies.c.backfill_row == bindparam("backfill"),
        _IS_PULLED,
        backfill_studies.c.finished > bindparam("since"),
    )
    .group_by(backfill_studies.c.finished)
    .order_by(backfill_studies.c.finished)
)
_UNDONE = (
    select(*COLUMNS, studies.c.judged, studies.c.instance_count)
    .select_from(backfill_studies)
    .join(studies, studies.c.id == backfill_studies.c.study_row)
    .outerjoin(observations, observations.c.study_row == studies.c.id)
    .where(
        text(UNDONE),
        backfill_studies.c.backfill_row == bindparam("backfill"),
        backfill_studies.c.study_row > bindparam("after"),
    )
    .order_by(backfill_studies.c.study_row)
    .limit(bindparam("limit"))
)
_LEFT = (
    select(observations.c.due)
    .select_from(backfill_studies)
    .outerjoin(observations, observations.c.study_row == backfill_studies.c.study_row)
    .where(text(UNDONE), backfill_studies.c.backfill_row == bindparam("backfill"))
)
_DUE = _LEFT.where(or_(observations.c.due.is_(None), observations.c.due <= bindparam("now"))).limit(1)
_NEXT = _LEFT.order_by(observations.c.due).limit(1)
_SAY_DONE = (
    update(backfill_studies)
    .where(
        backfill_studies.c.backfill_row == bindparam("backfill"),
        backfill_studies.c.study_row == bindparam("row"),
        backfill_studies.c.finished.is_(None),
    )
    .values(
        outcome=bindparam("to_outcome"),
        instances=bindparam("to_instances"),
        error=bindparam("to_error"),
        finished=bindparam("now"),
    )
)
_TRY_AGAIN = (
    update(backfill_studies)
    .where(backfill_studies.c.backfill_row == bindparam("backfill"), backfill_studies.c.outcome == "failed")
    .values(outcome=None, error=None, finished=None)
)


def take_in(transaction: WriteTransaction, backfill: int, rows: Iterable[int]) -> None:
    """Adds studies by their rows, those that it does not have."""
    new = [{"backfill_row": backfill, "study_row": row, "instances": 0} for row in rows]
    if new:
        transaction.insert_or_ignore_all(backfill_studies, new)


def undone(transaction: ReadTransaction, backfill: int, *, after: int = 0, limit: int) -> list[Undone]:
    """Its studies that were not said to be done, by their rows.

    Args:
        transaction: Any.
        backfill: Its id.
        after: Only rows above this one: what the page before ended with.
        limit: The most of them.
    """
    rows = transaction.connection.execute(_UNDONE, {"backfill": backfill, "after": after, "limit": limit})
    return [Undone(observation_of(row), row.judged, row.instance_count) for row in rows]


def all_wait_until(transaction: ReadTransaction, backfill: int, *, now: datetime) -> datetime | None:
    """When the first of its studies that are left is to be pulled.

    Returns:
        None where one is to be pulled now, is being pulled, or none is left.
    """
    if transaction.connection.execute(_DUE, {"backfill": backfill, "now": now}).first():
        return None
    due: datetime | None = transaction.connection.execute(_NEXT, {"backfill": backfill}).scalar()
    return due


def say_done(transaction: WriteTransaction, backfill: int, done: Sequence[Done], *, now: datetime) -> None:
    """Says of studies what became of them; what was said before stands."""
    if done:
        transaction.connection.execute(
            _SAY_DONE,
            [
                {
                    "backfill": backfill,
                    "row": one.row,
                    "to_outcome": one.outcome,
                    "to_instances": one.instances,
                    "to_error": one.error,
                    "now": now,
                }
                for one in done
            ],
        )


def try_again(transaction: WriteTransaction, backfill: int) -> None:
    """Has studies pulled again that failed."""
    transaction.connection.execute(_TRY_AGAIN, {"backfill": backfill})


def counts(transaction: ReadTransaction, backfill: int, *, now: datetime) -> Counts:
    """How many of its studies are where."""
    parameters = {"backfill": backfill, "since": now - RECENTLY}
    rows = transaction.connection.execute(_COUNTS, parameters).all()
    pulled = transaction.connection.execute(_PULLED_SINCE, parameters).all()
    return Counts(
        studies=sum(row.number for row in rows),
        outcomes={row.outcome: row.number for row in rows if row.outcome},
        instances=int(sum(row.instances for row in rows)),
        recently=sum(number for _, number in pulled),
        since=pulled[0][0] if pulled else None,
        later=sum(number for _, number in pulled[1:]),
    )
