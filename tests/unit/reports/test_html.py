"""`heltig check --format html`: one file that stands alone."""

import io
import re

import pytest
from unit.dashboard.reading import Page
from unit.reports.samples import HOSTILE, finding, full, given, report, study

from heltig.pipeline.report import CheckReport, SkippedMember
from heltig.reports.html import MEMBERS_SHOWN, write


def html(what: CheckReport) -> str:
    file = io.StringIO()
    write(what, file)
    return file.getvalue()


def test_it_says_what_is_wrong_and_what_to_do() -> None:
    text = Page(html(full())).text
    for told in (
        "3 studies judged by Heltig BLOCKED",
        "1.2.text message text, and 3 more",
        "1 finding blocks this study. 1 finding needs a person's review. 1 rule failed to run",
        "Attribute (0010,0020) PatientID Found observed text Expected expected text Affects 7 of 9 instances",
        "1.2.3 text, 1.2.4 and 5 more",
        "Affects all 9 instances",
        "Standard PS3.3 C.7.1.1",
        "What to do: remedy text",
        "waived",
        "SER-SPARSE failed to run",
        "Required by the profile",
        "The source does not show the archive's own QIDO-RS rows for the study: SRC-QIDO-COUNT",
        "These instances have no StudyInstanceUID",
        "readme text.txt not-dicom no DICM prefix text",
        "Operational QA of metadata, non-diagnostic.",
        "Reference date 2026-03-01",
        "a" * 64,
        "b" * 64,
        "c" * 64,
    ):
        assert told in text


def test_it_loads_and_runs_nothing() -> None:
    text = html(full())
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert not re.search(r"url\(|@import|src=", text)
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy[0]["content"] == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_in_a_value_stays_text(text: str) -> None:
    plain, hostile = Page(html(full())), Page(html(full(text)))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]


def test_links_lead_to_what_they_name() -> None:
    page = Page(html(full()))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert all(str(link["href"]).removeprefix("#") in ids for link in page.all("a"))
    assert len(page.all("a")) == 2


def test_every_study_is_listed_once() -> None:
    studies = [study(f"1.2.{number}") for number in range(300)]
    text = Page(html(report(*studies))).text
    assert all(text.count(f" {one.key} ") == 1 for one in studies)


def test_many_files_set_aside_are_counted() -> None:
    skipped = tuple(SkippedMember(f"{n}.txt", "not-dicom", "why") for n in range(MEMBERS_SHOWN + 5))
    text = Page(html(report(study("1.2"), inputs=(given("in", skipped=skipped),)))).text
    assert "and 5 more" in text


def test_nothing_read_says_so() -> None:
    text = Page(html(report(inputs=(given("nothing"),)))).text
    assert "No DICOM instance could be read" in text


def test_a_study_that_is_ready_says_no_more_than_that() -> None:
    ready = study("1.2.3")
    noted = study("1.2.4", "READY", finding(severity="note"))
    text = Page(html(report(ready, noted))).text
    assert text.count("Nothing stands in the way of storing this study.") == 1


def test_values_of_one_rule_share_their_remedy() -> None:
    several = [finding(observed=f"value {number}", count=number) for number in range(1, 4)]
    elsewhere = (
        finding("UID-CHARS", observed="x", tags=("0020000D",)),
        finding("UID-CHARS", observed="y", tags=("0020000E",), expected="other"),
    )
    text = Page(html(report(study("1.2", "BLOCKED", *several, *elsewhere)))).text
    assert "Found Affects value 1 1 of 9 instances: 1.2.3 text, 1.2.4 value 2 2 of 9 instances" in text
    assert "Attribute Found Expected Affects (0020,000D) StudyInstanceUID x expected text" in text
    assert text.count("What to do:") == 2
