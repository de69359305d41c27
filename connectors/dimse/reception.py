"""Objects of one association as they come: small ones in memory, large ones into a file meanwhile."""

import io
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass

from connectors.dimse.door import (
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    Answer,
    Arrived,
    Door,
    Sender,
    Sink,
)
from connectors.dimse.part10 import header_of

IN_MEMORY: Final = 128 * 1024
"""Bytes of an object from which on it goes into a file while it comes."""

CANNOT_BE_WRITTEN: Final = Answer(OUT_OF_RESOURCES, "It cannot be written; try again later")
TOO_LARGE: Final = Answer(OUT_OF_RESOURCES, "It is larger than an object may be")
FAILED: Final = Answer(PROCESSING_FAILURE, "It could not be taken")


class Reception:
    """What one association sends."""

    def __init__(
        self,
        association: Association,
        door: Door,
        *,
        most_object: int,
        silence: float,
        log: Callable[[str, Sender, int], None],
    ) -> None:
        """Makes it, and stands in the association's way.

        Args:
            association: One that has just been connected.
            door: Where objects go.
            most_object: Bytes that an object may have.
            silence: Seconds that a sender may be silent; half of it between a request and its data set.
            log: Told of what failed without our knowing why: an event, who sent, and a status.
        """
        self._association = association
        self._door = door
        self._most = most_object
        self._log = log
        self._patience = silence / 2
        self._came = time.monotonic()
        self._name = secrets.token_hex(8)
        self._large: _LargeDataSet | None = None
        dimse: Any = association.dimse
        self._receive: Callable[[P_DATA], None] = dimse.receive_primitive
        dimse.receive_primitive = self._receive_primitive

    @property
    def sender(self) -> Sender:
        """Who sends."""
        requestor = self._association.requestor
        asked = requestor.primitive
        return Sender(asked.calling_ae_title if asked else "", str(requestor.address), self._name)

    def take(self, request: C_STORE, transfer_syntax_uid: str) -> Answer:
        """Takes an object whose request came whole."""
        large, self._large = self._large, None
        data: io.BytesIO | None = request.DataSet
        if data is None:
            return FAILED
        content: Any
        if isinstance(data, _LargeDataSet):
            if data.problem is not None:
                return data.problem
            content = data.sink
        else:
            content = (
                header_of(
                    *_uids(request.AffectedSOPClassUID, request.AffectedSOPInstanceUID), transfer_syntax_uid
                ),
                data.getbuffer(),
            )
        try:
            return self._door.take(
                Arrived(
                    sender=self.sender,
                    sop_class_uid=str(request.AffectedSOPClassUID),
                    sop_instance_uid=str(request.AffectedSOPInstanceUID),
                    transfer_syntax_uid=transfer_syntax_uid,
                    content=content,
                )
            )
        except Exception:  # a fault of ours: the sender is told, and the association goes on
            if large is not None:
                large.abandon()
            self._log("listener.failed", self.sender, PROCESSING_FAILURE)
            return FAILED

    def close(self) -> None:
        """Lets go of an object that did not come whole."""
        if self._large is not None:
            self._large.abandon()
            self._large = None

    def at_rest(self) -> None:
        """Answers a request whose data set never begins; called when nothing came for a moment.

        Some senders announce an empty data set and send none (pynetdicom does): they would wait for ever.
        """
        message = self._association.dimse.message
        if isinstance(message, C_STORE_RQ) and time.monotonic() - self._came > self._patience:
            data = message.data_set
            context = self._context(message.context_id)
            if data is not None and not data.tell() and context is not None:
                self._association.dimse.message = None
                self._serve(message.message_to_primitive(), context)

    def _receive_primitive(self, primitive: P_DATA) -> None:
        """Takes what one PDU holds.

        An object that is whole with it is taken at once, in this thread: the library would let another one
        find it a millisecond later, and a third one the answer.
        """
        dimse = self._association.dimse
        self._came = time.monotonic()
        self._divert(dimse.message)
        self._receive(primitive)
        id, message = dimse.peek_msg()
        if isinstance(message, C_STORE) and (context := self._context(id)) is not None:
            dimse.get_msg()
            self._serve(message, context)

    def _context(self, id: int | None) -> PresentationContext | None:
        """An accepted presentation context; None also where the association is not open."""
        if not self._association.is_established:
            return None
        return next((one for one in self._association.accepted_contexts if one.context_id == id), None)

    def _serve(self, request: Any, context: PresentationContext) -> None:
        """Answers a request whatever it lacks, its Priority or its UIDs: its sender waits for an answer."""
        StorageServiceClass(self._association).SCP(request, context)

    def _divert(self, message: Any) -> None:
        """Has the rest of a data set go into a file once there is much of it."""
        data = getattr(message, "data_set", None)
        if not isinstance(message, C_STORE_RQ) or type(data) is not io.BytesIO or data.tell() <= IN_MEMORY:
            return
        syntaxes = {one.context_id: one.transfer_syntax[0] for one in self._association.accepted_contexts}
        command: Any = message.command_set
        uids = _uids(command.get("AffectedSOPClassUID"), command.get("AffectedSOPInstanceUID"))
        header = header_of(*uids, str(syntaxes.get(message.context_id, "")))
        self._large = _LargeDataSet(self._door, most=self._most)
        self._large.write(header)
        self._large.write(data.getvalue())
        message.data_set = self._large


class _LargeDataSet(io.BytesIO):
    """Stands where the library would keep a data set, and puts it into a file.

    Attributes:
        sink: The file; None before there is something in it.
        problem: Why it is not taken, where it is not: the rest of it is passed over.
    """

    def __init__(self, door: Door, *, most: int) -> None:
        super().__init__()
        self.sink: Sink | None = None
        self.problem: Answer | None = None
        self._door = door
        self._most = most
        self._size = 0

    def write(self, data: Any, /) -> int:
        self._size += len(data)
        if self.problem is None and self._size > self._most:
            self._give_up(TOO_LARGE)
        if self.problem is None:
            try:
                if self.sink is None:
                    self.sink = self._door.create()
                self.sink.write(data)
            except Exception:  # whatever it is, the sender is told once the rest is passed over
                self._give_up(CANNOT_BE_WRITTEN)
        return len(data)

    def abandon(self) -> None:
        """Removes the file."""
        if self.sink is not None:
            with suppress(OSError):
                self.sink.abandon()
            self.sink = None

    def _give_up(self, problem: Answer) -> None:
        self.problem = problem
        self.abandon()


def _uids(*given: object) -> tuple[str, str]:
    first, second = (str(uid or "") for uid in given)
    return first, second
