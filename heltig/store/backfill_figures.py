"""What the studies of a backfill came to, counted by what they are.

Figures are of the verdicts as they stand, from the rows themselves: a study counts once, however often the
backfill was interrupted.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from sqlalchemy import Integer, and_, bindparam, case, cast, func, select

from heltig.rules.rule import SEVERITIES, Severity
from heltig.store import devices
from heltig.store.records import Device
from heltig.store.tables import backfill_studies, findings, studies, verdicts
from heltig.store.transaction import ReadTransaction
from heltig.verdict import READINESS, Readiness

NO_VERDICT: Final = ""
"""In place of a readiness: waits to be pulled, failed, or is gone."""

_YEAR: Final = re.compile(r"(19|20)[0-9]{2}")
_MODALITY: Final = re.compile(r"[A-Z0-9_]{1,16}")
_VERDICT = case((studies.c.state == "JUDGED", studies.c.readiness), else_=NO_VERDICT)
_YEAR_OF = func.substr(studies.c.study_date, 1, 4)
_COMBINATIONS = (
    select(
        _VERDICT.label("verdict"),
        studies.c.modalities_in_study,
        studies.c.device_set_row,
        _YEAR_OF.label("year"),
        func.count().label("studies"),
        cast(func.sum(studies.c.instance_count), Integer).label("instances"),
    )
    .select_from(backfill_studies)
    .join(studies, studies.c.id == backfill_studies.c.study_row)
    .where(backfill_studies.c.backfill_row == bindparam("backfill"))
    .group_by(_VERDICT, studies.c.modalities_in_study, studies.c.device_set_row, _YEAR_OF)
)
_RULES = (
    select(
        findings.c.rule,
        findings.c.severity,
        func.count(verdicts.c.study_row.distinct()).label("studies"),
        func.count().label("findings"),
    )
    .select_from(backfill_studies)
    .join(studies, studies.c.id == backfill_studies.c.study_row)
    .join(
        verdicts,
        and_(verdicts.c.study_row == studies.c.id, verdicts.c.revision == studies.c.revision),
    )
    .join(findings, findings.c.verdict_row == verdicts.c.id)
    .where(
        backfill_studies.c.backfill_row == bindparam("backfill"),
        studies.c.state == "JUDGED",
        findings.c.waived.is_(False),
    )
    .group_by(findings.c.rule, findings.c.severity)
)


class Figure(msgspec.Struct, frozen=True, rename="camel"):
    """How many studies of one value there are.

    Attributes:
        value: Empty for studies that have none.
        studies: Their number.
        verdicts: Of these, how many have which readiness; the rest has no verdict that stands.
        instances: Those of them all.
    """

    value: str
    studies: int
    verdicts: dict[Readiness, int]
    instances: int

    @property
    def without_verdict(self) -> int:
        """Studies that wait, failed or are gone."""
        return self.studies - sum(self.verdicts.values())


class RuleFigure(msgspec.Struct, frozen=True):
    """How often a rule objects.

    Attributes:
        studies: Those with such a finding that is not waived.
        findings: Their number.
    """

    rule: str
    severity: Severity
    studies: int
    findings: int


class Figures(msgspec.Struct, frozen=True):
    """What the studies of a backfill came to.

    Attributes:
        total: All of them.
        rules: By severity, and then the most frequent first.
        modalities: The most frequent first; a study of several counts in each.
        manufacturers: Likewise.
        years: Of the StudyDate, the newest first.
    """

    total: Figure
    rules: tuple[RuleFigure, ...]
    modalities: tuple[Figure, ...]
    manufacturers: tuple[Figure, ...]
    years: tuple[Figure, ...]


class _Combination(msgspec.Struct, frozen=True):
    verdict: str
    modalities_in_study: str
    device_set_row: int | None
    year: str
    studies: int
    instances: int


def figures_of(
    transaction: ReadTransaction, backfill: int, *, shown: Callable[[Iterable[str]], list[str]]
) -> Figures:
    """What the studies of a backfill came to, also while it is under way.

    Args:
        transaction: Any.
        backfill: Its id.
        shown: Of modalities those that are told; a site may have codes of its own.
    """
    parameters = {"backfill": backfill}
    rows = transaction.connection.execute(_COMBINATIONS, parameters)
    found = [_Combination(*row) for row in rows]
    makers = {row: _manufacturers(of) for row, of in devices.every_set(transaction).items()}
    rules = [RuleFigure(*row) for row in transaction.connection.execute(_RULES, parameters)]
    by_number = [
        _by(found, lambda one: shown(filter(_MODALITY.fullmatch, _parts(one.modalities_in_study)))),
        _by(found, lambda one: makers.get(one.device_set_row or 0, ())),
    ]
    modalities, manufacturers = (
        tuple(sorted(figures, key=lambda one: (-one.studies, one.value))) for figures in by_number
    )
    years = _by(found, lambda one: [one.year] if _YEAR.fullmatch(one.year) else [])
    return Figures(
        total=next(iter(_by(found, lambda one: [])), Figure("", 0, {}, 0)),
        rules=tuple(sorted(rules, key=lambda one: (SEVERITIES.index(one.severity), -one.studies, one.rule))),
        modalities=modalities,
        manufacturers=manufacturers,
        years=tuple(sorted(years, key=lambda one: one.value, reverse=True)),
    )


def _manufacturers(of: Iterable[Device]) -> list[str]:
    return sorted({device.manufacturer for device in of} - {""})


def _parts(text: str) -> list[str]:
    """Values that stand between backslashes."""
    return [part for part in text.split("\\") if part]


def _by(found: Iterable[_Combination], values_of: Callable[[_Combination], Iterable[str]]) -> list[Figure]:
    """Figures by value; what has no value is under the empty one."""
    studies_of: dict[str, int] = {}
    instances_of: dict[str, int] = {}
    verdicts_of: dict[str, dict[Readiness, int]] = {}
    for one in found:
        for value in values_of(one) or [""]:
            studies_of[value] = studies_of.get(value, 0) + one.studies
            instances_of[value] = instances_of.get(value, 0) + one.instances
            for readiness in READINESS:
                if one.verdict == readiness:
                    counted = verdicts_of.setdefault(value, {})
                    counted[readiness] = counted.get(readiness, 0) + one.studies
    return [
        Figure(value, number, verdicts_of.get(value, {}), instances_of[value])
        for value, number in studies_of.items()
    ]
