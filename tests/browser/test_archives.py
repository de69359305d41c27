"""The pages of archives in a real browser."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.conftest import Watched, serving, violations
from browser.filled_archives import fill_archives
from browser.filled_store import NOW
from playwright.sync_api import expect

from heltig.pipeline.publish import render
from heltig.store.engine import Store
from heltig.store.migrations import upgrade

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def archives_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service is whose archives are changed by these tests."""
    home: Path = tmp_path_factory.mktemp("archives")

    async def fill() -> None:
        store = await Store.open(f"sqlite+aiosqlite:///{home / 'heltig.db'}", render=render)
        await upgrade(store)
        await fill_archives(store, now=NOW)
        await store.close()

    asyncio.run(fill())
    with serving(home) as where:
        yield where


def test_the_worst_is_the_first_and_leads_to_why(tabs: Watched, archives_address: str) -> None:
    page = tabs.open(archives_address)
    page.get_by_role("link", name="Archives").click()
    rows = page.locator(".archives tbody tr")
    expect(rows.first).to_contain_text("stopped")
    rows.first.locator(".at-queue").click(force=True)  # the link covers the whole row
    expect(page.get_by_role("heading", level=1)).to_have_text("cardiology")
    expect(page.get_by_text("Searches: not asked until")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_paused_and_resumed(tabs: Watched, archives_address: str, scripts: bool) -> None:
    page = tabs.open(f"{archives_address}archives/main", java_script_enabled=scripts)
    page.get_by_role("link", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pause archive main?")
    page.get_by_role("button", name="Pause").click()
    expect(page).to_have_url(f"{archives_address}archives/main?done=paused")
    assert "Paused." in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume").click()
    assert "Resumed." in page.get_by_role("status").inner_text()
    assert page.get_by_role("link", name="Pause").is_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_added_and_changed_with_what_is_wrong_beside_its_field(
    tabs: Watched, archives_address: str, scripts: bool
) -> None:
    name = f"added-{scripts}".lower()
    page = tabs.open(f"{archives_address}archives", status=200, java_script_enabled=scripts)
    page.get_by_role("link", name="Add an archive").click()
    assert not page.get_by_label("User name (needed)").is_visible()
    page.get_by_label("user name and password").check()
    page.get_by_label("Id (needed)", exact=True).fill(name)
    page.get_by_label("DICOMweb root").fill("https://pacs.example/dicom-web")
    page.get_by_label("User name (needed)").fill("heltig")
    page.get_by_label("Where the secret lies").fill("env:HELTIG_SECRET_PACS")
    page.get_by_role("button", name="Add").click()
    expect(page).to_have_url(f"{archives_address}archives/{name}?done=added")
    page.get_by_role("link", name="Change").first.click()
    expect(page.get_by_label("Where the secret lies")).to_have_attribute("placeholder", "as it is stored")
    page.get_by_label("Title", exact=True).fill("A new one")
    page.get_by_label("Hours", exact=True).fill("mon-fri 19:00-06:00\nsat,sun 00:00-24:00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A new one")
    expect(page.get_by_text("mon-fri 19:00-06:00, sat,sun 00:00-24:00")).to_be_visible()


def test_what_is_wrong_is_said_to_everybody(tabs: Watched, archives_address: str) -> None:
    page = tabs.open(f"{archives_address}add-archive", width=400, color_scheme="dark")
    page.get_by_label("OAuth 2.0").check()
    page.get_by_label("Id (needed)", exact=True).fill("Main PACS")
    page.get_by_label("Where the secret lies").fill("hunter2")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("5 fields cannot be taken")
    expect(page.get_by_label("Id (needed)", exact=True)).to_have_value("Main PACS")
    expect(page.get_by_label("Id (needed)", exact=True)).to_have_accessible_description(
        re.compile("is no name")
    )
    expect(page.get_by_label("Where the secret lies")).to_have_value("")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize("scripts", [True, False])
def test_a_backfill_is_started_and_stopped(tabs: Watched, archives_address: str, scripts: bool) -> None:
    page = tabs.open(f"{archives_address}archives/teaching", java_script_enabled=scripts)
    page.get_by_label("Study dates from").fill("2014-01-01")
    page.get_by_label("to", exact=True).fill(f"2014-01-{2 + scripts:02}")
    page.get_by_role("button", name="Pull these days").click()
    page.get_by_role("button", name="Pull them").click()
    expect(page.get_by_role("status")).to_contain_text("It begins once the archive is resumed")
    newest = page.get_by_role("article").first
    expect(newest).to_contain_text(f"2014-01-01 to 2014-01-{2 + scripts:02}")
    newest.get_by_role("link", name="Stop").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("article").first).to_contain_text("Stopped")
    assert page.get_by_role("link", name="Go on").first.is_visible()
    if scripts:
        assert violations(page) == []
