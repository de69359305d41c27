"""Who may do what, in a real browser: each role by its key, two persons, and a server that comes back."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from browser.conftest import Watched, serving, violations
from browser.filled_operations import GATE, keep_back
from browser.filled_store import MAIN, NOW, STUDIES, pull, uid_of
from playwright.sync_api import Page, expect
from servers.dicomweb import running_loopback
from unit.api.service import study_zip
from unit.store.samples import finding, judge, snapshot

from heltig.auth import keys
from heltig.auth.keys import NewKey
from heltig.auth.principal import ROLES, Role
from heltig.pipeline.publish import render
from heltig.store import archives
from heltig.store.archive_options import ArchiveOptions
from heltig.store.archives import Archive
from heltig.store.engine import Store
from heltig.store.migrations import upgrade

pytestmark = pytest.mark.browser

KEPT = "2.25.771100077"
HERE = "ct-chest"


class Guarded(msgspec.Struct, frozen=True):
    """A service that asks for keys; `keys` by who holds them."""

    home: Path
    address: str
    keys: dict[str, str]


async def fill(home: Path, archive: str) -> dict[str, str]:
    store = await Store.open(f"sqlite+aiosqlite:///{home / 'heltig.db'}", render=render)
    await upgrade(store)
    try:
        await pull(store, "main", [STUDIES[HERE]], at=NOW)
        profile = home / "two.toml"
        profile.write_text('second_person = ["release", "discard"]')
        options = ArchiveOptions(profile=str(profile), strategy="none")
        entry = Archive(name="main", qido_url=archive, wado_url=archive, options=options)
        await store.write(archives.add, entry)
        await judge(store, snapshot(study=KEPT, location=GATE), finding(), readiness="BLOCKED")
        await store.write(keep_back, KEPT, "It is BLOCKED: PAT-ID-EMPTY.", objects=2, since=NOW)
        holders: dict[str, Role] = {
            **{role: role for role in ROLES},
            "second": "reviewer",
            "leaver": "reader",
        }
        made = {}
        for name, role in holders.items():
            new = NewKey(name=name, role=role)
            made[name] = await store.write_durably(keys.create, new, actor=f"user:{name}", origin="", now=NOW)
        return made
    finally:
        await store.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    home = tmp_path_factory.mktemp("guarded")
    running = running_loopback(STUDIES[HERE].datasets)
    with ThreadPoolExecutor(1) as thread:  # the browser may have an event loop in this one
        archive = thread.submit(running.__enter__).result()
        try:
            made = thread.submit(lambda: asyncio.run(fill(home, archive.url))).result()
            with serving(home, auth_mode="api-key", identifiers="masked") as address:
                yield Guarded(home, address, made)
        finally:
            thread.submit(running.__exit__, None, None, None).result()


def enter(tabs: Watched, guarded: Guarded, who: str, path: str = "", **options: object) -> Page:
    """Opens a page as the holder of a key, which a proxy would send along."""
    headers = {"Authorization": f"Bearer {guarded.keys[who]}"}
    return tabs.open(guarded.address + path, extra_http_headers=headers, **options)  # type: ignore[arg-type]


SEEN = {
    "reader": ("Overview Studies Quarantine Waivers Archives Jobs Rules Profiles Health", "keys"),
    "reviewer": ("Overview Studies Quarantine Waivers Archives Jobs Rules Profiles Health", "keys"),
    "qa_operator": (
        "Overview Studies Quarantine Waivers Archives Uploads Jobs Rules Profiles Health",
        "audit",
    ),
    "admin": (
        "Overview Studies Quarantine Waivers Archives Uploads Jobs Rules Profiles Health Audit Keys",
        "",
    ),
    "auditor": ("Jobs Rules Profiles Health Audit", "overview"),
    "researcher": ("Rules Profiles", "overview"),
}
"""What is offered to a role, and a page that is not."""


@pytest.mark.parametrize("role", SEEN)
def test_a_role_is_offered_what_it_may_see(tabs: Watched, guarded: Guarded, role: str) -> None:
    offered, refused = SEEN[role]
    page = enter(tabs, guarded, role, "rules", color_scheme="dark")
    assert page.get_by_label("Pages", exact=True).get_by_role("link").all_inner_texts() == offered.split()
    if "Studies" in offered:
        page.goto(guarded.address)
        names = "Doe, Jane" in page.content()
        assert page.locator(".studies tbody tr").count() >= 2
        assert names == (role != "reader"), "the reader alone sees no names"
        assert (page.locator(".at-tick").count() > 0) == (role != "reader")
    if refused:
        page = enter(tabs, guarded, role, refused, status=403, width=390)
        expect(page.get_by_text("What you may see:")).to_be_visible()
        expect(page.get_by_text("Whoever administers Heltig")).to_be_visible()
        listed = page.locator(".places a").all_inner_texts()
        assert listed == offered.split()
        assert violations(page) == []


def test_who_has_no_key_is_asked_who_they_are(tabs: Watched, guarded: Guarded) -> None:
    page = tabs.open(guarded.address, status=401)
    expect(page.get_by_role("heading", level=1)).to_have_text("Who are you?")
    expect(page.get_by_role("navigation")).to_have_count(0)


def test_a_revoked_key_opens_nothing(tabs: Watched, guarded: Guarded) -> None:
    page = enter(tabs, guarded, "admin", "keys")
    page.get_by_role("link", name="Revoke leaver").click()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("status")).to_contain_text("Revoked.")
    leaver = enter(tabs, guarded, "leaver", status=401)
    expect(leaver.get_by_role("heading", level=1)).to_have_text("Who are you?")


def test_a_known_study_is_pulled_again(tabs: Watched, guarded: Guarded) -> None:
    page = enter(tabs, guarded, "admin", f"?text={uid_of(HERE)}")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_role("button", name="Pull").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pull 1 study again?")
    page.get_by_role("button", name="Pull again").click()
    expect(page.locator(".told")).to_contain_text("1 study")
    page.goto(f"{guarded.address}audit?action=study.pull")
    expect(page.locator(".list tbody tr").first).to_contain_text(uid_of(HERE))
    page.goto(f"{guarded.address}jobs?show=all&kind=pull")
    page.locator(".list .row-link").first.click()
    for _ in range(60):
        if page.get_by_text("done", exact=True).count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_text("done", exact=True).first).to_be_visible()


def test_released_with_a_second_persons_consent(tabs: Watched, guarded: Guarded) -> None:
    first = enter(tabs, guarded, "reviewer", "quarantine", width=390, color_scheme="dark")
    first.get_by_role("link", name=f"Look at it: {KEPT}", exact=True).click()
    first.get_by_role("link", name="Ask to release").click()
    expect(first.get_by_text("Nothing is done yet")).to_be_visible()
    first.get_by_label("Why").fill("Seen with Dr. Roe.")
    first.get_by_role("button", name="Ask for consent").click()
    expect(first.get_by_role("status")).to_contain_text("before a second person consents")
    first.goto(f"{guarded.address}quarantine")
    first.get_by_role("link", name=f"Look at it: {KEPT}", exact=True).click()
    expect(first.get_by_role("link", name="Consent")).to_have_count(0)
    second = enter(tabs, guarded, "second", "quarantine")
    second.get_by_role("link", name=f"Look at it: {KEPT}", exact=True).click()
    expect(second.get_by_role("main")).to_contain_text("Seen with Dr. Roe.")
    second.get_by_role("link", name="Consent").click()
    second.get_by_label("Why").fill("Likewise.")
    second.get_by_role("button", name="Consent and release").click()
    expect(second.get_by_role("link", name=f"Look at it: {KEPT}", exact=True)).to_have_count(0)
    trail = enter(tabs, guarded, "auditor", "audit?action=quarantine.release")
    expect(trail.locator(".list tbody tr").first).to_contain_text("key:")


def test_rows_come_after_a_restart_of_the_server(tabs: Watched, tmp_path: Path) -> None:
    async def put() -> None:
        store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'heltig.db'}", render=render)
        await upgrade(store)
        await judge(store, snapshot(study="2.25.1", location=MAIN))
        await store.close()

    zip = tmp_path / "another.zip"
    zip.write_bytes(study_zip("mr-brain"))
    with ThreadPoolExecutor() as thread:  # the browser has an event loop in this one
        thread.submit(lambda: asyncio.run(put())).result()
    with serving(tmp_path) as address:
        page = tabs.open(address)
        expect(page.locator(".studies tbody tr")).to_have_count(1)
        page.locator(".at-tick input").check()
    expect(page.get_by_role("alert")).to_be_visible(timeout=15_000)
    with serving(tmp_path, port=urlsplit(address).port or 0):
        other = tabs.open(f"{address}uploads", java_script_enabled=False)
        other.get_by_label("File").set_input_files(zip)
        other.get_by_role("button", name="Send").click()
        expect(page.locator(".studies tbody tr")).to_have_count(2, timeout=60_000)
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator(".at-tick :checked")).to_have_count(1)
    tabs.complaints = [text for text in tabs.complaints if "ERR_CONNECTION_REFUSED" not in text]
