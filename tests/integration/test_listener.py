"""`heltig listen` before a real archive, spoken to by real senders."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from integration.dicom_senders import dcmsend, dcmtk, sent_files
from integration.gated import Gated, files_of, gated, stored_in, uid_of
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.sop_class import StorageCommitmentPushModel
from servers.heltig_listener import HeltigListener, heltig_listener
from servers.orthanc import Orthanc, OrthancNotInstalledError, running_orthanc
from unit.connectors.dimse.doors import associated
from unit.connectors.dimse.test_commitment import Results, peer, request

from heltig.pipeline.gate import refusal_codes as codes

pytestmark = [
    pytest.mark.orthanc,
    # Where a peer is gone, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EXPLICIT = str(ExplicitVRLittleEndian)
TRANSACTION = "1.2.3.99"


class Site:
    """An archive that takes C-STORE, a gate before it, and a listener of the gate."""

    def __init__(self, orthanc: Orthanc, gate: Gated, listener: HeltigListener, results: Results) -> None:
        self.orthanc = orthanc
        self.gate = gate
        self.listener = listener
        self.results = results

    def change(self, **options: Any) -> None:
        """Changes the gate, and waits until the listener knows."""
        before = len(self.listener.output)
        self.gate.change(**options)
        self.gate.until(lambda: '"listener.open"' in self.listener.output[before:])

    def spooled(self) -> list[Path]:
        return list((self.gate.server.home / "spool" / "gate").rglob("*.dcm"))

    def until_stored(self, number: int) -> dict[str, bytes]:
        self.gate.until(lambda: len(stored_in(self.orthanc)) == number)
        return stored_in(self.orthanc)


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("listener") / "home"
    results = Results()
    try:
        with (
            running_orthanc(tmp_path_factory.mktemp("orthanc"), takes_dicom=True) as orthanc,
            gated(home, orthanc.root, password=orthanc.password, gate="hold", gateIdleSeconds=0.3) as gate,
            peer(results) as port,
            heltig_listener(
                home,
                "main",
                secret_orthanc=orthanc.password,
                dicom_peers=f"PEER@127.0.0.1:{port},*@127.0.0.1",
            ) as listener,
        ):
            yield Site(orthanc, gate, listener, results)
    except OrthancNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture
def site(_site: Site) -> Iterator[Site]:
    _site.orthanc.clear()
    yield _site
    _site.gate.until(lambda: len(_site.spooled()) == sum(one["objects"] for one in _site.gate.quarantine()))


def data_sets(files: list[bytes]) -> dict[str, pydicom.Dataset]:
    found = (pydicom.dcmread(io.BytesIO(file)) for file in files)
    return {dataset.SOPInstanceUID: dataset for dataset in found}


def test_c_echo(site: Site) -> None:
    port = str(site.listener.port)
    assert dcmtk("echoscu", "-aec", "HELTIG", "127.0.0.1", port).returncode == 0
    refused = dcmtk("echoscu", "-aec", "OTHER", "127.0.0.1", port)
    assert "Called AE Title Not Recognized" in refused.stderr


def test_what_dcmsend_sends_is_judged_and_forwarded(site: Site, tmp_path: Path) -> None:
    files = files_of("cr-chest", 50)
    dcmsend(site.listener.port, sent_files(tmp_path / "sent", files))
    stored = site.until_stored(len(files))
    assert data_sets(list(stored.values())) == data_sets(files)
    assert site.gate.until(lambda: site.gate.readiness(uid_of("cr-chest", 50))) == "READY"


def test_two_studies_in_one_association(site: Site, tmp_path: Path) -> None:
    files = files_of("cr-chest", 51) + files_of("two-patient-ids", 51)
    dcmsend(site.listener.port, sent_files(tmp_path / "sent", files))
    site.until_stored(len(files_of("cr-chest", 51)))
    [found] = site.gate.until(site.gate.quarantine)
    assert (found["reason"], found["objects"]) == ("It is BLOCKED.", len(files_of("two-patient-ids", 51)))
    kept = site.gate.get(f"/api/v1/quarantine/{found['id']}")["objects"]
    assert {one["sender"] for one in kept} == {"DCMSEND"}
    path = f"/api/v1/quarantine/{found['id']}/discard"
    assert site.gate.client.post(path, json={"reason": "a test"}).is_success


def test_the_same_objects_again_are_success_and_nothing_new(site: Site, tmp_path: Path) -> None:
    files = files_of("cr-chest", 52)
    sent = sent_files(tmp_path / "sent", files)
    for _ in range(2):
        dcmsend(site.listener.port, sent)
    site.until_stored(len(files))


def test_enforce_refuses_with_the_code_and_the_rule(site: Site, tmp_path: Path) -> None:
    site.change(gate="enforce")
    try:
        files = files_of("two-patient-ids", 53)
        statuses = []
        contexts = {(str(one.SOPClassUID), EXPLICIT) for one in data_sets(files).values()}
        with associated(site.listener.port, *contexts) as association:
            for dataset in data_sets(files).values():
                statuses.append(association.send_c_store(dataset))
        refused = [one for one in statuses if one.Status]
        assert {one.Status for one in refused} == {codes.FAMILIES["PAT"]}
        assert {one.ErrorComment for one in refused} == {"PAT-ID-CONFLICT"}
        assert len(stored_in(site.orthanc)) == len(files) - len(refused) == 12
    finally:
        site.change(gate="hold")


def test_observe_answers_what_the_archive_answers_of_objects_sent_by_c_store(
    site: Site, tmp_path: Path
) -> None:
    files = files_of("cr-chest", 54)
    site.change(
        gate="observe", dimseHost="127.0.0.1", dimsePort=site.orthanc.dicom_port, dimseAeTitle="ORTHANC"
    )
    try:
        dcmsend(site.listener.port, sent_files(tmp_path / "sent", files))
        assert data_sets(list(stored_in(site.orthanc).values())) == data_sets(files)
        log = site.orthanc.log.read_text(errors="replace") if site.orthanc.log else ""
        assert "POST /dicom-web/studies" not in log
    finally:
        site.change(gate="hold", dimseHost=None, dimseAeTitle=None, dimsePort=None)


def test_orthanc_sends_to_the_listener(site: Site) -> None:
    files = files_of("cr-chest", 55)
    site.orthanc.store(files)
    with site.orthanc.rest() as rest:
        modality = {"AET": "HELTIG", "Host": "127.0.0.1", "Port": site.listener.port}
        rest.put("/modalities/heltig", json=modality).raise_for_status()
        ids = rest.get("/instances").json()
        answer = rest.post("/modalities/heltig/store", json=ids, timeout=60)
        assert answer.is_success, answer.text
    assert site.gate.until(lambda: site.gate.readiness(uid_of("cr-chest", 55))) == "READY"
    assert site.until_stored(len(files))


def test_commitment_to_what_is_in_custody_and_to_what_the_archive_has(site: Site) -> None:
    files = files_of("cr-chest", 56)
    known = data_sets(files)
    contexts = {(str(one.SOPClassUID), EXPLICIT) for one in known.values()}
    contexts.add((str(StorageCommitmentPushModel), EXPLICIT))
    asked = _asked(known)
    with associated(site.listener.port, *contexts, calling="PEER") as association:
        for dataset in known.values():
            assert association.send_c_store(dataset).Status == 0
        assert request(association, asked) == 0
    assert site.results.next() == (2, set(known), {"1.2.3.404": 0x0110})
    site.until_stored(len(files))
    site.gate.until(lambda: not site.spooled())
    with associated(site.listener.port, *contexts, calling="PEER") as association:
        assert request(association, asked) == 0
    assert site.results.next() == (2, set(known), {"1.2.3.404": 0x0110})
    site.orthanc.clear()
    results: Any = Results()
    handlers = [(evt.EVT_N_EVENT_REPORT, results.take)]
    with associated(site.listener.port, *contexts, calling="OTHER", evt_handlers=handlers) as association:
        assert request(association, asked) == 0
        assert results.next() == (2, set(), dict.fromkeys([*known, "1.2.3.404"], 0x0110))


def _asked(known: dict[str, pydicom.Dataset]) -> pydicom.Dataset:
    information = pydicom.Dataset()
    information.TransactionUID = TRANSACTION
    information.ReferencedSOPSequence = []
    pairs = [(str(one.SOPClassUID), uid) for uid, one in known.items()]
    for sop_class, uid in [*pairs, (pairs[0][0], "1.2.3.404")]:
        item = pydicom.Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        information.ReferencedSOPSequence.append(item)
    return information


def test_a_gate_that_is_closed_takes_no_associations(site: Site) -> None:
    site.gate.change(gate=None)
    try:
        site.gate.until(lambda: _is_rejected(site))
    finally:
        site.gate.change(gate="hold")
    site.gate.until(lambda: not _is_rejected(site))


def _is_rejected(site: Site) -> bool:
    with associated(site.listener.port) as association:
        return association.is_rejected


def test_no_patient_data_is_in_the_log(site: Site) -> None:
    assert "listener.refused" in site.listener.output
    for dataset in data_sets(files_of("two-patient-ids", 53)).values():
        assert str(dataset.PatientName) not in site.listener.output
        assert str(dataset.PatientID) not in site.listener.output


def test_one_listener_for_a_gate(site: Site) -> None:
    with pytest.raises(AssertionError, match="runs already"):
        HeltigListener(site.gate.server.home, ["main"], {})
