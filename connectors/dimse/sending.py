"""Sends objects from their files to an archive by C-STORE (PS3.4 B); no file is ever held in memory."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import split_dataset

from connectors.dimse.library import MAXIMUM_PDU, hasten, take_turns
from connectors.dimse.part10 import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION
from connectors.dimse.target import Target
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

MOST_OBJECTS: Final = 65_535
"""Objects of an association: a Message ID has two bytes."""

_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})
"""Warnings of DIMSE itself (PS3.7 C.4); those of storage are Bxxx."""

_IDENTITY: Final = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")

MEDIUM_PRIORITY: Final = 0

SILENCE_SECONDS: Final = 30.0
"""How long an archive may be silent in the middle of a PDU."""


class _Sendable(msgspec.Struct, frozen=True):
    stored: Stored
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int

    @property
    def context(self) -> tuple[str, str]:
        return self.sop_class_uid, self.transfer_syntax_uid


async def store(target: Target, objects: Sequence[Stored]) -> StoreAnswer:
    """Sends objects, each in the transfer syntax of its file, on one association or as many as that takes.

    Args:
        target: Where to.
        objects: Of any studies; no two with one SOP Instance UID.

    Raises:
        ArchiveUnavailableError: The archive takes no association; nothing was sent.
        OSError: A file cannot be read.
    """
    return await asyncio.to_thread(_store, target, objects)


def _store(target: Target, objects: Sequence[Stored]) -> StoreAnswer:
    outcomes: dict[str, Outcome] = {one.sop_instance_uid: UNKNOWN for one in objects}
    sendables = []
    for one in objects:
        found = _read(one)
        if found is None:
            outcomes[one.sop_instance_uid] = Outcome("failure", UNREADABLE)
        else:
            sendables.append(found)
    for number, some in enumerate(_portions(sendables)):
        try:
            association = _associate(target, sorted({one.context for one in some}))
        except ArchiveUnavailableError:
            if not number:
                raise
            break  # what went before is there; of the rest nothing is known
        try:
            for message_id, sent in enumerate(some, 1):
                outcome = _send(association, sent, message_id)
                outcomes[sent.stored.sop_instance_uid] = outcome
                if outcome == UNKNOWN:
                    break  # there is no association any more, though the library may not know it yet
        finally:
            _end(association)
    return StoreAnswer(outcomes)


def _associate(target: Target, contexts: Sequence[tuple[str, str]]) -> Association:
    """An association for some SOP Classes with transfer syntaxes.

    Raises:
        ArchiveUnavailableError: There is none.
    """
    entity = AE(target.calling)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.connection_timeout = entity.acse_timeout = target.connect_seconds
    entity.dimse_timeout = entity.network_timeout = target.answer_seconds
    place = f"dicom://{target.host}:{target.port}/{target.called}"
    try:
        association = entity.associate(
            target.host,
            target.port,
            # One context for each pair: of several transfer syntaxes in one the archive would choose.
            contexts=[build_context(sop_class, syntax) for sop_class, syntax in contexts],
            ae_title=target.called,
            max_pdu=MAXIMUM_PDU,
            tls_args=(target.tls, target.host) if target.tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, _set_up)],
        )
    except OSError as error:  # a name without an address
        raise ArchiveUnavailableError(f"{place}: {error.strerror or 'no such host'}.") from error
    if association.is_established or association.rejected_contexts:
        return association
    said = "rejects our association" if association.is_rejected else "does not answer"
    raise ArchiveUnavailableError(f"{place}: it {said}. Does it know us as {target.calling}?")


def _set_up(event: evt.Event) -> None:
    hasten(event.assoc, silence=SILENCE_SECONDS)
    take_turns(event.assoc)


def _send(association: Association, one: _Sendable, message_id: int) -> Outcome:
    """Sends an object; `unknown` where the association ends before its answer."""
    context = next(
        (
            context.context_id
            for context in association.accepted_contexts
            if (str(context.abstract_syntax), str(context.transfer_syntax[0])) == one.context
        ),
        None,
    )
    if context is None:
        return Outcome("failure", _reason(association, one))
    status = _exchange(association, one, context, message_id) if association.is_established else None
    if status is None:
        return UNKNOWN
    if not status:
        return SUCCESS
    is_warning = status >> 12 == 0xB or status in _WARNINGS
    return Outcome("warning" if is_warning else "failure", status)


def _exchange(association: Any, one: _Sendable, context: int, message_id: int) -> int | None:
    """Sends a request and waits for its status; None without one.

    As `Association.send_c_store` does, which knows no transfer syntaxes but those of the standard.
    """
    request: Any = C_STORE()
    request.MessageID = message_id
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


def _end(association: Association) -> None:
    if association.is_established:
        association.release()
    elif association.is_alive():
        association.abort()


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
    contexts: set[tuple[str, str]] = set()
    for one in sendables:
        if len(contexts | {one.context}) > MOST_CONTEXTS or len(some) == MOST_OBJECTS:
            yield some
            some, contexts = [], set()
        some.append(one)
        contexts.add(one.context)
    if some:
        yield some
