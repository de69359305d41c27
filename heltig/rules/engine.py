"""Runs a ruleset over a study's table.

A value rule runs once for each distinct value, an instance rule once for each distinct combination of values
it reads, a series or study rule on whole columns, a context rule on whole columns and on what the index says
about the study. What they yield is grouped into findings.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from pathlib import PurePath

from heltig.dicom.study import StudyTable
from heltig.rules.combinations import Combination, Combinations
from heltig.rules.finding import Evaluation, Finding, NotEvaluable, Outcome, RuleError
from heltig.rules.grouping import Draft, Propose, worst_first
from heltig.rules.index_facts import IndexFact
from heltig.rules.memory import Memory
from heltig.rules.profile import Profile
from heltig.rules.proposal import proposed
from heltig.rules.rule import Level, Rule
from heltig.rules.views import Context, ContextView, PackageView, RowsView, Values
from heltig.rules.walk import ValueRules, walk
from heltig.standard.dictionary import tag_of

_CONTEXTS = 4
"""Contexts for which cells are remembered: a pull past midnight has two reference dates."""


class Ruleset:
    """The rules in force under one profile.

    Attributes:
        profile: The profile.
        rules: The rules it does not switch off, by id.
    """

    def __init__(self, rules: Iterable[Rule], profile: Profile) -> None:
        self.profile = profile
        self.rules = tuple(r for r in sorted(rules, key=lambda r: r.id) if profile.runs(r.id))

        self._plans: dict[frozenset[str], _Plan] = {}

    def of(self, *levels: Level) -> list[Rule]:
        """The rules of some levels."""
        return [rule for rule in self.rules if rule.level in levels]

    def plan(self, shows: frozenset[str]) -> "_Plan":
        """How to run it over studies of a source that shows this; prepared once for each kind of source."""
        if shows not in self._plans:
            self._plans[shows] = _Plan(self, shows)
        return self._plans[shows]


class _Plan:
    """The rules of a ruleset that can be evaluated on what a source shows.

    Attributes:
        values: The value rules.
        instances: The instance rules, each with the tags that it reads.
        series: The series rules, likewise.
        studies: The study rules, likewise.
        contexts: The context rules, likewise.
        not_evaluable: The other rules, and what they miss.
        outcomes: Each rule's outcome before any was run, by id in order.
    """

    def __init__(self, ruleset: Ruleset, shows: frozenset[str]) -> None:
        rules = ruleset.of("value", "instance", "series", "study", "context")
        missing = {rule.id: tuple(sorted(rule.needs - shows)) for rule in rules}
        required = ruleset.profile.required
        evaluable = [rule for rule in rules if not missing[rule.id]]
        self.values = ValueRules(rule for rule in evaluable if rule.level == "value")
        self.instances = [(r, tuple(map(tag_of, r.reads))) for r in evaluable if r.level == "instance"]
        self.series = [(r, tuple(map(tag_of, r.reads))) for r in evaluable if r.level == "series"]
        self.studies = [(r, tuple(map(tag_of, r.reads))) for r in evaluable if r.level == "study"]
        self.contexts = [(r, tuple(map(tag_of, r.reads))) for r in evaluable if r.level == "context"]
        self.not_evaluable = tuple(
            [NotEvaluable(r, needs, r in required) for r, needs in missing.items() if needs]
        )
        self.outcomes: dict[str, Outcome] = {
            id: "not_evaluable" if needs else "not_applicable" for id, needs in missing.items()
        }
        self._memories: dict[Context, Memory] = {}

    def memory(self, context: Context) -> Memory:
        """What is remembered of cells under a context; days pass, and old ones are forgotten."""
        if context not in self._memories:
            if len(self._memories) == _CONTEXTS:
                self._memories.clear()
            self._memories[context] = Memory(context)
        return self._memories[context]


def evaluate(
    ruleset: Ruleset,
    table: StudyTable,
    context: Context,
    *,
    facts: Sequence[IndexFact] = (),
    stopwatch: "Stopwatch | None" = None,
) -> Evaluation:
    """Run every rule of a ruleset over an arranged study.

    Args:
        ruleset: The rules in force.
        table: The study.
        context: What the rules may know beside the data.
        facts: What the index of all studies says about this one.
        stopwatch: Takes the time of each rule.

    Returns:
        Findings (worst first), rules that were not evaluable, rules that failed to run, and every rule's
        outcome.
    """
    plan = ruleset.plan(table.source.shows)
    run = _TimedRun(plan.outcomes, stopwatch) if stopwatch else _Run(plan.outcomes)
    memory = plan.memory(context)
    applied = walk(table, plan.values, memory, run.call)
    run.passed(rule for rule, bit in plan.values.all if applied & bit)
    run.instances(plan.instances, table, memory)
    study = ContextView(table, context, facts)
    run.wholes(plan.series, study.series)
    run.wholes(plan.studies, [study])
    run.wholes(plan.contexts, [study])
    study.series = ()  # they know the study: as a cycle they would keep the whole table for some time
    return run.result(
        ruleset.profile, table.instance_key, plan.not_evaluable, propose=partial(proposed, table=table)
    )


def evaluate_package(ruleset: Ruleset, package: PackageView) -> Evaluation:
    """Run the rules about files, folders and ZIPs as they were handed in."""
    rules = ruleset.of("input")
    run = _Run(dict.fromkeys((rule.id for rule in rules), "not_applicable"))
    run.package(rules, package)
    return run.result(ruleset.profile, lambda row: package.facts[row].origin, ())


class _Run:
    """Some rules over one study or package: their drafts, outcomes and errors."""

    def __init__(self, outcomes: Mapping[str, Outcome]) -> None:
        self.drafts: dict[str, Draft] = {}
        self.outcomes = dict(outcomes)
        self.errors: dict[str, str] = {}

    def instances(
        self,
        rules: Iterable[tuple[Rule, tuple[str, ...]]],
        table: StudyTable,
        memory: Memory,
    ) -> None:
        """Run instance rules over the combinations that they are not known to pass."""
        combinations = Combinations(table)
        for rule, tags in rules:
            known = memory.combinations(rule.id, table.encodings[0]) if len(table.encodings) == 1 else {}
            unknown = []
            for combination in combinations.of(tags):
                applied = known.get(combination.raws)
                if applied is None:
                    unknown.append(combination)
                elif applied:
                    self.passed([rule])
            if unknown:
                self.call(rule, partial(_try, rule, unknown, memory, known))

    def wholes(self, rules: Iterable[tuple[Rule, tuple[str, ...]]], views: Sequence[RowsView]) -> None:
        """Run series rules over series, study and context rules over the study."""
        columns = views[0].table.columns if views else {}
        varying = {tag for tag, column in columns.items() if not column.constant}
        for rule, tags in rules:
            if not (rule.compares and rule.when is None and varying.isdisjoint(tags)):
                self.call(rule, partial(_look, rule, views))
            elif not columns.keys().isdisjoint(tags):
                self.passed([rule])

    def package(self, rules: Iterable[Rule], package: PackageView) -> None:
        for rule in rules:

            def work(draft: Draft, rule: Rule = rule) -> bool:
                for hit in rule.check(package) or ():
                    draft.add(hit, ())
                return True

            self.call(rule, work)

    def passed(self, rules: Iterable[Rule]) -> None:
        """Take note of rules that applied, and found nothing in what they were spared."""
        for rule in rules:
            if self.outcomes[rule.id] == "not_applicable":
                self.outcomes[rule.id] = "pass"

    def call(self, rule: Rule, work: Callable[[Draft], bool]) -> bool:
        """Do a rule's work; whatever it raises is an error of that rule, never the end of the run.

        Returns:
            False if the rule failed, now or before.
        """
        id = rule.id
        if id in self.errors:
            return False
        draft = self.drafts.get(id) or Draft(rule)
        try:
            applied = work(draft)
        except Exception as error:  # a site's own rule may raise anything
            self.errors[id] = _where(error)
            self.outcomes[id] = "error"
            return False
        if draft:
            self.drafts[id] = draft
        if applied:
            self.outcomes[id] = "fail" if draft else "pass"
        return True

    def result(
        self,
        profile: Profile,
        name: Callable[[int], str],
        not_evaluable: tuple[NotEvaluable, ...],
        *,
        propose: Propose = lambda changes: (),
    ) -> Evaluation:
        found: list[tuple[Finding, Set[int]]] = []
        for id, draft in self.drafts.items():
            if id not in self.errors:
                found.extend(draft.findings(profile, name, propose))
        found.sort(key=lambda pair: worst_first(pair[0]))
        return Evaluation(
            findings=tuple(finding for finding, _ in found),
            rows=tuple(rows for _, rows in found),
            not_evaluable=not_evaluable,
            errors=tuple(RuleError(id, error) for id, error in sorted(self.errors.items())),
            outcomes=self.outcomes,
        )


class Stopwatch:
    """How long the functions of rules take.

    Attributes:
        clock: Seconds, of any beginning.
        seconds: What each rule took so far, by id.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}


class _TimedRun(_Run):
    """A run that takes the time."""

    def __init__(self, outcomes: Mapping[str, Outcome], stopwatch: Stopwatch) -> None:
        super().__init__(outcomes)
        self._stopwatch = stopwatch

    def call(self, rule: Rule, work: Callable[[Draft], bool]) -> bool:
        start = self._stopwatch.clock()
        went_well = super().call(rule, work)
        taken = self._stopwatch.clock() - start
        seconds = self._stopwatch.seconds
        seconds[rule.id] = seconds.get(rule.id, 0.0) + taken
        return went_well


def _try(
    rule: Rule,
    combinations: list[Combination],
    memory: Memory,
    known: dict[tuple[bytes, ...], bool],
    draft: Draft,
) -> bool:
    """Run an instance rule over combinations, and remember those that it does not object to."""
    applied = False
    for combination in combinations:
        cells = combination.cells()
        seen = Values(dict(zip(rule.reads, cells, strict=True)), memory.context)
        applies = rule.when(seen) if rule.when else any(cell.vr for cell in cells)
        hits = list(rule.check(seen) or ()) if applies else []
        for hit in hits:
            draft.add(hit, combination.rows)
        if not hits:
            memory.learn_combination(known, combination.raws, applies)
        applied = applied or applies
    return applied


def _look(rule: Rule, views: Sequence[RowsView], draft: Draft) -> bool:
    """Run a series, study or context rule over what it is about."""
    applied = False
    for view in views:
        if rule.when(view) if rule.when else not rule.reads or any(map(view.has, rule.reads)):
            applied = True
            for hit in rule.check(view) or ():
                draft.add(hit, view.rows)
    return applied


def _where(error: Exception) -> str:
    """An exception's class and place: its text could hold patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
