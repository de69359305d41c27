"""What others get to see of a study: its row and its prepared answer change together."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Update, bindparam, update

from heltig.errors import NotFoundError
from heltig.store import attributes, changes, lookups, study_rules
from heltig.store.locations import ensure
from heltig.store.records import Location, Published, StoredVerdict, Study, StudyAttributes
from heltig.store.studies import RANKS, lock
from heltig.store.tables import studies
from heltig.store.text import storable_key
from heltig.store.transaction import WriteTransaction
from heltig.store.verdicts import current


def _change(columns: Iterable[str]) -> Update:
    to: dict[str, Any] = {column: bindparam(f"to_{column}") for column in columns}
    return update(studies).where(studies.c.id == bindparam("row")).values(to)


_KEY = ("id", "location_row", "study_key", "first_seen", "device_set_row")
_CONTENT = (*attributes.TEXTS, "modalities_in_study", "study_uid", "series_count", "instance_count")
_ALL = [column.name for column in studies.c if column.name not in _KEY]
_CHANGE = _change(_ALL)
_CHANGE_STANDING = _change(column for column in _ALL if column not in _CONTENT)  # and half of the indexes


def unseen(location: Location, study_key: str, *, study_uid: str | None, at: datetime) -> Study:
    """A study of which nothing but its key is known yet."""
    return Study(
        location=location,
        study_key=storable_key(study_key),
        study_uid=None if study_uid is None else storable_key(study_uid),
        state="PENDING",
        version=1,
        revision=0,
        snapshot=None,
        content_digest=None,
        readiness=None,
        judged=None,
        valid_until=None,
        blocks=0,
        reviews=0,
        notes=0,
        series=0,
        instances=0,
        first_seen=at,
        changed=at,
        attributes=StudyAttributes(),
    )


def add(transaction: WriteTransaction, study: Study) -> int:
    """Adds a study, and its location if need be; returns the study's row."""
    row = transaction.insert_row(
        studies,
        {
            "location_row": ensure(transaction, study.location),
            "study_key": study.study_key,
            "first_seen": study.first_seen,
            **_columns(study),
        },
    )
    lookups.put(transaction, row, Published(study, None), first=True)
    return row


def change(
    transaction: WriteTransaction,
    row: int,
    study: Study,
    verdict: StoredVerdict | None,
    *,
    has_new_content: bool = False,
) -> Published:
    """Makes a study what it is to be from now on; its version is the caller's to count up.

    Args:
        transaction: Any that writes.
        row: The study's row, locked.
        study: The study.
        verdict: Its last verdict.
        has_new_content: What a search shows of it may be other than before, too.
    """
    columns = {f"to_{column}": value for column, value in _columns(study).items()}
    transaction.run(_CHANGE if has_new_content else _CHANGE_STANDING, {"row": row, **columns})
    published = Published(study, verdict)
    lookups.put(transaction, row, published, first=False)
    return published


def mark_pending(
    transaction: WriteTransaction,
    location: Location,
    study_key: str,
    *,
    study_uid: str | None,
    at: datetime,
) -> int:
    """Says that a study waits to be judged, for the first time or again; a verdict under way is refused then.

    Args:
        transaction: Any that writes.
        location: Where it was seen; it and the study are made if need be.
        study_key: The study.
        study_uid: Its StudyInstanceUID, None without one.
        at: The time.

    Returns:
        The study's version, which its verdict has to name.
    """
    found = lock(transaction, location, study_key)
    if found is None:
        study = unseen(location, study_key, study_uid=study_uid, at=at)
        add(transaction, study)
    else:
        row, before = found
        study = replace(before, state="PENDING", version=before.version + 1, changed=at)
        change(transaction, row, study, current(transaction, location, study_key))
    return study.version


def tell_ended(transaction: WriteTransaction, location: Location, study_key: str, *, at: datetime) -> None:
    """Says in the change feed that a verdict no longer holds, once, where no other one can be given now.

    Look-ups say PENDING since the minute at which it ended; whoever follows the feed would keep it.

    Args:
        transaction: Of `Store.write_durably`.
        location: Where the study is.
        study_key: The study.
        at: The time.
    """
    found = lock(transaction, location, study_key)
    if found is None:
        return
    study = found[1]
    if study.state != "JUDGED" or study.valid_until is None or study.valid_until > at:
        return
    if not changes.is_told_ended(transaction, study, since=study.valid_until):
        verdict = current(transaction, location, study_key)
        verdict_id = verdict.verdict.id if verdict else None
        changes.append(transaction, study.at(at), before=study, verdict_id=verdict_id, at=at)


def withdraw(transaction: WriteTransaction, location: Location, study_key: str, *, at: datetime) -> None:
    """Says that a study is gone from its location. Its verdicts stay; the change feed tells.

    Args:
        transaction: Of `Store.write_durably`.
        location: Where it was.
        study_key: The study.
        at: The time.

    Raises:
        NotFoundError: The study was never seen at that location.
    """
    found = lock(transaction, location, study_key)
    if found is None:
        raise NotFoundError(f"{location} does not have this study.")
    row, before = found
    study = replace(before, state="WITHDRAWN", version=before.version + 1, changed=at)
    verdict = current(transaction, location, study_key)
    verdict_id = verdict.verdict.id if verdict else None
    changes.append(transaction, study, before=before, verdict_id=verdict_id, at=at)
    study_rules.forget(transaction, row)
    change(transaction, row, study, verdict)


def _columns(study: Study) -> dict[str, Any]:
    return {
        "study_uid": study.study_uid,
        "state": study.state,
        "version": study.version,
        "revision": study.revision,
        "snapshot": study.snapshot,
        "content_digest": study.content_digest,
        "readiness": study.readiness,
        "rank": RANKS[study.readiness],
        "judged": study.judged,
        "valid_until": study.valid_until,
        "blocks": study.blocks,
        "reviews": study.reviews,
        "notes": study.notes,
        "series_count": study.series,
        "instance_count": study.instances,
        "changed": study.changed,
        **attributes.columns_of(study.attributes),
    }
