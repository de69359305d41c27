"""What holds for every page: accessible, sealed, at home on any window, in the dark and on paper."""

import io
from typing import Literal

import pytest
from browser.conftest import Watched, violations
from browser.filled_store import series_of, uid_of
from PIL import Image
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
WIDE, NARROW, NARROWEST = 1366, 390, 320

LONG_WORD = "MRI_PROSTATE_WITH_AND_WITHOUT_CONTRAST_DYNAMIC_DCE_DWI_PROTOCOL_A"[:64]
"""As long as a StudyDescription can be, and nowhere to be broken."""

_PUT_LONG_WORDS = """word => {
  const ours = "thead, .badge, .button, .at-do, button, label, legend, summary, nav, select, svg, time, kbd";
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts)
    if (text.textContent.trim() && !text.parentElement.closest(`${ours}, .number`)) text.textContent = word;
}"""


def fits(page: Page, width: int) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= width)


def insist_on_every_look(page: Page) -> None:
    """Accessible on a desk in the light and on a phone in the dark; never wider than its window.

    WCAG 2.2, 1.4.4 and 1.4.10: text of twice the size is the same as half the window.
    """
    assert violations(page) == []
    assert fits(page, WIDE)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": NARROW, "height": 800})
    assert violations(page) == []
    assert fits(page, NARROW)
    page.set_viewport_size({"width": NARROWEST, "height": 600})
    assert fits(page, NARROWEST)
    page.evaluate(_PUT_LONG_WORDS, LONG_WORD)
    for width in (NARROWEST, 768, 1280):
        page.set_viewport_size({"width": width, "height": 600})
        assert fits(page, width), f"a long word makes it wider than {width}"


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(tabs: Watched, address: str, name: str) -> None:
    status = 404 if name == "not found" else 200
    insist_on_every_look(tabs.open(address + PAGES[name], width=WIDE, status=status))


@pytest.mark.parametrize("name", OPERATIONS)
def test_axe_finds_nothing_in_operations(tabs: Watched, operations_address: str, name: str) -> None:
    insist_on_every_look(tabs.open(operations_address + OPERATIONS[name], width=WIDE))


@pytest.mark.parametrize("path", ["", "archives", "overview", "jobs", "quarantine", "uploads", "service"])
def test_axe_finds_nothing_when_there_is_nothing(tabs: Watched, empty_address: str, path: str) -> None:
    assert violations(tabs.open(empty_address + path)) == []


def test_the_dark_is_dark(tabs: Watched, address: str) -> None:
    page = tabs.open(address)

    def brightness(scheme: Literal["dark", "light"]) -> float:
        page.emulate_media(color_scheme=scheme)
        picture = Image.open(io.BytesIO(page.screenshot()))
        colours = picture.convert("RGB").getcolors(picture.width * picture.height)
        assert colours is not None
        assert len(colours) > 50, "it is blank"
        return float(sum(picture.convert("L").resize((1, 1)).tobytes()))

    assert brightness("dark") < 60
    assert brightness("light") > 200


def test_on_paper_there_are_no_controls_and_no_dark(tabs: Watched, address: str) -> None:
    page = tabs.open(address, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".filters").filter(visible=True).count() == 0
    assert page.locator(".studies tbody tr").first.is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert violations(page) == []
