"""Snapshots: the evidence of a study, a series at a time."""

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from heltig.store import devices, patients, series, states
from heltig.store.attributes import storable_attributes
from heltig.store.packing import put_facts, put_series, unpack_facts, unpack_series
from heltig.store.records import (
    Location,
    NewSnapshot,
    PutSnapshot,
    Snapshot,
    SnapshotSeries,
    Study,
)
from heltig.store.studies import IS_STUDY, lock, named
from heltig.store.tables import contents, locations, snapshot_series, snapshots, studies
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.verdicts import current

_KNOWN = select(snapshots.c.id).where(
    snapshots.c.study_row == bindparam("study"), snapshots.c.snapshot == bindparam("id")
)
_KNOWN_CONTENTS = (
    select(contents.c.address)
    .where(contents.c.address.in_(bindparam("addresses", expanding=True)))
    .with_for_update(read=True, key_share=True)  # what purges evidence that nobody has waits (`removal`)
)
_FIND = (
    select(snapshots, studies.c.study_key, studies.c.study_uid)
    .join(studies, studies.c.id == snapshots.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(IS_STUDY)
)
_NEWEST = _FIND.where(snapshots.c.snapshot == studies.c.snapshot)
_BY_ID = _FIND.where(snapshots.c.snapshot == bindparam("id"))
_SERIES = (
    select(snapshot_series, contents.c.body)
    .join(contents, contents.c.address == snapshot_series.c.address)
    .where(snapshot_series.c.snapshot_row == bindparam("snapshot"))
    .order_by(snapshot_series.c.series_key)
)


def put(transaction: WriteTransaction, new: NewSnapshot) -> PutSnapshot:
    """Stores a study's evidence and the index rows made from it; the study is PENDING then.

    When nothing changed since the study's newest snapshot (its content digest), that one stands and nothing
    is written. A series whose evidence is stored already is not stored again.

    Args:
        transaction: Any that writes.
        new: The evidence.

    Returns:
        What stands now. A study that is `pending` has to be judged, under this snapshot and version.
    """
    found = lock(transaction, new.location, new.study_key)
    if found is None:
        unseen = states.unseen(new.location, new.study_key, study_uid=new.study_uid, at=new.received)
        study = _with(unseen, new)
        _put_rows(transaction, states.add(transaction, study), study, new, first=True)
        return PutSnapshot(new.snapshot, changed=True, pending=True, version=study.version)
    row, study = found
    changed = study.content_digest != new.content_digest
    if changed:
        study = _with(study, new)
        _put_rows(transaction, row, study, new, first=found[1].snapshot is None)
    if changed or study.state == "WITHDRAWN":
        study = replace(study, state="PENDING", version=study.version + 1, changed=new.received)
        verdict = current(transaction, new.location, new.study_key) if study.revision else None
        states.change(transaction, row, study, verdict, has_new_content=changed)
    return PutSnapshot(
        study.snapshot or "", changed=changed, pending=study.state == "PENDING", version=study.version
    )


def get(
    transaction: ReadTransaction, location: Location, study_key: str, *, snapshot: str | None = None
) -> Snapshot | None:
    """A snapshot with its evidence.

    Args:
        transaction: Any.
        location: Where the study was seen.
        study_key: The study.
        snapshot: The snapshot's id; None for the newest.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    parameters = named(location, study_key)
    if snapshot is None:
        row = transaction.first(_NEWEST, parameters)
    else:
        row = transaction.first(_BY_ID, {**parameters, "id": snapshot})
    if row is None:
        return None
    return Snapshot(
        location=location,
        study_key=row.study_key,
        study_uid=row.study_uid,
        snapshot=row.snapshot,
        content_digest=row.content_digest,
        received=row.received,
        reference_date=row.reference_date,
        facts=unpack_facts(transaction.cipher, row.snapshot, row.facts),
        series=tuple(
            SnapshotSeries(
                series_key=part.series_key,
                digest=part.digest.hex(),
                address=part.address.hex(),
                instances=part.instance_count,
                content=unpack_series(part.body, address=part.address.hex(), cipher=transaction.cipher),
            )
            for part in transaction.rows(_SERIES, {"snapshot": row.id})
        ),
    )


def _with(study: Study, new: NewSnapshot) -> Study:
    """The study with what a snapshot says of it."""
    return replace(
        study,
        study_uid=None if new.study_uid is None else storable_key(new.study_uid),
        snapshot=new.snapshot,
        content_digest=new.content_digest,
        series=len(new.series),
        instances=sum(blob.instances for blob in new.series),
        attributes=storable_attributes(new.attributes),
    )


def _put_rows(
    transaction: WriteTransaction, row: int, study: Study, new: NewSnapshot, *, first: bool
) -> None:
    _put_evidence(transaction, row, new, first=first)
    series.put(transaction, row, new.series, first=first)
    patients.put(transaction, row, study.attributes.patients, first=first)
    devices.put(transaction, row, new.devices)


def _put_evidence(transaction: WriteTransaction, study: int, new: NewSnapshot, *, first: bool) -> None:
    blobs = {bytes.fromhex(blob.address): blob for blob in new.series}
    if not first:
        if transaction.first(_KNOWN, {"study": study, "id": new.snapshot}):
            return  # the study is again what it was once
        for address in transaction.scalars(_KNOWN_CONTENTS, {"addresses": list(blobs)}):
            del blobs[address]
    if blobs:
        rows = [
            {"address": address, "size": blob.size, "body": put_series(transaction.cipher, blob)}
            for address, blob in blobs.items()
        ]
        transaction.insert_or_ignore_all(contents, rows)
    snapshot = transaction.insert_row(
        snapshots,
        {
            "study_row": study,
            "snapshot": new.snapshot,
            "content_digest": new.content_digest,
            "received": new.received,
            "reference_date": new.reference_date,
            "facts": put_facts(transaction.cipher, new.snapshot, new.facts),
            "instance_count": sum(blob.instances for blob in new.series),
        },
    )
    transaction.insert_rows(
        snapshot_series,
        [
            (
                snapshot,
                storable_key(blob.series_key),
                bytes.fromhex(blob.digest),
                bytes.fromhex(blob.address),
                blob.instances,
            )
            for blob in new.series
        ],
    )
