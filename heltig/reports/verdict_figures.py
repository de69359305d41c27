"""Counts of verdicts by what studies are: made study by study, and no larger for many of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.reports.verdict_line import VerdictLine
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.rule import SEVERITIES, Severity
from heltig.verdict import READINESS, Readiness

MOST_VALUES: Final = 1000
"""Values that are counted one by one, such as stations; what comes after them is counted as `OTHERS`."""

NONE: Final = ""
OTHERS: Final = "(others)"
OTHER_FAMILY: Final = "Other"

Group: TypeAlias = Literal["location", "modality", "manufacturer", "model", "station", "day"]
GROUPS: Final[tuple[Group, ...]] = ("location", "modality", "manufacturer", "model", "station", "day")


class Figure(msgspec.Struct, frozen=True, rename="camel"):
    """How many studies of one value there are.

    Attributes:
        value: Empty for studies that name none; of days the date, in UTC.
        studies: Their number.
        verdicts: Of these, how many have which readiness.
        pending: And how many wait to be judged, whatever their last verdict was.
    """

    value: str
    studies: int
    verdicts: dict[Readiness, int]
    pending: int


class RuleFigure(msgspec.Struct, frozen=True):
    """How often a rule objects.

    Attributes:
        family: The title of its family.
        studies: Those with such a finding that is not waived.
        findings: Their number.
    """

    rule: str
    severity: Severity
    family: str
    studies: int
    findings: int


class Share(msgspec.Struct, frozen=True):
    """How many studies of a device or location have a finding of a family that needs somebody.

    Attributes:
        family: What the ids of its rules begin with, as `GEO`.
    """

    value: str
    family: str
    failing: int
    studies: int


class VerdictFigures(msgspec.Struct, frozen=True, rename="camel"):
    """Counts; a study of several modalities or devices counts in each."""

    total: Figure
    rules: tuple[RuleFigure, ...]
    locations: tuple[Figure, ...]
    modalities: tuple[Figure, ...]
    manufacturers: tuple[Figure, ...]
    models: tuple[Figure, ...]
    stations: tuple[Figure, ...]
    days: tuple[Figure, ...]
    shares: tuple[Share, ...]


class Tally:
    """Counts studies, one after the other."""

    def __init__(self) -> None:
        self._total: Counter[Readiness | None] = Counter()
        self._groups: dict[Group, dict[str, Counter[Readiness | None]]] = {name: {} for name in GROUPS}
        self._rules: dict[tuple[Severity, str], list[int]] = {}
        self._failing: Counter[tuple[str, str]] = Counter()

    def add(self, line: VerdictLine) -> None:
        """Counts one more study."""
        standing = line.standing
        self._total[standing] += 1
        values: dict[Group, Iterable[str]] = {
            "location": (line.location,),
            "modality": line.modalities or (NONE,),
            "manufacturer": {device.manufacturer for device in line.devices} or (NONE,),
            "model": models_of(line),
            "station": {device.station for device in line.devices} or (NONE,),
            "day": (line.judged.date().isoformat() if line.judged else NONE,),
        }
        for group, found in values.items():
            for value in found:
                self._of(group, value)[standing] += 1
        if standing is None:
            return
        self._count_rules(line)
        families = {
            finding.rule.partition("-")[0]
            for finding in line.findings
            if finding.severity != "note" and not finding.waived
        }
        for value in (*models_of(line), line.location):
            self._failing.update((value, family) for family in families)

    def figures(self) -> VerdictFigures:
        """What was counted so far."""
        return VerdictFigures(
            total=_figure(NONE, self._total),
            rules=tuple(
                sorted(
                    (
                        RuleFigure(rule, severity, family_named(rule), *numbers)
                        for (severity, rule), numbers in self._rules.items()
                    ),
                    key=lambda one: (SEVERITIES.index(one.severity), -one.studies, one.rule),
                )
            ),
            locations=self._most("location"),
            modalities=self._most("modality"),
            manufacturers=self._most("manufacturer"),
            models=self._most("model"),
            stations=self._most("station"),
            days=tuple(sorted(self._figures("day"), key=lambda one: one.value)),
            shares=tuple(self._shares()),
        )

    def _of(self, group: Group, value: str) -> Counter[Readiness | None]:
        known = self._groups[group]
        if value not in known and len(known) >= MOST_VALUES and group != "day":
            value = OTHERS
        return known.setdefault(value, Counter())

    def _count_rules(self, line: VerdictLine) -> None:
        seen = set()
        for finding in line.findings:
            if finding.waived:
                continue
            numbers = self._rules.setdefault((finding.severity, finding.rule), [0, 0])
            numbers[0] += (finding.severity, finding.rule) not in seen
            numbers[1] += 1
            seen.add((finding.severity, finding.rule))

    def _figures(self, group: Group) -> list[Figure]:
        return [_figure(value, counted) for value, counted in self._groups[group].items()]

    def _most(self, group: Group) -> tuple[Figure, ...]:
        return tuple(sorted(self._figures(group), key=lambda one: (-one.studies, one.value)))

    def _shares(self) -> list[Share]:
        judged = {
            value: counted.total() - counted[None]
            for group in ("model", "location")
            for value, counted in self._groups[group].items()
        }
        return [
            Share(value, family, number, judged[value])
            for (value, family), number in sorted(self._failing.items())
            if value in judged
        ]


def models_of(line: VerdictLine) -> set[str]:
    """The devices of a study by manufacturer and model."""
    return {" ".join(filter(None, (one.manufacturer, one.model))) for one in line.devices} or {NONE}


@cache
def family_named(rule: str) -> str:
    """The title of the family of a rule, by its id."""
    known = catalogue().get(rule)
    return family_of(known) if known else OTHER_FAMILY


class Period(msgspec.Struct, frozen=True):
    """Verdicts of a day, a week or a month."""

    begin: date
    verdicts: Mapping[Readiness, int]


def by_period(days: Iterable[Figure], *, most: int) -> tuple[list[Period], str]:
    """Days in their order, those without a study too; where they are many, weeks or months.

    Args:
        days: Figures by day.
        most: Days, and weeks, that are shown side by side.

    Returns:
        The periods, and what each is: `day`, `week` or `month`.
    """
    known = {date.fromisoformat(one.value): one.verdicts for one in days if one.value}
    if not known:
        return [], "day"
    first, last = min(known), max(known)
    number = (last - first).days + 1
    span = "day" if number <= most else "week" if number <= 7 * most else "month"
    periods: dict[date, Counter[Readiness]] = {}
    for place in range(number):
        day = first + timedelta(days=place)
        periods.setdefault(_begin(day, span), Counter()).update(known.get(day, {}))
    return [Period(begin, verdicts) for begin, verdicts in periods.items()], span


def _begin(day: date, span: str) -> date:
    if span == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if span == "month" else day


def _figure(value: str, counted: Counter[Readiness | None]) -> Figure:
    verdicts: dict[Readiness, int] = {
        readiness: counted[readiness] for readiness in READINESS if counted[readiness]
    }
    return Figure(value, counted.total(), verdicts, counted[None])
