"""Patient data stays where it belongs: the product runs over marked data, and all it says is searched.

What may hold them is not searched: snapshots, findings, the indexes of patients and studies, and what is
answered to who asks for these.
"""

import asyncio
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
from integration.gated import Gated, body_of, content_type
from servers.dicomweb import running_loopback
from servers.heltig_server import heltig_server
from servers.receiver import Receiver, receiver

from heltig.demo.archive import LoopbackArchive
from heltig.demo.part10 import part10
from heltig.demo.studies import SyntheticStudy, make_study

MARK = "ZQXMARK"
BIRTH_DATE = "19470304"
MARKS = (MARK, MARK.lower(), BIRTH_DATE, "1947-03-04")


def person(number: int) -> dict[str, Any]:
    """What says who somebody is; each study has somebody else."""
    return {
        "00080050": {"vr": "SH", "Value": [f"{MARK}-ACC{number}"]},
        "00080090": {"vr": "PN", "Value": [{"Alphabetic": f"{MARK}^Referrer"}]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"{MARK}^Anna{number}"}]},
        "00100020": {"vr": "LO", "Value": [f"{MARK}-{number}"]},
        "00100030": {"vr": "DA", "Value": [BIRTH_DATE]},
        "00101001": {"vr": "PN", "Value": [{"Alphabetic": f"{MARK}^Born{number}"}]},
        "00104000": {"vr": "LT", "Value": [f"{MARK} called"]},
        "00321032": {"vr": "PN", "Value": [{"Alphabetic": f"{MARK}^Asks"}]},
    }


ODD = {
    "00100030": {"vr": "DA", "Value": [f"{MARK}1"]},
    "00280010": {"vr": "US", "Value": [f"{MARK}2"]},
    "00200032": {"vr": "DS", "Value": [f"{MARK}3", "0", "0"]},
    "00081140": {"vr": "SQ", "Value": [f"{MARK}4"]},
    "00080005": {"vr": "CS", "Value": [f"{MARK}5"]},
    "00090010": {"vr": "LO", "Value": [f"{MARK}6"]},  # a private creator: it stands in the tags of findings
    "00091001": {"vr": "LO", "Value": ["acquired"]},
    "00120062": {"vr": "CS", "Value": ["YES"]},  # so that rules look at private attributes
}
"""Values where no program expects them: texts of errors tell of these, as a rule."""

NOT_SEARCHED = {
    *("contents", "findings", "lookups", "patients", "profiles", "series", "snapshot_series", "snapshots"),
    *("studies", "study_patients", "verdicts", "waivers"),
}


def marked(name: str, seed: int, **more: Any) -> list[dict[str, Any]]:
    """The instances of a synthetic study, of the marked person; several for studies of several persons."""
    told = {**person(seed), **more}
    datasets = [dict(sorted({**one, **deepcopy(told)}.items())) for one in _study(name, seed).datasets]
    if name == "two-patient-ids":
        datasets[0].update(person(seed + 100))
    return datasets


def files(name: str, seed: int) -> list[bytes]:
    """The same as files."""
    return [part10(one, {}) for one in marked(name, seed)]


def _study(name: str, seed: int) -> SyntheticStudy:
    return make_study(name, seed)


def uid_of(name: str, seed: int) -> str:
    found: str = _study(name, seed).datasets[0]["0020000D"]["Value"][0]
    return found


def package(*contents: bytes) -> bytes:
    """A ZIP with these, and with files that are damaged; the names in it are the person's, too."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for number, content in enumerate(contents):
            file.writestr(f"{MARK}_ANNA/{number}.dcm", content)
        file.writestr(f"{MARK}_ANNA/cut.dcm", contents[0][: len(contents[0]) // 3])
        file.writestr(f"{MARK}_ANNA/{MARK}.txt", f"{MARK} is no DICOM")
        file.writestr(f"{MARK}_ANNA/inner.zip", b"PK\x03\x04" + MARK.encode())
    return packed.getvalue()


class Said:
    """All that was said where no patient data belongs, by where it was said."""

    def __init__(self) -> None:
        self._texts: list[tuple[str, str]] = []

    def add(self, where: str, text: str | bytes) -> None:
        self._texts.append((where, text if isinstance(text, str) else text.decode("utf-8", "replace")))

    def answer(self, answer: httpx.Response, *, body: bool = True) -> httpx.Response:
        """Adds the headers of an answer and, where it may not hold patient data, its body."""
        where = f"{answer.request.method} {answer.request.url.path}"
        self.add(f"{where}: headers", str(answer.headers.raw))
        if body:
            self.add(f"{where}: {answer.status_code}", answer.content)
        return answer

    def leaks(self) -> Iterator[str]:
        for where, text in self._texts:
            for mark in MARKS:
                at = text.find(mark)
                if at >= 0:
                    yield f"{where}: ...{text[max(0, at - 100) : at + 60]}..."


@pytest.fixture(scope="module")
def archive() -> Iterator[LoopbackArchive]:
    datasets = [
        *marked("ct-chest", 11)[:3],
        *marked("two-patient-ids", 12)[:4],
        *marked("dx-hand", 13, **ODD),
    ]
    with running_loopback(datasets) as running:
        yield running


def ask_for_errors(gate: Gated, said: Said) -> None:
    """Refused requests, with marks wherever somebody may write one; who did may be told of them."""
    client = gate.client
    for path in (
        f"/dicom-web/studies?StudyDate={MARK}",
        f"/dicom-web/studies?{MARK}=1",
        f"/dicom-web/studies?PatientName={MARK}&limit={MARK}",
        f"/dicom-web/studies?includefield={MARK}",
        f"/api/v1/studies?patient={MARK}&{MARK}=2",
        f"/api/v1/jobs?state={MARK}",
        "/gate/main/studies?PatientName=" + MARK,
    ):
        client.get(path)
    said.answer(client.post("/api/v1/jobs/upload", content=f"{MARK} is no ZIP".encode()))
    said.answer(
        client.post("/api/v1/waivers", json={"rule": "PAT-ID-CONFLICT", "observed": MARK}), body=False
    )
    said.answer(
        client.post(
            gate.path,
            content=body_of([MARK.encode(), files("ct-chest", 14)[0][:700]], boundary="b"),
            headers={"Content-Type": content_type("b")},
        )
    )


def tables(home: Path) -> Iterator[tuple[str, str]]:
    """The rows of all tables in which no patient data belongs."""
    database = sqlite3.connect(home / "heltig.db")
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert set(names) >= NOT_SEARCHED
    for name in sorted(set(names) - NOT_SEARCHED):
        rows = database.execute(f'SELECT * FROM "{name}"')  # noqa: S608 (a table's own name)
        yield f"table {name}", str(rows.fetchall())
    database.close()


async def test_nothing_of_a_patient_is_where_it_does_not_belong(
    tmp_path: Path, archive: LoopbackArchive
) -> None:
    home, said = tmp_path / "home", Said()
    async with receiver() as told:
        with heltig_server(home, log_format="json", secret_hook="s" * 32) as server:
            gate = Gated(server)
            await _use(gate, archive, told, said)
            gate.client.close()
            assert server.stop() == 0
        said.add("log", server.output)
        for asked in told.got:
            said.add("webhook", f"{asked.path} {asked.headers} {asked.body!r}")
    assert told.got
    for where, text in tables(home):
        said.add(where, text)
    said.add("file names", "\n".join(str(path.relative_to(home)) for path in home.rglob("*")))
    assert not list(said.leaks())


async def _use(gate: Gated, archive: LoopbackArchive, told: Receiver, said: Said) -> None:
    client = gate.client

    def work() -> None:
        hook = {
            "name": "hook",
            "url": told.url,
            "secrets": ["env:HELTIG_SECRET_HOOK"],
            "events": ["verdict", "alerts"],
        }
        said.answer(client.post("/api/v1/webhooks", json=hook)).raise_for_status()
        entry = {
            "name": "main",
            "qidoUrl": archive.url,
            "options": {"strategy": "none", "gate": "enforce", "quietSeconds": 0},
        }
        said.answer(client.post("/api/v1/archives", json=entry)).raise_for_status()
        _bring(gate, said)
        _look(gate, said)
        ask_for_errors(gate, said)

    await asyncio.to_thread(work)
    await told.asked(3)


def _bring(gate: Gated, said: Said) -> None:
    """Studies come in by every way."""
    client = gate.client
    answer = client.post("/api/v1/jobs/upload", content=package(*files("ct-chest", 15)[:3]))
    said.answer(answer, body=False).raise_for_status()
    answer = client.post("/api/v1/jobs/upload/async", content=package(*files("two-patient-ids", 16)[:4]))
    said.answer(answer).raise_for_status()
    gate.store(files("two-patient-ids", 17)[:4])
    gate.change(gate="hold", gateIdleSeconds=0.1)
    said.answer(gate.store(files("date-impossible", 18)))
    asked = {"from": "1900-01-01", "to": "2099-12-31"}
    answer = said.answer(client.post("/api/v1/archives/main/pulls", json=asked)).raise_for_status()
    walk = f"/api/v1/backfills/{answer.json()['backfill']}"
    gate.until(lambda: client.get(walk).json()["finished"])
    said.answer(client.get(walk))
    gate.until(lambda: gate.readiness(uid_of("date-impossible", 18)))


def _look(gate: Gated, said: Said) -> None:
    """Whatever is told without patient data."""
    client = gate.client
    study = uid_of("two-patient-ids", 17)
    for path in (
        "/metrics",
        "/dicom-web/changefeed?since=0",
        f"/consult/studies/{study}",
        f"/dicom-web/studies/{study}/readiness",
        "/api/v1/jobs?limit=200",
        "/api/v1/archives",
        "/api/v1/archives/main/status",
        "/api/v1/status",
        "/api/v1/alerts",
        "/api/v1/audit?limit=1000",
        "/api/v1/webhooks/hook/deliveries",
    ):
        said.answer(client.get(path))
    odd = said.answer(client.get(f"/dicom-web/studies/{uid_of('dx-hand', 13)}/readiness"))
    assert "0009xx01 " in odd.text  # a private attribute is told, the name of its creator is not
    for path in (f"/dicom-web/studies?PatientName={MARK}*", f"/dicom-web/studies?PatientID={MARK}-12"):
        answer = said.answer(client.get(path, headers={"Accept": "application/dicom+json"}), body=False)
        assert MARK in json.dumps(answer.json())  # whoever may ask is told
