"""What a backfill came to, in each form."""

import csv
import io
from datetime import UTC, datetime
from html.parser import HTMLParser

import msgspec
import pytest

from heltig.pipeline.backfill.report import BackfillReport, Progress
from heltig.reports.backfill import COLUMNS, Format, write
from heltig.store.backfill_figures import Figure, Figures, RuleFigure

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
REPORT = BackfillReport(
    AT,
    Progress(
        7, "main", "20260101-", False, "cli", "listing", AT, None, None, 5, 3, {"judged": 2, "failed": 1}, 90,
        12.5, None, ("A page came twice <b>.",), None,
    ),
    Figures(
        Figure("", 5, {"READY": 1, "BLOCKED": 1}, 90),
        (RuleFigure("PAT-ID-MISSING", "block", 1, 3), RuleFigure("STU-DATE", "note", 2, 2)),
        (Figure("CT", 4, {"READY": 1}, 80), Figure("", 1, {}, 0)),
        (Figure("=1+1", 3, {"READY": 1}, 0), Figure("<script>alert(1)</script>", 2, {"BLOCKED": 1}, 0)),
        (Figure("2026", 5, {}, 90),),
    ),
)  # fmt: skip


def written(format_: Format, report: BackfillReport = REPORT) -> str:
    file = io.StringIO()
    write(report, format_, file)
    return file.getvalue()


def test_a_table_has_a_row_for_each_value_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["group"] for row in rows] == [
        "all", "rule", "rule", "modality", "modality", "manufacturer", "manufacturer", "year",
    ]  # fmt: skip
    assert (rows[0]["studies"], rows[0]["READY"], rows[0]["without_verdict"]) == ("5", "1", "3")
    assert (rows[1]["value"], rows[1]["severity"], rows[1]["findings"]) == ("PAT-ID-MISSING", "block", "3")
    assert rows[5]["value"] == "'=1+1"


def test_a_page_loads_and_runs_nothing() -> None:
    page = written("html")
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, dict(attrs)))

    Tags().feed(page)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags}
    assert not [a for _, a in tags if "src" in a or (a.get("href") or "#")[0] != "#"]
    assert "&lt;script&gt;" in page
    assert "twice &lt;b&gt;" in page
    assert "not finished on 2026-03-04 12:00 UTC" in page
    assert "listed so far" in page


@pytest.mark.parametrize("format_", ["html", "csv", "json"])
def test_nothing_listed_is_a_report_too(format_: Format) -> None:
    empty = msgspec.structs.replace(REPORT, figures=Figures(Figure("", 0, {}, 0), (), (), (), ()))
    assert written(format_, empty).endswith("\n")


def test_json_says_all_of_it() -> None:
    assert msgspec.json.decode(written("json"), type=BackfillReport) == REPORT
