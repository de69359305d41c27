"""Sends objects from their files to an archive by C-STORE (PS3.4 B); no file is ever held in memory."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import split_dataset

from connectors.dimse.associations import Associations, Context, Way
from connectors.storing import (
    SUCCESS,
    SYNTAX_NOT_SUPPORTED,
    UNKNOWN,
    Outcome,
    StoreAnswer,
    Stored,
)
from heltig.errors import ArchiveUnavailableError

MOST_CONTEXTS: Final = 128
"""Presentation contexts of an association (PS3.8 9.3.2.2: odd numbers of a byte)."""

CLASS_NOT_SUPPORTED: Final = 0x0122
UNREADABLE: Final = 0xC001
ABSTRACT_SYNTAX_NOT_SUPPORTED: Final = 3
"""The result of a presentation context (PS3.8 9.3.3.2)."""

_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})
"""Warnings of DIMSE itself (PS3.7 C.4); those of storage are Bxxx."""

_IDENTITY: Final = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")

MEDIUM_PRIORITY: Final = 0


class _Sendable(msgspec.Struct, frozen=True):
    stored: Stored
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int

    @property
    def context(self) -> Context:
        return self.sop_class_uid, self.transfer_syntax_uid


async def store(associations: Associations, objects: Sequence[Stored]) -> StoreAnswer:
    """Sends objects, each in the transfer syntax of its file, on one association or as many as that takes.

    Args:
        associations: To where they go.
        objects: Of any studies; no two with one SOP Instance UID.

    Raises:
        ArchiveUnavailableError: The archive takes no association; nothing was sent.
        OSError: A file cannot be read.
    """
    return await asyncio.to_thread(_store, associations, objects)


def _store(associations: Associations, objects: Sequence[Stored]) -> StoreAnswer:
    outcomes: dict[str, Outcome] = {one.sop_instance_uid: UNKNOWN for one in objects}
    sendables = []
    for one in objects:
        found = _read(one)
        if found is None:
            outcomes[one.sop_instance_uid] = Outcome("failure", UNREADABLE)
        else:
            sendables.append(found)
    is_begun = False
    for some in _portions(sendables):
        contexts = {one.context for one in some}
        try:
            way = associations.take(contexts)
            is_begun = True
            outcomes |= _send_all(associations, way, some)
            if way.is_kept and outcomes[some[0].stored.sop_instance_uid] == UNKNOWN:
                # The archive had ended it, or was about to. Sent again it is the same object.
                outcomes |= _send_all(associations, associations.open(contexts), some)
        except ArchiveUnavailableError:
            if not is_begun:
                raise
            break  # what was answered before is there; of the rest nothing is known
    return StoreAnswer(outcomes)


def _send_all(associations: Associations, way: Way, some: Sequence[_Sendable]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    is_lost = True  # where a file cannot be read, half of it may be sent
    try:
        for sent in some:
            outcome = outcomes[sent.stored.sop_instance_uid] = _send(way, sent)
            if outcome == UNKNOWN:
                break  # there is no association any more, though the library may not know it yet
        else:
            is_lost = False
    finally:
        if is_lost:
            way.end()
        else:
            associations.give_back(way)
    return outcomes


def _send(way: Way, one: _Sendable) -> Outcome:
    """Sends an object; `unknown` where the association ends before its answer."""
    context = way.accepted(one.context)
    if context is None or context.context_id is None:
        return Outcome("failure", _reason(way.association, one))
    is_open = way.association.is_established
    status = _exchange(way, one, context.context_id) if is_open else None
    if status is None:
        return UNKNOWN
    if not status:
        return SUCCESS
    is_warning = status >> 12 == 0xB or status in _WARNINGS
    return Outcome("warning" if is_warning else "failure", status)


def _exchange(way: Way, one: _Sendable, context: int) -> int | None:
    """Sends a request and waits for its status; None without one.

    As `Association.send_c_store` does, which knows no transfer syntaxes but those of the standard.
    """
    association: Any = way.association
    request: Any = C_STORE()
    request.MessageID = way.next_message()
    request.Priority = MEDIUM_PRIORITY
    request.AffectedSOPClassUID = one.sop_class_uid
    request.AffectedSOPInstanceUID = one.sop_instance_uid
    request._dataset_path = (one.stored.path, one.offset)
    association._reactor_checkpoint.clear()  # else it would take the answer for a request
    try:
        association.dimse.send_msg(request, context)
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    status: int | None = response.Status if isinstance(response, C_STORE) else None
    return status


def _reason(association: Association, one: _Sendable) -> int:
    """Why an object cannot be sent: the archive does not know its class, or not its transfer syntax."""
    for context in association.rejected_contexts:
        proposed = [str(syntax) for syntax in context.transfer_syntax]
        if str(context.abstract_syntax) == one.sop_class_uid and one.transfer_syntax_uid in proposed:
            is_unknown = context.result == ABSTRACT_SYNTAX_NOT_SUPPORTED
            return CLASS_NOT_SUPPORTED if is_unknown else SYNTAX_NOT_SUPPORTED
    return CLASS_NOT_SUPPORTED


def _read(one: Stored) -> _Sendable | None:
    """What the File Meta Information of an object says; None where it says too little to be sent."""
    try:
        meta, offset = split_dataset(one.path)
    except OSError:
        raise
    except Exception:  # pydicom raises what it likes
        return None
    sop_class, sop_instance, syntax = (str(meta.get(keyword) or "") for keyword in _IDENTITY)
    if not (sop_class and sop_instance and syntax):
        return None
    return _Sendable(one, sop_class, sop_instance, syntax, offset)


def _portions(sendables: Sequence[_Sendable]) -> Iterator[list[_Sendable]]:
    """Objects in their order, with no more contexts each time than an association can have."""
    some: list[_Sendable] = []
    contexts: set[Context] = set()
    for one in sendables:
        if len(contexts | {one.context}) > MOST_CONTEXTS:
            yield some
            some, contexts = [], set()
        some.append(one)
        contexts.add(one.context)
    if some:
        yield some
