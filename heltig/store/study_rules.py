"""Which rules found something in which studies, as these stand: kept with each verdict, to be counted."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, delete, func, select, text

from heltig.rules.finding import Finding
from heltig.rules.rule import Severity
from heltig.store import devices
from heltig.store.locations import row_of
from heltig.store.records import Location, Study
from heltig.store.tables import locations, study_rules
from heltig.store.tables.judged import IN_FAMILY
from heltig.store.transaction import ReadTransaction, WriteTransaction

_WORST: Final[tuple[Severity, ...]] = ("block", "review", "note")

_FORGET = delete(study_rules).where(study_rules.c.study_row == bindparam("study"))
_OF_RULES = select(
    study_rules.c.rule,
    study_rules.c.severity,
    func.count().label("studies"),
    func.count().filter(study_rules.c.first_seen >= bindparam("since")).label("lately"),
    func.count()
    .filter(study_rules.c.first_seen >= bindparam("before"), study_rules.c.first_seen < bindparam("since"))
    .label("earlier"),
).group_by(study_rules.c.rule, study_rules.c.severity)
_OF_FAMILIES = (
    select(locations.c.kind, locations.c.name, study_rules.c.family, func.count().label("studies"))
    .join(locations, locations.c.id == study_rules.c.location_row)
    .where(text(IN_FAMILY))
    .group_by(locations.c.kind, locations.c.name, study_rules.c.family)
)


class RuleCount(msgspec.Struct, frozen=True, kw_only=True):
    """In how many studies a rule found something, by their current verdicts; waived findings are left out.

    Attributes:
        studies: By severity, the worst first; severities that no study has are left out.
        lately: Those of them that were first seen in the span that was asked for.
        earlier: Those that were first seen in the span of the same length before.
    """

    rule: str
    studies: Mapping[Severity, int]
    lately: int
    earlier: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.studies.values())

    @property
    def severity(self) -> Severity:
        """The worst one that it has anywhere."""
        return next(iter(self.studies))


def put(transaction: WriteTransaction, row: int, study: Study, findings: Iterable[Finding]) -> None:
    """Keeps the rules of a verdict that is becoming the current one.

    Args:
        transaction: The one that publishes it.
        row: The study's row, locked.
        study: The study.
        findings: All of the verdict's.
    """
    transaction.run(_FORGET, {"study": row})
    worst: dict[str, Severity] = {}
    for finding in findings:
        if not finding.waived:
            known = worst.get(finding.rule, finding.severity)
            worst[finding.rule] = min(known, finding.severity, key=_WORST.index)
    if not worst:
        return
    location_row = row_of(transaction, study.location)
    device_set_row = devices.set_row_of(transaction, row)
    counted: set[str] = set()
    rows = []
    for rule, severity in worst.items():
        family = family_of(rule)
        counts = severity != "note" and family not in counted
        if counts:
            counted.add(family)
        rows.append(
            {
                "study_row": row,
                "rule": rule,
                "severity": severity,
                "family": family if counts else None,
                "location_row": location_row,
                "first_seen": study.first_seen,
                "device_set_row": device_set_row,
            }
        )
    transaction.insert(study_rules, rows)


def forget(transaction: WriteTransaction, row: int) -> None:
    """Forgets the rules of a study that went away."""
    transaction.run(_FORGET, {"study": row})


def family_of(rule: str) -> str:
    """What the ids of a family of rules begin with.

    >>> family_of("PAT-ID-CONFLICT")
    'PAT'
    """
    return rule.partition("-")[0]


def by_rule(transaction: ReadTransaction, *, since: datetime, before: datetime) -> list[RuleCount]:
    """Every rule that found something in a study as it stands, by its id.

    Args:
        transaction: Any.
        since: From when on a study was first seen lately.
        before: From when on one was first seen earlier.
    """
    found: dict[str, list[Any]] = {}
    for row in transaction.rows(_OF_RULES, {"since": since, "before": before}):
        found.setdefault(row.rule, []).append(row)
    return [
        RuleCount(
            rule=rule,
            studies={
                row.severity: row.studies for row in sorted(rows, key=lambda row: _WORST.index(row.severity))
            },
            lately=sum(row.lately for row in rows),
            earlier=sum(row.earlier for row in rows),
        )
        for rule, rows in sorted(found.items())
    ]


def by_location(transaction: ReadTransaction) -> dict[tuple[Location, str], int]:
    """In how many studies of a location a family of rules found more than a note."""
    return {(Location(row.kind, row.name), row.family): row.studies for row in transaction.rows(_OF_FAMILIES)}
