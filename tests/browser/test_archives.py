"""The pages of archives in a real browser."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.conftest import Watched, serving
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
    page.get_by_role("button", name="Pause").click()
    expect(page).to_have_url(f"{archives_address}archives/main?done=paused")
    assert "Paused." in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Resume").click()
    assert "Resumed." in page.get_by_role("status").inner_text()
    assert page.get_by_role("button", name="Pause").is_visible()
