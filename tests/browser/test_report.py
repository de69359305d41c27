"""The HTML report of `heltig check` in a real browser: on the screen and on paper."""

import re
from datetime import date
from pathlib import Path

import pytest
from browser.conftest import Watched, violations
from browser.filled_store import STUDIES

from heltig.demo.samples import write_samples
from heltig.pipeline.check import check
from heltig.reports import write_report
from heltig.rules.profile import DEFAULT

pytestmark = pytest.mark.browser

PAPER = {"A4": (210 - 28, 297), "Letter": (216 - 28, 279)}
"""Width of the text and height of the sheet, in millimetres."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report about some broken studies, a clean one, and a file that is none."""
    folder = tmp_path_factory.mktemp("report")
    names = ("two-patient-ids", "uid-too-long", "ds-too-long", "charset-wrong", "ct-chest")
    paths = write_samples([STUDIES[name] for name in names], folder / "studies")
    (folder / "readme.txt").write_text("not DICOM")
    place = folder / "report.html"
    with place.open("w", encoding="utf-8") as file:
        checked = check([*paths, folder / "readme.txt"], DEFAULT, reference_date=date(2026, 6, 1))
        write_report(checked, "html", file)
    return Path(place).as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_axe_finds_nothing(tabs: Watched, report: str, width: int, scheme: str) -> None:
    page = tabs.open(report, width=width, color_scheme=scheme)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("paper", PAPER)
def test_it_fits_on_paper(tabs: Watched, report: str, paper: str) -> None:
    width = round(PAPER[paper][0] / 25.4 * 96)
    page = tabs.open(report, width=width, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    pdf = page.pdf(format=paper, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) in range(3, 12)
