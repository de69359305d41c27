"""The pages of rules, asked of the real application."""

from unit.api.service import Service, study_zip
from unit.dashboard.reading import page
from unit.store.samples import finding

from heltig.dashboard.rules import rule_rows
from heltig.reports.wording import FAMILIES
from heltig.rules.catalogue import catalogue
from heltig.rules.profile import Profile


async def test_every_rule_with_its_studies(service: Service) -> None:
    await service.judged("1.1", finding("PAT-ID-EMPTY", "block"), finding("UID-CHARS", "note"))
    seen = page(await service.get("/rules"))
    assert {f"rules/{id}" for id in catalogue()} <= {link["href"] for link in seen.all("a")}
    assert "./?rule=PAT-ID-EMPTY" in [link["href"] for link in seen.all("a")]
    by_family = {head["id"] for head in seen.all("h2") if head.get("id")} - {"help-title"}
    assert by_family == set(FAMILIES) == {id.partition("-")[0] for id in catalogue()}
    assert "order: give one of family" in page(await service.get("/rules?order=nonsense"), 400).text
    by_studies = page(await service.get("/rules?order=studies"))
    assert len(by_studies.all("tr")) == 3
    found = page(await service.get("/rules?text=patientid is absent"))
    assert "PAT-ID-EMPTY" in found.text
    assert "UID-CHARS" not in found.text
    assert "No rule has “<x>”" in page(await service.get("/rules?text=<x>")).text


async def test_the_list_is_light(service: Service) -> None:
    assert len((await service.get("/rules")).content) < 110_000


async def test_a_rule_with_its_manual(service: Service) -> None:
    await service.judged("1.1", finding("PAT-ID-EMPTY", "block"))
    seen = page(await service.get("/rules/pat-id-empty"))
    for text in ("PatientID is absent or empty", "It stands against 1 study: 1 as block", "Mend", "Looks at"):
        assert text in seen.text, text
    assert "It stands against no study" in page(await service.get("/rules/UID-CHARS")).text
    page(await service.get("/rules/NO-SUCH"), 404)


def test_severities_are_those_of_the_profile() -> None:
    profile = Profile(
        off=frozenset({"PAT-ID-EMPTY"}), required=frozenset({"UID-CHARS"}), severity_of={"UID-ROOT": "note"}
    )
    rows = {row.rule.id: row for row in rule_rows(profile, [])}
    assert rows["PAT-ID-EMPTY"].severity is None
    assert rows["UID-CHARS"].required
    assert (rows["UID-ROOT"].severity, rows["UID-ROOT"].own) == ("note", catalogue()["UID-ROOT"].severity)


async def test_who_sees_no_studies_gets_no_links_to_them(guarded: Service) -> None:
    await guarded.judged("1.1", finding("PAT-ID-EMPTY", "block"))
    seen = page(await guarded.get("/rules", headers=await guarded.key("researcher")))
    assert "./?rule=PAT-ID-EMPTY" not in [link["href"] for link in seen.all("a")]
    assert "PAT-ID-EMPTY" in seen.text


async def test_what_rules_cost_on_the_studies_of_this_site(service: Service) -> None:
    assert "No time was taken of any rule" in page(await service.get("/rules?order=cost")).text
    await service.post("/api/v1/jobs/upload", content=study_zip("ct-chest"), timeout=120)
    before = (await service.get("/dicom-web/changefeed/latest")).content
    sent = await service.post("/rules/timing", headers={"Sec-Fetch-Site": "same-origin"})
    assert (sent.status_code, sent.headers["location"]) == (303, "../rules?order=cost&done=timing")
    [entry] = await service.audit("rules.time")
    await service.services.uploads.ended(int(entry.subject.removeprefix("job ")), within=120)
    seen = page(await service.get("/rules?order=cost"))
    assert "On 1 study with" in seen.text
    addresses = [link["href"] for link in seen.all("a") if str(link["href"]).startswith("rules/")]
    assert len(addresses) > 20
    assert "µs of processor time an instance" in page(await service.get(f"/{addresses[0]}")).text
    assert (await service.get("/dicom-web/changefeed/latest")).content == before


async def test_a_reader_has_no_time_taken(guarded: Service) -> None:
    reader = await guarded.key("reader")
    seen = page(await guarded.get("/rules?order=cost", headers=reader))
    assert not seen.all("form", action="rules/timing")
    sent = await guarded.post("/rules/timing", headers={"Sec-Fetch-Site": "same-origin", **reader})
    assert sent.status_code == 403
