"""Runs a ruleset over a study's table.

A value rule runs once for each distinct value, an instance rule once for each distinct combination of the values
it reads, a series or study rule on whole columns. What they yield is grouped by (rule, attribute, observed value).
"""

import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

from heltig.dicom.cell import Cell
from heltig.dicom.study import StudyTable
from heltig.dicom.table import Column, Table
from heltig.rules.finding import Evaluation, Finding, NotEvaluable, Outcome, RuleError
from heltig.rules.profile import Profile
from heltig.rules.rule import SEVERITIES, Hit, Level, Rule
from heltig.rules.screen import Screen
from heltig.rules.views import Context, PackageView, Place, SeriesView, StudyView, Values
from heltig.standard.dictionary import keyword_of, lookup, tag_of

EXAMPLES = 5
"""Instances named in a finding."""

VALUES_SHOWN = 10
"""Distinct observed values reported one by one for a rule and attribute; the rest are counted together."""


class Ruleset:
    """The rules in force under one profile, sorted by what they look at."""

    def __init__(self, rules: Iterable[Rule], profile: Profile) -> None:
        self.profile = profile
        self.rules = tuple(r for r in sorted(rules, key=lambda r: r.id) if profile.runs(r.id))
        self.value_rules = tuple(r for r in self.rules if r.level == "value")
        self.by_vr: dict[str, tuple[Rule, ...]] = {}
        self.by_tag: dict[str, tuple[Rule, ...]] = {}
        for value_rule in self.value_rules:
            for vr in value_rule.vrs:
                self.by_vr[vr] = (*self.by_vr.get(vr, ()), value_rule)
            for tag in map(tag_of, value_rule.reads):
                self.by_tag[tag] = (*self.by_tag.get(tag, ()), value_rule)

    def of(self, level: Level) -> tuple[Rule, ...]:
        """The rules of one level, by id."""
        return tuple(r for r in self.rules if r.level == level)


class _Draft:
    """What one rule yielded, grouped by attribute and observed value."""

    def __init__(self) -> None:
        self.groups: dict[tuple[tuple[str, ...], str], tuple[Hit, set[int] | None]] = {}

    def add(self, hit: Hit, tags: tuple[str, ...], rows: Iterable[int] | None) -> None:
        key = (tags, hit.observed)
        kept, known = self.groups.get(key, (hit, set()))
        self.groups[key] = (kept, None if rows is None or known is None else known | set(rows))


class _Run:
    """One ruleset over one study."""

    def __init__(self, ruleset: Ruleset, table: StudyTable, context: Context) -> None:
        self.ruleset = ruleset
        self.table = table
        self.context = context
        self.drafts: dict[str, _Draft] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.missing: dict[str, tuple[str, ...]] = {}
        self.errors: dict[str, str] = {}
        for rule in ruleset.rules:
            missing = tuple(sorted(rule.needs - table.source.shows))
            if missing:
                self.missing[rule.id] = missing
                self.outcomes[rule.id] = "not_evaluable"

    def judge(self) -> None:
        self._values(self.table, "", "", 0)
        combinations = _Combinations(self.table)
        for rule in self._live("instance"):
            self._instance(rule, combinations)
        study = StudyView(self.table, self.context)
        for rule in self._live("series"):
            self._whole(rule, study.series)
        for rule in self._live("study"):
            self._whole(rule, [study])

    def _live(self, level: Level) -> list[Rule]:
        return [rule for rule in self.ruleset.of(level) if rule.id not in self.missing]

    def _call(self, rule: Rule, work: Callable[[_Draft], bool]) -> None:
        """Run a rule's work; whatever it raises is an error of the rule, never the end of the run."""
        if rule.id in self.errors:
            return
        draft = self.drafts.setdefault(rule.id, _Draft())
        try:
            applied = work(draft)
        except Exception as error:  # a site's own rule may raise anything
            self.errors[rule.id] = _where(error)
            return
        if applied:
            self.outcomes[rule.id] = "fail" if draft.groups else "pass"

    # -- value rules

    def _values(self, table: Table, path: str, tags: str, depth: int) -> None:
        for tag in sorted(table.columns):
            self._column(table, table.columns[tag], path, tags, depth)

    def _column(self, table: Table, column: Column, path: str, tags: str, depth: int) -> None:
        entry = lookup(column.tag) if " " not in column.tag else None
        own = self.ruleset.by_tag.get(column.tag, ())
        where = path + (keyword_of(column.tag) or column.tag)
        place = tags + column.tag
        sequence = False
        for code in self._suspects(table, column, bool(own)):
            cell = table.cell(column, code)
            sequence = sequence or bool(cell.items)
            rules = (*own, *self.ruleset.by_vr.get(cell.vr, ()))
            if not rules:
                continue
            syntax = table.encodings[column.encodings[code]].syntax
            seen = Place(cell, column.tag, where, entry, depth, syntax, self.context)
            for rule in rules:
                if rule.id not in self.missing:
                    self._call(rule, lambda draft, r=rule, c=code: self._value(r, seen, draft, table, c, place))  # type: ignore[misc]
        if sequence:
            self._values(table.items(column), where + ".", place + "/", depth + 1)

    def _suspects(self, table: Table, column: Column, all_of_them: bool) -> Iterable[int]:
        """The cells that some value rule could object to."""
        codes = range(1, len(column.cells))
        if all_of_them:
            return codes
        screen = Screen.of(column.tag, table.encodings[column.encodings[1]].syntax)
        return codes if screen is None else screen.suspects(column.cells)

    def _value(self, rule: Rule, seen: Place, draft: _Draft, table: Table, code: int, place: str) -> bool:
        if rule.when is not None and not rule.when(seen):
            return False
        for hit in rule.check(seen) or ():
            draft.add(hit, (place,), table.study_rows(seen.tag, {code}))
        return True

    # -- instance rules

    def _instance(self, rule: Rule, combinations: "_Combinations") -> None:
        tags = tuple(map(tag_of, rule.reads))

        def work(draft: _Draft) -> bool:
            applied = False
            for cells, rows in combinations.of(tags):
                values = Values(dict(zip(rule.reads, cells, strict=True)), self.context)
                if not (rule.when(values) if rule.when else any(cell.vr for cell in cells)):
                    continue
                applied = True
                for hit in rule.check(values) or ():
                    draft.add(hit, _tags(hit, rule), rows() if hit.rows is None else hit.rows)
            return applied

        self._call(rule, work)

    # -- series and study rules

    def _whole(self, rule: Rule, views: Iterable[SeriesView | StudyView]) -> None:
        def work(draft: _Draft) -> bool:
            applied = False
            for view in views:
                if not (rule.when(view) if rule.when else not rule.reads or any(map(view.has, rule.reads))):
                    continue
                applied = True
                for hit in rule.check(view) or ():
                    draft.add(hit, _tags(hit, rule), view.rows if hit.rows is None else hit.rows)
            return applied

        self._call(rule, work)

    # -- the result

    def result(self) -> Evaluation:
        findings: list[Finding] = []
        for rule in self.ruleset.rules:
            if rule.id in self.errors:
                self.outcomes[rule.id] = "error"
            elif rule.id in self.drafts:
                findings.extend(
                    _findings(rule, self.drafts[rule.id], self.ruleset.profile, self.table.instance_key)
                )
            if rule.level != "input":
                self.outcomes.setdefault(rule.id, "not_applicable")
        required = self.ruleset.profile.required
        return Evaluation(
            findings=tuple(sorted(findings, key=_worst_first)),
            not_evaluable=tuple(
                NotEvaluable(id, missing, id in required)
                for id, missing in sorted(self.missing.items())
            ),
            errors=tuple(RuleError(id, error) for id, error in sorted(self.errors.items())),
            outcomes=dict(sorted(self.outcomes.items())),
        )


class _Combinations:
    """The distinct combinations of values that instance rules read, and the rows that have each."""

    def __init__(self, table: StudyTable) -> None:
        self.table = table
        self._distinct: dict[tuple[str, ...], list[tuple[int, ...]]] = {}

    def of(self, tags: tuple[str, ...]) -> Iterator[tuple[list[Cell], Callable[[], list[int]]]]:
        """Each combination as its cells, with a function that finds its rows."""
        columns = [self.table.columns.get(tag) for tag in tags]
        varying = [i for i, c in enumerate(columns) if c is not None and not c.constant]
        names = tuple(tags[i] for i in varying)
        distinct = self._distinct.get(names)
        if distinct is None:
            codes = [self.table.columns[name].codes for name in names]
            distinct = list(dict.fromkeys(zip(*codes, strict=True))) if codes else [()]
            self._distinct[names] = distinct
        fixed = [self.table.cell(c, 1) if c is not None and c.constant else None for c in columns]
        absent = self.table.at("", 0)
        for combination in distinct:
            cells = [absent if cell is None else cell for cell in fixed]
            for i, code in zip(varying, combination, strict=True):
                column = columns[i]
                if column is not None:
                    cells[i] = self.table.cell(column, code)
            yield cells, lambda names=names, combination=combination: self._rows(names, combination)  # type: ignore[misc]

    def _rows(self, names: tuple[str, ...], combination: tuple[int, ...]) -> list[int]:
        if not names:
            return list(range(self.table.rows))
        codes = [self.table.columns[name].codes for name in names]
        return [row for row, found in enumerate(zip(*codes, strict=True)) if found == combination]


def evaluate(ruleset: Ruleset, table: StudyTable, context: Context) -> Evaluation:
    """Run every rule of a ruleset over an arranged study.

    Returns:
        Findings (worst first), rules that were not evaluable, rules that failed to run, and every rule's outcome.
    """
    run = _Run(ruleset, table, context)
    run.judge()
    return run.result()


def evaluate_package(ruleset: Ruleset, package: PackageView) -> Evaluation:
    """Run the rules about files, folders and ZIPs as they were handed in."""
    findings: list[Finding] = []
    outcomes: dict[str, Outcome] = {}
    errors: list[RuleError] = []
    for rule in ruleset.of("input"):
        draft = _Draft()
        try:
            for hit in rule.check(package) or ():
                draft.add(hit, _tags(hit, rule), hit.rows or ())
        except Exception as error:  # a site's own rule may raise anything
            errors.append(RuleError(rule.id, _where(error)))
            outcomes[rule.id] = "error"
            continue
        found = _findings(rule, draft, ruleset.profile, str)
        findings.extend(found)
        outcomes[rule.id] = "fail" if found else "pass"
    return Evaluation(tuple(sorted(findings, key=_worst_first)), (), tuple(errors), outcomes)


def _tags(hit: Hit, rule: Rule) -> tuple[str, ...]:
    return tuple(map(_tag, hit.tags or rule.reads))


def _tag(name: str) -> str:
    """A keyword as its tag; private columns and paths through sequences stay as they are."""
    try:
        return tag_of(name)
    except KeyError:
        return name


def _findings(rule: Rule, draft: _Draft, profile: Profile, name: Callable[[int], str]) -> list[Finding]:
    """The findings of one rule; beyond `VALUES_SHOWN` values of an attribute the rest are counted together."""
    by_tags: dict[tuple[str, ...], list[tuple[str, Hit, set[int]]]] = {}
    for (tags, observed), (hit, rows) in draft.groups.items():
        by_tags.setdefault(tags, []).append((observed, hit, rows or set()))
    findings = []
    for tags, groups in sorted(by_tags.items()):
        groups.sort(key=lambda group: (-len(group[2]), group[0]))
        shown, rest = groups[:VALUES_SHOWN], groups[VALUES_SHOWN:]
        for observed, hit, rows in shown:
            findings.append(_finding(rule, tags, observed, hit, rows, profile, name))
        if rest:
            rows = set().union(*(group[2] for group in rest))
            findings.append(
                _finding(rule, tags, f"{len(rest)} other values", rest[0][1], rows, profile, name)
            )
    return findings


def _finding(
    rule: Rule,
    tags: tuple[str, ...],
    observed: str,
    hit: Hit,
    rows: set[int],
    profile: Profile,
    name: Callable[[int], str],
) -> Finding:
    return Finding(
        rule=rule.id,
        severity=profile.severity(rule),
        level=rule.level,
        message=hit.message or rule.title,
        tags=tags,
        observed=observed,
        expected=hit.expected,
        count=len(rows),
        instances=tuple(name(row) for row in sorted(rows)[:EXAMPLES]),
        reference=rule.reference,
        remedy=rule.remedy,
    )


def _worst_first(finding: Finding) -> tuple[int, str, tuple[str, ...], int, str]:
    return SEVERITIES.index(finding.severity), finding.rule, finding.tags, -finding.count, finding.observed


def _where(error: Exception) -> str:
    """An exception's class and place: its text could hold patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f" at {PurePath(last.filename).name}:{last.lineno}" if last else ""
    return type(error).__name__ + place
