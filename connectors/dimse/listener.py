"""A C-STORE SCP with C-ECHO and storage commitment (PS3.4 B, A, J), on threads of the library."""

import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from connectors.dimse.commitment import read_request, report_on
from connectors.dimse.door import PROCESSING_FAILURE, SUCCESS, Commitment, Door, Sender
from connectors.dimse.library import MAXIMUM_PDU, calm, hasten, take_turns
from connectors.dimse.negotiation import note_services
from connectors.dimse.part10 import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION
from connectors.dimse.reception import FAILED, Reception
from heltig.setting_types import Address, Peer, Size, is_loopback

REJECTED_TRANSIENT: Final = 0x02
LOCAL_LIMIT_EXCEEDED: Final = (REJECTED_TRANSIENT, 0x03, 0x02)
CALLING_AE_TITLE_NOT_RECOGNIZED: Final = (0x01, 0x01, 0x03)
CALLED_AE_TITLE_NOT_RECOGNIZED: Final = (0x01, 0x01, 0x07)
"""Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

IDLE_SECONDS: Final = 600.0
"""An association on which nothing happens is aborted after so long; an archive may need half of it."""

END_SECONDS: Final = 5.0
"""How long associations may take to end once they are told to."""

ANSWER_SECONDS: Final = 30.0
"""How long the answer to a storage commitment request may take to be sent, before its result."""

NO_SUCH_ACTION: Final = 0x0123
INVALID_ARGUMENT: Final = 0x0115

Log = Callable[[str, Sender, int], None]


class ListenerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener is made of.

    Attributes:
        ae_title: Ours: associations that call another one are rejected.
        address: Where it listens.
        peers: Who may send; everybody on this machine where there is nobody.
        most_associations: At the same time.
        most_object: Bytes of an object.
        silence: Seconds that a sender may be silent in the middle of a PDU.
        patience: Seconds from the connection to the association request, and to the end of a TLS handshake.
        tls: Speaks TLS with this; None speaks none.
    """

    ae_title: str
    address: Address
    peers: tuple[Peer, ...] = ()
    most_associations: int = 25
    most_object: int = Size(2 * 1024**3)
    silence: float = 30.0
    patience: float = 30.0
    tls: ssl.SSLContext | None = None


class Listener:
    """Takes associations from `start` to `stop`."""

    def __init__(self, options: ListenerOptions, door: Door, *, log: Log = lambda *said: None) -> None:
        """Makes it; nothing is listened on yet.

        Args:
            options: What it is made of.
            door: Where objects go.
            log: Told of what is refused: an event, who sent, and a status; of an association that is rejected
                its reason (PS3.8 9.3.4), of a connection that comes to none 0.
        """
        self._options = options
        self._door = door
        self._log = log
        self._server: ThreadedAssociationServer | None = None
        self._serving: threading.Thread | None = None
        self._receptions: WeakKeyDictionary[Association, Reception] = WeakKeyDictionary()

    def start(self) -> Address:
        """Listens; returns where.

        Raises:
            OSError: The address cannot be listened on.
        """
        options = self._options
        entity = AE(options.ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = options.most_associations
        entity.maximum_pdu_size = MAXIMUM_PDU
        entity.acse_timeout = options.patience
        entity.network_timeout = IDLE_SECONDS
        entity.implementation_class_uid = IMPLEMENTATION_CLASS
        entity.implementation_version_name = IMPLEMENTATION_VERSION
        entity.add_supported_context(Verification)
        entity.add_supported_context(StorageCommitmentPushModel)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]
        server = entity.make_server(
            (options.address.host, options.address.port),
            evt_handlers=handlers,
            server_class=_Server,
            tls=options.tls,
            may_call=self._may_call,
            failed=self._connection_failed,
            most_connections=2 * options.most_associations,
        )
        entity._servers.append(server)  # its shutdown takes it out again
        self._server = server
        self._serving = threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)
        self._serving.start()
        host, port = server.server_address[:2]
        return Address(str(host), int(port))

    def stop(self) -> None:
        """Takes no more associations, and ends those that there are. It waits: not on the event loop."""
        if self._server is None or self._serving is None:
            return
        associations = self._server.active_associations
        self._server.shutdown()
        # An association whose object an archive is at ends when that answers: so long nobody waits for it.
        ending = [threading.Thread(target=one.abort, daemon=True) for one in associations]
        for thread in ending:
            thread.start()
        deadline = time.monotonic() + END_SECONDS
        for thread in (*ending, *associations, self._serving):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._server = None

    def _may_call(self, address: str) -> bool:
        peers = self._options.peers
        may = any(peer.is_at(address) for peer in peers) if peers else is_loopback(address)
        if not may:
            self._connection_failed("listener.stranger", address)
        return may

    def _connection_failed(self, event: str, address: str) -> None:
        self._log(event, Sender("", address, ""), 0)

    def _opened(self, event: evt.Event) -> None:
        association = event.assoc
        hasten(association, silence=self._options.silence)
        take_turns(association)
        reception = self._receptions[association] = Reception(
            association,
            self._door,
            most_object=self._options.most_object,
            silence=self._options.silence,
            log=self._log,
        )
        calm(association, at_rest=reception.at_rest)

    def _requested(self, event: evt.Event) -> None:
        note_services(event.assoc)
        sender = self._receptions[event.assoc].sender
        peers = self._options.peers
        if peers and not any(peer.matches(sender.ae_title, sender.address) for peer in peers):
            self._reject(event.assoc, sender, CALLING_AE_TITLE_NOT_RECOGNIZED)
        elif not self._door.has_room():
            self._reject(event.assoc, sender, LOCAL_LIMIT_EXCEEDED)

    def _reject(self, association: Association, sender: Sender, why: tuple[int, int, int]) -> None:
        self._log("listener.rejected", sender, why[2])
        association.acse.send_reject(*why)
        association.kill()

    def _rejected(self, event: evt.Event) -> None:
        """Says that the library rejected an association: for the called AE title, or as one too many."""
        asked: Any = event.assoc.requestor.primitive
        is_called = asked.called_ae_title == self._options.ae_title
        why = LOCAL_LIMIT_EXCEEDED if is_called else CALLED_AE_TITLE_NOT_RECOGNIZED
        self._log("listener.rejected", self._receptions[event.assoc].sender, why[2])

    def _store(self, event: evt.Event) -> int | Dataset:
        reception = self._receptions.get(event.assoc)
        if reception is None:
            return FAILED.status
        request: Any = event.request
        answer = reception.take(request, str(event.context.transfer_syntax))
        if answer.status != SUCCESS:
            self._log("listener.refused", reception.sender, answer.status)
        if not answer.comment:
            return answer.status
        status = Dataset()
        status.Status = answer.status
        status.ErrorComment = answer.comment
        return status

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        reception = self._receptions.get(event.assoc)
        if reception is None:
            return PROCESSING_FAILURE, None
        if event.action_type != 1:
            return NO_SUCH_ACTION, None
        try:
            request = read_request(event.action_information, reception.sender)
        except ValueError:
            return INVALID_ARGUMENT, None
        if self._address_of(request.sender) is not None:
            return self._door.commit(request), None
        # It has no address of its own: its result goes back on this association, after our answer.
        answered = threading.Event()
        event.assoc.bind(evt.EVT_PDU_SENT, lambda sent: answered.set())
        threading.Thread(target=self._report, args=(event.assoc, request, answered), daemon=True).start()
        return SUCCESS, None

    def _report(self, association: Association, request: Commitment, answered: threading.Event) -> None:
        committed = self._door.verify(request)
        answered.wait(ANSWER_SECONDS)
        with suppress(RuntimeError, ValueError):  # it is gone meanwhile: the peer asks again
            report_on(association, committed)

    def _address_of(self, sender: Sender) -> Peer | None:
        return address_of(self._options.peers, sender)

    def _closed(self, event: evt.Event) -> None:
        reception = self._receptions.pop(event.assoc, None)
        if reception is not None:
            reception.close()


def address_of(peers: Sequence[Peer], sender: Sender) -> Peer | None:
    """The peer that a sender is, where it has an address that results can be reported to."""
    for peer in peers:
        if peer.port is not None and peer.matches(sender.ae_title, sender.address):
            return peer
    return None


class _Server(ThreadedAssociationServer):
    """A server that looks at who calls before anything is read, and does no handshake in everybody's way."""

    daemon_threads = True

    def __init__(
        self,
        *given: Any,
        tls: ssl.SSLContext | None,
        may_call: Callable[[str], bool],
        failed: Callable[[str, str], None],
        most_connections: int,
        **named: Any,
    ) -> None:
        self._tls = tls
        self._may_call = may_call
        self._failed = failed
        self._most_connections = most_connections
        super().__init__(*given, **named)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._may_call(client_address[0]) and len(self.active_associations) < self._most_connections

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        if self._tls is not None:
            request.settimeout(self.ae.acse_timeout)
            try:
                request = self._tls.wrap_socket(request, server_side=True)
            except OSError:  # no TLS, or no certificate that we trust
                self._failed("listener.tls-failed", client_address[0])
                self.shutdown_request(request)
                return
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: the base class writes to standard error what came."""
