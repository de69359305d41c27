"""Runs a ruleset over a study's table.

A value rule runs once for each distinct value, an instance rule once for each distinct combination of values
it reads, a series or study rule on whole columns, a context rule on whole columns and on what the index says
about the study. What they yield is grouped into findings.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from pathlib import PurePath
from typing import Any, TypeAlias, TypeVar

from heltig.dicom.study import StudyTable
from heltig.rules.combinations import Combination, Combinations, Named
from heltig.rules.finding import Evaluation, Finding, NotEvaluable, Outcome, RuleError
from heltig.rules.grouping import Draft, Propose, worst_first
from heltig.rules.index_facts import IndexFact
from heltig.rules.memory import Combinations as Clean
from heltig.rules.memory import Memory
from heltig.rules.plan import Plan, Reading
from heltig.rules.profile import Profile
from heltig.rules.proposal import proposed
from heltig.rules.rule import Level, Rule, WrongHitError
from heltig.rules.seen import with_cells
from heltig.rules.value_run import Found, Work
from heltig.rules.views import MAKING, Context, ContextView, PackageView, RowsView, Values
from heltig.rules.walk import walk

T = TypeVar("T")


class Ruleset:
    """The rules in force under one profile.

    Attributes:
        profile: The profile.
        rules: The rules it does not switch off, by id.
    """

    def __init__(self, rules: Iterable[Rule], profile: Profile) -> None:
        self.profile = profile
        self.rules = tuple(r for r in sorted(rules, key=lambda r: r.id) if profile.runs(r.id))

        self._plans: dict[frozenset[str], Plan] = {}

    def of(self, *levels: Level) -> list[Rule]:
        """The rules of some levels."""
        return [rule for rule in self.rules if rule.level in levels]

    def plan(self, shows: frozenset[str]) -> Plan:
        """How to run it over studies of a source that shows this; prepared once for each kind of source."""
        if shows not in self._plans:
            self._plans[shows] = Plan(self.rules, self.profile, shows)
        return self._plans[shows]


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
    layout = plan.layout(table.columns)
    run = _TimedRun(plan.outcomes, stopwatch) if stopwatch else _Run(plan.outcomes)
    memory = plan.memory(context)
    applied = walk(table, layout.tags, plan.values, memory, run.call)
    run.passed(rule for rule, bit in plan.values.all if applied & bit)
    run.instances(layout.instances, table, memory)
    study = ContextView(table, context, facts)
    varying = frozenset(tag for tag, column in table.columns.items() if not column.constant)
    run.wholes(layout.series, study.series, varying)
    run.wholes(layout.studies, [study], varying)
    run.wholes(layout.contexts, [study], varying)
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

    def instances(self, rules: Iterable[Reading], table: StudyTable, memory: Memory) -> None:
        """Run instance rules over the combinations that they are not known to pass."""
        combinations = Combinations(table)
        clean = memory.combinations(table.encodings[0]) if len(table.encodings) == 1 else {}
        for rule, tags in rules:
            known = clean.get(rule.id)
            if known is None:
                known = clean[rule.id] = {}
            only = combinations.only(tags)
            applied = known.get(only) if only else None
            if applied is None:
                self.call(rule, _try, combinations.of(tags), memory, known)
            elif applied:
                self._pass(rule)

    def wholes(self, rules: Iterable[Reading], views: Sequence[RowsView], varying: Set[str]) -> None:
        """Run series rules over series, study and context rules over the study.

        Args:
            rules: The rules.
            views: The series, or the study.
            varying: The attributes in which the instances of the study differ.
        """
        chosen: _Chosen = {}
        for rule, tags in rules:
            if rule.compares and rule.when is None and varying.isdisjoint(tags):
                self._pass(rule)
            elif chosen.get(rule.when) != []:  # nobody needs to ask again where none applies
                self.call(rule, _look, views, chosen)

    def package(self, rules: Iterable[Rule], package: PackageView) -> None:
        for rule in rules:
            self.call(rule, _open, package)

    def passed(self, rules: Iterable[Rule]) -> None:
        """Take note of rules that applied, and found nothing in what they were spared."""
        for rule in rules:
            self._pass(rule)

    def _pass(self, rule: Rule) -> None:
        if self.outcomes[rule.id] == "not_applicable":
            self.outcomes[rule.id] = "pass"

    def call(self, rule: Rule, work: Work, *on: Any) -> bool:
        """Do a rule's work; whatever it raises is an error of that rule, never the end of the run.

        Args:
            rule: The rule.
            work: Runs it; called with the rule and with what it is to run on.
            on: The rest of the arguments of `work`.

        Returns:
            False if the rule failed, now or before.
        """
        id = rule.id
        if id in self.errors:
            return False
        try:
            applied, found = work(rule, *on)
            if found:
                draft = self.drafts.get(id) or Draft(rule)
                for hit, rows, where in found:
                    draft.add(hit, rows, where)
                self.drafts[id] = draft
        except BaseException as error:  # a site's own rule may raise anything, SystemExit too
            if type(error) is KeyboardInterrupt:
                raise
            self._fail(id, error)
            return False
        if applied:
            self.outcomes[id] = "fail" if id in self.drafts else "pass"
        return True

    def _fail(self, id: str, error: BaseException) -> None:
        self.errors[id] = _where(error)
        self.outcomes[id] = "error"

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
                try:
                    found.extend(draft.findings(profile, name, propose))
                except Exception as error:  # rows that there are not, changes that cannot be
                    self._fail(id, error)
        found.sort(key=lambda pair: worst_first(pair[0]))
        return Evaluation(
            findings=tuple(finding for finding, _ in found),
            rows=tuple(rows for _, rows in found),
            not_evaluable=not_evaluable,
            errors=tuple(RuleError(id, error) for id, error in sorted(self.errors.items())),
            outcomes=self.outcomes,
        )


class Stopwatch:
    """How long the functions of rules take, and what several rules share.

    Attributes:
        clock: Seconds, of any beginning.
        seconds: What each rule took so far, by id, without what it shares with others.
        shared: What was made once for several rules (`RowsView.once`), by module and function.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self.shared: dict[str, float] = {}
        self._inside = 0.0  # what was taken and is counted already, within what is being measured

    def rule(self, id: str, work: Callable[[], T]) -> T:
        """Measures a rule at work."""
        return self._measured(self.seconds, id, work)

    def making(self, make: Callable[[Any], T], view: Any) -> T:
        """Measures what rules share, as it is made."""
        name = f"{make.__module__.rpartition('.')[2]}.{make.__name__.lstrip('_')}"
        return self._measured(self.shared, name, lambda: make(view))

    def _measured(self, into: dict[str, float], name: str, work: Callable[[], T]) -> T:
        before, self._inside = self._inside, 0.0
        start = self.clock()
        try:
            return work()
        finally:
            taken = self.clock() - start
            into[name] = into.get(name, 0.0) + taken - self._inside
            self._inside = before + taken


class _TimedRun(_Run):
    """A run that takes the time."""

    def __init__(self, outcomes: Mapping[str, Outcome], stopwatch: Stopwatch) -> None:
        super().__init__(outcomes)
        self._stopwatch = stopwatch

    def call(self, rule: Rule, work: Work, *on: Any) -> bool:
        making = MAKING.set(self._stopwatch.making)
        try:
            return self._stopwatch.rule(rule.id, lambda: super(_TimedRun, self).call(rule, work, *on))
        finally:
            MAKING.reset(making)


def _try(
    rule: Rule, combinations: Iterable[Combination], memory: Memory, known: Clean
) -> tuple[bool, list[Found]]:
    """Run an instance rule over combinations, and remember those that it does not object to."""
    applied = False
    found: list[Found] = []
    for combination in combinations:
        applies = known.get(combination.raws)
        if applies is None:
            cells = Named(combination, rule.reads)
            at = Values(cells, memory.context)
            applies = rule.when(at) if rule.when else any(cells[keyword].vr for keyword in rule.reads)
            hits = list(rule.check(at) or ()) if applies else None
            if hits:
                seen = combination.cells()
                found.extend([(with_cells(hit, seen), combination.rows, ()) for hit in hits])
            else:
                memory.learn_combination(known, combination.raws, applies)
        applied = applied or applies
    return applied, found


_Chosen: TypeAlias = "dict[Callable[[Any], bool] | None, list[RowsView]]"
"""For each `when` that was asked the views to which rules with it apply: many rules share one."""


def _look(rule: Rule, views: Sequence[RowsView], chosen: _Chosen) -> tuple[bool, list[Found]]:
    """Run a series, study or context rule over what it is about."""
    when = rule.when
    applies: Sequence[RowsView]
    if when is None and (len(views) == 1 or not rule.reads):
        applies = views  # one view has all rows, and the layout left out rules on what no row has
    elif when is None:
        applies = [view for view in views if any(map(view.has, rule.reads))]
    elif when in chosen:
        applies = chosen[when]
    else:
        applies = chosen[when] = [view for view in views if when(view)]
    return bool(applies), [(hit, view.rows, ()) for view in applies for hit in rule.check(view) or ()]


def _open(rule: Rule, package: PackageView) -> tuple[bool, list[Found]]:
    """Run an input rule over a package."""
    return True, [(hit, (), ()) for hit in rule.check(package) or ()]


def _where(error: BaseException) -> str:
    """An exception's class and place: its text could hold patient data."""
    if isinstance(error, WrongHitError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
