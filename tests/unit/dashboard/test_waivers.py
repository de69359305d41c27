"""Findings accepted from the page of their study, and the page of waivers, asked of the real application."""

import re
from pathlib import Path

import httpx
from unit.api.service import LATER, Service, running
from unit.dashboard.reading import page
from unit.store.samples import finding

from heltig.store import waivers

OURS = {"Sec-Fetch-Site": "same-origin"}
ANSWER = {"scope": "here", "expires": "2026-04-01", "reason": "Seen by the department"}


async def question_of(service: Service, study: str = "1.2", **headers: str) -> str:
    """The address of the question that the page of a study leads to."""
    shown = page(await service.get(f"/studies/{study}", headers=headers))
    (link,) = [str(a["href"]) for a in shown.all("a") if "/waive?" in str(a.get("href"))]
    return link.replace("../", "/")


async def answer(service: Service, question: str, typed: dict[str, str], **headers: str) -> httpx.Response:
    return await service.post(question, data=typed, headers={**OURS, **headers})


async def test_a_finding_is_waived_shown_and_the_waiver_revoked(service: Service) -> None:
    await service.judged("1.2", finding("VAL-CS", "block"), readiness="BLOCKED")
    question = await question_of(service)
    assert "Waive this finding of VAL-CS?" in page(await service.get(question)).text
    given = await answer(service, question, ANSWER)
    assert given.headers["location"] == "../1.2?location=archive%3Amain&done=waived"
    after = page(await service.get("/studies/1.2"))
    assert "A waiver was given by local since" in after.text
    assert "Seen by the department" in after.text
    assert "2026-04-01" in after.text or "1 Apr" in after.text
    assert not [a for a in after.all("a") if "/waive?" in str(a.get("href"))]
    listed = page(await service.get("/waivers"))
    assert "Seen by the department" in listed.text
    assert "VAL-CS" in listed.text
    asked = page(await service.get("/waivers/1/revoke"))
    assert "Revoke the waiver of VAL-CS? For study 1.2 at archive:main, given by local" in asked.text
    assert await service.audit("waiver.revoke") == []
    done = await service.post("/waivers/1/revoke", headers=OURS)
    assert done.headers["location"] == "../../waivers?done=revoked"
    assert "No waiver is in force" in page(await service.get("/waivers")).text
    assert "Seen by the department" in page(await service.get("/waivers?state=revoked")).text
    assert "state: give one of in-force" in page(await service.get("/waivers?state=nonsense"), 400).text
    page(await service.get("/waivers/1/revoke"), 409)
    assert [one.actor for one in await service.audit("waiver.revoke")] == ["local"]


async def test_what_is_wrong_with_the_answer_is_asked_again_at_an_address(service: Service) -> None:
    await service.judged("1.2", finding("VAL-CS", "block"), readiness="BLOCKED")
    question = await question_of(service)
    for name, value in (("reason", ""), ("expires", "2020-01-01"), ("scope", "all")):
        refused = await answer(service, question, ANSWER | {name: value})
        assert refused.status_code == 303
        assert "department" not in refused.headers["location"]
        again = page(await service.get(f"{question.partition('?')[0]}{refused.headers['location']}"))
        assert again.all("p", id=f"wrong-{name}")
    assert await service.services.store.read(waivers.newest, now=LATER) == []


async def test_it_covers_what_was_chosen(service: Service) -> None:
    for scope, place, study in (
        ("here", "archive:main", "1.2"),
        ("everywhere", None, "1.3"),
        ("all-here", "archive:main", None),
    ):
        key = study or "1.4"
        await service.judged(key, finding(f"VAL-{len(key)}{scope[:3].upper()}", "block"), readiness="BLOCKED")
        await answer(service, await question_of(service, key), ANSWER | {"scope": scope})
        newest = (await service.services.store.read(waivers.newest, now=LATER))[0]
        assert newest.study_key == study
        assert (None if newest.location is None else str(newest.location)) == place


async def test_a_verdict_that_changed_meanwhile_is_looked_at_anew(service: Service) -> None:
    await service.judged("1.2", finding("VAL-CS", "block"), readiness="BLOCKED")
    question = await question_of(service)
    page(await service.get(re.sub("revision=1", "revision=2", question)), 409)
    page(await service.get(re.sub("finding=0", "finding=7", question)), 404)


async def test_by_role(guarded: Service) -> None:
    await guarded.judged("1.2", finding("VAL-CS", "block"), readiness="BLOCKED")
    reviewer, reader = await guarded.key("reviewer"), await guarded.key("reader")
    question = await question_of(guarded, **reviewer)
    page(await guarded.get(question, headers=reader), 403)
    page(await answer(guarded, question, ANSWER, **reader), 403)
    page(await answer(guarded, question, ANSWER, **{**reviewer, "Sec-Fetch-Site": "cross-site"}), 403)
    assert (await answer(guarded, question, ANSWER, **reviewer)).status_code == 303
    listed = page(await guarded.get("/waivers", headers=reader))
    assert "Seen by the department" in listed.text
    assert not [a for a in listed.all("a") if "/revoke" in str(a.get("href"))]
    page(await guarded.get("/waivers/1/revoke", headers=reader), 403)
    page(await guarded.get("/waivers", headers=await guarded.key("auditor")), 403)


async def test_reasons_are_masked(tmp_path: Path) -> None:
    async with running(tmp_path / "home", auth_mode="api-key", identifiers="masked") as service:
        await service.judged("1.2", finding("VAL-CS", "block"), readiness="BLOCKED")
        reviewer, reader = await service.key("reviewer"), await service.key("reader")
        await answer(service, await question_of(service, **reviewer), ANSWER, **reviewer)
        for path in ("/waivers", "/studies/1.2"):
            assert "Seen by" in page(await service.get(path, headers=reviewer)).text
            hidden = page(await service.get(path, headers=reader)).text
            assert "Seen by the" not in hidden
            assert "redacted" in hidden


async def test_a_study_is_judged_and_pulled_again_from_its_page(service: Service) -> None:
    await service.judged("1.2", finding("VAL-CS", "block"), readiness="BLOCKED")
    shown = page(await service.get("/studies/1.2"))
    assert [button["formaction"] for button in shown.all("button") if "formaction" in button] == [
        "../ticked/rejudge",
        "../ticked/pull",
    ]
    form = {"tick-1": str(shown.all("input", name="tick-1")[0]["value"]), "one": "yes"}
    begun = await service.post("/ticked/rejudge", data=form, headers=OURS)
    question = f"/ticked/{begun.headers['location']}"
    assert "Judge 1 study again?" in page(await service.get(question)).text
    done = await service.post(question, data={"sure": "yes"}, headers=OURS)
    address = done.headers["location"]
    assert address.startswith("../../studies/1.2?location=archive%3Amain&done=rejudge")
    assert "It is being judged again" in page(await service.get(address[5:])).text
    assert len(await service.audit("rescore.start")) == 1
