"""The worklist: what `/` shows."""

from datetime import datetime
from typing import Final

import msgspec

from heltig.dashboard.filters import Filter, rules_beginning
from heltig.pipeline.identifiers.sights import ALL, Sight
from heltig.reports.charts import Share, verdict_bar
from heltig.reports.reasons import more
from heltig.rules.catalogue import catalogue
from heltig.store import changes, comments, devices, locations, owners, search, verdicts
from heltig.store.records import Location, Study
from heltig.store.study_query import OF_DEVICES, StudyQuery
from heltig.store.study_rules import family_of
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness

STUDIES_A_PAGE: Final = 50
MOST_OFFERED: Final = 60
"""Values of a field that a filter offers; others can be typed."""


class Row(msgspec.Struct, frozen=True):
    """A study in the list.

    Attributes:
        study: The study as it stands.
        reason: The worst finding in one line, with the number of others; empty without any.
        rule: The rule behind it.
        owner: Who sees to the study; empty where nobody does.
        comments: How many comments stand on it.
    """

    study: Study
    reason: str
    rule: str
    owner: str
    comments: int


class Choices(msgspec.Struct, frozen=True):
    """What the filters offer.

    Attributes:
        modalities: Those of the judged studies.
        locations: Archives and gates that sent something.
        manufacturers: Those that devices name.
        models: Likewise, of the manufacturer that is filtered by; `stations` of its model, too.
        is_by_station: Somebody may filter by it: it is an identifier.
        rules: What the ids of all rules begin with; once the list is filtered by rule, those that begin so.
            All ids would be an eighth of the page.
        owners: Who sees to some study.
    """

    modalities: tuple[str, ...]
    locations: tuple[Location, ...]
    manufacturers: tuple[str, ...]
    models: tuple[str, ...]
    stations: tuple[str, ...]
    is_by_station: bool
    rules: tuple[str, ...]
    owners: tuple[str, ...]


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
        since: When the first of the studies was seen, where they are those of a rule or a device; else None.
        latest: The sequence of the last change of any study that it shows.
    """

    rows: tuple[Row, ...]
    numbers: dict[Readiness, int]
    shares: tuple[Share, ...]
    total: int
    pages: int
    pending: int
    choices: Choices
    since: datetime | None
    latest: int


def worklist(
    transaction: ReadTransaction, filter: Filter, *, now: datetime, sight: Sight = ALL, me: str = ""
) -> Worklist:
    """Collects what the page shows now; a page after the last is the last.

    Raises:
        HiddenError: It is filtered by an identifier that somebody does not see.
        UsageError: It is filtered by a part of what is hashed.
    """
    latest = changes.latest(transaction)  # first: what comes meanwhile is told once more
    numbers = search.count_by_readiness(
        transaction, sight.query(filter.query(any_readiness=True, me=me)), now=now
    )
    total = numbers[filter.readiness] if filter.readiness else sum(numbers.values())
    pages = max(1, -(-total // STUDIES_A_PAGE))
    passed_over = (min(filter.page, pages) - 1) * STUDIES_A_PAGE
    return Worklist(
        rows=_rows(transaction, sight.query(filter.query(me=me)), passed_over, now, sight) if total else (),
        numbers=numbers,
        shares=verdict_bar(numbers),
        total=total,
        pages=pages,
        pending=search.count(transaction, StudyQuery(states=("PENDING",)), now=now),
        choices=_choices(transaction, filter, sight),
        since=_since(transaction, sight.query(filter.query(me=me)), now)
        if total and filter.is_of_cause
        else None,
        latest=latest,
    )


def _since(transaction: ReadTransaction, query: StudyQuery, now: datetime) -> datetime | None:
    first = search.search(transaction, query, now=now, limit=1, order="first_seen")
    return first[0].first_seen if first else None


def _choices(transaction: ReadTransaction, filter: Filter, sight: Sight) -> Choices:
    is_by_station = sight.searches
    wanted: dict[str, str] = {}
    offered: dict[str, tuple[str, ...]] = {"station": ()}
    for field in OF_DEVICES if is_by_station else OF_DEVICES[:2]:
        offered[field] = tuple(devices.named_in(transaction, field, wanted, limit=MOST_OFFERED))
        if (value := getattr(filter, field)) in offered[field]:
            wanted[field] = value
    return Choices(
        modalities=tuple(sight.modalities(search.modalities(transaction))),
        locations=(*locations.known(transaction, "archive"), *locations.known(transaction, "gate")),
        manufacturers=offered["manufacturer"],
        models=offered["model"],
        stations=offered["station"],
        is_by_station=is_by_station,
        rules=_rules_offered(filter.rule),
        owners=tuple(owners.names(transaction, limit=MOST_OFFERED)),
    )


def _rules_offered(text: str) -> tuple[str, ...]:
    if text:
        return rules_beginning(text)[:MOST_OFFERED]
    return tuple(dict.fromkeys(f"{family_of(id)}-" for id in catalogue()))


def _rows(
    transaction: ReadTransaction, query: StudyQuery, offset: int, now: datetime, sight: Sight
) -> tuple[Row, ...]:
    studies = search.search(transaction, query, now=now, limit=STUDIES_A_PAGE, offset=offset, order="worst")
    keys = [study.study_key for study in studies]
    worst = verdicts.worst_findings(transaction, keys)
    owned, said = owners.of(transaction, keys), comments.numbers(transaction, keys)
    rows = []
    for study in studies:
        finding = worst.get((study.location, study.study_key))
        others = study.blocks + study.reviews + study.notes - 1
        reason = more(sight.finding(finding).message, others) if finding else _reason_without_finding(study)
        at = str(study.location), study.study_key
        owner = owned[at].name if at in owned else ""
        rows.append(Row(sight.study(study), reason, finding.rule if finding else "", owner, said.get(at, 0)))
    return tuple(rows)


def _reason_without_finding(study: Study) -> str:
    return "A rule failed to run, or a required one was not evaluable" if study.readiness != "READY" else ""
