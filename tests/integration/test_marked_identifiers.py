"""Who sees identifiers: every route that shows something is asked by every role, over marked studies."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from integration.gated import body_of, content_type
from integration.test_marked_data import MARK, MARKS, marked, package
from planted import IDENTITY, planted
from servers.dicomweb import running_loopback
from servers.heltig_server import HeltigServer, heltig_server
from servers.keys import keys

from heltig.auth.policy import OPEN_TO, ROUTES, SEE_IDENTIFIERS
from heltig.auth.principal import ROLES
from heltig.cli import heltig
from heltig.demo.part10 import part10
from heltig.errors import ConfigurationError

PATIENT_ID = "00100020"
SHOWN = IDENTITY | {"00080070", "00081030", "0008103E", "00081090"}
OTHER_DATE = "19510607"
ALL_MARKS = (*MARKS, OTHER_DATE, "1951-06-07")
WAIT_SECONDS = 120.0

HOLD = {"strategy": "none", "gate": "hold", "gateIdleSeconds": 0.1}

NEVER = frozenset({"GET /dicom-web/changefeed/stream", "GET /login/start", "GET /login/return"})
"""Routes that lead elsewhere, or whose answer has no end."""

AN_ARCHIVES = "/gate/"
"""What an archive answers through its gate is not ours."""


def somebody(seed: int, **person: str) -> list[dict[str, Any]]:
    """A marked study with another identity."""
    elements = {
        "00080050": {"vr": "SH", "Value": [person["accession"]]},
        "00081010": {"vr": "SH", "Value": [f"{MARK}-T{seed}"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": person["name"]}]},
        "00100020": {"vr": "LO", "Value": [person["id"]]},
        "00100030": {"vr": "DA", "Value": [person["born"]]},
        "00100040": {"vr": "CS", "Value": ["F"]},
        "00200010": {"vr": "SH", "Value": [f"{MARK}-S{seed}"]},
    }
    return marked("dx-hand", seed, **elements)


def studies() -> list[list[dict[str, Any]]]:
    """Four studies of whom the index says something, and one that contradicts itself."""
    anna, berta = f"{MARK}^Anna", f"{MARK}X^Berta"
    first, second = "19470304", OTHER_DATE
    return [
        somebody(21, name=anna, id=f"{MARK}-A", born=first, accession=f"{MARK}-1"),
        somebody(22, name=berta, id=f"{MARK}-A", born=second, accession=f"{MARK}-2"),
        somebody(23, name=anna.lower(), id=f"{MARK}-C", born=first, accession=f"{MARK}-3"),
        somebody(24, name=berta, id=f"{MARK}-D", born="19610101", accession=f"{MARK}-1"),
        somebody(25, name=f"{MARK}^Nobody", id="UNKNOWN", born="19710101", accession="0000"),
        somebody(26, name=f"{MARK}^Other", id="UNKNOWN", born="19810101", accession="0000"),
        ill_formed(29),
        marked("two-patient-ids", 27)[:4],
    ]


def ill_formed(seed: int) -> list[dict[str, Any]]:
    """A study with marks in codes, in its date and time, and where numbers should be."""
    own = {PATIENT_ID: {"vr": "LO", "Value": [f"{MARK}-E"]}, "00080050": {"vr": "SH", "Value": [f"{MARK}-9"]}}
    found = [{**planted(one, MARK, keep=SHOWN), **own} for one in marked("dx-hand", seed)]
    for one in found:
        one.pop("7FE00010", None)  # it is made up by the numbers beside it
    return found


EXPECTED = [
    {"PAT-COLLISION-SUSPECT", "PAT-SPLIT-SUSPECT", "STU-ACCESSION-SHARED"},
    {"PAT-COLLISION-SUSPECT"},
    {"PAT-SPLIT-SUSPECT"},
    {"STU-ACCESSION-SHARED"},
    set(),
    set(),
    set(),
    set(),
]
"""What the index has to say of each, whether it holds identifiers or hashes."""

ACROSS = frozenset().union(*EXPECTED)


@dataclass
class Site:
    """A server over the marked studies."""

    server: HeltigServer
    headers: Mapping[str, dict[str, str]]
    firsts: list[dict[str, Any]]
    clients: dict[str, httpx.Client] = field(default_factory=dict)

    @property
    def uids(self) -> list[str]:
        return [one["0020000D"]["Value"][0] for one in self.firsts]

    def get(self, path: str, role: str = "admin", **options: Any) -> httpx.Response:
        return self.clients[role].get(path, **options)

    def rules(self, study: str) -> set[str]:
        found = self.get(f"/api/v1/studies/{study}/findings?limit=1000").json().get("items", [])
        return {one["rule"] for one in found} & ACROSS

    def until(self, is_so: Callable[[], Any], otherwise: str) -> None:
        """Asks until something is so: nothing tells another process of it."""
        end = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < end, otherwise
            time.sleep(0.2)

    def settled(self) -> None:
        """Waits until the index has told all studies of the others."""
        self.until(lambda: [self.rules(uid) for uid in self.uids] == EXPECTED, "rules across studies differ")


@contextmanager
def site(home: Path, root: str = "", **settings: str) -> Iterator[Site]:
    """Runs a server with a key for each role, on what is in its home; filled where there is an archive."""
    given = {"auth_mode": "api-key", "limit_refused": "0", "limit_changes": "0", **settings}
    with ExitStack() as stack:
        server = stack.enter_context(heltig_server(home, **given))
        made = keys(home, **given) if root else _KEYS[home]
        _KEYS[home] = made
        running = Site(server, made, [instances[0] for instances in studies()])
        for role in ROLES:
            client = httpx.Client(base_url=server.url, headers=made[role], trust_env=False, timeout=120)
            running.clients[role] = stack.enter_context(client)
        if root:
            _fill(running, root)
        yield running


_KEYS: dict[Path, Mapping[str, dict[str, str]]] = {}


def _fill(running: Site, root: str) -> None:
    admin = running.clients["admin"]
    entry = {"name": "main", "qidoUrl": root, "options": HOLD}
    admin.post("/api/v1/archives", json=entry).raise_for_status()
    packed = package(*(part10(one, {}) for study in studies() for one in study))
    admin.post("/api/v1/jobs/upload", content=packed).raise_for_status()
    kept_back = [part10(one, {}) for one in marked("two-patient-ids", 28)[:4]]
    headers = {"Content-Type": content_type("kept")}
    sent = admin.post("/gate/main/studies", content=body_of(kept_back, boundary="kept"), headers=headers)
    assert sent.status_code == 200, sent.text
    running.settled()
    running.until(lambda: admin.get("/api/v1/quarantine").json()["items"], "nothing is in quarantine")
    study = running.uids[-1]
    found = admin.get(f"/api/v1/studies/{study}/findings").json()["items"]
    one = next(item for item in found if item["rule"] == "PAT-ID-CONFLICT")
    waiver = {name: one[name] for name in ("rule", "tags", "observed", "digest")}
    expires = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    waiver |= {"reason": "as it is", "study": study, "expires": expires}
    given = admin.post("/api/v1/waivers", json=waiver)
    assert given.is_success, given.text
    running.until(lambda: _is_waived(running, study), "the waiver covers nothing")


def _is_waived(running: Site, study: str) -> bool:
    found = running.get(f"/api/v1/studies/{study}/findings?waived=true").json()["items"]
    return "PAT-ID-CONFLICT" in {one["rule"] for one in found}


def requests(running: Site, role: str) -> Iterator[str]:
    """Every GET that a role may send, for every study, with parameters that ask for more."""
    for route, area in ROUTES.items():
        method, _, template = route.partition(" ")
        if method != "GET" or route in NEVER or (area != "public" and role not in OPEN_TO[area]):
            continue
        for first in (
            (running.firsts[0], *running.firsts[-2:]) if "{study}" in template else running.firsts[:1]
        ):
            names = {
                "archive": "main",
                "study": first["0020000D"]["Value"][0],
                "series": first["0020000E"]["Value"][0],
                "instance": first["00080018"]["Value"][0],
                "resource": "metadata",
                "id": "main" if "/archives/" in template else "1",
                "file_path": "x",
                "name": "default",
                "path": "openapi.json",
                "asked": "1",
                "part": "all",
            }
            path = template.format_map(names)
            yield path
            yield from (f"{path}?{query}" for query in MORE.get(template, ()))


MORE = {
    "/dicom-web/studies": (
        "includefield=all",
        "includefield=OtherPatientIDs,PatientBirthName,00104000,PatientComments,00991010",
        "StudyDate=19000101-",
    ),
    "/api/v1/studies/{study}/proposed-changes": ("format=dcmodify",),
    "/api/v1/studies/{study}/findings": ("limit=1000",),
    "/api/v1/jobs": ("limit=200",),
    "/api/v1/audit": ("limit=1000",),
    "/api/v1/waivers": ("limit=200",),
    "/api/v1/comparison": ("source=main&destination=main",),
    "/dicom-web/changefeed": ("since=0",),
}


def leaks(running: Site, role: str) -> dict[str, str]:
    """The answers to a role that have a mark, with its surroundings."""
    found = {}
    for path in requests(running, role):
        answer = running.get(path, role)
        assert answer.status_code < 500 or answer.status_code in (502, 503), (path, answer.text)
        text = f"{answer.headers.raw} {answer.content.decode('utf-8', 'replace')}"
        for mark in ALL_MARKS:
            at = text.find(mark)
            if at >= 0:
                found[path] = text[max(0, at - 120) : at + 60]
    return found


@pytest.fixture(scope="module")
def archive() -> Iterator[str]:
    with running_loopback([one for study in studies() for one in study]) as running:
        yield running.url


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory, archive: str) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("masked"), archive, identifiers="masked") as running:
        yield running


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory, archive: str) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("hashed"), archive, identifiers="hashed") as running:
        yield running


@pytest.mark.parametrize("role", ROLES)
def test_masked_identifiers_are_seen_by_some_roles_alone(masked: Site, role: str) -> None:
    found = leaks(masked, role)
    if role not in SEE_IDENTIFIERS:
        assert found == {}
        return
    study = masked.uids[-1]
    assert {
        "/dicom-web/studies",
        f"/dicom-web/studies/{study}/metadata",
        f"/api/v1/studies/{study}",
        f"/api/v1/studies/{study}/findings",
        f"/api/v1/studies/{study}/fhir/ImagingStudy",
        f"/api/v1/studies/{study}/fhir/OperationOutcome",
        "/api/v1/waivers",
        "/",
        f"/studies/{study}",
        "/gate/main/studies",
    } <= found.keys()


def test_who_sees_masks_cannot_ask_what_is_behind_them(masked: Site) -> None:
    for query in (
        f"PatientID={MARK}-A",
        "PatientName=*",
        "00100030=19470304",
        f"AccessionNumber={MARK}*",
        "ReferringPhysicianName=A*",
        'StudyID=""&emptyvaluematching=true',
    ):
        for role in ("reader", "archive"):
            refused = masked.get(f"/dicom-web/studies?{query}", role)
            assert (refused.status_code, refused.json().get("rule")) == (403, "identifiers"), query
            assert MARK not in refused.text
        assert masked.get(f"/dicom-web/studies?{query}", "reviewer").status_code == 200
    assert masked.get("/dicom-web/studies?PatientID=", "reader").status_code == 200
    row = masked.get(f"/dicom-web/studies?StudyInstanceUID={masked.uids[0]}", "reader").json()[0]
    assert row["00100020"] == {"vr": "LO", "Value": ["[redacted]"]}
    assert row["00100030"] == {"vr": "DA"}
    assert row["00081030"]["Value"]
    assert row["00991001"]["Value"]
    for path in (f"/dicom-web/studies/{masked.uids[0]}/rejection-note", "/gate/main/studies"):
        refused = masked.get(path, "reader")
        assert (refused.status_code, refused.json()["rule"]) == (403, "identifiers")
    asked = masked.get("/api/v1/audit?action=request.refuse&limit=1000").json()
    assert "identifiers" in json.dumps(asked)
    path = f"/dicom-web/studies/{masked.uids[0]}/metadata"
    tags = {masked.get(path, role).headers["etag"] for role in ("reader", "admin")}
    assert len(tags) == 2
    shown = masked.get(path, "reader").json()[0]
    assert shown["0020000D"]["Value"] == [masked.uids[0]]
    assert shown["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "[redacted]"}]}


def test_who_sees_masks_cannot_try_them_out_by_studies_of_their_own(masked: Site) -> None:
    headers = {"Content-Type": content_type("kept")}
    body = body_of([], boundary="kept")
    refused = masked.clients["archive"].post("/gate/main/studies", content=body, headers=headers)
    assert (refused.status_code, refused.json()["rule"]) == (403, "identifiers")
    made = command(
        masked.server.home, "keys", "create", "sender", "--role", "archive", "--area", "gate",
        auth_mode="api-key", identifiers="masked",
    )  # fmt: skip
    headers["Authorization"] = f"Bearer {made.stdout.split()[-1]}"
    taken = httpx.post(f"{masked.server.url}/gate/main/studies", content=body, headers=headers, timeout=120)
    assert taken.status_code not in (401, 403), taken.text


@pytest.mark.parametrize("role", ROLES)
def test_hashed_identifiers_are_seen_by_nobody(hashed: Site, role: str) -> None:
    found = leaks(hashed, role)
    assert {path for path in found if not path.startswith(AN_ARCHIVES)} == set()
    if role not in SEE_IDENTIFIERS:
        assert found == {}


def test_hashes_are_matched(hashed: Site) -> None:
    _matches(hashed)
    assert_no_marks(hashed.server.home)


def _matches(running: Site) -> None:
    running.settled()  # the same rules fire
    first, second = running.uids[:2]
    for query in (f"PatientID={MARK}-A", f"00100020={MARK}-A"):
        rows = running.get(f"/dicom-web/studies?{query}", "reviewer").json()
        assert {row["0020000D"]["Value"][0] for row in rows} == {first, second}
        assert len({row["00100020"]["Value"][0] for row in rows}) == 1
    for query, uids in (
        (f"PatientName={MARK.lower()}%5Eanna", {first, running.uids[2]}),
        (f"PatientBirthDate={OTHER_DATE}", {second}),
        (f"AccessionNumber={MARK}-1", {first, running.uids[3]}),
        ("PatientID=UNKNOWN", set(running.uids[4:6])),
    ):
        rows = running.get(f"/dicom-web/studies?{query}", "reviewer").json()
        assert {row["0020000D"]["Value"][0] for row in rows} == uids, query
    for query in (f"PatientID={MARK}*", "PatientName=Z?X", "PatientBirthDate=19470101-"):
        refused = running.get(f"/dicom-web/studies?{query}", "reviewer")
        assert refused.status_code == 400, query
        assert "HELTIG_IDENTIFIERS=hashed" in refused.json()["detail"]
    assert running.get(f"/dicom-web/studies?PatientID={MARK}-A", "reader").status_code == 403
    shown = running.get(f"/dicom-web/studies?StudyInstanceUID={first}", "reader").json()
    token = shown[0]["00100020"]["Value"][0]
    assert re.fullmatch("h[a-z2-7]{15}", token)
    evidence = running.get(f"/dicom-web/studies/{first}/metadata", "reader").json()
    assert evidence[0]["00100020"]["Value"] == [token]
    assert _is_waived(running, running.uids[-1])


def assert_no_marks(home: Path) -> None:
    """No row of the database has a mark, whatever the table; evidence and its source are compressed."""
    database = sqlite3.connect(home / "heltig.db")
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        rows = database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 (a table's own name)
        assert [mark for mark in ALL_MARKS if mark in str(rows)] == [], name
    database.close()
    for file in home.glob("heltig.db*"):
        assert [mark for mark in ALL_MARKS if mark.encode() in file.read_bytes()] == [], file.name


def command(home: Path, *words: str, **settings: str) -> Result:
    """Runs `heltig identifiers rewrite`, if not something else."""
    environ = {f"HELTIG_{name.upper()}": value for name, value in settings.items()}
    return CliRunner().invoke(
        heltig, words or ("identifiers", "rewrite"), env={"HELTIG_HOME": str(home), **environ}
    )


def test_a_filled_database_is_turned_into_hashes(masked: Site) -> None:
    """The last one: it stops the server of the others."""
    home = masked.server.home
    while_it_runs = command(home, identifiers="hashed")
    assert "Stop all of it" in str(while_it_runs.exception)
    assert masked.server.stop() == 0
    too_soon = subprocess.run(
        [sys.executable, "-m", "heltig", "serve"],
        env={**os.environ, "HELTIG_HOME": str(home), "HELTIG_IDENTIFIERS": "hashed", "HELTIG_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert too_soon.returncode
    assert "heltig identifiers rewrite" in too_soon.stderr + too_soon.stdout
    doctor = command(home, "doctor", "--offline", identifiers="hashed")
    assert "heltig identifiers rewrite" in " ".join(doctor.stdout.split())
    done = command(home, identifiers="hashed")
    assert done.exit_code == 0, done.output
    assert "9 studies" in done.stdout
    assert command(home, identifiers="hashed").stdout == "Identifiers are hashes already.\n"
    assert (
        "database:  hashes, by the key" in command(home, "identifiers", "show", identifiers="hashed").stdout
    )
    other = {"identifier_key": "env:HELTIG_SECRET_OTHER", "secret_other": "ab" * 32}
    refused = command(home, "identifiers", "show", identifiers="hashed", **other)
    assert isinstance(refused.exception, ConfigurationError)
    assert "HELTIG_SECRET_OTHER" in str(refused.exception)
    assert "HELTIG_IDENTIFIERS=hashed" in str(command(home).exception)
    assert_no_marks(home)
    with site(home, identifiers="hashed") as running:
        _matches(running)
        assert {path for path in leaks(running, "reader") if not path.startswith(AN_ARCHIVES)} == set()
        job = running.clients["admin"].post("/api/v1/rescore", json={}).raise_for_status().json()["id"]
        running.until(
            lambda: running.get(f"/api/v1/jobs/{job}").json()["state"] == "succeeded",
            "nothing was judged again",
        )
        _matches(running)
