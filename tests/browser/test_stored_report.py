"""Reports of stored verdicts in a real browser: on the screen, and on paper."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from browser.conftest import Watched, violations
from browser.filled_store import NOW, fill, uid_of
from browser.test_report import PAPER

from heltig.pipeline.publish import render
from heltig.reports.gathering import lines_of, pictures_of, study_of
from heltig.reports.study_pictures import SeriesPicture, SeriesSpan, StudyPictures
from heltig.reports.verdict_about import About, about_scope
from heltig.reports.verdict_html import study_page, written
from heltig.reports.verdict_line import line_of
from heltig.store.engine import Store
from heltig.store.judged_studies import Scope

pytestmark = pytest.mark.browser

WRITTEN = datetime(2026, 6, 1, 12, tzinfo=UTC)


@asynccontextmanager
async def filled(home: Path):  # type: ignore[no-untyped-def]
    await fill(home)
    store = await Store.open(f"sqlite+aiosqlite:///{home / 'heltig.db'}", render=render)
    try:
        yield store
    finally:
        await store.close()


async def write(home: Path) -> dict[str, str]:
    async with filled(home) as store:
        scope = Scope()
        lines = lines_of(store, scope, redact=False, clock=lambda: NOW)
        about = about_scope(scope, redact=False, written=WRITTEN)
        everything = "".join([piece async for piece in written(lines, about)])
        found = await study_of(store, uid_of("slices-missing"), None, now=NOW)
        of_study = About(kind="study", title="Study", written=WRITTEN)
        pictures = await pictures_of(store, found)
        many = study_page(line_of(found, redact=False), of_study, StudyPictures(tuple(series(97))))
        return {
            "many series": many,
            "everything": everything,
            "study": study_page(line_of(found, redact=False), of_study, pictures),
        }


def series(number: int) -> Iterator[SeriesPicture]:
    """As of a study of many series, with a scan every minute."""
    for place in range(number):
        begin = WRITTEN + timedelta(minutes=place)
        name = f"{place + 1} MR"
        span = SeriesSpan(begin, begin + timedelta(seconds=30))
        yield SeriesPicture(f"1.2.{place}", name, name, 1, span, ())


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of a report of many studies, and of one of a study with a gap in its slices."""
    home = tmp_path_factory.mktemp("reported")
    with ThreadPoolExecutor() as thread:  # the browser may have an event loop in this one
        texts = thread.submit(lambda: asyncio.run(write(home))).result()
    for name, text in texts.items():
        (home / f"{name}.html").write_text(text, "utf-8")
    return {name: (home / f"{name}.html").as_uri() for name in texts}


@pytest.mark.parametrize("name", ["everything", "study"])
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_axe_finds_nothing(
    tabs: Watched, reports: dict[str, str], name: str, width: int, scheme: str
) -> None:
    page = tabs.open(reports[name], width=width, color_scheme=scheme)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("paper", PAPER)
@pytest.mark.parametrize(("name", "pages"), [("everything", range(8, 40)), ("study", range(2, 6))])
def test_it_prints(tabs: Watched, reports: dict[str, str], name: str, pages: range, paper: str) -> None:
    width = round(PAPER[paper][0] / 25.4 * 96)
    page = tabs.open(reports[name], width=width, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    rules = page.evaluate(
        "[...document.styleSheets].flatMap(sheet => [...sheet.cssRules])"
        ".filter(rule => rule.constructor.name === 'CSSPageRule').map(rule => rule.cssText).join()"
    )
    assert 'counter(page) " of " counter(pages)' in rules
    pdf = page.pdf(format=paper, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) in pages


@pytest.mark.parametrize("paper", PAPER)
def test_nothing_that_must_stay_whole_is_higher_than_a_page(
    tabs: Watched, reports: dict[str, str], paper: str
) -> None:
    """A picture that is, is cut, and what follows is printed over the rest of it."""
    width, height = (round(length / 25.4 * 96) for length in PAPER[paper])
    for name, address in reports.items():
        page = tabs.open(address, width=width)
        page.emulate_media(media="print")
        heights: list[float] = page.evaluate(
            "[...document.querySelectorAll('svg, .finding:not(.finding-long), .chart:not(.chart-parts)')]"
            ".map(part => part.getBoundingClientRect().height)"
        )
        assert max(heights) < height - 34 / 25.4 * 96, name
    page = tabs.open(reports["many series"], width=width)
    pdf = page.pdf(format=paper, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) in range(5, 8)


def test_a_study_of_several_says_on_every_page_which_it_is(tabs: Watched, reports: dict[str, str]) -> None:
    page = tabs.open(reports["everything"], width=700)
    page.emulate_media(media="print")
    ways = page.evaluate(
        "[...document.querySelectorAll('.study-running')].map(head => getComputedStyle(head).display)"
    )
    assert len(ways) > 10
    assert set(ways) == {"table-header-group"}
    parted = page.evaluate(
        "[...document.querySelectorAll('.study-facts, .provenance')]"
        ".map(part => getComputedStyle(part).breakInside)"
    )
    assert set(parted) == {"avoid"}, "what a study is, is not parted from its head"
