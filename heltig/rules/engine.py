"""Runs a ruleset over a study's table.

A value rule runs once for each distinct value, an instance rule once for each distinct combination of values
it reads, a series or study rule on whole columns. What they yield is grouped into findings.
"""

import traceback
from collections.abc import Callable, Iterable
from pathlib import PurePath

from heltig.dicom.study import StudyTable
from heltig.rules.combinations import Combinations
from heltig.rules.finding import Evaluation, Finding, NotEvaluable, Outcome, RuleError
from heltig.rules.grouping import Draft, worst_first
from heltig.rules.profile import Profile
from heltig.rules.rule import Level, Rule
from heltig.rules.views import Context, PackageView, RowsView, StudyView, Values
from heltig.rules.walk import ValueRules, walk
from heltig.standard.dictionary import tag_of


class Ruleset:
    """The rules in force under one profile.

    Attributes:
        profile: The profile.
        rules: The rules it does not switch off, by id.
    """

    def __init__(self, rules: Iterable[Rule], profile: Profile) -> None:
        self.profile = profile
        self.rules = tuple(r for r in sorted(rules, key=lambda r: r.id) if profile.runs(r.id))

    def of(self, *levels: Level) -> list[Rule]:
        """The rules of some levels."""
        return [rule for rule in self.rules if rule.level in levels]


def evaluate(ruleset: Ruleset, table: StudyTable, context: Context) -> Evaluation:
    """Run every rule of a ruleset over an arranged study.

    Returns:
        Findings (worst first), rules that were not evaluable, rules that failed to run, and every rule's
        outcome.
    """
    rules = ruleset.of("value", "instance", "series", "study")
    missing = {rule.id: tuple(sorted(rule.needs - table.source.shows)) for rule in rules}
    run = _Run(rule for rule in rules if not missing[rule.id])
    run.values(table, context)
    run.instances(table, context)
    study = StudyView(table, context)
    run.wholes("series", study.series)
    run.wholes("study", [study])
    required = ruleset.profile.required
    not_evaluable = [NotEvaluable(id, needs, id in required) for id, needs in missing.items() if needs]
    return run.result(ruleset.profile, table.instance_key, not_evaluable)


def evaluate_package(ruleset: Ruleset, package: PackageView) -> Evaluation:
    """Run the rules about files, folders and ZIPs as they were handed in."""
    run = _Run(ruleset.of("input"))
    run.package(package)
    return run.result(ruleset.profile, lambda row: package.facts[row].origin, [])


class _Run:
    """Some rules over one study or package: their drafts, outcomes and errors."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.drafts = {rule.id: Draft(rule) for rule in rules}
        self.outcomes: dict[str, Outcome] = dict.fromkeys(self.drafts, "not_applicable")
        self.errors: dict[str, str] = {}

    def values(self, table: StudyTable, context: Context) -> None:
        walk(table, ValueRules(self._rules("value")), context, self._call)

    def instances(self, table: StudyTable, context: Context) -> None:
        combinations = Combinations(table)
        for rule in self._rules("instance"):
            tags = tuple(map(tag_of, rule.reads))

            def work(draft: Draft, rule: Rule = rule, tags: tuple[str, ...] = tags) -> bool:
                applied = False
                for cells, rows in combinations.of(tags):
                    seen = Values(dict(zip(rule.reads, cells, strict=True)), context)
                    if rule.when(seen) if rule.when else any(cell.vr for cell in cells):
                        applied = True
                        for hit in rule.check(seen) or ():
                            draft.add(hit, rows)
                return applied

            self._call(rule, work)

    def wholes(self, level: Level, views: Iterable[RowsView]) -> None:
        for rule in self._rules(level):

            def work(draft: Draft, rule: Rule = rule) -> bool:
                applied = False
                for view in views:
                    if rule.when(view) if rule.when else not rule.reads or any(map(view.has, rule.reads)):
                        applied = True
                        for hit in rule.check(view) or ():
                            draft.add(hit, view.rows)
                return applied

            self._call(rule, work)

    def package(self, package: PackageView) -> None:
        for rule in self._rules("input"):

            def work(draft: Draft, rule: Rule = rule) -> bool:
                for hit in rule.check(package) or ():
                    draft.add(hit, ())
                return True

            self._call(rule, work)

    def _rules(self, level: Level) -> list[Rule]:
        return [draft.rule for draft in self.drafts.values() if draft.rule.level == level]

    def _call(self, rule: Rule, work: Callable[[Draft], bool]) -> None:
        """Do a rule's work; whatever it raises is an error of that rule, never the end of the run."""
        if rule.id in self.errors:
            return
        draft = self.drafts[rule.id]
        try:
            applied = work(draft)
        except Exception as error:  # a site's own rule may raise anything
            self.errors[rule.id] = _where(error)
            self.outcomes[rule.id] = "error"
            return
        if applied:
            self.outcomes[rule.id] = "fail" if draft else "pass"

    def result(
        self, profile: Profile, name: Callable[[int], str], not_evaluable: list[NotEvaluable]
    ) -> Evaluation:
        findings: list[Finding] = []
        for draft in self.drafts.values():
            if draft.rule.id not in self.errors:
                findings.extend(draft.findings(profile, name))
        outcomes = self.outcomes | dict.fromkeys((rule.rule for rule in not_evaluable), "not_evaluable")
        return Evaluation(
            findings=tuple(sorted(findings, key=worst_first)),
            not_evaluable=tuple(not_evaluable),
            errors=tuple(RuleError(id, error) for id, error in sorted(self.errors.items())),
            outcomes=dict(sorted(outcomes.items())),
        )


def _where(error: Exception) -> str:
    """An exception's class and place: its text could hold patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
