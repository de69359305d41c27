"""What is done with ticked studies, asked of the real application."""

from urllib.parse import parse_qsl

import httpx
from unit.api.service import LATER, Service
from unit.dashboard.reading import Page, page
from unit.dashboard.test_worklist import UPLOAD, fill
from unit.store.samples import finding, judge, snapshot

from heltig.store import archives, waivers
from heltig.store.archives import Archive

OURS = {"Sec-Fetch-Site": "same-origin"}
SURE = {"sure": "yes"}


def ticks_of(seen: Page) -> list[dict[str, str | None]]:
    """The boxes of the list's studies."""
    return [box for box in seen.all("input", type="checkbox") if "name" in box]


def tick(seen: Page, *studies: str) -> dict[str, str]:
    """The form of the list with some of its studies ticked."""
    boxes = [box for box in ticks_of(seen) if str(box["value"]).split("/")[1] in studies]
    assert len(boxes) == len(studies)
    return {str(box["name"]): str(box["value"]) for box in boxes} | {"back": "?modality=CT"}


async def send(service: Service, act: str, form: dict[str, str], **headers: str) -> httpx.Response:
    """Sends what is ticked, and reads the question; with `SURE` answers it, and reads what comes then."""
    sent = {**OURS, **headers}
    ticks = {name: value for name, value in form.items() if name.startswith("tick") or name == "back"}
    begun = await service.post(f"/ticked/{act}", data=ticks, headers=sent)
    if begun.status_code != 303:
        return begun
    question = f"/ticked/{begun.headers['location']}"
    if form == ticks:
        return await service.get(question, headers=headers)
    done = await service.post(question, data=form, headers=sent)
    if done.headers.get("location", "..").startswith(".."):
        return done
    return await service.get(f"/ticked/{act}/{done.headers['location']}", headers=headers)


async def test_judged_again_after_a_question(service: Service) -> None:
    await fill(service)
    form = tick(page(await service.get("/")), "1.1", "1.3")
    asked = page(await send(service, "rejudge", form))
    assert "Judge 2 studies again?" in asked.text
    assert "audit trail" in asked.text
    assert not await service.audit("rescore.start")
    assert not asked.all("input", type="hidden")
    done = await send(service, "rejudge", form | SURE)
    assert done.status_code == 303
    address = done.headers["location"]
    assert dict(parse_qsl(address.partition("?")[2])) == {
        "modality": "CT", "done": "rejudge", "studies": "2", "left": "0",
    }  # fmt: skip
    assert "2 studies are being judged again." in page(await service.get(f"/{address[6:]}")).text
    assert len(await service.audit("rescore.start")) == 2


async def test_what_cannot_be_pulled_stays_and_says_why(service: Service) -> None:
    await fill(service)
    form = tick(page(await service.get("/")), "1.1", "1.3")
    asked = page(await send(service, "pull", form))
    assert "Nothing to do" in asked.text
    assert "Its archive was removed." in asked.text
    assert "no archive to pull it from" in asked.text
    entry = Archive(name="main", qido_url="http://127.0.0.1:9/", wado_url="http://127.0.0.1:9/")
    await service.services.store.write(archives.add, entry)
    assert "Pull 1 study again?" in page(await send(service, "pull", form)).text
    for _ in range(2):
        assert "studies=1&left=1" in (await send(service, "pull", form | SURE)).headers["location"]
    assert len(await service.audit("study.pull")) == 1


async def test_waived_by_rule_reason_and_day(service: Service) -> None:
    await fill(service)
    await judge(
        service.services.store,
        snapshot(study="1.4"),
        finding("SER-LATERALITY", "review"),
        readiness="NEEDS_REVIEW",
    )
    form = tick(page(await service.get("/")), "1.1", "1.2", "1.4")
    asked = page(await send(service, "waive", form))
    assert "SER-LATERALITY: 2 studies" in asked.text
    assert "VAL-CS: 1 study" in asked.text
    answers = {"rule": "SER-LATERALITY", "expires": "2026-04-01", "reason": "Seen by the department"}
    for name in answers:
        again = page(await send(service, "waive", form | SURE | answers | {name: ""}))
        assert "Not done" in again.text or again.all("p", id=f"wrong-{name}")
    for day in ("2026-03-01", "2099-01-01", "tomorrow"):
        page(await send(service, "waive", form | SURE | answers | {"expires": day}))
    done = await send(service, "waive", form | SURE | answers)
    assert "studies=2&left=1" in done.headers["location"]
    assert "Nothing to do" in page(await send(service, "waive", form | SURE | answers)).text
    given = await service.services.store.read(waivers.newest, now=LATER)
    assert {(one.study_key, one.rule, one.reason, one.expires.day) for one in given} == {
        ("1.2", "SER-LATERALITY", "Seen by the department", 1),
        ("1.4", "SER-LATERALITY", "Seen by the department", 1),
    }
    assert len(given) == 2
    assert len(await service.audit("waiver.give")) == 2


async def test_by_role_from_our_page_alone(guarded: Service) -> None:
    await fill(guarded)
    reader, reviewer = await guarded.key("reader"), await guarded.key("reviewer")
    operator = await guarded.key("qa_operator")
    assert not ticks_of(page(await guarded.get("/", headers=reader)))
    form = tick(page(await guarded.get("/", headers=reviewer)), "1.2")
    for act, allowed, other in (
        ("rejudge", operator, reviewer),
        ("pull", operator, reviewer),
        ("waive", reviewer, operator),
    ):
        page(await send(guarded, act, form, **allowed))
        page(await send(guarded, act, form, **other), 403)
        page(await send(guarded, act, form, **reader), 403)
        page(await send(guarded, act, form, **{**allowed, "Sec-Fetch-Site": "cross-site"}), 403)


async def test_what_is_no_list_of_ours_is_refused(service: Service) -> None:
    await fill(service)
    page(await send(service, "rejudge", {"tick-1": "cellar:x/1.1"}), 400)
    page(await send(service, "rejudge", {f"tick-{n}": f"archive:main/{n}" for n in range(51)}), 400)
    seen = page(
        await send(
            service, "rejudge", {"tick-1": "archive:main/9.9", "back": "https://elsewhere.org/"} | SURE
        )
    )
    assert "Nothing to do" in seen.text
    assert seen.all("a", href="../../")
    assert "No study was ticked" in page(await send(service, "rejudge", {"back": "./"})).text


async def test_news_says_whether_anything_changed(service: Service) -> None:
    await fill(service)
    section = page(await service.get("/")).all("section", id="results")[0]
    address = f"/{section['data-news']}"
    assert (await service.get(address)).status_code == 204
    await judge(service.services.store, snapshot(study="1.9", location=UPLOAD))
    assert (await service.get(address)).status_code == 200
    assert (await service.get("/news")).status_code == 200


async def test_by_the_age_of_the_verdict(service: Service) -> None:
    await fill(service)
    assert len(page(await service.get("/?age=1h")).rows()) == 3
    assert not page(await service.get("/?age=over-1d")).rows()
    page(await service.get("/?age=nonsense"), 400)
    page(await service.get("/?page=abc"), 400)
