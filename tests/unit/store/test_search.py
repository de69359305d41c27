"""Finding studies, as PS3.4 C.2.2.2 matches."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.store.samples import MAIN, NOW, OTHER, finding, judge, snapshot

from heltig.errors import UsageError
from heltig.store import search, snapshots, states
from heltig.store.engine import Store
from heltig.store.records import Patient, Study
from heltig.store.study_query import StudyQuery


@pytest.fixture
async def filled(store: Store) -> Store:
    jane = Patient(patient_id="P1", patient_name="Doe^Jane", patient_birth_date="19700101", patient_sex="F")
    grun = Patient(patient_id="p_2", patient_name="Grün^Öl", patient_sex="M", issuer_of_patient_id="HOSP")
    last = Patient(patient_id="P100%", patient_name="Doering^X")
    await judge(
        store,
        snapshot(
            study="1.1",
            study_date="20260101",
            study_time="101559.5",
            accession_number="A1",
            study_description="CT Thorax",
            modalities_in_study=("CT", "SR"),
            patients=(jane,),
        ),
    )
    await judge(
        store,
        snapshot(
            study="1.2",
            study_date="20260215",
            study_time="2300",
            accession_number="A2",
            modalities_in_study=("MR",),
            referring_physician_name="House^Gregory",
            study_id="77",
            patients=(grun, jane),
        ),
        finding("PAT-ID-CONFLICT"),
        readiness="BLOCKED",
    )
    await judge(
        store,
        snapshot(study="1.3", location=OTHER, modalities_in_study=("CTX",), patients=(last,)),
        finding("STU-DATE-EMPTY", "review"),
        finding("PAT-ID-CONFLICT", waived=True),
        readiness="NEEDS_REVIEW",
    )
    await store.write(snapshots.put, snapshot(study="1.4"))
    await judge(store, snapshot(study="1.5", accession_number="A1"))
    await store.write_durably(states.withdraw, MAIN, "1.5", at=NOW)
    return store


async def keys(store: Store, **query: Any) -> list[str]:
    found = await store.read(search.search, StudyQuery(**query), now=NOW, limit=100)
    assert await store.read(search.count, StudyQuery(**query), now=NOW) == len(found)
    return [study.study_key for study in found]


CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["1.1", "1.2", "1.3"]),
    ({"study_keys": ("1.2", "1.4", "9.9")}, ["1.2"]),
    ({"states": ("PENDING",)}, ["1.4"]),
    ({"states": ("PENDING", "WITHDRAWN")}, ["1.4", "1.5"]),
    ({"readiness": ("BLOCKED", "NEEDS_REVIEW")}, ["1.2", "1.3"]),
    ({"locations": (OTHER,)}, ["1.3"]),
    ({"locations": (OTHER, MAIN)}, ["1.1", "1.2", "1.3"]),
    ({"rules": ("PAT-ID-CONFLICT",)}, ["1.2"]),
    ({"rules": ("PAT-ID-CONFLICT", "STU-DATE-EMPTY")}, ["1.2", "1.3"]),
    ({"study_date": ("20260101", "20260101")}, ["1.1"]),
    ({"study_date": ("20260102", "")}, ["1.2"]),
    ({"study_date": ("", "20260131")}, ["1.1"]),
    ({"study_date": ("", "")}, ["1.1", "1.2"]),
    ({"study_time": ("101559", "101559")}, ["1.1"]),
    ({"study_time": ("1016", "2300")}, ["1.2"]),
    ({"modalities_in_study": ("CT",)}, ["1.1"]),
    ({"modalities_in_study": ("SR", "MR")}, ["1.1", "1.2"]),
    ({"modalities_in_study": ("C*",)}, ["1.1", "1.3"]),
    ({"accession_number": "A1"}, ["1.1"]),
    ({"accession_number": "a1"}, []),
    ({"accession_number": "A*"}, ["1.1", "1.2"]),
    ({"accession_number": "?2"}, ["1.2"]),
    ({"study_description": "*tho*"}, []),
    ({"study_description": "*Tho*"}, ["1.1"]),
    ({"study_id": "77", "referring_physician_name": "House*"}, ["1.2"]),
    ({"patient_id": "P1"}, ["1.1", "1.2"]),
    ({"patient_id": "p_2"}, ["1.2"]),
    ({"patient_id": "p?2"}, ["1.2"]),
    ({"patient_id": "p_*"}, ["1.2"]),
    ({"patient_id": "P_*"}, []),
    ({"patient_id": "P100%"}, ["1.3"]),
    ({"patient_id": "P1%*"}, []),
    ({"patient_id": "*%"}, ["1.3"]),
    ({"patient_name": "doe^jane"}, ["1.1", "1.2"]),
    ({"patient_name": "DOE*"}, ["1.1", "1.2", "1.3"]),
    ({"patient_name": "GRÜN*"}, ["1.2"]),
    ({"patient_name": "*"}, ["1.1", "1.2", "1.3"]),
    ({"patient_id": "p_2", "patient_name": "Doe*"}, []),
    ({"patient_id": "p_2", "patient_sex": "M", "issuer_of_patient_id": "HOSP"}, ["1.2"]),
    ({"patient_birth_date": ("19700101", "19700101")}, ["1.1", "1.2"]),
    ({"patient_birth_date": ("", "19691231")}, []),
    ({"patient_name": "grun^ol"}, ["1.2"]),
    ({"patient_name": "Grün ^ ÖL^"}, ["1.2"]),
    ({"referring_physician_name": "HÓUSE^*"}, ["1.2"]),
    ({"study_date": ("20260101", "20260215"), "study_time": ("1100", "2300")}, ["1.2"]),
    ({"study_date": ("20260101", "20260215"), "study_time": ("1000", "2200")}, ["1.1"]),
    ({"study_date": ("20260101", ""), "study_time": ("1016", "")}, ["1.2"]),
    ({"study_date": ("20260101", ""), "study_time": ("1000", "1100")}, ["1.1"]),  # of each day
    ({"empty": frozenset({"accession_number"})}, ["1.3"]),
    ({"empty": frozenset({"patient_birth_date"})}, ["1.2", "1.3"]),
    ({"empty": frozenset({"patient_birth_date"}), "patient_id": "p_2"}, ["1.2"]),
]


async def test_what_matches_is_found(filled: Store) -> None:
    found = [(query, await keys(filled, **query)) for query, _ in CASES]
    assert found == CASES


NAMES = ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Jirou=山田^次郎", "Ångström^Łucja", "=김^희중")
PATTERNS = {
    "yamada*": [0, 1],
    "YAMADA^TAROU": [0],
    "*jirou": [1],
    "山田^太郎": [0],
    "山田*": [0, 1],
    "やまだ*": [0],
    "=山田^次郎": [1],
    "yamada*=山田*": [0, 1],
    "==やまだ*": [0],
    "yamada^tarou==や*": [0],
    "angstrom^lucja": [2],
    "ANGSTRÖM*": [2],
    "김*": [3],
    "tarou": [],
    "*=*": [0, 1, 2, 3],
}


async def test_names_match_in_their_groups(store: Store) -> None:
    for number, name in enumerate(NAMES):
        await judge(store, snapshot(study=f"1.{number}", patients=(Patient(patient_name=name),)))
    found = {
        pattern: [int(key[2:]) for key in await keys(store, patient_name=pattern)] for pattern in PATTERNS
    }
    assert found == PATTERNS


async def test_the_worst_come_first_and_of_those_the_newest(store: Store) -> None:
    later = NOW + timedelta(days=1)
    for key, readiness in (("1.1", "READY"), ("1.2", "BLOCKED"), ("1.3", "NEEDS_REVIEW"), ("1.4", "BLOCKED")):
        await judge(store, snapshot(study=key), readiness=readiness)  # type: ignore[arg-type]
    await store.write(snapshots.put, replace(snapshot(study="1.5"), received=later))
    query = StudyQuery(states=("JUDGED", "PENDING"))
    found = await store.read(search.search, query, now=NOW, limit=10, order="worst")
    assert [study.study_key for study in found] == ["1.4", "1.2", "1.3", "1.1", "1.5"]


async def test_the_newest_study_date_comes_first(filled: Store) -> None:
    found = await filled.read(search.search, StudyQuery(), now=NOW, limit=10, order="newest")
    assert [study.study_key for study in found] == ["1.2", "1.1", "1.3"]


async def test_pages_follow_one_another(filled: Store) -> None:
    pages = [await filled.read(search.search, StudyQuery(), now=NOW, limit=2, offset=at) for at in (0, 2, 4)]
    assert [[study.study_key for study in page] for page in pages] == [["1.1", "1.2"], ["1.3"], []]


async def test_a_study_comes_with_its_patients(filled: Store) -> None:
    [study] = await filled.read(search.search, StudyQuery(study_keys=("1.2",)), now=NOW, limit=1)
    assert [patient.patient_id for patient in study.attributes.patients] == ["p_2", "P1"]


TEXT = st.text(alphabet="aAbB*?%_!\\[]'", max_size=5)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=TEXT)
async def test_wildcards_match_as_the_standard_says(filled: Store, pattern: str) -> None:
    texts = ["", "a", "A", "ab", "a%b", "a_b", "b!", "aab", "[a]", "\\a", "'"]
    if len(await keys(filled, patient_id="w*")) == 0:
        patients = tuple(Patient(patient_id=f"w{text}", instances=1) for text in texts)
        for number, patient in enumerate(patients):
            await judge(filled, snapshot(study=f"2.{number}", patients=(patient,)))
    found = await keys(filled, patient_id=f"w{pattern}")
    assert found == [f"2.{n}" for n, text in enumerate(texts) if matches(pattern, text)]


def matches(pattern: str, text: str) -> bool:
    """PS3.4 C.2.2.2.4, slowly."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(matches(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and matches(pattern[1:], text[1:])


async def test_a_nul_is_nowhere(filled: Store) -> None:
    """PostgreSQL cannot even be asked for it."""
    query = StudyQuery(patient_id="P\x001")
    found: list[Study] = []
    with suppress(UsageError):
        found = await filled.read(search.search, query, now=NOW, limit=10)
    assert found == []
