"""The forms by which archives are added, changed and pulled from, sent as a browser sends them."""

import html
import re
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from unit.api.service import Service, together
from unit.dashboard.reading import Page, page, refused
from unit.pipeline.test_archives import UNREADABLE
from unit.store import pulling
from unit.store.test_archives import spoil

from heltig.auth.policy import refusal
from heltig.credentials import BasicAuth, BearerAuth, ClientCredentials
from heltig.dashboard.archive_fields import FIELDS
from heltig.pipeline.archives.administration import change_archive, find_archive
from heltig.store import backfills
from heltig.store.archive_options import ArchiveOptions
from heltig.store.archives import Archive

OURS = {"Sec-Fetch-Site": "same-origin"}
NEW = {"name": "main", "qidoUrl": "https://pacs.example/dicom-web", "auth.kind": "none"}


async def entry(service: Service, name: str = "main") -> Archive:
    return await find_archive(service.services.store, name)


def filled(seen: Page, text: str) -> dict[str, str]:
    """What a browser would send of a form that nobody touched."""
    typed = {
        str(one["name"]): str(one.get("value") or "")
        for one in seen.all("input")
        if "name" in one and (one.get("type") not in ("radio", "checkbox") or "checked" in one)
    }
    for area in re.finditer(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)', text):
        typed[area[1]] = html.unescape(area[2])
    for choice in re.finditer(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', choice[2])
        typed[choice[1]] = chosen[1] if chosen else ""
    return typed


async def opened(service: Service, path: str) -> dict[str, str]:
    answer = await service.get(path)
    return filled(page(answer), answer.text)


def wrong(seen: Page) -> set[str]:
    """The fields that the page says are wrong."""
    return {
        str(one["name"])
        for tag in ("input", "select", "textarea")
        for one in seen.all(tag, **{"aria-invalid": "true"})
    }


def test_every_field_of_an_archive_can_be_typed() -> None:
    kinds = (BasicAuth, BearerAuth, ClientCredentials)
    auth = {f"auth.{one.encode_name}" for kind in kinds for one in msgspec.structs.fields(kind)}
    options = {f"options.{one.encode_name}" for one in msgspec.structs.fields(ArchiveOptions)}
    roots = {"name", "title", "qidoUrl", "wadoUrl", "stowUrl", "feedUrl"}
    assert FIELDS.keys() == roots | auth | options


async def test_an_archive_is_added_with_all_that_is_typed(service: Service) -> None:
    typed = {
        **await opened(service, "/add-archive"),
        **NEW,
        "title": "Main & <b>co</b>",
        "auth.kind": "basic",
        "auth.username": "heltig",
        "auth.secret": "env:HELTIG_SECRET_MAIN",
        "auth.tokenUrl": "of another kind",
        "options.concurrency": "4",
        "options.requestsPerSecond": "2.5",
        "options.hours": "mon-fri 19:00-06:00\r\n\r\n sat,sun 00:00-24:00 ",
        "options.timezone": "Europe/Berlin",
        "options.strategy": "orthanc",
    }
    answer = await service.post("/add-archive", data=typed, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "archives/main?done=added")
    made = await entry(service)
    assert made.title == "Main & <b>co</b>"
    assert made.auth == BasicAuth(username="heltig", secret="env:HELTIG_SECRET_MAIN")
    assert made.options == ArchiveOptions(
        concurrency=4,
        requests_per_second=2.5,
        hours=("mon-fri 19:00-06:00", "sat,sun 00:00-24:00"),
        timezone="Europe/Berlin",
        strategy="orthanc",
    )
    assert [one.subject for one in await service.audit("archive.add")] == ["archive:main"]
    assert "Added." in page(await service.get("/archives/main?done=added")).text
    taken = await refused(service, "/add-archive", data=typed, headers=OURS)
    assert wrong(taken) == {"name"}


WRONG: dict[str, tuple[dict[str, str], set[str]]] = {
    "nothing": ({"name": "", "qidoUrl": ""}, {"name", "qidoUrl"}),
    "a name": ({"name": "Main PACS"}, {"name"}),
    "addresses": (
        {"qidoUrl": "pacs", "wadoUrl": "ftp://x/", "stowUrl": "http://[::1"},
        {"qidoUrl", "wadoUrl", "stowUrl"},
    ),
    "where clouds keep secrets": ({"feedUrl": "http://[64:ff9b::a9fe:a9fe]/"}, {"feedUrl"}),
    "numbers": (
        {"options.concurrency": "0", "options.weight": "2.5", "options.requestsPerSecond": "2,5",
         "options.pollSeconds": "nan", "options.bytesPerSecond": "9" * 5000, "options.priority": "101"},
        {"options.concurrency", "options.weight", "options.requestsPerSecond", "options.pollSeconds",
         "options.bytesPerSecond", "options.priority"},
    ),
    "hours": (
        {"options.hours": "mon 25:00-26:00", "options.timezone": "Mars"},
        {"options.hours", "options.timezone"},
    ),
    "a zone that is a path": ({"options.timezone": "../../etc/passwd"}, {"options.timezone"}),
    "files elsewhere": (
        {"options.caBundle": "/etc/passwd", "options.profile": "/etc/passwd", "options.key": "/etc/passwd"},
        {"options.caBundle", "options.profile", "options.key"},
    ),
    "a secret itself": ({"auth.kind": "bearer", "auth.secret": "hunter2"}, {"auth.secret"}),
    "a variable of ours": ({"auth.kind": "bearer", "auth.secret": "env:PATH"}, {"auth.secret"}),
    "no secret": ({"auth.kind": "basic"}, {"auth.username", "auth.secret"}),
    "OAuth": (
        {"auth.kind": "oauth2", "auth.tokenUrl": "x", "auth.proof": "private_key_jwt"},
        {"auth.tokenUrl", "auth.clientId", "auth.secret"},
    ),
    "control characters": ({"title": "a\x00b", "options.hours": "a\x1bb"}, {"title", "options.hours"}),
    "a strategy": ({"options.strategy": "magic"}, {"options.strategy"}),
}  # fmt: skip


@together
@pytest.mark.parametrize("what", WRONG)
async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    shared: Service, what: str
) -> None:
    typed, fields = WRONG[what]
    sent = {**await opened(shared, "/add-archive"), **NEW, "title": "Kept <i>", **typed}
    seen = await refused(shared, "/add-archive", data=sent, headers=OURS)
    assert wrong(seen) == fields
    kept = filled(seen, seen.source)
    for name in ("title", *typed):
        if name not in ("auth.secret", "options.strategy"):  # a secret, and what is no choice
            assert kept[name] == sent[name], name
    for field in fields:
        assert len(seen.all("div", id=f"{field.replace('.', '-')}-about")) == 1
    assert "<i>" not in seen.source


SECRETS = {
    "in the field of the reference": {"auth.kind": "basic", "auth.username": "u", "auth.secret": "hunter2"},
    "as a reference": {"auth.kind": "bearer", "auth.secret": "env:hunter2"},
    "as a file": {"auth.kind": "bearer", "auth.secret": "file:hunter2"},
    "in an address": {"qidoUrl": "https://u:hunter2@pacs.example/"},
    "in the address of tokens": {
        "auth.kind": "oauth2", "auth.clientId": "c", "auth.secret": "env:HELTIG_SECRET_A",
        "auth.tokenUrl": "https://u:hunter2@x/t",
    },
    "in an address that is none": {"wadoUrl": "https://u:hunter2@[x/"},
}  # fmt: skip


@together
@pytest.mark.parametrize("where", SECRETS)
async def test_a_secret_is_not_shown_again(shared: Service, where: str) -> None:
    seen = await refused(shared, "/add-archive", data={**NEW, **SECRETS[where]}, headers=OURS)
    assert "hunter2" not in seen.source


async def test_a_form_that_nobody_touched_changes_nothing(service: Service) -> None:
    options = ArchiveOptions(
        hours=("mon-fri 19:00-06:00", "daily 22:00-05:00"),
        timezone="Europe/Berlin",
        requests_per_second=0.123456789,
        cold_hours=1.5,
        ca_bundle="/elsewhere/ca.pem",
        profile="/elsewhere/profile.toml",
    )
    await pulling.add_archive(
        service.services.store,
        "main",
        title='"Main" & <co> 2.0',
        auth=BasicAuth(username="u", secret="file:/elsewhere/secret"),
        options=options,
        feed_url="https://main.example/changes",
    )
    before = await entry(service)
    answer = await service.get("/archives/main/change")
    assert "elsewhere/secret" not in answer.text
    typed = filled(page(answer), answer.text)
    changed = await service.post("/archives/main/change", data=typed, headers=OURS)
    assert (changed.status_code, changed.headers["location"]) == (303, "../main?done=changed")
    assert await entry(service) == before


async def test_what_is_emptied_gets_its_default_and_another_kind_needs_its_own_secret(
    service: Service,
) -> None:
    auth = BasicAuth(username="u", secret="env:HELTIG_SECRET_A")
    await pulling.add_archive(
        service.services.store, "main", auth=auth, options=ArchiveOptions(concurrency=9), title="Main"
    )
    typed = await opened(service, "/archives/main/change")
    emptied = {**typed, "title": "", "options.concurrency": "", "auth.kind": "bearer"}
    again = await refused(service, "/archives/main/change", data=emptied, headers=OURS)
    assert wrong(again) == {"auth.secret"}
    given = {**emptied, "auth.secret": "env:HELTIG_SECRET_B"}
    assert (await service.post("/archives/main/change", data=given, headers=OURS)).status_code == 303
    after = await entry(service)
    assert (after.title, after.options, after.auth) == (
        "",
        ArchiveOptions(),
        BearerAuth(secret="env:HELTIG_SECRET_B"),
    )


async def test_a_stored_secret_goes_to_no_other_address(service: Service) -> None:
    auth = BearerAuth(secret="env:SOMETHING_ELSE")
    await pulling.add_archive(service.services.store, "main", auth=auth)
    typed = {**await opened(service, "/archives/main/change"), "qidoUrl": "https://evil.example/"}
    seen = await refused(service, "/archives/main/change", data=typed, headers=OURS)
    assert wrong(seen) == {"auth.secret"}
    assert "SOMETHING_ELSE" not in seen.source


@pytest.mark.parametrize("seen", ["as it was", "", "*"])
async def test_a_change_that_somebody_made_meanwhile_is_not_lost(service: Service, seen: str) -> None:
    store = service.services.store
    await pulling.add_archive(store, "main")
    typed = {**await opened(service, "/archives/main/change"), "title": "Mine"}
    typed["seen"] = typed["seen"] if seen else ""
    if seen == "*":
        typed["seen"] = "*"
    patch = {"title": "Theirs", "options": {"weight": 7}}
    who: dict[str, Any] = {"at": service.services.clock(), "actor": "other", "origin": ""}
    await change_archive(store, service.services.settings, "main", patch, **who)
    told = await refused(service, "/archives/main/change", data=typed, headers=OURS)
    for text in ("Somebody changed this archive meanwhile", "Stored now: Theirs", "Stored now: 7"):
        assert text in told.text
    again = filled(told, told.source)
    assert again["title"] == "Mine"
    assert (await entry(service)).title == "Theirs"
    assert (await service.post("/archives/main/change", data=again, headers=OURS)).status_code == 303
    after = await entry(service)
    assert (after.title, after.options.weight) == ("Mine", 1)


@pytest.mark.parametrize("what", UNREADABLE)
async def test_what_is_stored_and_cannot_be_read_is_not_replaced_unseen(service: Service, what: str) -> None:
    columns, field, _ = UNREADABLE[what]
    await pulling.add_archive(service.services.store, "main")
    await spoil(service.services.store, "main", **columns)
    answer = await service.get("/archives/main/change")
    assert "cannot be read" in page(answer).text
    typed = filled(page(answer), answer.text)
    if field == "auth":
        assert "auth.kind" not in typed
        unchosen = await refused(service, "/archives/main/change", data=typed, headers=OURS)
        assert "Choose one." in unchosen.text
        assert (await entry(service)).unreadable == ("auth",)
        typed["auth.kind"] = "none"
    assert (await service.post("/archives/main/change", data=typed, headers=OURS)).status_code == 303
    assert (await entry(service)).broken == ""


POSTS = {
    "/add-archive": NEW,
    "/archives/main/change": {"title": "x", "auth.kind": "none"},
    "/archives/main/pull-study": {"study": "1.2.3"},
}


@pytest.mark.parametrize("path", POSTS)
async def test_forms_are_for_those_who_may_and_from_our_pages_alone(guarded: Service, path: str) -> None:
    await pulling.add_archive(guarded.services.store, "main")
    admin, reader = await guarded.key("admin"), await guarded.key("reader")
    for key, whence in ((reader, OURS), (admin, {"Sec-Fetch-Site": "cross-site"}), (admin, {})):
        assert (await guarded.post(path, data=POSTS[path], headers={**key, **whence})).status_code == 403
    assert (await guarded.post(path, data=POSTS[path], headers=OURS)).status_code == 401
    assert (await entry(guarded)).title == ""
    assert await guarded.services.store.read(backfills.newest) == []
    other = await guarded.post(path, json=POSTS[path], headers={**admin, **OURS})
    assert other.status_code == 400
    assert "the form of its page" in other.text
    large = await guarded.post(path, data={"title": "x" * 70_000}, headers={**admin, **OURS})
    assert large.status_code == 400


async def test_who_may_not_configure_is_led_to_no_form(guarded: Service) -> None:
    reader, operator = await guarded.key("reader"), await guarded.key("qa_operator")
    assert "Add an archive" not in page(await guarded.get("/archives", headers=reader)).text
    assert "Add an archive" in page(await guarded.get("/archives", headers=operator)).text
    await pulling.add_archive(guarded.services.store, "main")
    for path in ("/add-archive", "/archives/main/change"):
        page(await guarded.get(path, headers=reader), 403)
        page(await guarded.get(path, headers=operator))
    assert refusal(None, "GET", "/add-archive") is not None


async def test_no_such_archive(service: Service) -> None:
    for path in ("change", "pull-study", "backfill", "stop-backfill"):
        sent = await service.post(f"/archives/none/{path}", data={"study": "1.2"}, headers=OURS)
        page(sent, 404)
    page(await service.get("/archives/none/change"), 404)


async def test_a_study_is_asked_for(service: Service) -> None:
    await pulling.add_archive(service.services.store, "main", paused=True)
    begun = await service.post("/archives/main/pull-study", data={"study": " 1.2.3 "}, headers=OURS)
    question = f"/archives/main/{begun.headers['location']}"
    asked_once = page(await service.get(question))
    assert "Pull one study from main?" in asked_once.text
    assert "1.2.3" in asked_once.text
    assert "1.2.3" not in question
    assert await service.audit("study.pull") == []
    answer = await service.post(question, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "../../main?done=asked")
    (asked,) = await service.audit("study.pull")
    assert asked.subject == "archive:main 1.2.3"
    assert "It is paused" in page(await service.get("/archives/main?done=asked")).text


@pytest.mark.parametrize("study", ["", "  ", "1" * 1025, "1.2\x003"])
async def test_what_is_no_study_is_not_asked_for(service: Service, study: str) -> None:
    await pulling.add_archive(service.services.store, "main")
    seen = await refused(service, "/archives/main/pull-study", data={"study": study}, headers=OURS)
    assert wrong(seen) == {"study"}
    assert await service.audit("study.pull") == []


async def test_a_backfill_is_started_watched_stopped_and_gone_on_with(service: Service) -> None:
    store = service.services.store
    await pulling.add_archive(store, "main", paused=True)
    await pulling.add_archive(store, "other", paused=True)
    days = {"from": "2026-01-01", "to": "2026-01-31", "again": "on"}
    question = f"/archives/main/backfill?{urlencode(days)}"
    asked = page(await service.get(question))
    assert "Pull studies from main? Studies by their StudyDate: 2026-01-01 to 2026-01-31." in asked.text
    assert "The archive is paused" in asked.text
    assert await store.read(backfills.newest) == []
    for expected in ("waiting", "going"):
        answer = await service.post(question, headers=OURS)
        assert answer.headers["location"] == f"../main?done={expected}"
    (known,) = await store.read(backfills.newest)
    assert (known.dates, known.again) == ("20260101-20260131", True)
    seen = page(await service.get("/archives/main"))
    assert "2026-01-01 to 2026-01-31" in seen.text
    assert "Waits: the archive is paused" in seen.text
    page(await service.post("/archives/other/stop-backfill?backfill=1", headers=OURS), 404)
    ask_stop = f"/archives/main/stop-backfill?backfill={known.id}"
    assert "What was pulled is kept" in page(await service.get(ask_stop)).text
    stopped = await service.post(ask_stop, headers=OURS)
    assert stopped.headers["location"] == "../main?done=stopped"
    after = await service.get("/archives/main")
    assert "Go on" in page(after).text
    (link,) = [a for a in page(after).all("a") if "/backfill?" in str(a.get("href"))]
    await service.post(f"/archives/{link['href']}", headers=OURS)
    again, _ = await store.read(backfills.newest)
    assert (again.dates, again.again, again.finished) == (known.dates, known.again, None)


DAYS = {
    "no day": ({"from": "yesterday", "to": "2026-02-30"}, {"from", "to"}),
    "nothing": ({"from": "", "to": ""}, {"from"}),
    "all, and days": ({"from": "2026-01-01", "to": "", "all": "yes"}, {"from"}),
    "the other way round": ({"from": "2026-02-01", "to": "2026-01-01"}, {"to"}),
}


@pytest.mark.parametrize("what", DAYS)
async def test_days_that_are_none(service: Service, what: str) -> None:
    await pulling.add_archive(service.services.store, "main")
    typed, fields = DAYS[what]
    question = f"/archives/main/backfill?{urlencode(typed)}"
    for seen in (
        page(await service.get(question), 400),
        page(await service.post(question, headers=OURS), 400),
    ):
        assert wrong(seen) == fields
        days = {str(one["value"]) for one in seen.all("input", type="date")}
        assert days == {typed["from"], typed["to"]}
    assert await service.services.store.read(backfills.newest) == []


async def test_everything_is_pulled_only_where_that_is_asked_for(service: Service) -> None:
    await pulling.add_archive(service.services.store, "main", paused=True)
    asked = page(await service.get("/archives/main/backfill?all=yes"))
    assert "Pull everything that main has?" in asked.text
    assert "of all days" in asked.text
    assert await service.services.store.read(backfills.newest) == []
    await service.post("/archives/main/backfill?all=yes", headers=OURS)
    assert [one.dates for one in await service.services.store.read(backfills.newest)] == [""]
