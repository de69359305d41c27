"""What was found in an archive, written down: what is new, what changed, what is not listed any more.

Of a study that looks as it did nothing is written. So the cost of looking at an archive again is that of
listing it, and of a query for each page.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from connectors.base import read_row
from heltig.dicom.cell import DataSet
from heltig.dicom.study import element
from heltig.pipeline.discovery.batch import Batch
from heltig.pipeline.discovery.fingerprint import changed_to, differs, fingerprint, pulled_as
from heltig.pipeline.pull.listing import ListedStudy
from heltig.pipeline.pull.vanished import MOST_VANISHED
from heltig.store import observations, states, studies, verdicts
from heltig.store.archives import ArchiveOptions
from heltig.store.attributes import storable_attributes
from heltig.store.keyed import Keyed
from heltig.store.locations import ensure, row_of
from heltig.store.observations import Observation
from heltig.store.records import Location, Study, StudyAttributes
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.well_formed import attributes_told

FEW_VANISHED: Final = 10
"""So many studies of an archive may vanish in a day without a thought: each is asked for before it goes."""

_AT_ONCE: Final = 50
"""Studies whose fingerprints are made before others have a turn of the event loop: a millisecond or two."""

_DAY: Final = timedelta(days=1)
_STUDY_DATE, _STUDY_TIME, _MODALITIES = "00080020", "00080030", "00080061"


class Sighting(msgspec.Struct, frozen=True):
    """A study as it was seen now.

    Attributes:
        study: As it is listed.
        key: As it is stored.
        fingerprint: Of how it is listed.
        is_masked: Identifiers are kept as hashes: what is no date and no modality is masked.
    """

    study: ListedStudy
    key: str
    fingerprint: bytes
    is_masked: bool = False


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What of a batch is not known yet.

    Attributes:
        seen: Studies that are new, or look otherwise than before.
        gone: Keys of the studies to be asked for by their UIDs: their archive does not list them any more.
        unchanged: Number of the studies that look as they did.
        notes: What this means, in sentences.
    """

    seen: tuple[Sighting, ...] = ()
    gone: tuple[str, ...] = ()
    unchanged: int = 0
    notes: tuple[str, ...] = ()


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What was written down of a batch.

    Attributes:
        new: Studies that were never seen at that location, or were gone: they are PENDING from now on.
        changed: Studies that look otherwise than before: they are PENDING again.
        unchanged: Studies that look as they did.
        gone: Studies that are asked for by their UIDs.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0


async def sightings(batch: Batch, keyed: Keyed | None) -> list[Sighting]:
    """The studies of a batch with their fingerprints, under a key where identifiers are kept as hashes.

    A large batch takes more than ten milliseconds: others have their turns of the event loop meanwhile.
    """
    seen: list[Sighting] = []
    for study in batch.studies:
        seen.append(
            Sighting(study, storable_key(study.uid), fingerprint(study, keyed=keyed), keyed is not None)
        )
        if len(seen) % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return seen


def news_in(
    transaction: ReadTransaction, location: Location, batch: Batch, seen: Sequence[Sighting], *, now: datetime
) -> News:
    """What of a batch is not known yet.

    Args:
        transaction: Any.
        location: The archive's location.
        batch: What was found.
        seen: Its `sightings`.
        now: The time.
    """
    row = row_of(transaction, location)
    if row is None:
        return News(seen=tuple(seen))
    known = observations.find_many(transaction, row, (one.key for one in seen))
    other = tuple(one for one in seen if _is_news(known.get(one.key), one))
    told = {storable_key(uid) for uid in batch.gone}
    gone = {
        key for key, one in observations.find_many(transaction, row, told).items() if one.state != "WITHDRAWN"
    }
    vanished, notes = _vanished(transaction, row, batch, now)
    return News(
        seen=other, gone=tuple(sorted(gone | vanished)), unchanged=len(seen) - len(other), notes=notes
    )


def observe(
    transaction: WriteTransaction,
    location: Location,
    news: News,
    *,
    priority: int,
    now: datetime,
    options: ArchiveOptions,
) -> Observed:
    """Writes down what is new.

    Args:
        transaction: Any that writes; the cursor is to be written in the same one.
        location: The archive's location.
        news: What `news_in` found. It is compared again: others may have written it down since.
        priority: How soon these studies are to be pulled, among those of the archive: the lower the sooner.
        now: The time.
        options: The archive's.
    """
    row = ensure(transaction, location)
    observations.lock_location(transaction, row)
    known = observations.find_many(transaction, row, [*(one.key for one in news.seen), *news.gone])
    to_write: dict[int, Observation] = {}
    to_change: list[int] = []
    new = changed = 0
    for one in news.seen:
        before = known.get(one.key)
        if before is None:
            study = _unseen(location, one, now)
            before = Observation(row=states.add(transaction, study), study_key=one.key, state="PENDING")
            new += 1
        elif not _is_news(before, one):
            continue
        else:
            to_change.append(before.row)
            new += before.state == "WITHDRAWN"
            changed += before.state != "WITHDRAWN"
        to_write[before.row] = _changed(before, one, priority, now, options)
    gone = 0
    for key in news.gone:
        if (before := known.get(key)) is not None and before.state != "WITHDRAWN":
            to_write[before.row] = _asked_for(to_write.get(before.row, before), priority, now)
            gone += 1
    observations.write(transaction, row, list(to_write.values()))
    _say_pending(transaction, to_change, now)
    unchanged = news.unchanged + len(news.seen) - new - changed
    return Observed(new=new, changed=changed, unchanged=unchanged, gone=gone)


def ask_for(
    transaction: WriteTransaction, location: Location, study: str, *, priority: int, now: datetime
) -> None:
    """Has a study pulled as soon as may be, whether it is known or listed or neither.

    Args:
        transaction: Any that writes.
        location: The archive's location.
        study: Its StudyInstanceUID.
        priority: How soon, among the studies of the archive: the lower the sooner.
        now: The time.
    """
    row = ensure(transaction, location)
    observations.lock_location(transaction, row)
    key = storable_key(study)
    known = observations.find_many(transaction, row, [key]).get(key)
    if known is None:
        unseen = states.unseen(location, key, study_uid=study, at=now)
        known = Observation(row=states.add(transaction, unseen), study_key=key, state="PENDING")
    observations.write(transaction, row, [_asked_for(known, priority, now)])


def saw(
    transaction: WriteTransaction,
    location: Location,
    listed: ListedStudy,
    known: Observation | None,
    *,
    pulled: Iterable[DataSet],
    keyed: Keyed | None,
    now: datetime,
) -> bool:
    """Says that a study was listed and read by somebody who does not watch its archive.

    Args:
        transaction: Any that writes, with the study in it.
        location: The archive's location.
        listed: The study as it was listed; without rows where it was only asked for.
        known: What was known of it before it was read.
        pulled: Its rows as they were when it was read.
        keyed: Where identifiers are kept as hashes.
        now: The time.

    Returns:
        False where it was seen otherwise meanwhile: it is to be pulled again.
    """
    if known is not None and known.changed is not None:
        if known.unsettled_since is None:
            return not observations.is_unsettled(transaction, known.row)
        return observations.settle(
            transaction, known, fingerprint=pulled_as(known.fingerprint, pulled, keyed=keyed)
        )
    row = ensure(transaction, location)
    found = observations.find_many(transaction, row, [storable_key(listed.uid)])
    for one in found.values() if listed.rows else ():
        if one.changed is None:
            seen = replace(one, fingerprint=fingerprint(listed, keyed=keyed), changed=now)
            observations.write(transaction, row, [seen])
    return all(one.unsettled_since is None for one in found.values())


def _is_news(known: Observation | None, one: Sighting) -> bool:
    """Whether a study is new, or changed; one that is seen in a new way was not pulled as it is seen now."""
    if known is None or known.state == "WITHDRAWN" or not known.fingerprint:
        return True
    return differs(known.fingerprint, one.fingerprint)


def _is_settled(known: Observation) -> bool:
    return known.unsettled_since is None


def _changed(
    known: Observation, one: Sighting, priority: int, now: datetime, options: ArchiveOptions
) -> Observation:
    """A study that changed now: to be pulled when it is quiet, or has not been for long enough."""
    since = known.unsettled_since or now
    quiet = now + timedelta(seconds=options.quiet_seconds)
    stop = max(now, since + timedelta(seconds=options.settle_seconds))
    return replace(
        known,
        fingerprint=changed_to(known.fingerprint, one.fingerprint),
        changed=now,
        unsettled_since=since,
        due=min(quiet, stop),
        priority=priority if _is_settled(known) else min(priority, known.priority),
    )


def _asked_for(known: Observation, priority: int, now: datetime) -> Observation:
    """A study to be pulled now, though nothing is seen of it."""
    return replace(
        known,
        changed=known.changed or now,
        unsettled_since=known.unsettled_since or now,
        due=now,
        priority=priority if _is_settled(known) else min(priority, known.priority),
    )


def _say_pending(transaction: WriteTransaction, rows: Iterable[int], now: datetime) -> None:
    """Makes studies PENDING, those that were not, with their last verdicts beside."""
    for row, study in studies.lock_rows(transaction, rows):
        if study.state != "PENDING":
            pending = replace(study, state="PENDING", version=study.version + 1, changed=now)
            verdict = verdicts.current(transaction, study.location, study.study_key)
            states.change(transaction, row, pending, verdict)


def _unseen(location: Location, one: Sighting, now: datetime) -> Study:
    """A study that is new, with what its place in a listing depends on.

    Who the patient is, and what else others are told of a study, comes with its instances.
    """
    study = states.unseen(location, one.key, study_uid=one.study.uid, at=now)
    if not one.study.rows:
        return study
    row = read_row(one.study.rows[0])
    modalities = (str(value) for value in element(row, _MODALITIES).values if value)
    about = StudyAttributes(
        study_date=element(row, _STUDY_DATE).text,
        study_time=element(row, _STUDY_TIME).text,
        modalities_in_study=tuple(sorted(modalities)),
    )
    return replace(study, attributes=storable_attributes(attributes_told(about) if one.is_masked else about))


def _vanished(
    transaction: ReadTransaction, location: int, batch: Batch, now: datetime
) -> tuple[set[str], tuple[str, ...]]:
    """The keys of the studies that a whole listing does not have; none where it is likelier in disorder."""
    if batch.swept is None:
        return set(), ()
    listed = {storable_key(uid) for uid in batch.swept_uids}
    missing = set(observations.keys_standing(transaction, location, batch.swept)) - listed
    if not missing:
        return missing, ()
    standing, going = observations.vanishing(transaction, location, since=now - _DAY)
    vanishing = len(missing) + going
    if vanishing <= max(FEW_VANISHED, MOST_VANISHED * (standing + going)):
        return missing, ()
    return set(), (
        f"It lists {len(missing):,} fewer studies than before, and {going:,} went in the last day, of "
        f"{standing + going:,}. None is withdrawn: see whether it is the right archive, and in order.",
    )
