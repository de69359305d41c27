"""An archive that leaves it open what became of objects, and has others under their UIDs or the very same."""

import io
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pydicom
import pytest
from integration.gated import FAILED, STORED, Gated, files_of, gated, reasons, stored_in, uids
from integration.test_gate import sop_uids
from pynetdicom import AE, StoragePresentationContexts, evt
from servers.orthanc import Orthanc
from servers.store_front import StoreFront, store_front

pytestmark = pytest.mark.orthanc

DUPLICATE = 0x0111
FAILURE = 0x0110
NOWHERE = 9
"""A port that nobody listens on."""


class Site:
    """A service and an Orthanc, between which there are as many gates as tests want."""

    def __init__(self, gate: Gated, orthanc: Orthanc, front: StoreFront) -> None:
        self.gate = gate
        self.orthanc = orthanc
        self.front = front
        self._numbers = itertools.count(1)

    def open(self, mode: str, *, stow: str | None = None, **options: Any) -> Gated:
        """Another gate before the Orthanc, with a breaker of its own."""
        name = f"gate-{next(self._numbers)}"
        entry = {
            "name": name,
            "qidoUrl": self.orthanc.root,
            "stowUrl": stow,
            "options": {"gate": mode, "gateIdleSeconds": 0.3, "strategy": "none", **options},
            "auth": {"kind": "basic", "username": "heltig", "secret": "env:HELTIG_SECRET_ORTHANC"},
        }
        answer = self.gate.client.post("/api/v1/archives", json=entry)
        assert answer.is_success, answer.text
        return Gated(self.gate.server, name)


@pytest.fixture(scope="module")
def _site(_orthanc_server: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home, orthanc = tmp_path_factory.mktemp("doubt") / "home", _orthanc_server
    with store_front(orthanc) as front, gated(home, orthanc.root, password=orthanc.password) as gate:
        yield Site(gate, orthanc, front)


@pytest.fixture
def site(_site: Site, orthanc: Orthanc) -> Site:
    _site.front.losing, _site.front.reason = "", DUPLICATE
    return _site


def corrected(files: Sequence[bytes], name: str = "OLD") -> list[bytes]:
    """Other objects under the same UIDs."""
    return [_changed(file, name) for file in files]


def _changed(file: bytes, name: str) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(file))
    dataset.ProtocolName = name
    return _written(dataset)


def moved(file: bytes) -> bytes:
    """The same object in another series."""
    dataset = pydicom.dcmread(io.BytesIO(file))
    dataset.SeriesInstanceUID += ".1"
    return _written(dataset)


def with_other_header(file: bytes) -> bytes:
    """The same data set as an archive has it that writes File Meta Information of its own."""
    dataset = pydicom.dcmread(io.BytesIO(file))
    dataset.file_meta.ImplementationVersionName = "ANOTHER"
    return _written(dataset)


def _written(dataset: pydicom.FileDataset) -> bytes:
    made = io.BytesIO()
    dataset.save_as(made)
    return made.getvalue()


def until_not_forwarded(gate: Gated) -> None:
    """Waits until objects were sent on in vain; it is tried again later."""
    jobs, group = "/api/v1/jobs?kind=forward&limit=100", f"gate:{gate.archive}"
    gate.until(lambda: [one for one in gate.get(jobs)["items"] if one["group"] == group and one["error"]])


AWAY: dict[str, dict[str, Any]] = {
    "no connection": {"stow": f"http://127.0.0.1:{NOWHERE}/dicom-web"},
    "not found": {"stow": "{root}/nowhere"},
    "no association": {"dimseHost": "127.0.0.1", "dimsePort": NOWHERE, "dimseAeTitle": "ORTHANC"},
}


@pytest.mark.parametrize("away", AWAY)
@pytest.mark.parametrize("mode", ["observe", "enforce", "hold"])
def test_an_archive_with_old_versions_that_takes_nothing(site: Site, mode: str, away: str) -> None:
    files = files_of("cr-chest", 60)
    old = corrected(files)
    site.orthanc.store(old)
    options = {
        name: value.format(root=site.orthanc.root) if isinstance(value, str) else value
        for name, value in AWAY[away].items()
    }
    gate = site.open(mode, **options)
    answer = gate.store(files)
    if mode == "hold":
        assert answer.status_code == 200
        until_not_forwarded(gate)
        assert sorted(path.read_bytes() for path in gate.spooled()) == sorted(files)
    else:
        assert (answer.status_code, STORED in answer.text) == (503, False)
        assert not gate.spooled()
    assert stored_in(site.orthanc) == sop_uids(old)
    gate.client.close()


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_an_answer_that_is_lost(site: Site, mode: str) -> None:
    files = files_of("cr-chest", 61)
    gate = site.open(mode, stow=site.front.root)
    site.front.losing = "answer"
    answer = gate.store(files)
    assert (answer.status_code, uids(answer, STORED)) == (200, set(sop_uids(files)))
    site.front.losing = "all"
    newer = corrected(files, "NEWER") if mode == "observe" else files
    site.orthanc.clear()
    site.orthanc.store(corrected(files))
    assert gate.store(newer).status_code == 503
    gate.client.close()


@pytest.mark.parametrize("reason", [DUPLICATE, FAILURE])
@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_duplicates_are_stored_where_the_bytes_are_the_same(site: Site, mode: str, reason: int) -> None:
    files = files_of("ct-lungs", 62)[:3]
    site.front.reason = reason
    gate = site.open(mode, stow=site.front.root)
    site.orthanc.store([*files[:1], *corrected(files[1:2])])
    answer = gate.store(files)
    assert (answer.status_code, uids(answer, STORED)) == (202, {*sop_uids([files[0], files[2]])})
    assert (uids(answer, FAILED), reasons(answer)) == ({*sop_uids(files[1:2])}, [reason])
    gate.client.close()


def test_what_an_archive_keeps_in_another_series_is_no_success_in_hold(site: Site) -> None:
    files = files_of("cr-chest", 66)[:1]
    site.front.reason = None
    gate = site.open("hold", stow=site.front.root)
    site.orthanc.store([moved(files[0])])
    assert gate.store(files).status_code == 200
    until_not_forwarded(gate)
    assert [path.read_bytes() for path in gate.spooled()] == files
    gate.client.close()


def test_held_duplicates_are_forwarded_or_wait_for_a_person(site: Site) -> None:
    files = files_of("cr-chest", 63)
    gate = site.open("hold", stow=site.front.root)
    site.orthanc.store([*files[:1], *corrected(files[1:])])
    assert gate.store(files).status_code == 200
    [found] = gate.until(gate.quarantine)
    assert (found["reason"], found["objects"]) == ("The archive refuses it (0111H).", len(files) - 1)
    gate.until(lambda: len(gate.spooled()) == len(files) - 1)
    body = {"reason": "The archive keeps what it has."}
    assert gate.client.post(f"/api/v1/quarantine/{found['id']}/discard", json=body).is_success
    gate.client.close()


@pytest.mark.parametrize("by", ["STOW-RS", "C-STORE"])
def test_what_an_orthanc_keeps_instead_of_the_new_is_no_success_in_hold(site: Site, by: str) -> None:
    """It answers success though it overwrites nothing (its OverwriteInstances is off)."""
    files = files_of("cr-chest", 65)
    site.orthanc.store(corrected(files[:1]))
    with _answering(0) as port:
        dimse = {"dimseHost": "127.0.0.1", "dimsePort": port, "dimseAeTitle": "PACS"}
        gate = site.open("hold", **(dimse if by == "C-STORE" else {}))
        assert gate.store(files[:1]).status_code == 200
        [found] = gate.until(gate.quarantine)
    assert (found["reason"], found["objects"]) == ("The archive refuses it (0111H).", 1)
    assert [path.read_bytes() for path in gate.spooled()] == files[:1]
    body = {"reason": "The archive keeps what it has."}
    assert gate.client.post(f"/api/v1/quarantine/{found['id']}/discard", json=body).is_success
    gate.client.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves sockets
@pytest.mark.parametrize("is_answered", [True, False])
def test_duplicates_by_c_store(site: Site, is_answered: bool) -> None:
    """The first is there, under another header; of the second another version is; the third is not there."""
    files = files_of("ct-lungs", 64)[:3]
    site.orthanc.store([with_other_header(files[0]), *corrected(files[1:2])])
    with _answering(DUPLICATE if is_answered else None) as port:
        gate = site.open("observe", dimseHost="127.0.0.1", dimsePort=port, dimseAeTitle="PACS")
        answer = gate.store(files)
        assert (answer.status_code, uids(answer, STORED)) == (202, {*sop_uids(files[:1])})
        assert set(reasons(answer)) == {DUPLICATE if is_answered else 0x0110}
        gate.client.close()


@contextmanager
def _answering(status: int | None) -> Iterator[int]:
    """An archive that answers each object with a status, or aborts the association; gives its port."""

    def take(event: evt.Event) -> int:
        if status is None:
            event.assoc.abort()
        return status or 0

    entity = AE("PACS")
    entity.supported_contexts = StoragePresentationContexts
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
