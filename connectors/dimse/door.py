"""What a listener hands over to whoever takes objects: the port between associations and the rest of us."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
OUT_OF_RESOURCES = 0xA700


class Sender(msgspec.Struct, frozen=True):
    """Who sends.

    Attributes:
        ae_title: Its AE title.
        address: Where it calls from.
        association: Names the association, in logs and in the audit trail.
    """

    ae_title: str
    address: str
    association: str


class Sink(Protocol):
    """A file that an object goes into."""

    def write(self, data: bytes) -> None:
        """Takes some bytes; OSError where the disk is full or fails."""
        ...

    def abandon(self) -> None:
        """Removes it."""
        ...


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """An object that came whole.

    Attributes:
        sop_class_uid: As the request says.
        sop_instance_uid: Likewise.
        transfer_syntax_uid: Of its presentation context.
        content: The bytes of a Part 10 file in pieces; or the file that they were put into meanwhile.
    """

    sender: Sender
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    content: "Sequence[bytes | memoryview] | Sink"

    def is_of(self, sop_class_uid: str, sop_instance_uid: str) -> bool:
        """Whether its data set, which has these UIDs, is that of which the request speaks (PS3.7 9.1.1.1)."""
        return (self.sop_class_uid, self.sop_instance_uid) == (sop_class_uid, sop_instance_uid)


class Answer(msgspec.Struct, frozen=True):
    """What a sender is told of an object.

    Attributes:
        status: A status of C-STORE (PS3.4 B.2.3).
        comment: The Error Comment (0000,0902): at most 64 characters, no patient data.
    """

    status: int = SUCCESS
    comment: str = ""


Reference: TypeAlias = tuple[str, str]
"""A SOP Class UID and a SOP Instance UID."""


class Commitment(msgspec.Struct, frozen=True, kw_only=True):
    """A request to commit to the storage of objects (PS3.4 J.3.2).

    Attributes:
        transaction_uid: Names it.
        references: The objects.
    """

    sender: Sender
    transaction_uid: str
    references: tuple[Reference, ...]


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of such a request (PS3.4 J.3.3).

    Attributes:
        stored: The objects that are in custody.
        failed: The others, each with its Failure Reason (0008,1197).
    """

    transaction_uid: str
    stored: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]


class Door(Protocol):
    """Who takes objects. It is called in the threads of associations, several at a time."""

    def has_room(self) -> bool:
        """Whether one more association makes sense now."""
        ...

    def create(self) -> Sink:
        """A file for an object that is too large to be kept in memory; OSError where none can be made."""
        ...

    def take(self, arrived: Arrived) -> Answer:
        """Takes an object; when this returns success, that is durable."""
        ...

    def commit(self, request: Commitment) -> int:
        """Takes a request whose result is reported later, to the peer's address; returns a status."""
        ...

    def verify(self, request: Commitment) -> Committed:
        """What comes of a request, at once: for a peer that has no address to report to."""
        ...
