"""Results that came back: what analyses wrote is no reason to analyse a study again.

A study that results are published to has more objects than before. It is pulled and judged again, as any
study that has grown; its images are what they were.
"""

from collections.abc import Collection
from typing import Final

import msgspec

from heltig.dicom.snapshot import read_combinations
from heltig.errors import StorageError
from heltig.imaging.own_results import is_own_result
from heltig.store import analyses, stored_snapshots
from heltig.store.records import Study
from heltig.store.series_contents import content_at
from heltig.store.stored_snapshots import StoredPart
from heltig.store.transaction import ReadTransaction

_MANUFACTURER: Final = "00080070"
_SERIES_DESCRIPTION: Final = "0008103E"


def has_nothing_new(transaction: ReadTransaction, study: Study, row: int, *, by: str) -> bool:
    """Whether results of analyses are all that a study has since it was READY and analysed.

    Args:
        transaction: Any.
        study: As it stands.
        row: Its row.
        by: Who would order: what somebody else had ordered of the very same evidence does not count.
    """
    before = analyses.ready_snapshots(transaction, row)
    if (study.snapshot, by) in before:
        return True  # it was judged again, as it is
    now = _series(transaction, study, study.snapshot)
    if not _of_others(transaction, now):
        return True
    earlier = {snapshot for snapshot, _ in before} - {study.snapshot}
    return any(_is_alike(transaction, now, _series(transaction, study, one)) for one in earlier)


def _series(transaction: ReadTransaction, study: Study, snapshot: str | None) -> frozenset[StoredPart]:
    """The series of a snapshot, each with where its bytes stand; none where it is not stored any more."""
    found = stored_snapshots.find(transaction, study.location, study.study_key, snapshot=snapshot)
    return frozenset(() if found is None else found.series)


def _is_alike(transaction: ReadTransaction, one: frozenset[StoredPart], other: frozenset[StoredPart]) -> bool:
    """Whether two snapshots have the same series, but for results of analyses."""
    return bool(other) and not _of_others(transaction, one ^ other)


def _of_others(transaction: ReadTransaction, parts: Collection[StoredPart]) -> bool:
    """Whether any series of some is none that analyses wrote."""
    return not all(_is_ours(transaction, part) for part in parts)


def _is_ours(transaction: ReadTransaction, part: StoredPart) -> bool:
    try:
        content = content_at(transaction, part.address)
        found = read_combinations(content, (_MANUFACTURER, _SERIES_DESCRIPTION))
    except (StorageError, msgspec.DecodeError):
        return False
    return all(is_own_result(manufacturer=made_by, series_description=text) for made_by, text in found)
