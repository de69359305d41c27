"""The series of each study's newest snapshot, and the index of their instances."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from heltig.store import uid_index
from heltig.store.records import SeriesBlob
from heltig.store.studies import pack_uids, unpack_uids
from heltig.store.tables import series
from heltig.store.text import TEXT_LENGTH, storable, storable_key
from heltig.store.transaction import WriteTransaction

_KNOWN = select(series.c.id, series.c.series_key, series.c.digest, series.c.sop_instance_uids).where(
    series.c.study_row == bindparam("study")
)
_ROWS = select(series.c.series_key, series.c.id).where(series.c.study_row == bindparam("study"))
_REMOVE = delete(series).where(series.c.id == bindparam("row"))
_CHANGE = (
    update(series)
    .where(series.c.study_row == bindparam("study"), series.c.series_key == bindparam("key"))
    .values(
        {
            column: bindparam(f"to_{column}")
            for column in (
                "series_uid",
                "modality",
                "series_number",
                "series_description",
                "frame_of_reference_uid",
                "instance_count",
                "digest",
                "sop_instance_uids",
            )
        }
    )
)


def put(transaction: WriteTransaction, study: int, blobs: Sequence[SeriesBlob], *, first: bool) -> None:
    """Makes these the series of a study. Only those that are new, gone or of another digest are written.

    Args:
        transaction: Any that writes.
        study: The row of the study.
        blobs: All of its series.
        first: The study is new, so that it has none yet.
    """
    rows = [] if first else transaction.rows(_KNOWN, {"study": study})
    known = {row.series_key: row for row in rows}
    wanted = {storable_key(blob.series_key): blob for blob in blobs}
    changed = {
        key: blob
        for key, blob in wanted.items()
        if key in known and known[key].digest != bytes.fromhex(blob.digest)
    }
    added = {key: blob for key, blob in wanted.items() if key not in known}
    gone = [row for key, row in known.items() if key not in wanted]

    if added:
        transaction.insert(
            series,
            [{"study_row": study, "series_key": key, **_values(blob)} for key, blob in added.items()],
        )
    if changed:
        transaction.run_many(
            _CHANGE,
            [
                {"study": study, "key": key} | {f"to_{c}": value for c, value in _values(blob).items()}
                for key, blob in changed.items()
            ],
        )
    if gone:
        transaction.run_many(_REMOVE, [{"row": row.id} for row in gone])

    row_of = {key: known[key].id for key in changed}
    if added:
        found = transaction.rows(_ROWS, {"study": study})
        row_of.update({row.series_key: row.id for row in found})
    written = {
        row_of[key]: uid_index.keys_of(blob.sop_instance_uids) for key, blob in (added | changed).items()
    }
    transaction.uid_keys.update(written)
    new = {(key, row) for row, keys in written.items() for key in keys}
    old = {
        (key, row.id)
        for row in (*gone, *(known[key] for key in changed))
        for key in uid_index.keys_of(unpack_uids(row.sop_instance_uids))
    }
    uid_index.remove(transaction, sorted(old - new))
    uid_index.add(transaction, new - old)


def _values(blob: SeriesBlob) -> dict[str, Any]:
    uid = blob.series_uid
    return {
        "series_uid": None if uid is None else storable_key(uid),
        "modality": storable(blob.modality, TEXT_LENGTH),
        "series_number": storable(blob.series_number, TEXT_LENGTH),
        "series_description": storable(blob.series_description, TEXT_LENGTH),
        "frame_of_reference_uid": storable_key(blob.frame_of_reference_uid) or None,
        "instance_count": blob.instances,
        "digest": bytes.fromhex(blob.digest),
        "sop_instance_uids": pack_uids(blob.sop_instance_uids),
    }
