"""Who sees to which study."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select

from heltig.store import studies
from heltig.store.records import Location
from heltig.store.tables import lookups, study_owners
from heltig.store.text import TEXT_LENGTH, storable, storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction


class Owner(msgspec.Struct, frozen=True, rename="camel"):
    """Who sees to a study.

    Attributes:
        name: A principal's name.
        since: Since when.
        given_by: Who said so; themselves, where they took it.
    """

    name: str
    since: datetime
    given_by: str


_OF: Final = (
    select(lookups.c.study_key, lookups.c.location, study_owners)
    .join(study_owners, study_owners.c.study_row == lookups.c.study_row)
    .where(lookups.c.study_key.in_(bindparam("keys", expanding=True)))
)
_OF_ROWS: Final = select(study_owners).where(study_owners.c.study_row.in_(bindparam("rows", expanding=True)))
_REMOVE: Final = delete(study_owners).where(study_owners.c.study_row == bindparam("row"))
_NAMES: Final = (
    select(study_owners.c.owner).distinct().order_by(study_owners.c.owner).limit(bindparam("most"))
)


def of(transaction: ReadTransaction, study_keys: Collection[str]) -> dict[tuple[str, str], Owner]:
    """The owners of studies, by location and key; of those that have none nothing."""
    if not study_keys:
        return {}
    rows = transaction.rows(_OF, {"keys": sorted({storable_key(key) for key in study_keys})})
    return {(row.location, row.study_key): Owner(row.owner, row.since, row.given_by) for row in rows}


def of_rows(transaction: ReadTransaction, rows: Collection[int]) -> dict[int, Owner]:
    """The owners of studies by their rows."""
    if not rows:
        return {}
    found = transaction.rows(_OF_ROWS, {"rows": list(rows)})
    return {row.study_row: Owner(row.owner, row.since, row.given_by) for row in found}


def names(transaction: ReadTransaction, *, limit: int = 100) -> list[str]:
    """Who sees to some study."""
    return transaction.scalars(_NAMES, {"most": limit})


def put(
    transaction: WriteTransaction, location: Location, study_key: str, owner: str, *, by: str, at: datetime
) -> str:
    """Says who sees to a study from now on; nobody, where that is empty.

    Returns:
        Who did before; empty for nobody.

    Raises:
        NotFoundError: The study was never seen there.
    """
    row = studies.row_of(transaction, location, study_key)
    studies.lock_rows(transaction, [row])
    before = of_rows(transaction, [row]).get(row)
    name = storable(owner, TEXT_LENGTH)
    if before is not None and before.name == name:
        return name
    transaction.run(_REMOVE, {"row": row})
    if name:
        new = {"study_row": row, "owner": name, "since": at, "given_by": storable(by, TEXT_LENGTH)}
        transaction.insert(study_owners, [new])
    return before.name if before else ""
