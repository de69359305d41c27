"""A C-STORE SCP, spoken to by pynetdicom: what comes is what was sent, and who may not send is told so."""

import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID, AllTransferSyntaxes, ImplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.pdu_primitives import SOPClassCommonExtendedNegotiation
from pynetdicom.sop_class import Verification
from servers.certificates import Authority
from unit.connectors.dimse.doors import CT, WAIT_SECONDS, KeepingDoor, associated, listening, request_of, send

from connectors.dimse.door import Answer
from connectors.dimse.library import MOST_PDU
from connectors.dimse.reception import IN_MEMORY
from heltig.setting_types import Peer
from heltig.tls import server_context

ODD = b"no data set at all\x00\xff" * 7


@pytest.fixture
def door(tmp_path: Path) -> KeepingDoor:
    return KeepingDoor(tmp_path)


def test_a_data_set_is_kept_byte_for_byte_behind_a_header_of_ours(door: KeepingDoor) -> None:
    with listening(door) as port, associated(port, (CT, str(JPEG2000Lossless))) as association:
        assert send(association, ODD, instance="1.2.3.4").Status == 0
    [(arrived, content)] = door.arrived
    assert content.endswith(ODD)
    meta = pydicom.filereader.read_file_meta_info(_file(door, content))
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, "1.2.3.4")
    assert meta.TransferSyntaxUID == JPEG2000Lossless == arrived.transfer_syntax_uid
    assert len(content) == 132 + 12 + meta.FileMetaInformationGroupLength + len(ODD)
    assert (arrived.sender.ae_title, arrived.sender.address) == ("TESTSCU", "127.0.0.1")


def test_the_header_is_one_that_pydicom_reads_with_the_data_set(door: KeepingDoor) -> None:
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientID = CT, "1.2.3", "X"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with listening(door) as port, associated(port, (CT, str(ImplicitVRLittleEndian))) as association:
        assert association.send_c_store(dataset).Status == 0
    assert pydicom.dcmread(_file(door, door.arrived[0][1])).PatientID == "X"


def _file(door: KeepingDoor, content: bytes) -> Path:
    path = door.folder / "read.dcm"
    path.write_bytes(content)
    return path


def test_every_storage_class_and_every_transfer_syntax_is_accepted(door: KeepingDoor) -> None:
    classes = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]
    with listening(door) as port:
        for start in range(0, len(classes), 128):
            pairs = [(uid, str(JPEG2000Lossless)) for uid in classes[start : start + 128]]
            with associated(port, *pairs) as association:
                assert len(association.accepted_contexts) == len(pairs)
        with associated(port, *((CT, str(syntax)) for syntax in AllTransferSyntaxes)) as association:
            accepted = [context.transfer_syntax for context in association.accepted_contexts]
            assert accepted == [[syntax] for syntax in AllTransferSyntaxes]


def test_private_classes_and_syntaxes_are_taken_too(door: KeepingDoor) -> None:
    private = ("1.3.6.1.4.1.99999.1.2", "1.3.6.1.4.1.99999.9")
    with listening(door) as port, associated(port, private) as association:
        assert send(association, ODD, sop_class=private[0]).Status == 0
    assert door.arrived[0][0].transfer_syntax_uid == private[1]


OTHER_SERVICE = "1.3.6.1.4.1.99999.1.3"


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.5.1.4.31",  # Modality Worklist FIND
        "1.2.840.10008.5.1.4.1.2.2.1",  # Study Root FIND
        "1.2.840.10008.5.1.4.1.2.2.2",  # Study Root MOVE
        "1.2.840.10008.5.1.4.1.1.201.2",  # Inventory FIND
        "1.2.840.10008.3.1.2.3.3",  # Modality Performed Procedure Step
        "1.2.840.10008.5.1.1.9",  # Basic Grayscale Print Management
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage: of no study
        "1.2.840.10008.5.1.4.99.99",  # none that there is
        OTHER_SERVICE,  # a private one that is said to be a query
    ],
)
def test_classes_of_other_services_are_not_accepted(door: KeepingDoor, uid: str) -> None:
    said = SOPClassCommonExtendedNegotiation()
    said.sop_class_uid = UID(OTHER_SERVICE)
    said.service_class_uid = UID("1.2.840.10008.4.3")
    with (
        listening(door) as port,
        associated(port, (uid, "1.2.840.10008.1.2"), (CT, "1.2.840.10008.1.2"), ext_neg=[said]) as one,
    ):
        assert [str(context.abstract_syntax) for context in one.accepted_contexts] == [CT]
        assert [context.result for context in one.rejected_contexts] == [3]
        assert send(one, ODD).Status == 0


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage, retired
        "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction Storage
        "1.2.840.10008.5.1.4.1.1.9999",  # one of an edition to come
    ],
)
def test_storage_classes_old_and_new_are_accepted(door: KeepingDoor, uid: str) -> None:
    with listening(door) as port, associated(port, (uid, "1.2.840.10008.1.2")) as association:
        assert send(association, ODD, sop_class=uid).Status == 0


@pytest.mark.parametrize("lacking", ["data set", "any fragment", "priority", "SOP Instance UID"])
def test_every_request_is_answered(door: KeepingDoor, lacking: str) -> None:
    with listening(door, silence=0.5) as port, associated(port) as association:
        [context] = association.accepted_contexts
        message = C_STORE_RQ()
        request = request_of(CT, "1.2.3", ODD)
        if lacking == "data set":
            request.DataSet = None
        message.primitive_to_message(request)
        message.context_id = context.context_id
        if lacking == "priority":
            del message.command_set.Priority
        if lacking == "SOP Instance UID":
            del message.command_set.AffectedSOPInstanceUID
        fragments = list(message.encode_msg(context.context_id or 0, 16_000))
        association._reactor_checkpoint.clear()
        for fragment in fragments[:-1] if lacking == "any fragment" else fragments:
            association.dul.send_pdu(fragment)
        _, response = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        assert response is not None
        assert send(association, ODD, instance="1.2.4").Status == 0
    assert len(door.arrived) == 2


def test_c_echo(door: KeepingDoor) -> None:
    with listening(door) as port, associated(port, (str(Verification), str(ImplicitVRLittleEndian))) as one:
        assert one.send_c_echo().Status == 0


@pytest.mark.parametrize("size", [IN_MEMORY, 3 * IN_MEMORY + 17])
def test_large_objects_are_what_was_sent(door: KeepingDoor, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    with listening(door) as port, associated(port) as association:
        assert send(association, data[:size]).Status == 0
        assert send(association, ODD, instance="1.2.4").Status == 0
    assert [content[-len(ODD) :] for _, content in door.arrived] == [data[:size][-len(ODD) :], ODD]
    content = door.arrived[0][1]
    assert content.endswith(data[:size])
    assert content.startswith(bytes(128) + b"DICM")


def test_what_is_larger_than_an_object_may_be_is_passed_over(door: KeepingDoor) -> None:
    with listening(door, most_object=2 * IN_MEMORY) as port, associated(port) as association:
        response = send(association, bytes(3 * IN_MEMORY))
        assert (response.Status, response.ErrorComment) == (0xA700, "It is larger than an object may be")
        assert send(association, ODD).Status == 0
    assert len(door.arrived) == 1
    assert list(door.folder.iterdir()) == []


def test_an_object_for_which_there_is_no_file_is_refused(door: KeepingDoor) -> None:
    door.folder = door.folder / "absent"
    with listening(door) as port, associated(port) as association:
        assert send(association, bytes(2 * IN_MEMORY)).Status == 0xA700
        assert send(association, ODD).Status == 0


def test_what_the_door_answers_is_what_the_sender_is_told(door: KeepingDoor) -> None:
    door.answer = lambda arrived: Answer(0xC350, "PAT-ID-CONFLICT")
    with listening(door) as port, associated(port) as association:
        response = send(association, ODD)
    assert (response.Status, response.ErrorComment) == (0xC350, "PAT-ID-CONFLICT")
    [(event, sender, status)] = door.told
    assert (event, sender.ae_title, status) == ("listener.refused", "TESTSCU", 0xC350)


def test_a_fault_of_ours_is_told_and_the_association_goes_on(door: KeepingDoor) -> None:
    answers = iter([ZeroDivisionError(), None])

    def answer(arrived: object) -> Answer:
        if error := next(answers):
            raise error
        return Answer()

    door.answer = answer
    with listening(door) as port, associated(port) as association:
        assert send(association, ODD).Status == 0x0110
        assert send(association, ODD).Status == 0


@pytest.mark.parametrize(
    ("peers", "calling", "reaches"),
    [
        ([], "ANYBODY", True),
        (["CT1@127.0.0.1"], "CT1", True),
        (["*@127.0.0.0/8"], "ANYBODY", True),
        (["CT1@127.0.0.1"], "CT2", False),
        (["CT1@10.1.2.3"], "CT1", False),
    ],
)
def test_only_peers_may_send(door: KeepingDoor, peers: list[str], calling: str, reaches: bool) -> None:
    with (
        listening(door, peers=tuple(map(Peer.parse, peers))) as port,
        associated(port, calling=calling) as association,
    ):
        assert association.is_established is reaches
        if not reaches:
            is_stranger = not any(one.endswith("127.0.0.1") for one in peers)
            _until_told(door, ("listener.stranger", 0) if is_stranger else ("listener.rejected", 3))


def test_another_called_ae_title_is_rejected(door: KeepingDoor) -> None:
    with listening(door) as port, associated(port, called="OTHER") as association:
        assert association.is_rejected
        assert association.acceptor.primitive is not None
        assert association.acceptor.primitive.diagnostic == 7
        _until_told(door, ("listener.rejected", 7))


def test_without_room_associations_are_rejected_for_now(door: KeepingDoor) -> None:
    door.room = False
    with listening(door) as port, associated(port) as association:
        primitive = association.acceptor.primitive
        assert primitive is not None
        assert (primitive.result, primitive.result_source, primitive.diagnostic) == (2, 3, 2)


def test_one_association_too_many_is_rejected_for_now(door: KeepingDoor) -> None:
    with listening(door, most_associations=1) as port, associated(port) as first:
        assert first.is_established
        with associated(port) as second:
            primitive = second.acceptor.primitive
            assert primitive is not None
            assert (primitive.result, primitive.result_source, primitive.diagnostic) == (2, 3, 2)
        assert send(first, ODD).Status == 0
        _until_told(door, ("listener.rejected", 2))


@pytest.mark.parametrize("size", [20_000, 2 * IN_MEMORY])
def test_an_object_that_breaks_off_leaves_nothing(door: KeepingDoor, size: int) -> None:
    with listening(door) as port:
        with associated(port) as association:
            [context] = association.accepted_contexts
            _send_a_part(association, context.context_id or 0, size)
            association.abort()
        with associated(port) as association:
            assert send(association, ODD).Status == 0
    assert len(door.arrived) == 1
    assert list(door.folder.iterdir()) == []


def _send_a_part(association: Association, context: int, size: int) -> None:
    """All of a C-STORE request but its last fragment."""
    message = C_STORE_RQ()
    message.primitive_to_message(request_of(CT, "1.2.3", bytes(size)))
    message.context_id = context
    fragments = list(message.encode_msg(context, 16_000))
    for fragment in fragments[:-1]:
        association.dul.send_pdu(fragment)


def test_a_pdu_without_end_is_not_waited_for(door: KeepingDoor) -> None:
    with (
        listening(door, silence=0.2, patience=0.5) as port,
        socket.create_connection(("127.0.0.1", port)) as sender,
    ):
        sender.sendall(struct.pack(">BBL", 1, 0, 5000) + bytes(100))
        sender.settimeout(60)
        assert sender.recv(100) == b""


def test_a_pdu_that_is_longer_than_any_is_not_read(door: KeepingDoor) -> None:
    with listening(door, patience=0.5) as port, socket.create_connection(("127.0.0.1", port)) as sender:
        sender.sendall(struct.pack(">BBL", 1, 0, MOST_PDU + 1))
        sender.settimeout(60)
        assert sender.recv(100) == b""


def test_tls_with_a_certificate_of_the_sender(door: KeepingDoor, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("ours"), authority.issue("theirs")
    context = server_context(ours.certificate, ours.key, authority.certificate)
    with listening(door, tls=context) as port:
        sender = ssl.create_default_context(cafile=authority.certificate)
        with associated(port, tls_args=(sender, "127.0.0.1")) as association:
            assert not association.is_established
        sender.load_cert_chain(theirs.certificate, theirs.key)
        with associated(port, tls_args=(sender, "127.0.0.1")) as association:
            assert send(association, ODD).Status == 0
            assert send(association, bytes(2 * IN_MEMORY)).Status == 0
        with associated(port) as association:
            assert not association.is_established
        _until_told(door, ("listener.tls-failed", 0), ("listener.tls-failed", 0))


def _until_told(door: KeepingDoor, *expected: tuple[str, int]) -> None:
    """Waits until the log says so: a listener writes it when the sender knows already."""
    end = time.monotonic() + WAIT_SECONDS
    while [(event, status) for event, _, status in door.told] != [*expected]:
        assert time.monotonic() < end, door.told
        time.sleep(0.01)


def test_a_listener_stops_though_somebody_is_at_an_object(
    door: KeepingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.dimse.listener.END_SECONDS", 0.2)
    begun, may_end = threading.Event(), threading.Event()

    def answer(arrived: object) -> Answer:
        begun.set()
        may_end.wait()
        return Answer()

    door.answer = answer
    with listening(door) as port:
        sending = threading.Thread(target=_send_once, args=(port,), daemon=True)
        sending.start()
        assert begun.wait(60)
    may_end.set()  # not before the listener has stopped
    sending.join(60)
    assert not sending.is_alive()


def _send_once(port: int) -> None:
    with associated(port) as association:
        send(association, ODD)
