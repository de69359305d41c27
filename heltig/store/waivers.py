"""Waivers: kept, listed, revoked, never erased.

Whoever gives or revokes a waiver changes the head row of `waivers`, and whoever publishes a verdict holds it
meanwhile. So a verdict is either published before and found by whoever looks for the studies that a waiver
concerns, or after and refused as stale.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Row, and_, bindparam, func, insert, or_, select, text, update

from heltig.errors import ConflictError, NotFoundError
from heltig.store.encrypted_rows import FINDINGS, WAIVERS
from heltig.store.encryption import Cipher
from heltig.store.lookups import minute
from heltig.store.records import Location
from heltig.store.tables import (
    findings,
    locations,
    lookups,
    sequences,
    studies,
    verdicts,
    waivers,
)
from heltig.store.tables.seen import ENDING
from heltig.store.text import TEXT_LENGTH, from_json, storable, storable_key, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Waiver

Scope: TypeAlias = Literal["study", "series", "archive"]
WaiverState: TypeAlias = Literal["in-force", "expired", "revoked"]


class NewWaiver(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver to be given.

    Attributes:
        rule: The rule's id.
        tags: The attributes of the finding.
        observed: The text of the finding.
        digest: That of the finding: what it covers.
        location: The location whose studies it covers; None for every location that has `study_key`.
        study_key: The study that it covers; None for every study at `location`.
        series_key: The series of that study whose findings it covers; None for all.
        reason: Why, in the author's words.
        author: The principal's name.
        expires: The end, a whole minute.
    """

    rule: str
    tags: tuple[str, ...]
    observed: str
    digest: str
    location: Location | None = None
    study_key: str | None = None
    series_key: str | None = None
    reason: str
    author: str
    created: datetime
    expires: datetime

    @property
    def scope(self) -> Scope:
        """What it covers findings of."""
        if self.series_key is not None:
            return "series"
        return "archive" if self.study_key is None else "study"


class GivenWaiver(NewWaiver, frozen=True, kw_only=True):
    """A waiver as it stands.

    Attributes:
        id: Counted from 1, without gaps.
        revoked: When it was revoked, `revoked_by` by whom; None while it was not.
    """

    id: int
    revoked: datetime | None = None
    revoked_by: str | None = None

    def state(self, now: datetime) -> WaiverState:
        """Whether it is in force."""
        if self.revoked is not None:
            return "revoked"
        return "in-force" if now < self.expires else "expired"


_NAME: Final = "waivers"
_ADVANCE = update(sequences).where(sequences.c.name == _NAME).values(value=sequences.c.value + 1)
_LAST = select(sequences.c.value).where(sequences.c.name == _NAME)
_HOLD = _LAST.with_for_update(read=True)

_FIND = select(waivers).where(waivers.c.id == bindparam("waiver"))
_IN_FORCE = select(waivers).where(
    waivers.c.revoked.is_(None),
    waivers.c.expires > bindparam("at"),
    or_(
        waivers.c.study_key == bindparam("study_key"),
        and_(waivers.c.study_key.is_(None), waivers.c.location == bindparam("location")),
    ),
    or_(waivers.c.location.is_(None), waivers.c.location == bindparam("location")),
)
_ENDED = (
    select(locations.c.kind, locations.c.name, studies.c.study_key)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(text(ENDING), studies.c.valid_until <= bindparam("now"), studies.c.state == "JUDGED")
    .order_by(studies.c.id)
)
_REVOKE = (
    update(waivers)
    .where(waivers.c.id == bindparam("waiver"))
    .values(revoked=bindparam("at"), revoked_by=bindparam("by"))
)


def add(transaction: WriteTransaction, new: NewWaiver) -> GivenWaiver:
    """Gives a waiver."""
    transaction.connection.execute(_ADVANCE)
    number: int = transaction.connection.execute(_LAST).scalar_one()
    row = {
        "id": number,
        "rule": new.rule,
        "tags": to_json(new.tags),
        "observed": storable(new.observed),
        "digest": new.digest,
        "scope": new.scope,
        "location": None if new.location is None else str(new.location),
        "study_key": None if new.study_key is None else storable_key(new.study_key),
        "series_key": None if new.series_key is None else storable_key(new.series_key),
        "reason": storable(new.reason),
        "author": storable(new.author, TEXT_LENGTH),
        "created": new.created,
        "expires": new.expires,
    }
    transaction.connection.execute(insert(waivers), WAIVERS.put(transaction.cipher, row))
    return get(transaction, number)


def revoke(transaction: WriteTransaction, waiver: int, *, by: str, at: datetime) -> GivenWaiver:
    """Ends a waiver early. The verdicts that rely on it do not hold from now on, until they are given anew.

    Revoked once more it stays as it is.

    Raises:
        NotFoundError: There is no such waiver.
        ConflictError: It has expired.
    """
    transaction.connection.execute(_ADVANCE)
    given = get(transaction, waiver)
    if given.state(at) == "expired":
        raise ConflictError(f"Waiver {waiver} has expired, so there is nothing to revoke.")
    if given.state(at) == "in-force":
        transaction.connection.execute(_REVOKE, {"waiver": waiver, "at": at, "by": storable(by, TEXT_LENGTH)})
        _end(transaction, given, at)
    return get(transaction, waiver)


def get(transaction: ReadTransaction, waiver: int) -> GivenWaiver:
    """A waiver by its id.

    Raises:
        NotFoundError: There is no such waiver.
    """
    row = transaction.connection.execute(_FIND, {"waiver": waiver}).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no waiver {waiver}. /api/v1/waivers lists them.")
    return _waiver(transaction.cipher, row)


def known(transaction: ReadTransaction, ids: Collection[int]) -> list[GivenWaiver]:
    """The waivers of some ids, the newest first."""
    query = select(waivers).where(waivers.c.id.in_(ids)).order_by(waivers.c.id.desc())
    return [_waiver(transaction.cipher, row) for row in transaction.connection.execute(query)]


def newest(
    transaction: ReadTransaction,
    *,
    now: datetime,
    state: WaiverState | None = None,
    rule: str | None = None,
    location: Location | None = None,
    study_key: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[GivenWaiver]:
    """Waivers, the newest first, those that match everything asked for.

    Args:
        transaction: Any.
        now: The time, which says whether a waiver has expired.
        state: Only of this state.
        rule: Only for this rule.
        location: Only those that name this location.
        study_key: Only those that name this study.
        limit: The most waivers.
        offset: How many of them to pass over.
    """
    query = select(waivers).order_by(waivers.c.id.desc()).limit(limit).offset(offset)
    named = {
        "rule": rule,
        "location": None if location is None else str(location),
        "study_key": None if study_key is None else storable_key(study_key),
    }
    for column, value in named.items():
        if value is not None:
            query = query.where(waivers.c[column] == value)
    if state == "revoked":
        query = query.where(waivers.c.revoked.is_not(None))
    elif state is not None:
        ended = waivers.c.expires <= now
        query = query.where(waivers.c.revoked.is_(None), ended if state == "expired" else ~ended)
    return [_waiver(transaction.cipher, row) for row in transaction.connection.execute(query)]


def in_force(
    transaction: ReadTransaction, location: Location, study_key: str, *, at: datetime
) -> tuple[Waiver, ...]:
    """The waivers that cover a study at a time, sorted, as a verdict takes them.

    In a transaction that writes no one gives or revokes a waiver before its end.
    """
    if isinstance(transaction, WriteTransaction):
        transaction.rows(_HOLD)
    asked = {"at": at, "study_key": storable_key(study_key), "location": str(location)}
    return tuple(
        sorted(
            Waiver(
                id=str(row.id),
                rule=row.rule,
                observed=row.observed,
                expires=row.expires,
                series=row.series_key or "",
                tags=from_json(row.tags, tuple[str, ...]),
                digest=row.digest,
            )
            for stored in transaction.rows(_IN_FORCE, asked)
            for row in (WAIVERS.get(transaction.cipher, stored),)
        )
    )


def digests(transaction: ReadTransaction, finding: NewWaiver) -> set[str]:
    """The digests of the findings in a waiver's scope that have its rule, attributes and text.

    Empty ones are of findings that were told by an older version.
    """
    judged = studies.alias()
    told = (
        select(findings.c.digest, func.min(findings.c.verdict_row).label("verdict_row"))
        .join(verdicts, verdicts.c.id == findings.c.verdict_row)
        .join(judged, and_(judged.c.id == verdicts.c.study_row, judged.c.revision == verdicts.c.revision))
        .where(
            findings.c.rule == finding.rule,
            findings.c.tags == to_json(finding.tags),
            findings.c.observed.in_(transaction.cipher.digests(storable(finding.observed))),
            judged.c.state != "WITHDRAWN",
            *_within(finding, judged),
        )
        .group_by(findings.c.digest)
        .subquery()
    )
    query = select(findings).join(
        told, and_(told.c.verdict_row == findings.c.verdict_row, told.c.digest == findings.c.digest)
    )
    return {FINDINGS.get(transaction.cipher, row).digest for row in transaction.connection.execute(query)}


def concerned(transaction: ReadTransaction, waiver: NewWaiver) -> list[tuple[Location, str]]:
    """The studies whose last verdict has a finding that a waiver covers, or would, first seen first.

    Of a waiver for one series all findings of the study count: which of them are in the series is seen when
    the study is judged.
    """
    query = (
        select(locations.c.kind, locations.c.name, studies.c.study_key)
        .join(locations, locations.c.id == studies.c.location_row)
        .where(studies.c.id.in_(_rows_of(transaction.cipher, waiver)), studies.c.state != "WITHDRAWN")
        .order_by(studies.c.id)
    )
    found = transaction.connection.execute(query)
    return [(Location(row.kind, row.name), row.study_key) for row in found]


def ended(transaction: ReadTransaction, *, now: datetime) -> list[tuple[Location, str]]:
    """The studies whose verdict no longer holds, and that were not judged again yet, first seen first."""
    found = transaction.connection.execute(_ENDED, {"now": now})
    return [(Location(row.kind, row.name), row.study_key) for row in found]


def _end(transaction: WriteTransaction, waiver: GivenWaiver, at: datetime) -> None:
    """Has the verdicts that rely on a waiver end now.

    The studies are locked in the order of their rows, as `studies.lock_rows` does it: so nobody who locks
    several waits for one another.
    """
    rely = _rows_of(transaction.cipher, waiver, findings.c.waived.is_(True))
    in_order = select(studies.c.id).where(studies.c.id.in_(rely)).order_by(studies.c.id).with_for_update()
    transaction.connection.execute(in_order).all()
    transaction.connection.execute(update(studies).where(studies.c.id.in_(rely)).values(valid_until=at))
    transaction.connection.execute(
        update(lookups).where(lookups.c.study_row.in_(rely)).values(valid_until=minute(at))
    )


def _rows_of(cipher: Cipher, waiver: NewWaiver, *conditions: ColumnElement[bool]) -> Any:
    """The rows of the studies whose last verdict has a finding that a waiver covers."""
    judged = studies.alias()
    return (
        select(verdicts.c.study_row)
        .join(findings, findings.c.verdict_row == verdicts.c.id)
        .join(judged, and_(judged.c.id == verdicts.c.study_row, judged.c.revision == verdicts.c.revision))
        .where(
            findings.c.rule == waiver.rule,
            findings.c.digest.in_(cipher.digests(waiver.digest)),
            findings.c.digest != "",
            *_within(waiver, judged),
            *conditions,
        )
    )


def _within(waiver: NewWaiver, judged: Any) -> Iterator[ColumnElement[bool]]:
    if waiver.study_key is not None:
        yield judged.c.study_key == storable_key(waiver.study_key)
    if waiver.location is not None:
        at = select(locations.c.id).where(
            locations.c.kind == waiver.location.kind, locations.c.name == waiver.location.name
        )
        yield judged.c.location_row.in_(at)


def _waiver(cipher: Cipher, stored: Row[Any]) -> GivenWaiver:
    row = WAIVERS.get(cipher, stored)
    return GivenWaiver(
        id=row.id,
        rule=row.rule,
        tags=from_json(row.tags, tuple[str, ...]),
        observed=row.observed,
        digest=row.digest,
        location=None if row.location is None else Location.parse(row.location),
        study_key=row.study_key,
        series_key=row.series_key,
        reason=row.reason,
        author=row.author,
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        revoked_by=row.revoked_by,
    )
