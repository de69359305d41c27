"""Objects sent on to the archive behind a gate, and what became of each: retrieved where it does not say."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from connectors.base import read_row
from connectors.storing import (
    DUPLICATE,
    PROCESSING_FAILURE,
    SUCCESS,
    UNKNOWN,
    Outcome,
    StoreAnswer,
    Stored,
    is_transient,
)
from connectors.stow.client import store
from heltig.dicom.study import SOP_INSTANCE_UID, element
from heltig.errors import (
    ArchiveAccessError,
    ArchiveClosedError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchiveUnavailableError,
    StorageError,
)
from heltig.pipeline.archives.opened import OpenArchives, OpenedToStore
from heltig.pipeline.gate.compare import Found, compare

NOT_THERE: Final = Outcome("failure", PROCESSING_FAILURE)


class Sendable(msgspec.Struct, frozen=True, kw_only=True):
    """An object to be sent, with the UIDs that it is looked for by."""

    study_uid: str
    series_uid: str
    stored: Stored


async def send(
    opens: OpenArchives, archive: str, objects: Sequence[Sendable], *, is_only_copy: bool = False
) -> list[Outcome]:
    """Sends objects, and returns the outcome of each.

    Where the archive does not say, says that it has an object of this UID already, or fails (0110H) with one
    of which it shows the UID, what it has is retrieved and compared: success is only what it has byte for
    byte. `unknown` is left where it does not give that either.

    Args:
        opens: The archives.
        archive: Where to.
        objects: Several may have one SOP Instance UID: they go one after the other. Of an only copy a later
            version is not sent, and stays `unknown`, where the one before may go another time.
        is_only_copy: Nobody else has these objects. Of one whose UID the archive showed before it was sent,
            or does not show afterwards, its word is not enough: some keep what they have under that UID, in
            whatever series or study, and answer success.

    Raises:
        ArchiveError: The archive takes nothing now, or nobody knows what it took.
        StorageError: A file cannot be read.
    """
    outcomes: list[Outcome] = [UNKNOWN] * len(objects)
    async with opens.use_to_store(archive) as opened:
        passing: set[str] = set()
        for places in _rounds(objects):
            ready = [place for place in places if objects[place].stored.sop_instance_uid not in passing]
            if not ready:
                continue
            chosen = [objects[place] for place in ready]
            sent = await _send_only_copies(opened, chosen) if is_only_copy else await _send(opened, chosen)
            for place, outcome in zip(ready, sent, strict=True):
                outcomes[place] = outcome
                if is_only_copy and (outcome.kind == "unknown" or is_transient(outcome)):
                    passing.add(objects[place].stored.sop_instance_uid)
    return outcomes


async def present(opens: OpenArchives, archive: str, objects: Sequence[Sendable]) -> list[bool]:
    """Whether the archive shows some UIDs: with which bytes, that does not say.

    Raises:
        ArchiveError: It does not say.
    """
    async with opens.use_to_store(archive) as opened:
        return await _present(opened, objects)


async def _send_only_copies(opened: OpenedToStore, objects: Sequence[Sendable]) -> list[Outcome]:
    before = await _shown(opened, objects)
    outcomes = await _send(opened, objects)
    after = await _shown(opened, objects)
    doubtful = [
        place
        for place, outcome in enumerate(outcomes)
        if outcome.kind in ("success", "warning") and (before[place] is not False or not after[place])
    ]
    return await _compared(opened, objects, outcomes, doubtful)


async def _send(opened: OpenedToStore, objects: Sequence[Sendable]) -> list[Outcome]:
    studies = {one.study_uid for one in objects}
    subject = studies.pop() if len(studies) == 1 else ""
    try:
        async with opened.guard("store", subject):
            answer = await _store(opened, [one.stored for one in objects])
    except OSError as error:
        raise StorageError(f"The gate's spool cannot be read: {error.strerror or error}.") from error
    except ArchiveError as error:
        if error.did_nothing:
            raise
        return await _after_loss(opened, objects, error)
    outcomes = [answer.outcomes[one.stored.sop_instance_uid] for one in objects]
    doubtful = [place for place, one in enumerate(outcomes) if one.kind == "unknown" or one.code == DUPLICATE]
    failed = [place for place, one in enumerate(outcomes) if one == NOT_THERE]
    if failed:  # some archives have no code of their own for what they have already
        try:
            shown = await _shown(opened, [objects[place] for place in failed])
        except ArchiveError:  # then what it said stands
            shown = [None] * len(failed)
        doubtful += [place for place, is_shown in zip(failed, shown, strict=True) if is_shown]
    return await _compared(opened, objects, outcomes, doubtful)


async def _compared(
    opened: OpenedToStore, objects: Sequence[Sendable], outcomes: list[Outcome], doubtful: Sequence[int]
) -> list[Outcome]:
    """The outcomes, those in doubt by what the archive has."""
    settled = list(outcomes)
    found = await _found(opened, [objects[place] for place in doubtful])
    for place, what in zip(doubtful, found, strict=True):
        settled[place] = _settled(outcomes[place], what)
    return settled


async def _store(opened: OpenedToStore, objects: Sequence[Stored]) -> StoreAnswer:
    if opened.dimse is not None:
        return await opened.dimse.store(objects)
    return await store(opened.client, objects)


async def _after_loss(
    opened: OpenedToStore, objects: Sequence[Sendable], error: ArchiveError
) -> list[Outcome]:
    """What became of objects whose answer was lost; where none of them is there, it failed."""
    found = await _found(opened, objects)
    if "same" not in found:
        raise error
    return [_settled(UNKNOWN, what) for what in found]


def _settled(told: Outcome, found: Found | None) -> Outcome:
    """What became of an object that the archive left in doubt, by what it has under its UID."""
    if found == "same":
        return told if told.kind == "warning" and told.code != DUPLICATE else SUCCESS
    if told.kind == "failure" and told.code != DUPLICATE:
        return told
    if found is None:
        return UNKNOWN
    was_refused = told.code == DUPLICATE or (told.kind != "unknown" and found == "other")
    return Outcome("failure", DUPLICATE) if was_refused else NOT_THERE


async def _found(opened: OpenedToStore, objects: Sequence[Sendable]) -> list[Found | None]:
    """What the archive has of objects; None where it does not say."""
    found: list[Found | None] = []
    for one in objects:
        try:
            async with opened.guard("retrieve", one.study_uid):
                found.append(await compare(opened.wado, one.study_uid, one.series_uid, one.stored))
        except OSError as error:
            raise StorageError(f"The gate's spool cannot be read: {error.strerror or error}.") from error
        except (ArchiveUnavailableError, ArchiveClosedError, ArchiveAccessError):
            return [*found, *[None] * (len(objects) - len(found))]  # neither will it say of the others
        except ArchiveError:
            found.append(None)
    return found


async def _shown(opened: OpenedToStore, objects: Sequence[Sendable]) -> list[bool | None]:
    """Whether the archive shows the UIDs of objects; None of all where it cannot be searched.

    Raises:
        ArchiveError: It takes nothing now, or does not let us in.
    """
    try:
        return list(await _present(opened, objects))
    except (ArchiveUnavailableError, ArchiveClosedError, ArchiveAccessError):
        raise
    except ArchiveError:
        return [None] * len(objects)


async def _present(opened: OpenedToStore, objects: Sequence[Sendable]) -> list[bool]:
    listed: dict[tuple[str, str], set[str]] = {}
    for one in objects:
        where = (one.study_uid, one.series_uid)
        if where not in listed:
            try:
                rows = await opened.archive.search_instances(*where)
            except ArchiveNotFoundError:
                rows = []
            listed[where] = {element(read_row(row), SOP_INSTANCE_UID).text for row in rows}
    return [one.stored.sop_instance_uid in listed[one.study_uid, one.series_uid] for one in objects]


def _rounds(objects: Sequence[Sendable]) -> Iterator[list[int]]:
    """The places of objects, so that no two of one round have the same SOP Instance UID."""
    left = list(range(len(objects)))
    while left:
        seen: set[str] = set()
        now: list[int] = []
        later: list[int] = []
        for place in left:
            uid = objects[place].stored.sop_instance_uid
            (later if uid in seen else now).append(place)
            seen.add(uid)
        yield now
        left = later
