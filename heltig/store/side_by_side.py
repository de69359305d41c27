"""The studies of two archives side by side, a page at a time."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from sqlalchemy import and_, bindparam, or_, select

from heltig.dicom.snapshot import read_source
from heltig.store.divergence import Held
from heltig.store.packing import unpack_facts
from heltig.store.records import StudyState
from heltig.store.tables import observations, series, snapshots, studies
from heltig.store.transaction import ReadTransaction

Side: TypeAlias = Literal["source", "destination"]

_SIDE = (
    studies.c.id.label("row"),
    studies.c.study_key,
    studies.c.state,
    studies.c.study_date,
    studies.c.content_digest,
    studies.c.series_count,
    studies.c.instance_count,
    observations.c.unsettled_since.is_not(None).label("is_unsettled"),
)
_COPIES = select(*_SIDE).outerjoin(observations, observations.c.study_row == studies.c.id)
_STANDS = and_(studies.c.location_row == bindparam("location"), studies.c.state != "WITHDRAWN")
_PAGE = (
    _COPIES.where(
        _STANDS,
        studies.c.study_key > bindparam("after"),
        or_(bindparam("first") == "", studies.c.study_date >= bindparam("first")),
        or_(
            bindparam("last") == "",
            and_(studies.c.study_date != "", studies.c.study_date <= bindparam("last")),
        ),
    )
    .order_by(studies.c.study_key)
    .limit(bindparam("limit"))
)
_NAMED = _COPIES.where(_STANDS, studies.c.study_key.in_(bindparam("keys", expanding=True)))
_SERIES = select(series.c.series_key, series.c.digest, series.c.sop_instance_uids).where(
    series.c.study_row == bindparam("row")
)
_FACTS = (
    select(snapshots.c.snapshot, snapshots.c.facts)
    .join(studies, and_(studies.c.id == snapshots.c.study_row, studies.c.snapshot == snapshots.c.snapshot))
    .where(studies.c.id == bindparam("row"))
)
NOTHING: Final = Held(frozenset(), {})


class Copy(msgspec.Struct, frozen=True):
    """A study as one archive has it.

    Attributes:
        row: Its row.
        content_digest: Of its newest snapshot; None before the first.
        is_unsettled: It changed since it was last read, as far as its archive is watched.
    """

    row: int
    study_key: str
    state: StudyState
    study_date: str
    content_digest: str | None
    series: int
    instances: int
    is_unsettled: bool

    @property
    def is_read(self) -> bool:
        """Its newest snapshot is what the archive has, as far as is known, and has something in it.

        One that is PENDING may be read: its verdict is given anew since another study changed.
        """
        is_current = self.state == "JUDGED" or not self.is_unsettled
        return is_current and self.content_digest is not None and self.instances > 0


def page(
    transaction: ReadTransaction, location: int, *, after: str, limit: int, dates: tuple[str, str]
) -> list[Copy]:
    """Studies of a location in the order of their keys; those that are WITHDRAWN are left out.

    Args:
        transaction: Any.
        location: Its row.
        after: Only keys above this one: what the page before ended with.
        limit: The most of them.
        dates: First and last StudyDate as YYYYMMDD, both included; an empty one is open.
    """
    first, last = dates
    parameters = {"location": location, "after": after, "limit": limit, "first": first, "last": last}
    return [Copy(*row) for row in transaction.connection.execute(_PAGE, parameters)]


def copies(transaction: ReadTransaction, location: int, study_keys: Sequence[str]) -> dict[str, Copy]:
    """Studies of a location by their keys as they are stored; those that it does not have are left out."""
    parameters = {"location": location, "keys": list(study_keys)}
    return {row.study_key: Copy(*row) for row in transaction.connection.execute(_NAMED, parameters)}


def held(transaction: ReadTransaction, row: int) -> Held:
    """What an archive has of a study, by the study's row: what it could show, and its series."""
    found = transaction.connection.execute(_FACTS, {"row": row}).first()
    if found is None:
        return NOTHING
    parts = transaction.connection.execute(_SERIES, {"row": row})
    return Held(
        shows=read_source(unpack_facts(transaction.cipher, found.snapshot, found.facts)).shows,
        series={part.series_key: (part.digest, part.sop_instance_uids) for part in parts},
    )
