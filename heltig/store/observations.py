"""What archives were last seen to list of their studies, and which of these are to be pulled when.

An observation is in one of three states, whatever the study's own is:

- settled: nothing to be done (`unsettled_since` and `due` are None);
- due at a time: something changed, and it is to be pulled when nothing more changes until then (`due`);
- handed on: a job is to pull it (`unsettled_since` alone).

Whoever acts on an observation names all that they knew of it. If it is another one by now they get False, and
leave it to whoever changed it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update

from heltig.store.records import Location, StudyState
from heltig.store.studies import IS_STUDY, named
from heltig.store.tables import gate_studies, locations, observations, studies
from heltig.store.transaction import ReadTransaction, WriteTransaction

UNDATED: Final = ("none", "none")
"""In place of a range of StudyDate: the studies that no such range finds."""

_AT_ONCE: Final = 500  # keys of a query


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A study that is known at a location, with what was last seen of it there.

    Attributes:
        row: The study's row.
        study_key: The study.
        study_uid: Its StudyInstanceUID as it is stored; None without one.
        state: The study's state.
        fingerprint: Of how it was last listed; empty when that was never, or before it was withdrawn.
        changed: When that fingerprint was first seen; None when it was never listed.
        unsettled_since: The first change since it was last pulled; None where it was pulled as it is.
        due: When it is to be pulled unless it changes before; None while a job is to do it.
        priority: The lower the sooner, among the studies of its archive.
    """

    row: int
    study_key: str
    state: StudyState
    study_uid: str | None = None
    fingerprint: bytes = b""
    changed: datetime | None = None
    unsettled_since: datetime | None = None
    due: datetime | None = None
    priority: int = 0


COLUMNS: Final[tuple[ColumnElement[Any], ...]] = (
    studies.c.id.label("row"),
    studies.c.study_key,
    studies.c.study_uid,
    studies.c.state,
    observations.c.fingerprint,
    observations.c.changed,
    observations.c.unsettled_since,
    observations.c.due,
    observations.c.priority,
)
"""All that `observation_of` makes an observation of."""

_KNOWN = select(*COLUMNS).outerjoin(observations, observations.c.study_row == studies.c.id)
_FIND = _KNOWN.where(
    studies.c.location_row == bindparam("location"),
    studies.c.study_key.in_(bindparam("keys", expanding=True)),
)
_FIND_ONE = _KNOWN.join(locations, locations.c.id == studies.c.location_row).where(IS_STUDY)
_KEYS = (
    select(studies.c.study_key)
    .where(studies.c.location_row == bindparam("location"), studies.c.state != "WITHDRAWN")
    .order_by(studies.c.id)
)
_COUNTS = select(
    func.count().filter(studies.c.state != "WITHDRAWN"),
    func.count().filter(studies.c.state == "WITHDRAWN", studies.c.changed > bindparam("since")),
).where(studies.c.location_row == bindparam("location"))
_ASKED_FOR = (
    select(func.count())
    .select_from(observations)
    .join(studies, studies.c.id == observations.c.study_row)
    .where(
        observations.c.location_row == bindparam("location"),
        observations.c.unsettled_since.is_not(None),
        studies.c.state == "JUDGED",  # one that changed would be PENDING
    )
)
_KNOWN_ROWS = select(observations.c.study_row).where(
    observations.c.study_row.in_(bindparam("rows", expanding=True))
)
_LOCK_LOCATION = (
    select(locations.c.id)
    .where(locations.c.id == bindparam("location"))
    .with_for_update(key_share=True)  # rows that refer to it are added beside
)
_CHANGE = (
    update(observations)
    .where(observations.c.study_row == bindparam("row"))
    .values(
        fingerprint=bindparam("to_fingerprint"),
        changed=bindparam("to_changed"),
        unsettled_since=bindparam("to_unsettled_since"),
        due=bindparam("to_due"),
        priority=bindparam("to_priority"),
    )
)
_IS_AS_KNOWN = and_(
    observations.c.study_row == bindparam("row"),
    observations.c.fingerprint == bindparam("was_fingerprint"),
    observations.c.changed == bindparam("was_changed"),
    observations.c.unsettled_since.is_not_distinct_from(bindparam("was_unsettled_since")),
    observations.c.due.is_not_distinct_from(bindparam("was_due")),
)
_MOVE = (
    update(observations)
    .where(_IS_AS_KNOWN)
    .values(
        fingerprint=bindparam("to_fingerprint"),
        unsettled_since=bindparam("to_unsettled_since"),
        due=bindparam("to_due"),
    )
)
_IS_UNSETTLED = select(observations.c.study_row).where(
    observations.c.study_row == bindparam("row"), observations.c.unsettled_since.is_not(None)
)

_IS_ARRIVING = select(gate_studies.c.study_row).where(
    gate_studies.c.study_row == bindparam("row"), gate_studies.c.due.is_not(None)
)


def lock_location(transaction: WriteTransaction, location: int) -> None:
    """Keeps others from writing down what they saw at a location, until the end of the transaction.

    Args:
        transaction: Any that writes.
        location: The location's row.
    """
    transaction.rows(_LOCK_LOCATION, {"location": location})


def find_many(
    transaction: ReadTransaction, location: int, study_keys: Iterable[str]
) -> dict[str, Observation]:
    """What is known of some studies at a location, by their keys as they are stored; others are left out.

    Args:
        transaction: Any.
        location: The location's row.
        study_keys: As they are stored (`storable_key`).
    """
    wanted = list(study_keys)
    found: dict[str, Observation] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        parameters = {"location": location, "keys": wanted[start : start + _AT_ONCE]}
        for row in transaction.rows(_FIND, parameters):
            found[row.study_key] = observation_of(row)
    return found


def find(transaction: ReadTransaction, location: Location, study_key: str) -> Observation | None:
    """What is known of a study at a location; None while it is UNKNOWN there."""
    row = transaction.first(_FIND_ONE, named(location, study_key))
    return None if row is None else observation_of(row)


def keys_standing(transaction: ReadTransaction, location: int, dates: tuple[str, str]) -> list[str]:
    """The keys of the studies that stand at a location, the first seen first; WITHDRAWN ones do not.

    Args:
        transaction: Any.
        location: The location's row.
        dates: First and last StudyDate as YYYYMMDD, both included; an empty one is open, two are all studies.
            Or `UNDATED`.
    """
    statement, (first, last), date = _KEYS, dates, studies.c.study_date
    if dates == UNDATED:
        statement = statement.where(or_(date < "0", date > "99999999"))
    elif first or last:
        statement = statement.where(date != "", date >= first)
        if last:
            statement = statement.where(date <= last)
    return list(transaction.connection.execute(statement, {"location": location}).scalars())


def vanishing(transaction: ReadTransaction, location: int, *, since: datetime) -> tuple[int, int]:
    """How many studies of a location stand, and how many more were withdrawn lately or are about to be.

    Args:
        transaction: Any.
        location: The location's row.
        since: What is lately.
    """
    parameters = {"location": location, "since": since}
    standing, withdrawn = transaction.connection.execute(_COUNTS, parameters).one()
    asked_for = transaction.connection.execute(_ASKED_FOR, parameters).scalar_one()
    return standing, (withdrawn or 0) + asked_for


def write(transaction: WriteTransaction, location: int, seen: Sequence[Observation]) -> None:
    """Writes down what was seen of studies that were looked up in this transaction.

    Args:
        transaction: That of `find_many`, with the location locked.
        location: The location's row.
        seen: As they are now to be known.
    """
    rows = [one.row for one in seen]
    known = set[int]()
    for start in range(0, len(rows), _AT_ONCE):
        parameters = {"rows": rows[start : start + _AT_ONCE]}
        known.update(transaction.scalars(_KNOWN_ROWS, parameters))
    new = [one for one in seen if one.row not in known]
    again = [one for one in seen if one.row in known]
    if new:
        transaction.insert(
            observations, [{"study_row": one.row, "location_row": location, **_values(one)} for one in new]
        )
    if again:
        transaction.run_many(_CHANGE, [{"row": one.row, **_values(one, prefix="to_")} for one in again])


def settle(transaction: WriteTransaction, known: Observation, *, fingerprint: bytes) -> bool:
    """Says that a study was pulled as it was seen; False where it was seen otherwise since.

    Args:
        transaction: Any that writes.
        known: The study, as it was seen before it was pulled.
        fingerprint: As it is known now that it was pulled.
    """
    return _move(transaction, known, replace(known, fingerprint=fingerprint, unsettled_since=None, due=None))


def put_off(
    transaction: WriteTransaction, known: Observation, *, due: datetime, since: datetime | None = None
) -> bool:
    """Says when a study is to be pulled again; False where it was seen otherwise since.

    Args:
        transaction: Any that writes.
        known: The study, as it was seen.
        due: When.
        since: From when on it is unsettled now; as before where it is None.
    """
    return _move(transaction, known, replace(known, unsettled_since=since or known.unsettled_since, due=due))


def forget(transaction: WriteTransaction, known: Observation) -> bool:
    """Says that a study is gone: seen again, it is another one. False where it was seen otherwise since."""
    return _move(transaction, known, replace(known, fingerprint=b"", unsettled_since=None, due=None))


def is_unsettled(transaction: ReadTransaction, row: int) -> bool:
    """Whether a study changed since it was last read, as far as is known: pulled, or taken by a gate."""
    parameters = {"row": row}
    return any(transaction.first(asked, parameters) is not None for asked in (_IS_UNSETTLED, _IS_ARRIVING))


def _move(transaction: WriteTransaction, known: Observation, to: Observation) -> bool:
    parameters = {"row": known.row}
    for name in ("fingerprint", "changed", "unsettled_since", "due"):
        parameters |= {f"was_{name}": getattr(known, name), f"to_{name}": getattr(to, name)}
    del parameters["to_changed"]
    return bool(transaction.run(_MOVE, parameters))


def _values(seen: Observation, *, prefix: str = "") -> dict[str, Any]:
    names = ("fingerprint", "changed", "unsettled_since", "due", "priority")
    return {prefix + name: getattr(seen, name) for name in names}


def observation_of(row: Any) -> Observation:
    """An observation out of a row of `COLUMNS`."""
    return Observation(
        row=row.row,
        study_key=row.study_key,
        study_uid=row.study_uid,
        state=row.state,
        fingerprint=row.fingerprint or b"",
        changed=row.changed,
        unsettled_since=row.unsettled_since,
        due=row.due,
        priority=row.priority or 0,
    )
