"""What rules yield, grouped into findings by (rule, attribute, observed value)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from heltig.rules.finding import Finding
from heltig.rules.profile import Profile
from heltig.rules.proposal import Change, ProposedChange
from heltig.rules.rule import SEVERITIES, Hit, Rule, WrongHitError, rows_of, see_that_it_is_a_hit
from heltig.rules.seen import digest_of
from heltig.rules.wording import plain
from heltig.standard.dictionary import tag_of

EXAMPLES = 5
"""Instances named in a finding."""

VALUES_SHOWN = 10
"""Distinct observed values reported one by one for a rule and attribute; the rest are counted together."""

_TAG: Final = re.compile(r"[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{4}|xx[0-9A-Fa-f]{2} )")
"""How a tag begins, the key of a private column and a path through sequences, too."""

Propose = Callable[[Mapping[Change, Set[int]]], tuple[ProposedChange, ...]]
"""Makes of changes, each with its rows, what a finding carries."""


class _Group:
    """The hits of one attribute and observed value.

    Attributes:
        hit: The first of them.
        rows: The instances concerned.
        changes: What could be written to mend it, each with its instances.
        seen: All that was observed; None where that is all that the rule was given.
    """

    __slots__ = ("changes", "hit", "rows", "seen")

    def __init__(self, hit: Hit) -> None:
        self.hit = hit
        self.rows: set[int] = set()
        self.changes: dict[Change, set[int]] = {}
        self.seen: set[str] | None = set()

    def see(self, seen: Iterable[str] | None) -> None:
        """Something more was observed."""
        if seen is None or self.seen is None:
            self.seen = None
        else:
            self.seen.update(seen)

    def merge(self, other: "_Group") -> None:
        self.rows |= other.rows
        self.see(None if other.seen is None else {other.hit.observed, *other.seen})
        for change, rows in other.changes.items():
            self.changes.setdefault(change, set()).update(rows)


class Draft:
    """What one rule yielded so far."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._groups: dict[tuple[tuple[str, ...], str], _Group] = {}
        self._without_change: list[Sequence[int]] = []  # rows of each such hit; seldom asked for

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, hit: Hit, rows: Iterable[int], tags: tuple[str, ...] = ()) -> None:
        """Take a hit.

        Args:
            hit: What the rule yielded.
            rows: The instances concerned, where the hit itself names none.
            tags: The attribute, where the rule does not name one.

        Raises:
            WrongHitError: It is no hit.
        """
        see_that_it_is_a_hit(hit)
        key = (tags or tuple(map(_tag, hit.tags or self.rule.reads)), plain(hit.observed))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(hit)
        concerned: Sequence[int]
        if hit.rows is None:
            concerned = rows if isinstance(rows, range) else list(rows)
        else:
            concerned = rows_of(hit.rows)
        if min(concerned, default=0) < 0:
            raise WrongHitError("it yields a Hit whose rows there are not")
        group.rows.update(concerned)
        group.see(hit.seen)
        for change in hit.changes:
            own = concerned if change.rows is None else rows_of(change.rows)
            group.changes.setdefault(_writable(change), set()).update(own)
        if not hit.changes:
            self._without_change.append(concerned)

    def findings(
        self, profile: Profile, name: Callable[[int], str], propose: Propose
    ) -> list[tuple[Finding, Set[int]]]:
        """The findings, each with the rows that it is about.

        Beyond `VALUES_SHOWN` values of an attribute the rest are counted together.

        Args:
            profile: Says how severe they are.
            name: The name of an instance, given its row.
            propose: Makes what they carry of the changes that the rule proposes.
        """
        by_tags: dict[tuple[str, ...], list[tuple[str, _Group]]] = {}
        for (tags, observed), group in self._groups.items():
            by_tags.setdefault(tags, []).append((observed, group))
        found: list[tuple[Finding, Set[int]]] = []
        for tags, groups in by_tags.items():
            groups.sort(key=lambda group: (-len(group[1].rows), group[0]))
            rest = groups[VALUES_SHOWN:]
            if rest:
                together = _Group(rest[0][1].hit)
                for _, group in rest:
                    together.merge(group)
                groups[VALUES_SHOWN:] = [(f"{len(rest)} other values", together)]
            for observed, group in groups:
                changes = propose(self._agreed(group)) if group.changes else ()
                found.append((self._finding(tags, observed, group, changes, profile, name), group.rows))
        return found

    def _agreed(self, group: _Group) -> dict[Change, Set[int]]:
        """The changes of a group; the unanimous ones for instances that have no hit without a change."""
        others = set[int]().union(*self._without_change)
        return {change: rows - others if change.unanimous else rows for change, rows in group.changes.items()}

    def _finding(
        self,
        tags: tuple[str, ...],
        observed: str,
        group: _Group,
        changes: tuple[ProposedChange, ...],
        profile: Profile,
        name: Callable[[int], str],
    ) -> Finding:
        return Finding(
            rule=self.rule.id,
            severity=profile.severity(self.rule),
            level=self.rule.level,
            message=plain(group.hit.message or self.rule.title),
            tags=tags,
            observed=observed,
            expected=plain(group.hit.expected),
            count=len(group.rows),
            instances=tuple(name(row) for row in sorted(group.rows)[:EXAMPLES]),
            reference=self.rule.reference,
            remedy=self.rule.remedy,
            proposed=changes,
            digest=digest_of(self.rule.id, tags, observed, group.seen),
        )


def worst_first(finding: Finding) -> tuple[int, str, tuple[str, ...], int, str]:
    """The order of findings in a verdict: severity, rule, attribute, number of instances, value."""
    return SEVERITIES.index(finding.severity), finding.rule, finding.tags, -finding.count, finding.observed


@lru_cache(4096)
def _tag(name: str) -> str:
    """A keyword as its tag; private columns and paths through sequences stay as they are.

    Raises:
        WrongHitError: It is none of these.
    """
    try:
        return tag_of(name)
    except KeyError:
        if _TAG.match(name):
            return plain(name)
        raise WrongHitError("it yields a Hit with a tag that is no keyword and no tag") from None


def _writable(change: Change) -> Change:
    """A change without its rows, which are kept apart.

    Raises:
        WrongHitError: No report could hold it, and nobody could write it.
    """
    own = replace(change, rows=None)
    try:
        msgspec.json.encode(own)
    except (UnicodeError, TypeError):
        raise WrongHitError("it yields a Hit with a change that is no text of Unicode") from None
    return own
