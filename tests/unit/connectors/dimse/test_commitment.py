"""Storage commitment: requests, and results on the same association or on one to the peer's address."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from unit.connectors.dimse.doors import CT, WAIT_SECONDS, KeepingDoor, associated, listening, send

from connectors.dimse.commitment import PeerUnavailableError, Reporting, report
from connectors.dimse.door import Committed
from heltig.setting_types import Peer

CONTEXTS = ((CT, ExplicitVRLittleEndian), (str(StorageCommitmentPushModel), ExplicitVRLittleEndian))
TRANSACTION = "1.2.3.99"


@pytest.fixture
def door(tmp_path: Path) -> KeepingDoor:
    return KeepingDoor(tmp_path)


class Results:
    """What is reported to a peer.

    Attributes:
        came: Event type and information of each result, as they come.
        status: What it answers.
    """

    def __init__(self) -> None:
        self.came: queue.Queue[tuple[int, pydicom.Dataset]] = queue.Queue()
        self.status = 0

    def take(self, event: Any) -> tuple[int, None]:
        self.came.put((event.event_type, event.event_information))
        return self.status, None

    def next(self) -> tuple[int, set[str], dict[str, int]]:
        """Event type, what is stored, and what failed why, of the next one."""
        event_type, information = self.came.get(timeout=WAIT_SECONDS)
        assert information.TransactionUID == TRANSACTION
        stored = information.get("ReferencedSOPSequence") or ()
        failed = information.get("FailedSOPSequence") or ()
        return (
            event_type,
            {item.ReferencedSOPInstanceUID for item in stored},
            {item.ReferencedSOPInstanceUID: item.FailureReason for item in failed},
        )


@contextmanager
def peer(results: Results) -> Iterator[int]:
    """A peer that takes results as PEER; gives its port."""
    entity = AE("PEER")
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, results.take)]
    )
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def asked(*uids: str, transaction: str = TRANSACTION) -> pydicom.Dataset:
    information = pydicom.Dataset()
    information.TransactionUID = transaction
    information.ReferencedSOPSequence = []
    for uid in uids:
        item = pydicom.Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
        information.ReferencedSOPSequence.append(item)
    return information


def request(association: Any, information: pydicom.Dataset, action: int = 1) -> int:
    status, _ = association.send_n_action(
        information, action, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    found: int = status.Status
    return found


def test_a_peer_without_an_address_gets_its_result_on_the_same_association(door: KeepingDoor) -> None:
    results = Results()
    handlers = [(evt.EVT_N_EVENT_REPORT, results.take)]
    with listening(door) as port, associated(port, *CONTEXTS, evt_handlers=handlers) as association:
        assert send(association, b"data", instance="1.2.1").Status == 0
        assert request(association, asked("1.2.1")) == 0
        assert results.next() == (1, {"1.2.1"}, {})
        assert request(association, asked("1.2.1", "1.2.2")) == 0
        assert results.next() == (2, {"1.2.1"}, {"1.2.2": 0x0110})
        assert send(association, b"data", instance="1.2.2").Status == 0


def test_a_peer_with_an_address_gets_it_later(door: KeepingDoor) -> None:
    with (
        listening(door, peers=(Peer.parse("PEER@127.0.0.1:104"),)) as port,
        associated(port, *CONTEXTS, calling="PEER") as association,
    ):
        assert request(association, asked("1.2.1")) == 0
    [commitment] = door.commits
    assert (commitment.sender.ae_title, commitment.transaction_uid) == ("PEER", TRANSACTION)
    assert commitment.references == ((CT, "1.2.1"),)


@pytest.mark.parametrize(
    ("information", "action", "status"),
    [
        (asked("1.2.1"), 2, 0x0123),
        (asked(), 1, 0x0115),
        (asked("1.2.1", transaction=""), 1, 0x0115),
        (asked(""), 1, 0x0115),
    ],
)
def test_what_is_no_request_is_refused(
    door: KeepingDoor, information: pydicom.Dataset, action: int, status: int
) -> None:
    with listening(door) as port, associated(port, *CONTEXTS) as association:
        assert request(association, information, action) == status


def test_a_result_is_reported_to_an_address() -> None:
    results = Results()
    stored, failed = (CT, "1.2.1"), (CT, "1.2.2")
    committed = Committed(transaction_uid=TRANSACTION, stored=(stored,), failed=((failed, 0x0110),))
    with peer(results) as port:
        to = Reporting(calling="HELTIG", called="PEER", host="127.0.0.1", port=port)
        report(to, committed)
        assert results.next() == (2, {"1.2.1"}, {"1.2.2": 0x0110})
        results.status = 0x0110
        with pytest.raises(PeerUnavailableError, match="0110H"):
            report(to, committed)
    with pytest.raises(PeerUnavailableError, match="takes no association"):
        report(to, committed)
