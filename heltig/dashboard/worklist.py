"""The worklist: what `/` shows."""

from datetime import datetime
from typing import Final

import msgspec

from heltig.dashboard.filters import Filter
from heltig.reports.charts import Share, verdict_bar
from heltig.reports.reasons import more
from heltig.rules.catalogue import catalogue
from heltig.store import changes, locations, search, verdicts
from heltig.store.records import Location, Study
from heltig.store.search import StudyQuery
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness

STUDIES_A_PAGE: Final = 50


class Row(msgspec.Struct, frozen=True):
    """A study in the list.

    Attributes:
        study: The study as it stands.
        reason: The worst finding in one line, with the number of others; empty without any.
        rule: The rule behind it.
    """

    study: Study
    reason: str
    rule: str


class Choices(msgspec.Struct, frozen=True):
    """What the filters offer.

    Attributes:
        modalities: Those of the judged studies.
        locations: Archives and gates that sent something.
        rules: Ids of all rules; their titles would be a fifth of the page.
    """

    modalities: tuple[str, ...]
    locations: tuple[Location, ...]
    rules: tuple[str, ...]


class Worklist(msgspec.Struct, frozen=True):
    """A page of the list.

    Attributes:
        rows: Worst first, the newest verdict first among equals.
        numbers: Studies by their last verdict that pass all filters but the one on verdicts.
        shares: The same as parts of a bar.
        total: Studies that pass all filters.
        pages: Pages that they fill, at least one.
        pending: Studies that wait to be judged, whatever the filters.
        choices: What the filters offer.
        latest: The sequence of the last change of any study that it shows.
    """

    rows: tuple[Row, ...]
    numbers: dict[Readiness, int]
    shares: tuple[Share, ...]
    total: int
    pages: int
    pending: int
    choices: Choices
    latest: int


def worklist(transaction: ReadTransaction, filter: Filter, *, now: datetime) -> Worklist:
    """Collects what the page shows now; a page after the last is the last."""
    latest = changes.latest(transaction)  # first: what comes meanwhile is told once more
    numbers = search.count_by_readiness(transaction, filter.query(any_readiness=True), now=now)
    total = numbers[filter.readiness] if filter.readiness else sum(numbers.values())
    pages = max(1, -(-total // STUDIES_A_PAGE))
    passed_over = (min(filter.page, pages) - 1) * STUDIES_A_PAGE
    return Worklist(
        rows=_rows(transaction, filter.query(), passed_over, now) if total else (),
        numbers=numbers,
        shares=verdict_bar(numbers),
        total=total,
        pages=pages,
        pending=search.count(transaction, StudyQuery(states=("PENDING",)), now=now),
        choices=Choices(
            modalities=tuple(search.modalities(transaction)),
            locations=(*locations.known(transaction, "archive"), *locations.known(transaction, "gate")),
            rules=tuple(catalogue()),
        ),
        latest=latest,
    )


def _rows(transaction: ReadTransaction, query: StudyQuery, offset: int, now: datetime) -> tuple[Row, ...]:
    studies = search.search(transaction, query, now=now, limit=STUDIES_A_PAGE, offset=offset, order="worst")
    worst = verdicts.worst_findings(transaction, [study.study_key for study in studies])
    rows = []
    for study in studies:
        finding = worst.get((study.location, study.study_key))
        others = study.blocks + study.reviews + study.notes - 1
        reason = more(finding.message, others) if finding else _reason_without_finding(study)
        rows.append(Row(study, reason, finding.rule if finding else ""))
    return tuple(rows)


def _reason_without_finding(study: Study) -> str:
    return "A rule failed to run, or a required one was not evaluable" if study.readiness != "READY" else ""
