from typing import Any

import pytest
import pytest_asyncio
from unit.api.service import DICOM_JSON, Service, together, values
from unit.store.samples import OTHER, finding, series, snapshot

from heltig.store import snapshots
from heltig.store.records import Patient

STUDIES = "/dicom-web/studies"
DOE = Patient(
    patient_id="P1", patient_name="Doe^Jane", patient_birth_date="19800101", patient_sex="F", instances=3
)
YAMADA = Patient(patient_id="P2", patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう", instances=1)


async def fill(service: Service) -> None:
    await service.judged(
        "1.1",
        study_date="20260110",
        study_time="101500",
        accession_number="A1",
        study_description="CT chest",
        study_id="S1",
        referring_physician_name="Referrer^Rita",
        modalities_in_study=("CT", "SR"),
        patients=(DOE, YAMADA),
    )
    await service.judged(
        "1.2",
        finding(),
        readiness="BLOCKED",
        study_date="20260220",
        accession_number="A2",
        modalities_in_study=("MR",),
        patients=(YAMADA,),
    )
    await service.judged("1.3", study_date="", patients=())


@pytest.fixture
async def service(service: Service) -> Service:
    await fill(service)
    return service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared: Service) -> Service:
    await fill(shared)
    return shared


async def found(service: Service, query: str = "") -> list[str]:
    answer = await service.get(f"{STUDIES}?{query}")
    assert answer.status_code == 200, answer.text
    return [values(row, "0020000D")[0] for row in answer.json()]


@together
async def test_a_row_has_the_standard_attributes_and_the_verdict(shared: Service) -> None:
    answer = await shared.get(STUDIES)
    assert answer.headers["content-type"] == DICOM_JSON
    row = answer.json()[0]
    assert list(row) == sorted(row)
    shown = {tag: element.get("Value") for tag, element in row.items()}
    assert shown["00080005"] == ["ISO_IR 192"]
    assert shown["00080020"] == ["20260110"]
    assert shown["00080061"] == ["CT", "SR"]
    assert shown["00080090"] == [{"Alphabetic": "Referrer^Rita"}]
    assert shown["00100020"] == ["P1"]  # the commonest of two
    assert (shown["00201206"], shown["00201208"]) == ([1], [3])
    assert shown["00990010"] == ["HELTIG READINESS 1"]
    assert shown["00991001"] == ["READY"]
    assert "00991010" not in shown


@together
async def test_names_in_their_groups_and_empty_attributes(shared: Service) -> None:
    rows = (await shared.get(f"{STUDIES}?StudyInstanceUID=1.2,1.3")).json()
    assert values(rows[0], "00100010") == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    ]
    assert rows[1]["00100010"] == {"vr": "PN"}
    assert rows[1]["00080020"] == {"vr": "DA"}


MATCHING = {
    "": ["1.1", "1.2", "1.3"],
    "StudyInstanceUID=1.2": ["1.2"],
    "StudyInstanceUID=1.2&StudyInstanceUID=1.1": ["1.1", "1.2"],
    "0020000D=1.3%5C1.1": ["1.1", "1.3"],
    "0020000d=1.3": ["1.3"],
    "StudyDate=20260110": ["1.1"],
    "StudyDate=20260101-20260131": ["1.1"],
    "StudyDate=20260201-": ["1.2"],
    "StudyDate=-20260201": ["1.1"],
    "StudyTime=10-11": ["1.1"],
    "PatientID=P2": ["1.1", "1.2"],  # any of the study's patients
    "PatientID=P?": ["1.1", "1.2"],
    "PatientName=doe*": ["1.1"],
    "PatientName=*%E5%B1%B1%E7%94%B0*": ["1.1", "1.2"],
    "PatientBirthDate=19800101": ["1.1"],
    "PatientBirthDate=19700101-19851231": ["1.1"],
    "PatientBirthDate=-19791231": [],
    "PatientName=%E5%B1%B1%E7%94%B0%5E%E5%A4%AA%E9%83%8E": ["1.1", "1.2"],  # one of its groups
    "PatientName=%3D%E5%B1%B1*": ["1.1", "1.2"],
    "PatientName=D%C3%B3e%5Ejan%C3%A9": ["1.1"],
    "PatientName=DOE%5EJANE%5E": ["1.1"],
    "PatientSex=F": ["1.1"],
    "AccessionNumber=A*": ["1.1", "1.2"],
    "AccessionNumber=": ["1.1", "1.2", "1.3"],
    "ModalitiesInStudy=MR%5CSR": ["1.1", "1.2"],
    "StudyDescription=CT%20*": ["1.1"],
    "StudyID=S1": ["1.1"],
    "ReferringPhysicianName=r%C3%A9ferrer*": ["1.1"],
    "ModalitiesInStudy=MR&ModalitiesInStudy=SR": ["1.1", "1.2"],
    "StudyDate=20260109-20260110&StudyTime=1100-1200": ["1.1"],  # moments, not each day's hours
    "StudyDate=20260110-20260111&StudyTime=1100-1200": [],
    "StudyDate=20260110&StudyTime=1100-1200": [],
    "AccessionNumber=%22%22&emptyvaluematching=true": ["1.3"],
    "PatientName=%22%22&emptyvaluematching=true": ["1.3"],
    "StudyDate=%22%22&emptyvaluematching=true": ["1.3"],
    "AccessionNumber=%22%22": [],
    "readiness=BLOCKED&readiness=READY": ["1.1", "1.2", "1.3"],
    "ModalitiesInStudy=M?": ["1.2"],
    "readiness=BLOCKED": ["1.2"],
    "00991001=READY,BLOCKED&PatientID=P2": ["1.1", "1.2"],
    "archive=main": ["1.1", "1.2", "1.3"],
    "archive=other": [],
    "NoSuchParameter=1": ["1.1", "1.2", "1.3"],
}


@together
async def test_matching(shared: Service) -> None:
    assert {query: await found(shared, query) for query in MATCHING} == MATCHING


async def test_only_judged_studies_are_found(service: Service) -> None:
    await service.services.store.write(snapshots.put, snapshot(study="1.4"))
    assert "1.4" not in await found(service)
    await service.services.store.write(
        snapshots.put, snapshot([series(study="1.1", instances=9)], study="1.1")
    )
    row = (await service.get(f"{STUDIES}?StudyInstanceUID=1.1")).json()[0]
    assert (values(row, "00991001"), values(row, "00991009")) == ([], ["PENDING"])
    assert await found(service, "readiness=READY") == ["1.3"]


async def test_a_study_at_two_locations_is_two_rows(service: Service) -> None:
    await service.judged("1.1", finding(), readiness="BLOCKED", location=OTHER)
    rows = (await service.get(f"{STUDIES}?StudyInstanceUID=1.1")).json()
    assert [values(row, "00991011") for row in rows] == [["archive:main"], ["archive:other"]]
    assert [values(row, "00991001") for row in rows] == [["READY"], ["BLOCKED"]]


@together
async def test_nothing_found_is_an_empty_list(shared: Service) -> None:
    answer = await shared.get(f"{STUDIES}?PatientID=nobody")
    assert (answer.status_code, answer.json()) == (200, [])


@together
async def test_pages(shared: Service) -> None:
    pages = [await shared.get(f"{STUDIES}?limit=2&offset={offset}") for offset in (0, 2, 4)]
    assert [[values(row, "0020000D")[0] for row in page.json()] for page in pages] == [
        ["1.1", "1.2"],
        ["1.3"],
        [],
    ]
    assert "299" in pages[0].headers["warning"]
    assert "additional results" in pages[0].headers["warning"]
    assert "warning" not in pages[1].headers
    assert await found(shared, "limit=0") == []


@together
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("fuzzymatching=true&PatientName=Doe", "Only literal matching has been performed"),
        ("SeriesDescription=x", "SeriesDescription is not matched"),
        ("multiplevaluematching=true", "multiplevaluematching parameter is not supported"),
        ("includefield=NoSuchAttribute", "includefield: NoSuchAttribute names no attribute"),
        ("includefield=Modality", "includefield: Modality is no attribute of a study"),
        ("includefield=00091001", "00091001 is not included without its private creator at 00090010"),
        ("includefield=%22%0d%0aX:%20y", "includefield: a value names no attribute"),
    ],
)
async def test_what_was_not_done_is_said(shared: Service, query: str, said: str) -> None:
    answer = await shared.get(f"{STUDIES}?{query}")
    assert answer.status_code == 200
    assert answer.headers["warning"].startswith('299 heltig "')
    assert said in answer.headers["warning"]


@together
async def test_warnings_fit_into_the_head_of_an_answer(shared: Service) -> None:
    fields = "&".join(f"includefield=0018{number:04X}" for number in range(0x0010, 0x0090))
    answer = await shared.get(f"/dicom-web/studies?{fields}")
    assert answer.status_code == 200
    told = answer.headers.get_list("warning", split_commas=False)
    assert len(told) <= 12
    assert "more parameters or fields" in told[-1]


@together
@pytest.mark.parametrize("field", ["00991010", "all", "StudyDescription,00991010"])
async def test_findings_where_they_are_asked_for(shared: Service, field: str) -> None:
    row: dict[str, Any] = (await shared.get(f"{STUDIES}?StudyInstanceUID=1.2&includefield={field}")).json()[0]
    items = values(row, "00991010")
    assert values(items[0], "00991020") == ["PAT-ID-EMPTY"]
    assert values(items[0], "00990010") == ["HELTIG READINESS 1"]


NOT_UNDERSTOOD = [
    "StudyDate=January",
    "StudyDate=20260101-2026",
    "StudyDate=-",
    "StudyDate=20261301",
    "StudyDate=20260201-20260231",
    "StudyDate=-00000101",
    "StudyTime=noon",
    "StudyTime=99",
    "StudyTime=10-1260",
    "StudyTime=10%20",
    "PatientBirthDate=1980",
    "PatientBirthDate=19800001-",
    "readiness=GOOD",
    "PatientID=P1&PatientID=P2",
    "PatientID=P1&00100020=P1",
    "fuzzymatching=perhaps",
    "limit=-1",
    "limit=many",
    "offset=1.5",
    "archive=moon:x",
    "PatientName=%FF%FE",
    "&".join(f"StudyID={n}" for n in range(1001)),
]


@together
async def test_what_cannot_be_understood_is_refused(shared: Service) -> None:
    for query in NOT_UNDERSTOOD:
        answer = await shared.get(f"{STUDIES}?{query}")
        assert (query, answer.status_code) == (query, 400)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@together
async def test_xml_is_not_spoken(shared: Service) -> None:
    accept = 'multipart/related; type="application/dicom+xml"'
    assert (await shared.get(STUDIES, headers={"Accept": accept})).status_code == 406


@together
async def test_head(shared: Service) -> None:
    head = await shared.client.head(STUDIES)
    assert (head.status_code, head.content) == (200, b"")
