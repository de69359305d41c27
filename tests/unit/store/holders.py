"""Which studies have a UID, as the rows of the index and of the series say."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import bindparam, select

from heltig.store.records import Location
from heltig.store.studies import unpack_uids
from heltig.store.tables import instances, locations, series, studies
from heltig.store.text import storable, storable_key
from heltig.store.transaction import ReadTransaction
from heltig.store.uid_index import keys_of

AT_ONCE = 1000  # keys of a query

_HITS = (
    select(
        instances.c.series_row,
        series.c.series_uid,
        series.c.sop_instance_uids,
        studies.c.study_key,
        locations.c.kind,
        locations.c.name,
    )
    .join(series, series.c.id == instances.c.series_row)
    .join(studies, studies.c.id == series.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(instances.c.uid_key.in_(bindparam("keys", expanding=True)))
    .distinct()
)
_SERIES = (
    select(series.c.series_uid, studies.c.study_key, locations.c.kind, locations.c.name)
    .join(studies, studies.c.id == series.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(series.c.series_uid.in_(bindparam("uids", expanding=True)))
)


class Holder(msgspec.Struct, frozen=True, order=True):
    """A study that has some of the UIDs asked for.

    Attributes:
        uids: Which, sorted.
    """

    location: Location
    study_key: str
    uids: tuple[str, ...]


def holders_of_instances(transaction: ReadTransaction, uids: Iterable[str]) -> list[Holder]:
    """The studies, at any location, that have a SOP Instance UID of these, sorted."""
    wanted = {storable(uid): uid for uid in uids}
    keys = sorted(keys_of(wanted))
    checked: dict[int, tuple[Location, str, set[str]]] = {}
    for start in range(0, len(keys), AT_ONCE):
        for row in transaction.rows(_HITS, {"keys": keys[start : start + AT_ONCE]}):
            if row.series_row not in checked:
                had = {wanted[uid] for uid in unpack_uids(row.sop_instance_uids) if uid in wanted}
                checked[row.series_row] = (Location(row.kind, row.name), row.study_key, had)
    return _by_study(checked.values())


def holders_of_series(transaction: ReadTransaction, uids: Iterable[str]) -> list[Holder]:
    """The studies, at any location, that have a Series Instance UID of these, sorted."""
    wanted = {storable_key(uid): uid for uid in uids}
    stored = sorted(wanted)
    found: list[tuple[Location, str, set[str]]] = []
    for start in range(0, len(stored), AT_ONCE):
        for row in transaction.rows(_SERIES, {"uids": stored[start : start + AT_ONCE]}):
            found.append((Location(row.kind, row.name), row.study_key, {wanted[row.series_uid]}))
    return _by_study(found)


def _by_study(found: Iterable[tuple[Location, str, set[str]]]) -> list[Holder]:
    merged: dict[tuple[Location, str], set[str]] = {}
    for location, study_key, uids in found:
        merged.setdefault((location, study_key), set()).update(uids)
    return sorted(Holder(*study, tuple(sorted(uids))) for study, uids in merged.items() if uids)
