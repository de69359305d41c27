"""Objects sent on to the archive behind a gate, and what became of each, asked for where it does not say."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from connectors.base import read_row
from connectors.storing import PROCESSING_FAILURE, SUCCESS, UNKNOWN, Outcome, StoreAnswer, Stored
from connectors.stow.client import store
from heltig.dicom.study import SOP_INSTANCE_UID, element
from heltig.errors import (
    ArchiveAccessError,
    ArchiveClosedError,
    ArchiveError,
    ArchiveNotFoundError,
    StorageError,
)
from heltig.pipeline.opened import OpenArchives, OpenedToStore

NOT_THERE: Final = Outcome("failure", PROCESSING_FAILURE)


class Sendable(msgspec.Struct, frozen=True, kw_only=True):
    """An object to be sent, with the UIDs that it is looked for by."""

    study_uid: str
    series_uid: str
    stored: Stored


async def send(opens: OpenArchives, archive: str, objects: Sequence[Sendable]) -> list[Outcome]:
    """Sends objects, and returns the outcome of each.

    `unknown` is left only where the archive did not answer when it was asked what it has.

    Args:
        opens: The archives.
        archive: Where to.
        objects: Several may have one SOP Instance UID: they go one after the other.

    Raises:
        ArchiveError: The archive takes nothing now, or nobody knows what it took.
        StorageError: A file cannot be read.
    """
    outcomes: list[Outcome] = [UNKNOWN] * len(objects)
    async with opens.use_to_store(archive) as opened:
        for places in _rounds(objects):
            chosen = [objects[place] for place in places]
            for place, outcome in zip(places, await _send(opened, chosen), strict=True):
                outcomes[place] = outcome
    return outcomes


async def present(opens: OpenArchives, archive: str, objects: Sequence[Sendable]) -> list[bool]:
    """Whether the archive has some objects, by their UIDs.

    Raises:
        ArchiveError: It does not say.
    """
    async with opens.use_to_store(archive) as opened:
        return await _present(opened, objects)


async def _send(opened: OpenedToStore, objects: Sequence[Sendable]) -> list[Outcome]:
    studies = {one.study_uid for one in objects}
    subject = studies.pop() if len(studies) == 1 else ""
    try:
        async with opened.guard("store", subject):
            answer = await _store(opened, [one.stored for one in objects])
    except OSError as error:
        raise StorageError(f"The gate's spool cannot be read: {error.strerror or error}.") from error
    except (ArchiveClosedError, ArchiveAccessError):
        raise
    except ArchiveError as error:  # the answer is lost, or there never was one
        return await _after_loss(opened, objects, error)
    outcomes = [answer.outcomes[one.stored.sop_instance_uid] for one in objects]
    unknown = [place for place, outcome in enumerate(outcomes) if outcome.kind == "unknown"]
    if unknown:
        try:
            found = await _present(opened, [objects[place] for place in unknown])
        except ArchiveError:
            return outcomes
        for place, is_there in zip(unknown, found, strict=True):
            outcomes[place] = SUCCESS if is_there else NOT_THERE
    return outcomes


async def _store(opened: OpenedToStore, objects: Sequence[Stored]) -> StoreAnswer:
    if opened.dimse is not None:
        return await opened.dimse.store(objects)
    return await store(opened.client, objects)


async def _after_loss(
    opened: OpenedToStore, objects: Sequence[Sendable], error: ArchiveError
) -> list[Outcome]:
    """What became of objects whose answer was lost; where none of them is there, it failed."""
    try:
        found = await _present(opened, objects)
    except ArchiveError:
        raise error from None
    if not any(found):
        raise error
    return [SUCCESS if is_there else NOT_THERE for is_there in found]


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
