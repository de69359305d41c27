"""Storage commitment (PS3.4 J): requests as they come, and results as they are reported."""

import ssl
from typing import Any, Final

import msgspec
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from connectors.dimse.door import Commitment, Committed, Reference, Sender
from connectors.dimse.library import hasten, take_turns
from heltig.errors import HeltigError

MOST_REFERENCES: Final = 20_000
ALL_STORED: Final = 1
SOME_FAILED: Final = 2
"""Event types of a result (PS3.4 J.3.3.1.1)."""

SECONDS: Final = 30.0


class PeerUnavailableError(HeltigError):
    """A peer does not take the result of its storage commitment request."""

    exit_code = 8
    status = 502
    problem_type = "/problems/peer-unavailable"
    title = "Peer not available"


class Reporting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a result is reported.

    Attributes:
        calling: Our AE title.
        called: The peer's.
        host: Its address.
        port: Its port.
        tls: Speaks TLS with this; None speaks none.
    """

    calling: str
    called: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None


def read_request(information: Dataset, sender: Sender) -> Commitment:
    """The Action Information of an N-ACTION request (PS3.4 J.3.2.1.1).

    Raises:
        ValueError: It is none, or has more objects than `MOST_REFERENCES`.
    """
    transaction = str(information.get("TransactionUID") or "")
    sequence: Any = information.get("ReferencedSOPSequence") or ()
    if not transaction or len(transaction) > 64 or not 0 < len(sequence) <= MOST_REFERENCES:
        raise ValueError("not a storage commitment request")
    references = tuple(
        (str(item.get("ReferencedSOPClassUID") or ""), str(item.get("ReferencedSOPInstanceUID") or ""))
        for item in sequence
    )
    if not all(sop_instance for _, sop_instance in references):
        raise ValueError("an object without a SOP Instance UID")
    return Commitment(sender=sender, transaction_uid=transaction, references=references)


def report(to: Reporting, committed: Committed) -> None:
    """Reports a result on an association of its own. It waits: not on the event loop.

    Raises:
        PeerUnavailableError: The peer does not answer, or does not take it.
    """
    entity = AE(to.calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = SECONDS
    entity.add_requested_context(StorageCommitmentPushModel, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    association = entity.associate(
        to.host,
        to.port,
        ae_title=to.called,
        ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
        tls_args=(to.tls, to.host) if to.tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, _set_up)],
    )
    if not association.is_established:
        raise PeerUnavailableError(f"{to.called} at {to.host}:{to.port} takes no association from us.")
    try:
        status = report_on(association, committed)
    except (RuntimeError, ValueError) as error:
        raise PeerUnavailableError(f"{to.called} takes no storage commitment results.") from error
    finally:
        association.release()
    if status != 0:
        said = "does not answer" if status is None else f"answers {status:04X}H"
        raise PeerUnavailableError(f"{to.called} {said} to a storage commitment result.")


def _set_up(event: evt.Event) -> None:
    hasten(event.assoc, silence=SECONDS)
    take_turns(event.assoc)


def report_on(association: Association, committed: Committed) -> int | None:
    """Reports a result on an association that there is; returns the peer's status, None without one.

    Raises:
        RuntimeError: The association has ended.
        ValueError: The peer did not agree to it.
    """
    information = Dataset()
    information.TransactionUID = committed.transaction_uid
    if committed.stored:
        information.ReferencedSOPSequence = [_item(reference) for reference in committed.stored]
    if committed.failed:
        information.FailedSOPSequence = [_item(reference, reason) for reference, reason in committed.failed]
    status, _ = association.send_n_event_report(
        information,
        SOME_FAILED if committed.failed else ALL_STORED,
        StorageCommitmentPushModel,
        StorageCommitmentPushModelInstance,
    )
    found: int | None = status.get("Status")
    return found


def _item(reference: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
    if reason is not None:
        item.FailureReason = reason
    return item
