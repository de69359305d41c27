"""The pages of rules, asked of the real application."""

from unit.api.service import Service
from unit.dashboard.reading import page
from unit.store.samples import finding

from heltig.dashboard.rules import rule_rows
from heltig.rules.catalogue import catalogue
from heltig.rules.profile import Profile


async def test_every_rule_with_its_studies(service: Service) -> None:
    await service.judged("1.1", finding("PAT-ID-EMPTY", "block"), finding("UID-CHARS", "note"))
    seen = page(await service.get("/rules"))
    assert {f"rules/{id}" for id in catalogue()} <= {link["href"] for link in seen.all("a")}
    assert "./?rule=PAT-ID-EMPTY" in [link["href"] for link in seen.all("a")]
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
