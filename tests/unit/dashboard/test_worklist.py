"""The list of studies, asked of the real application."""

from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from unit.api.service import Service
from unit.dashboard.reading import page
from unit.store.samples import NOW, OTHER, finding, judge, series, snapshot

from heltig.store import states
from heltig.store.records import Location, Patient

UPLOAD = Location("upload", "0123")


async def fill(service: Service) -> None:
    """Three studies: READY, NEEDS_REVIEW and BLOCKED, in this order."""
    store = service.services.store
    await judge(
        store, snapshot(study="1.1", modalities_in_study=("CT", "PT"), study_description="Ganzkörper")
    )
    await judge(
        store,
        snapshot(study="1.2", location=OTHER, modalities_in_study=("MR",), study_description="Knee left"),
        finding("SER-LATERALITY", "review", message="A knee without its side"),
        finding("VAL-CS", "review"),
        readiness="NEEDS_REVIEW",
    )
    await judge(
        store,
        snapshot(
            study="1.3",
            location=UPLOAD,
            modalities_in_study=("CT",),
            study_description="Thorax",
            study_date="20260228",
            accession_number="A-77",
            patients=(
                Patient(patient_id="P7", patient_name="Doe^Jane", instances=2),
                Patient(patient_id="P8", patient_name="Roe^Richard", instances=1),
            ),
        ),
        finding("PAT-ID-CONFLICT", message="One study has several PatientIDs"),
        readiness="BLOCKED",
    )


async def keys(service: Service, query: str = "") -> list[str]:
    return [
        link.partition("?")[0].removeprefix("studies/")
        for link in page(await service.get(f"/{query}")).rows()
    ]


async def test_worst_first_with_the_reason(service: Service) -> None:
    await fill(service)
    seen = page(await service.get("/"))
    assert [link.partition("?")[0] for link in seen.rows()] == ["studies/1.3", "studies/1.2", "studies/1.1"]
    assert "3 studies, worst first" in seen.text
    assert "One study has several PatientIDs PAT-ID-CONFLICT" in seen.text
    assert "A knee without its side, and 1 more SER-LATERALITY" in seen.text
    assert "2026-02-28" in seen.text
    assert "30 min ago" in seen.text
    assert "Doe, Jane P7, and 1 more" in seen.text
    assert "A-77" in seen.text


FILTERS = {
    "?text=thorax": ["1.3"],
    "?text=1.2": ["1.2"],
    "?text=%20%20": ["1.3", "1.2", "1.1"],
    "?readiness=NEEDS_REVIEW": ["1.2"],
    "?modality=CT": ["1.3", "1.1"],
    "?modality=C": [],
    "?location=archive%3Aother": ["1.2"],
    "?location=upload": ["1.3"],
    "?location=upload%3A0123": ["1.3"],
    "?rule=PAT-ID-CONFLICT": ["1.3"],
    "?rule=ser-": ["1.2"],
    "?rule=NO-SUCH": [],
    "?modality=CT&readiness=READY": ["1.1"],
    "?page=0": ["1.3", "1.2", "1.1"],
}


async def test_filters_are_addresses(service: Service) -> None:
    await fill(service)
    assert {query: await keys(service, query) for query in FILTERS} == FILTERS


@pytest.mark.parametrize(
    "query",
    [
        "readiness=nonsense",
        "location=cellar%3Amain",
        "age=zzz",
        "page=abc",
        "page=%C2%B2",
        f"page={10**20}",
        "text=%00",
    ],
)
async def test_what_makes_no_sense_is_refused(service: Service, query: str) -> None:
    await fill(service)
    assert f"{query.partition('=')[0]}: give" in page(await service.get(f"/?{query}"), 400).text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/?modalty=CT", "There is no parameter 'modalty' here; did you mean modality?"),
        ("/?x=1", "this page takes text, readiness"),
        ("/jobs?sho=all", "did you mean show?"),
        ("/overview?heet=model", "did you mean heat?"),
        ("/rules?ordr=cost", "did you mean order?"),
        ("/audit?actr=anna", "did you mean actor?"),
        ("/waivers?stat=expired", "did you mean state?"),
        ("/quarantine?gat=main", "did you mean gate?"),
        ("/uploads?befor=7", "did you mean before?"),
        ("/studies/1.1?revison=1", "did you mean revision?"),
    ],
)
async def test_a_name_that_a_page_does_not_know_is_no_other_list(
    service: Service, address: str, said: str
) -> None:
    seen = page(await service.get(address), 400)
    assert said in seen.text
    assert "?" in [link["href"] for link in seen.all("a")]


async def test_the_form_shows_what_is_filtered(service: Service) -> None:
    await fill(service)
    seen = page(
        await service.get("/?text=kn&modality=MR&location=archive%3Aother&rule=SER&readiness=NEEDS_REVIEW")
    )
    assert seen.all("input", name="text", id="text")[0]["value"] == "kn"
    assert seen.all("input", name="rule")[0]["value"] == "SER"
    assert seen.all("input", name="readiness")[0]["value"] == "NEEDS_REVIEW"
    assert [option.get("value") for option in seen.all("option") if "selected" in option] == [
        None,
        "archive:other",
    ]
    assert seen.all("form", id="filters", method="get")


async def test_the_numbers_count_what_passes_the_other_filters(service: Service) -> None:
    await fill(service)
    seen = page(await service.get("/?modality=CT&readiness=READY"))
    assert "1 BLOCKED" in seen.text
    assert "0 NEEDS_REVIEW" in seen.text
    assert "1 READY only these" in seen.text
    tiles = [link for link in seen.all("a") if "verdict " in str(link.get("class"))]
    assert [parse_qs(urlsplit(str(tile["href"])).query) for tile in tiles] == [
        {"modality": ["CT"], "readiness": ["BLOCKED"]},
        {"modality": ["CT"], "readiness": ["NEEDS_REVIEW"]},
        {"modality": ["CT"]},
    ]


async def test_the_browser_is_told_the_short_address(service: Service) -> None:
    answer = await service.get("/?text=x&modality=&location=&rule=&page=1")
    assert answer.headers["hx-replace-url"] == "?text=x"
    assert (await service.get("/?text=&rule=")).headers["hx-replace-url"] == "./"


async def test_pages_of_fifty(service: Service) -> None:
    for number in range(51):
        await service.judged(f"1.{number}")
    first = page(await service.get("/"))
    second = page(await service.get("/?page=2"))
    beyond = page(await service.get("/?page=3"))
    assert (len(first.rows()), len(second.rows())) == (50, 1)
    assert not set(first.rows()) & set(second.rows())
    assert beyond.rows() == second.rows()
    assert first.all("a", rel="next")[0]["href"] == "?page=2"
    assert second.all("a", rel="prev")[0]["href"] == "./"
    assert not second.all("a", rel="next")


async def test_nothing_judged_yet_says_what_to_do(service: Service) -> None:
    seen = page(await service.get("/"))
    assert "No study has been judged yet" in seen.text
    assert "heltig pull" in seen.text
    assert not seen.all("form", id="filters")


async def test_nothing_passes(service: Service) -> None:
    await fill(service)
    seen = page(await service.get("/?text=nothing"))
    assert "No study passes these filters" in seen.text
    assert "0 studies" in seen.text


async def test_a_study_that_waits_shows_no_verdict_as_its_own(service: Service) -> None:
    await service.judged("1.1", finding(), readiness="BLOCKED")
    store = service.services.store
    for study in ("1.1", "1.2"):
        await store.write(states.mark_pending, Location("archive", "main"), study, study_uid=study, at=NOW)
    seen = page(await service.get("/"))
    assert "2 studies wait to be judged" in seen.text
    assert "PENDING was BLOCKED" in seen.text
    assert len(seen.rows()) == 1


async def test_only_waiting_studies_are_no_empty_service(service: Service) -> None:
    await service.services.store.write(
        states.mark_pending, Location("archive", "main"), "1.1", study_uid="1.1", at=NOW
    )
    seen = page(await service.get("/"))
    assert "1 study waits to be judged" in seen.text
    assert "No study has been judged yet" in seen.text


async def test_who_does_not_see_patients_sees_the_rest(guarded: Service) -> None:
    await fill(guarded)
    whole = page(await guarded.get("/", headers=await guarded.key("reader")))
    masked = page(await guarded.get("/", headers=await guarded.key("reader", "pages")))
    for text in ("Doe", "P7", "A-77"):
        assert text in whole.text
        assert text not in masked.text
    assert "Thorax" in masked.text
    assert len(masked.rows()) == 3


async def test_who_may_not_see_pages_is_told_so_on_a_page(guarded: Service) -> None:
    stranger = page(await guarded.get("/"), 401)
    assert "Who are you?" in stranger.text
    auditor = page(await guarded.get("/", headers=await guarded.key("auditor")), 403)
    assert "Not allowed" in auditor.text


async def test_a_study_without_anything_is_listed(service: Service) -> None:
    await judge(
        service.services.store, snapshot([series(study="1.9", instances=0)], study="1.9", patients=())
    )
    seen = page(await service.get("/"))
    assert "No description" in seen.text
    assert "None named" in seen.text
    assert "No date" in seen.text


@pytest.mark.parametrize("key", [".", "..", "...", "=", "=..", "1.2/../3", "%2E%2E", "1.2"])
async def test_a_link_leads_to_its_study_whatever_the_key(service: Service, key: str) -> None:
    await service.judged(key)
    (href,) = page(await service.get("/")).rows()
    address = urlsplit(urljoin("http://heltig/", href))
    assert not {segment.lower().replace("%2e", ".") for segment in address.path.split("/")} & {".", ".."}
    shown = await service.get(f"{address.path}?{address.query}")
    assert key in page(shown).text
