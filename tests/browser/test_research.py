"""The pages of analyses in a browser: one stored analysis, made of a phantom by the real program."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from browser.conftest import Watched, violations
from browser.test_everywhere import fits
from imaging.small_bodies import trunk

pytestmark = pytest.mark.browser

LOOKS = {"desktop": (1366, "light"), "phone in the dark": (360, "dark")}


@dataclass
class Filled:
    """A service with analyses of one study.

    Attributes:
        address: Where it is.
        done: An analysis that is done; `refused` one that is not.
        study: The study.
    """

    address: str
    done: str
    refused: str
    study: str


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    pytest.importorskip("highdicom")
    from browser.filled_research import analysed, serving_research, uploaded, zipped

    body = trunk(spacing=(3.0, 3.0, 5.0))

    def analyses(address: str) -> Filled:
        study = uploaded(address, zipped(body, "done"))
        done, refused = analysed(address, study=study), analysed(address, study=study, series="1.2.3")
        assert (done["state"], refused["state"]) == ("done", "refused")
        return Filled(address, f"research/{done['id']}", f"research/{refused['id']}", study)

    with serving_research(tmp_path_factory.mktemp("research")) as address, ThreadPoolExecutor(1) as thread:
        yield thread.submit(analyses, address).result()


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(tabs: Watched, filled: Filled, look: str) -> None:
    width, scheme = LOOKS[look]
    for path in ("research", filled.done, filled.refused, f"studies/{filled.study}/analyse"):
        options: dict[str, Any] = {"width": width, "color_scheme": scheme}
        page = tabs.open(filled.address + path, **options)
        assert violations(page) == [], path
        assert fits(page, width), path
        page.set_viewport_size({"width": 320, "height": 600})  # twice the size of text: WCAG 2.2, 1.4.10
        assert fits(page, 320), path


def test_slices_are_leafed_through_by_keyboard(tabs: Watched, filled: Filled) -> None:
    page = tabs.open(filled.address + filled.done)
    shown = page.locator(".slices ol > li").filter(visible=True)
    assert shown.count() == 1
    before = shown.locator("figcaption").inner_text()
    page.get_by_label("Slice", exact=True).press("ArrowRight")
    assert shown.locator("figcaption").inner_text() != before
    loaded = "picture => picture.decode().then(() => picture.naturalWidth)"
    assert shown.locator("img").evaluate(loaded) > 300
    assert page.locator(".overlays img").first.evaluate(loaded) > 300


def test_without_javascript_slices_stand_side_by_side(tabs: Watched, filled: Filled) -> None:
    page = tabs.open(filled.address + filled.done, java_script_enabled=False)
    assert page.locator(".slices ol > li").filter(visible=True).count() == 60
    assert not page.get_by_label("Slice", exact=True).is_visible()
    with page.expect_download() as masks:
        page.get_by_role("link", name="Masks").click()
    assert masks.value.suggested_filename.startswith("heltig-masks-")


def test_an_analysis_is_followed_until_its_pictures_are_there(tabs: Watched, filled: Filled) -> None:
    page = tabs.open(f"{filled.address}studies/{filled.study}/analyse")
    page.get_by_role("button", name="Analyse it").click()
    followed = page.url
    assert page.locator(".research-told").inner_text().startswith("Ordered.")
    page.locator(".slices").wait_for(timeout=60_000)  # nobody loads the page again
    assert page.url == followed
    assert page.locator(".research-told").count() == 0
    assert page.get_by_text("It came to the same as an earlier analysis").is_visible()
