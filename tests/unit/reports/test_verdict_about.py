"""What reports of several studies say that they are about."""

from datetime import UTC, datetime

import pytest

from heltig.reports.verdict_about import about_scope, moment
from heltig.store.judged_studies import Scope

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "title"),
    [
        ("2026-03-01", "2026-03-07", "Studies judged from 2026-03-01 to 2026-03-07"),
        ("2026-03-01", "2026-03-01", "Studies judged on 2026-03-01"),
        ("2026-03-01", "", "Studies judged from 2026-03-01 on"),
        ("", "2026-03-01", "Studies judged until 2026-03-01"),
        ("", "2026-03-01T12:00", "Studies judged until 2026-03-01 12:00 UTC"),
        (
            "2026-03-01T08:30+02:00",
            "2026-03-01T12:00:07Z",
            "Studies judged from 2026-03-01 06:30 UTC to 2026-03-01 12:00:07 UTC",
        ),
        ("9998-12-31", "", "Studies judged from 9998-12-31 on"),
        ("", "0002-01-01", "Studies judged until 0002-01-01"),
    ],
)
def test_a_title_says_the_days_or_the_times(since: str, until: str, title: str) -> None:
    scope = Scope(since=moment(since) if since else None, until=moment(until, ends=True) if until else None)
    assert about_scope(scope, redact=False, written=NOW).title == title
