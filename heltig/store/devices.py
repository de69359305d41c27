"""Which devices studies come from, as their instances name them.

A study has a set of devices, and shares it with all that come from the same ones. So studies are counted and
found by device without a row for each study and device.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Select, bindparam, func, select, text, update

from heltig.store.records import Device
from heltig.store.tables import device_sets, devices, studies, study_rules
from heltig.store.tables.judged import IN_FAMILY
from heltig.store.tables.seen import STANDING, WITHOUT_DEVICES
from heltig.store.text import DEVICE_LENGTH, storable, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

MOST_OF_STUDY: Final = 50
"""Devices that are kept of a study; they are sorted, and the rest is left out."""

_KNOWN: Final = (
    select(device_sets.c.id)
    .where(device_sets.c.identity == bindparam("identity"))
    .with_for_update(read=True, key_share=True)  # what purges sets that no study has waits (`removal`)
)
_NAME: Final = (
    update(studies)
    .where(studies.c.id == bindparam("study"), studies.c.device_set_row.is_distinct_from(bindparam("set")))
    .values(device_set_row=bindparam("to_set"))
)
_FILL: Final = (
    update(studies)
    .where(
        studies.c.id == bindparam("study"),
        studies.c.snapshot == bindparam("id"),
        studies.c.device_set_row.is_(None),
    )
    .values(device_set_row=bindparam("to_set"))
)
_NAME_RULES: Final = (
    update(study_rules)
    .where(study_rules.c.study_row == bindparam("study"))
    .values(device_set_row=bindparam("to_set"))
)
_SET_OF: Final = select(studies.c.device_set_row).where(studies.c.id == bindparam("study"))
_MEMBERS: Final = select(devices).order_by(devices.c.device_set_row, devices.c.position)
_MEMBERS_OF: Final = (
    select(studies.c.id, devices.c.manufacturer, devices.c.model, devices.c.station)
    .join(devices, devices.c.device_set_row == studies.c.device_set_row)
    .where(studies.c.id.in_(bindparam("rows", expanding=True)))
    .order_by(studies.c.id, devices.c.position)
)
_STANDING: Final = (
    select(studies.c.device_set_row, func.count().label("studies"))
    .where(text(STANDING), studies.c.device_set_row.is_not(None))
    .group_by(studies.c.device_set_row)
)
_FAMILIES: Final = (
    select(study_rules.c.device_set_row, study_rules.c.family, func.count().label("studies"))
    .where(text(IN_FAMILY), study_rules.c.device_set_row.is_not(None))
    .group_by(study_rules.c.device_set_row, study_rules.c.family)
)
_UNREAD: Final = select(func.count()).select_from(studies).where(text(WITHOUT_DEVICES))
_NEXT_UNREAD: Final = (
    select(studies.c.id, studies.c.snapshot)
    .where(text(WITHOUT_DEVICES), studies.c.id > bindparam("after"))
    .order_by(studies.c.id)
    .limit(bindparam("most"))
)


class SetCounts(msgspec.Struct, frozen=True):
    """What is counted of the studies of one set of devices.

    Attributes:
        devices: The set.
        studies: Those with a verdict that were not withdrawn.
        families: By family of rules, in how many of them one found more than a note.
    """

    devices: tuple[Device, ...]
    studies: int
    families: Mapping[str, int]


class Unread(msgspec.Struct, frozen=True):
    """A study of which the evidence is stored, and its devices are not known yet."""

    row: int
    snapshot: str


def put(transaction: WriteTransaction, study: int, named: Iterable[Device]) -> None:
    """Says which devices a study comes from.

    Args:
        transaction: Any that writes.
        study: The row of the study.
        named: All that its instances name.
    """
    found = set_of(transaction, named)
    if transaction.run(_NAME, {"study": study, "set": found, "to_set": found}):
        transaction.run(_NAME_RULES, {"study": study, "to_set": found})


def fill(transaction: WriteTransaction, unread: Unread, named: Iterable[Device]) -> None:
    """Says which devices a study came from before that was kept, unless somebody has said it meanwhile."""
    found = set_of(transaction, named)
    if transaction.run(_FILL, {"study": unread.row, "id": unread.snapshot, "to_set": found}):
        transaction.run(_NAME_RULES, {"study": unread.row, "to_set": found})


def set_of(transaction: WriteTransaction, named: Iterable[Device]) -> int:
    """The row of a set of devices, which is made if need be."""
    members = stored(named)
    identity = identity_of(members)
    known = transaction.scalar(_KNOWN, {"identity": identity})
    if known is None:
        is_new = transaction.insert_or_ignore(device_sets, {"identity": identity})
        known = transaction.scalar(_KNOWN, {"identity": identity})
        if is_new:
            rows = [(known, place, *msgspec.structs.astuple(one)) for place, one in enumerate(members)]
            transaction.insert_rows(devices, rows)
    return int(known or 0)


def stored(named: Iterable[Device]) -> tuple[Device, ...]:
    """Devices as a set keeps them: what names nothing is left out beside what does."""
    found = {
        Device(*(storable(text, DEVICE_LENGTH) for text in msgspec.structs.astuple(one))) for one in named
    }
    return tuple(sorted(found - {Device()}))[:MOST_OF_STUDY] or (Device(),)


def identity_of(members: Sequence[Device]) -> bytes:
    """What tells one set from another."""
    return hashlib.sha256(to_json([msgspec.structs.astuple(one) for one in members]).encode()).digest()


def set_row_of(transaction: ReadTransaction, study: int) -> int | None:
    """The row of a study's set of devices; None while nothing is known of them."""
    return transaction.scalar(_SET_OF, {"study": study})


def devices_of(transaction: ReadTransaction, rows: Sequence[int]) -> dict[int, tuple[Device, ...]]:
    """The devices of some studies, by their rows, sorted; studies that name none are left out."""
    found: dict[int, tuple[Device, ...]] = {}
    for row in transaction.rows(_MEMBERS_OF, {"rows": list(rows)}) if rows else ():
        if (device := Device(row.manufacturer, row.model, row.station)) != Device():
            found[row.id] = (*found.get(row.id, ()), device)
    return found


def every_set(transaction: ReadTransaction) -> dict[int, tuple[Device, ...]]:
    """All sets of devices, by their rows."""
    found: dict[int, tuple[Device, ...]] = {}
    for row in transaction.rows(_MEMBERS):
        found[row.device_set_row] = (
            *found.get(row.device_set_row, ()),
            Device(row.manufacturer, row.model, row.station),
        )
    return found


def counts(transaction: ReadTransaction) -> list[SetCounts]:
    """The judged studies of each set of devices; both counts read an index alone."""
    members = every_set(transaction)
    families: dict[int, dict[str, int]] = {}
    for row in transaction.rows(_FAMILIES):
        families.setdefault(row.device_set_row, {})[row.family] = row.studies
    return [
        SetCounts(members[row.device_set_row], row.studies, families.get(row.device_set_row, {}))
        for row in transaction.rows(_STANDING)
        if row.device_set_row in members
    ]


def named_in(transaction: ReadTransaction, field: str, wanted: Mapping[str, str], *, limit: int) -> list[str]:
    """Values of one field of all devices, sorted, without the empty one.

    Args:
        transaction: Any.
        field: `manufacturer`, `model` or `station`.
        wanted: Values that other fields are to have.
        limit: The most values.
    """
    query: Select[Any] = select(devices.c[field]).where(devices.c[field] != "").distinct()
    for name, value in wanted.items():
        query = query.where(devices.c[name] == value)
    return list(transaction.connection.execute(query.order_by(devices.c[field]).limit(limit)).scalars())


def unread(transaction: ReadTransaction) -> int:
    """The number of studies of which the evidence is stored, and the devices are not known yet."""
    return int(transaction.scalar(_UNREAD) or 0)


def next_unread(transaction: ReadTransaction, *, after: int, limit: int) -> list[Unread]:
    """Some of these, by their rows."""
    rows = transaction.rows(_NEXT_UNREAD, {"after": after, "most": limit})
    return [Unread(row.id, row.snapshot) for row in rows]
