"""What rules yield, grouped into findings by (rule, attribute, observed value)."""

from collections.abc import Callable, Iterable, Set

from heltig.rules.finding import Finding
from heltig.rules.profile import Profile
from heltig.rules.rule import SEVERITIES, Hit, Rule
from heltig.standard.dictionary import tag_of

EXAMPLES = 5
"""Instances named in a finding."""

VALUES_SHOWN = 10
"""Distinct observed values reported one by one for a rule and attribute; the rest are counted together."""


class Draft:
    """What one rule yielded so far."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._groups: dict[tuple[tuple[str, ...], str], tuple[Hit, set[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, hit: Hit, rows: Iterable[int], tags: tuple[str, ...] = ()) -> None:
        """Take a hit.

        Args:
            hit: What the rule yielded.
            rows: The instances concerned, where the hit itself names none.
            tags: The attribute, where the rule does not name one.
        """
        key = (tags or tuple(map(_tag, hit.tags or self.rule.reads)), hit.observed)
        self._groups.setdefault(key, (hit, set()))[1].update(rows if hit.rows is None else hit.rows)

    def findings(self, profile: Profile, name: Callable[[int], str]) -> list[tuple[Finding, Set[int]]]:
        """The findings, each with the rows that it is about.

        Beyond `VALUES_SHOWN` values of an attribute the rest are counted together.

        Args:
            profile: Says how severe they are.
            name: The name of an instance, given its row.
        """
        by_tags: dict[tuple[str, ...], list[tuple[str, Hit, set[int]]]] = {}
        for (tags, observed), (hit, rows) in self._groups.items():
            by_tags.setdefault(tags, []).append((observed, hit, rows))
        found: list[tuple[Finding, Set[int]]] = []
        for tags, groups in by_tags.items():
            groups.sort(key=lambda group: (-len(group[2]), group[0]))
            rest = groups[VALUES_SHOWN:]
            if rest:
                rows = set[int]().union(*(group[2] for group in rest))
                groups[VALUES_SHOWN:] = [(f"{len(rest)} other values", rest[0][1], rows)]
            found.extend((self._finding(tags, *group, profile, name), group[2]) for group in groups)
        return found

    def _finding(
        self,
        tags: tuple[str, ...],
        observed: str,
        hit: Hit,
        rows: set[int],
        profile: Profile,
        name: Callable[[int], str],
    ) -> Finding:
        return Finding(
            rule=self.rule.id,
            severity=profile.severity(self.rule),
            level=self.rule.level,
            message=hit.message or self.rule.title,
            tags=tags,
            observed=observed,
            expected=hit.expected,
            count=len(rows),
            instances=tuple(name(row) for row in sorted(rows)[:EXAMPLES]),
            reference=self.rule.reference,
            remedy=self.rule.remedy,
        )


def worst_first(finding: Finding) -> tuple[int, str, tuple[str, ...], int, str]:
    """The order of findings in a verdict: severity, rule, attribute, number of instances, value."""
    return SEVERITIES.index(finding.severity), finding.rule, finding.tags, -finding.count, finding.observed


def _tag(name: str) -> str:
    """A keyword as its tag; private columns and paths through sequences stay as they are."""
    try:
        return tag_of(name)
    except KeyError:
        return name
