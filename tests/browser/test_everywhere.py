"""What holds for every page: accessible, sealed, at home on any window, in the dark and on paper."""

import pytest
from browser.conftest import Watched, violations
from browser.filled_store import series_of, uid_of
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PAGES = {
    "list": "",
    "nothing passes": "?text=nothing&readiness=BLOCKED&manufacturer=nobody",
    "two locations": f"studies/{uid_of('count-mismatch')}",
    "two revisions": f"studies/{uid_of('uid-duplicate')}",
    "an older revision": f"studies/{uid_of('uid-duplicate')}?revision=1",
    "pending": f"studies/{uid_of('xa-coronary')}",
    "two patients": f"studies/{uid_of('two-patient-ids')}",
    "ready": f"studies/{uid_of('rt-chain')}",
    "a long UID": f"studies/{uid_of('uid-too-long')}",
    "series and instances": f"studies/{uid_of('ct-chest')}/series?open={series_of('ct-chest')}",
    "series of several modalities": f"studies/{uid_of('rt-chain')}/series",
    "a series without slices": f"studies/{uid_of('xa-coronary')}/series/{series_of('xa-coronary')}",
    "slices that are missing": f"studies/{uid_of('slices-missing')}/series/{series_of('slices-missing')}",
    "differences between archives": f"studies/{uid_of('count-mismatch')}/differences",
    "nothing to compare": f"studies/{uid_of('rt-chain')}/differences",
    "archives": "archives",
    "an archive": "archives/main",
    "an archive in trouble": "archives/cardiology",
    "an archive that nobody looked at": "archives/new",
    "a new archive": "add-archive",
    "an archive that is changed": "archives/main/change",
    "not found": "studies/1.2.3",
    "overview": "overview?heat=station",
    "search": "search",
}
OPERATIONS = {
    "jobs that were given up": "jobs",
    "all jobs": "jobs?show=all",
    "no such jobs": "jobs?kind=nothing",
    "a job": "jobs/6",
    "a question": "jobs/6/retry",
    "quarantine": "quarantine",
    "a question with a reason": "keys/revoke?name=prometheus",
    "rules": "rules?text=PAT-",
    "rules by studies": "rules?order=studies",
    "a rule": "rules/PAT-ID-CONFLICT",
    "profiles": "profiles",
    "a profile": "profiles/migration",
    "uploads": "uploads",
    "audit": "audit?verify=1",
    "keys": "keys",
    "health": "service",
}
LOOKS = {"desktop": (1366, "light"), "phone in the dark": (360, "dark")}


def fits(page: Page, width: int) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= width)


def fits_with_large_text(page: Page) -> bool:
    """WCAG 2.2, 1.4.4 and 1.4.10: twice the size is the same as half the window."""
    page.set_viewport_size({"width": 320, "height": 600})
    return fits(page, 320)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(tabs: Watched, address: str, name: str, look: str) -> None:
    width, scheme = LOOKS[look]
    status = 404 if name == "not found" else 200
    page = tabs.open(address + PAGES[name], width=width, status=status, color_scheme=scheme)
    assert violations(page) == []
    assert fits(page, width)
    assert fits_with_large_text(page)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_axe_finds_nothing_in_operations(
    tabs: Watched, operations_address: str, name: str, look: str
) -> None:
    width, scheme = LOOKS[look]
    page = tabs.open(operations_address + OPERATIONS[name], width=width, color_scheme=scheme)
    assert violations(page) == []
    assert fits(page, width)
    assert fits_with_large_text(page)


@pytest.mark.parametrize("path", ["", "archives", "overview", "jobs", "quarantine", "uploads", "service"])
def test_axe_finds_nothing_when_there_is_nothing(tabs: Watched, empty_address: str, path: str) -> None:
    assert violations(tabs.open(empty_address + path)) == []


def test_the_dark_is_dark(tabs: Watched, address: str) -> None:
    def brightness(scheme: str) -> int:
        page = tabs.open(address, color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))

    assert brightness("dark") < 150
    assert brightness("light") > 600


def test_on_paper_there_are_no_controls_and_no_dark(tabs: Watched, address: str) -> None:
    page = tabs.open(address, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".filters").filter(visible=True).count() == 0
    assert page.locator(".studies tbody tr").first.is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert violations(page) == []
