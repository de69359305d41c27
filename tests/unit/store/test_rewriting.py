"""A filled database turned into hashes, a row at a time, broken off and begun again."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from unit.store.databases import render
from unit.store.samples import NOW, STUDY, finding, judge, snapshot

from heltig.audit.trail import open_trail
from heltig.errors import ConfigurationError, ConflictError, UsageError
from heltig.jobs.attempt import Handler
from heltig.jobs.queue import utc_now
from heltig.pipeline.identifiers.hashing import Hashing
from heltig.pipeline.identifiers.key import open_identifiers
from heltig.rules.index_facts import Identity, IndexFact, name_words
from heltig.rules.profile import DEFAULT
from heltig.settings import Settings
from heltig.store import devices, identifier_state, rewriting, studies, verdicts, waivers, workers
from heltig.store.encryption import PLAIN
from heltig.store.encryption_keys import EncryptionKeys
from heltig.store.engine import Store
from heltig.store.keyed import Keyed
from heltig.store.records import Device, Patient, StudyAttributes
from heltig.store.search import search
from heltig.store.study_query import StudyQuery
from heltig.store.transaction import WriteTransaction
from heltig.store.waivers import NewWaiver
from heltig.store.workers import Worker
from heltig.working import working

KEYED = Keyed(b"k" * 32)
CIPHER = EncryptionKeys("env:HELTIG_SECRET_KEYS", {"HELTIG_SECRET_KEYS": "01" * 32})
JANE = Patient(
    patient_id="P1", patient_name="Doe^Jane", patient_birth_date="19700102", patient_sex="F", instances=3
)
SPELLINGS = (JANE, Patient(patient_id="P1", patient_name="DOE^JANE^^", patient_birth_date="19700102",
                           patient_sex="F", instances=1))  # fmt: skip


@pytest.fixture(params=[PLAIN, CIPHER], ids=["plain", "encrypted"])
async def store(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    made = await Store.open(url, render=render, cipher=request.param)
    yield made
    await made.close()


async def fill(store: Store, settings: Settings) -> None:
    await open_trail(store, settings, clock=lambda: NOW)
    named = (Device("Acme", "CT 9", "ROE-CT"),)
    new = snapshot(patients=SPELLINGS, accession_number="A1", referring_physician_name="Roe^R", devices=named)
    odd = replace(
        finding("PAT-ID-CONFLICT", observed="P1, P2", expected="one PatientID"),
        message="PatientID has 'DOE JANE'",
        tags=("00100020", "0029xx10 DOE^JANE"),
        instances=("1.2.3", "DOE JANE"),
    )
    uid = finding("UID-CHARS", tags=("0020000D",), observed="1.2.03")
    published = await judge(store, new, odd, uid, readiness="BLOCKED")
    given = NewWaiver(
        rule="PAT-ID-CONFLICT",
        tags=odd.tags,
        observed=odd.observed,
        digest=odd.digest,
        study_key=STUDY,
        reason="as it is",
        author="user:anna",
        created=NOW,
        expires=NOW + timedelta(days=1),
    )
    await store.write_durably(waivers.add, given)
    assert published.study.readiness == "BLOCKED"


async def test_it_is_turned_row_by_row(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    await fill(store, Settings(home=tmp_path_factory.mktemp("home")))
    location = (await store.read(studies.find_everywhere, STUDY))[0].location
    before = await store.read(verdicts.current, location, STUDY)
    assert await store.write(rewriting.turn, Hashing(KEYED)) is None  # nobody said that it begins
    await store.write(rewriting.begin, KEYED)
    turned = []
    while done := await store.write(rewriting.turn, Hashing(KEYED), limit=1):
        turned.append(done[0])
        await store.write(broken_off)
    assert list(dict.fromkeys(turned)) == [
        "patients",
        "studies",
        "verdicts",
        "waivers",
        "devices",
        "observations",
    ]
    state = await store.read(identifier_state.find)
    assert state == identifier_state.State("hashed", KEYED.id, identifier_state.WHOLE)

    study = (await store.read(studies.find_everywhere, STUDY))[0]
    assert {p.patient_id for p in study.attributes.patients} == {KEYED.token("patient_id", "P1")}
    assert len({p.patient_name for p in study.attributes.patients}) == 1  # both spellings are one name
    assert study.attributes.accession_number == KEYED.token("accession_number", "A1")
    verdict = await store.read(verdicts.current, location, STUDY)
    assert verdict
    assert before
    assert (verdict.verdict.id, verdict.revision) == (before.verdict.id, before.revision)
    person, uid = verdict.verdict.findings
    assert (person.observed, person.expected, person.rule) == ("[redacted]", "[redacted]", "PAT-ID-CONFLICT")
    assert person.message == "PatientID has '[redacted]'"
    assert (person.tags, person.instances) == (("00100020", "0029xx10 [redacted]"), ("1.2.3", "[redacted]"))
    assert uid.observed == "1.2.03"
    [waiver] = await store.read(waivers.newest, now=NOW, limit=9)
    assert (waiver.observed, waiver.digest, waiver.tags) == ("[redacted]", person.digest, person.tags)
    assert person.digest == KEYED.digest(before.verdict.findings[0].digest)
    assert await store.read(waivers.concerned, waiver)  # it covers what it covered
    query = KEYED.query(StudyQuery(patient_name="doe^jane", patient_id="P1"))
    assert len(await store.read(search, query, now=NOW, limit=9)) == 1
    hashed = KEYED.device(Device("Acme", "CT 9", "ROE-CT"))
    assert hashed.station.startswith("h")
    assert await store.read(devices.every_set) == {1: (hashed,)}
    assert await store.write(devices.set_of, [hashed]) == 1  # the next study of it finds its set
    query = KEYED.query(StudyQuery(manufacturer="acme", station="ROE-CT"))
    assert len(await store.read(search, query, now=NOW, limit=9)) == 1


async def test_what_an_earlier_version_left_is_turned(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), identifiers="hashed", identifier_key="env:HELTIG_SECRET_ID"
    )
    environ = {"HELTIG_SECRET_ID": KEYED.key.hex()}
    await store.write(identifier_state.begin, identifier_state.State("hashed", KEYED.id))
    with pytest.raises(ConfigurationError, match="heltig identifiers rewrite"):
        await open_identifiers(store, settings, environ=environ, clock=lambda: NOW)
    await store.write(rewriting.go_on)
    turned = []
    while done := await store.write(rewriting.turn, Hashing(KEYED)):
        turned.append(done[0])
    assert turned == ["observations"]
    assert await open_identifiers(store, settings, environ=environ, clock=lambda: NOW) == KEYED
    with pytest.raises(ConfigurationError, match="cannot be changed for another one"):
        await open_identifiers(store, settings, environ={"HELTIG_SECRET_ID": "ab" * 32}, clock=lambda: NOW)
    assert await store.write(rewriting.go_on) == await store.read(identifier_state.find)


async def test_nobody_may_run_while_a_database_begins_to_be_hashed(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Who began while identifiers were to be kept as they are would go on with it."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), identifiers="hashed")
    other = Worker(owner="a/1", host="ward", version="1", started=NOW, heard=NOW)
    await store.write(workers.hear, other)
    with pytest.raises(ConflictError, match="Heltig runs on ward"):
        await open_identifiers(store, settings, clock=lambda: NOW)
    assert await store.read(identifier_state.find) is None
    assert not list(settings.home.iterdir())
    later = NOW + timedelta(minutes=2)
    keyed = await open_identifiers(store, settings, clock=lambda: later)
    await store.write(workers.hear, replace(other, heard=later))
    assert await open_identifiers(store, settings, clock=lambda: later) == keyed  # a second of the same


async def test_who_starts_while_a_database_begins_to_be_hashed_does_not_go_on(tmp_path: Path) -> None:
    """It was opened while nobody hashed in it; who begins had not heard of it."""
    settings = Settings(home=tmp_path, workers=1)

    async def begin() -> None:
        store = await Store.open(settings.database, render=render)
        await open_identifiers(store, replace(settings, identifiers="hashed"), clock=utc_now)
        await store.close()

    def meanwhile(desks: object, queue: object) -> Mapping[str, Handler]:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, begin()).result()
        return {}

    with pytest.raises(ConfigurationError, match="HELTIG_IDENTIFIERS=plain wants them as they are"):
        async with working(settings, profile=DEFAULT, clock=utc_now, more=meanwhile):
            pytest.fail("It works.")
    store = await Store.open(settings.database, render=render)
    assert await store.read(workers.heard_of, since=NOW - timedelta(days=9_999)) == []
    await store.close()


class Interrupted(Exception):
    pass


async def test_what_is_broken_off_is_as_it_was(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await fill(store, Settings(home=tmp_path_factory.mktemp("home")))
    await store.write(rewriting.begin, KEYED)

    def interrupted(transaction: WriteTransaction) -> None:
        rewriting.turn(transaction, Hashing(KEYED))
        raise Interrupted

    with pytest.raises(Interrupted):
        await store.write(interrupted)
    state = await store.read(identifier_state.find)
    assert state
    assert (state.form, state.place) == ("rewriting", 0)
    [study] = await store.read(studies.find_everywhere, STUDY)
    assert study.attributes.patients[0].patient_id == "P1"


def broken_off(transaction: WriteTransaction) -> None:
    """Nothing but another transaction in between."""
    assert identifier_state.lock(transaction) is not None


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("patient_id", ""),
        ("patient_id", "0000"),
        ("patient_id", "unknown"),
        ("patient_sex", "F"),
        ("patient_name", "^^"),
        ("accession_number", "---"),
    ],
)
def test_what_names_nobody_stays(field: str, text: str) -> None:
    assert KEYED.token(field, text) == text


def test_a_token_is_one_word_of_its_kind() -> None:
    token = KEYED.token("patient_name", "Doe^Jane")
    assert token == KEYED.token("patient_name", "DOE, JANE")
    assert token != KEYED.token("referring_physician_name", "Doe^Jane")
    assert token != Keyed(b"l" * 32).token("patient_name", "Doe^Jane")
    assert name_words(token) == token
    assert len(token) == 16
    assert "kkkk" not in repr(KEYED)
    assert KEYED.token("patient_sex", "Doe") != "Doe"


def test_rules_compare_what_is_hashed() -> None:
    own = StudyAttributes(accession_number="A1", patients=(JANE,))
    other = Patient(patient_id="P9", patient_name="doe jane", patient_birth_date="19800102")
    names = ("patient_id", "issuer_of_patient_id", "patient_name", "patient_birth_date", "patient_sex")
    who = KEYED.patient(other)
    fact = IndexFact(
        "accession",
        KEYED.token("accession_number", "A1"),
        patient=Identity(*(getattr(who, name) for name in names)),
    )
    [told] = KEYED.told(own, (fact,))
    assert told.value == "A1"
    assert told.patient.patient_name == "Doe^Jane"  # the same words
    assert told.patient.patient_id == who.patient_id
    assert told.patient.patient_birth_date != "19700102"


@pytest.mark.parametrize(
    "query",
    [
        StudyQuery(patient_id="P*"),
        StudyQuery(patient_name="*doe"),
        StudyQuery(accession_number="A?"),
        StudyQuery(patient_birth_date=("19700101", "")),
    ],
)
def test_parts_of_hashes_are_not_looked_for(query: StudyQuery) -> None:
    with pytest.raises(UsageError, match="only whole values"):
        KEYED.query(query)


def test_anything_is_looked_for_as_ever() -> None:
    query = StudyQuery(patient_name="**", study_description="CT*", empty=frozenset({"patient_id"}))
    assert KEYED.query(query) == query
