"""A door for tests: it keeps what comes, and answers what a test wants."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from connectors.dimse.door import Answer, Arrived, Commitment, Committed, Sender
from connectors.dimse.library import take_turns
from connectors.dimse.listener import Listener, ListenerOptions
from heltig.setting_types import Address

CT = "1.2.840.10008.5.1.4.1.1.2"
WAIT_SECONDS = 60.0


class FileSink:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb", buffering=0)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def close(self) -> None:
        self._file.close()

    def abandon(self) -> None:
        self._file.close()
        self.path.unlink()


class KeepingDoor:
    """Keeps what comes.

    Attributes:
        answer: What is said of each object.
        commits: The requests that are to be reported later.
        told: Events of the listener's log.
    """

    def __init__(self, folder: Path) -> None:
        self.answer: Callable[[Arrived], Answer] = lambda arrived: Answer()
        self.room = True
        self.commits: list[Commitment] = []
        self.told: list[tuple[str, Sender, int]] = []
        self.arrived: list[tuple[Arrived, bytes]] = []
        self.folder = folder
        self._names = itertools.count()

    def has_room(self) -> bool:
        return self.room

    def create(self) -> FileSink:
        return FileSink(self.folder / str(next(self._names)))

    def take(self, arrived: Arrived) -> Answer:
        content: Any = arrived.content
        if isinstance(content, FileSink):
            content.close()
            data = content.path.read_bytes()
        else:
            data = b"".join(content)
        self.arrived.append((arrived, data))
        return self.answer(arrived)

    def commit(self, request: Commitment) -> int:
        self.commits.append(request)
        return 0

    def verify(self, request: Commitment) -> Committed:
        known = {one.sop_instance_uid for one, _ in self.arrived}
        stored = tuple(one for one in request.references if one[1] in known)
        failed = tuple((one, 0x0110) for one in request.references if one[1] not in known)
        return Committed(transaction_uid=request.transaction_uid, stored=stored, failed=failed)


@contextmanager
def listening(door: KeepingDoor, **options: Any) -> Iterator[int]:
    """Runs a listener as HELTIG; gives its port."""
    made = ListenerOptions(ae_title="HELTIG", address=Address("127.0.0.1", 0), **options)
    listener = Listener(made, door, log=lambda *said: door.told.append(said))
    port = listener.start().port
    try:
        yield port
    finally:
        listener.stop()


@contextmanager
def associated(
    port: int,
    *contexts: tuple[str, str],
    calling: str = "TESTSCU",
    called: str = "HELTIG",
    evt_handlers: Sequence[Any] = (),
    **named: Any,
) -> Iterator[Association]:
    """An association with a listener; established or not."""
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = WAIT_SECONDS
    association = entity.associate(
        "127.0.0.1",
        port,
        contexts=[build_context(*one) for one in contexts or ((CT, ExplicitVRLittleEndian),)],
        ae_title=called,
        evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: take_turns(event.assoc)), *evt_handlers],
        **named,
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def request_of(sop_class: str, sop_instance: str, data: bytes) -> C_STORE:
    """A C-STORE request with a data set of any bytes."""
    request = C_STORE()
    request.MessageID = 1
    request.Priority = 2
    request.AffectedSOPClassUID = sop_class  # type: ignore[assignment]
    request.AffectedSOPInstanceUID = sop_instance  # type: ignore[assignment]
    request.DataSet = BytesIO(data)
    return request


def send(association: Association, data: bytes, *, sop_class: str = CT, instance: str = "1.2.3") -> Any:
    """Sends bytes as they are, in the first context for that class; gives the response."""
    context = next(one for one in association.accepted_contexts if str(one.abstract_syntax) == sop_class)
    assert context.context_id is not None
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request_of(sop_class, instance, data), context.context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return response
