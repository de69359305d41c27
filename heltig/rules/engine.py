"""Runs a ruleset over a study's table.

A value rule runs once for each distinct value, an instance rule once for each distinct combination of values
it reads, a series or study rule on whole columns, a context rule on whole columns and on what the index says
about the study. What they yield is grouped into findings.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cache, partial
from pathlib import PurePath
from typing import Any, Final

from msgspec.structs import replace

from heltig.dicom.study import StudyTable
from heltig.dicom.watched import Watched
from heltig.rules.combinations import Combination, Combinations, Named
from heltig.rules.cut_headers import cut_headers
from heltig.rules.finding import Evaluation, Finding, NotEvaluable, Outcome, RuleError
from heltig.rules.grouping import Draft, Propose, worst_first
from heltig.rules.index_facts import IndexFact
from heltig.rules.memory import Combinations as Clean
from heltig.rules.memory import Memory
from heltig.rules.plan import Layout, Plan, Reading
from heltig.rules.profile import Profile
from heltig.rules.proposal import proposed
from heltig.rules.rule import Level, Rule, WrongHitError, hits_of, rows_of, see_that_it_is_a_hit
from heltig.rules.seen import with_cells
from heltig.rules.silence import Contents, Silences, Told, contents_of
from heltig.rules.stopwatch import Stopwatch
from heltig.rules.value_run import Found, Work
from heltig.rules.views import MAKING, Context, ContextView, PackageView, RowsView, Values
from heltig.rules.walk import walk

_ABSENCE: Final = "all_attributes"
"""What rules need that complain of what is not there."""


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
    stopwatch: Stopwatch | None = None,
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
    cut = cut_headers(table)
    shows = table.source.shows
    plan = ruleset.plan(shows - {_ABSENCE} if len(cut) == table.rows else shows)
    layout = plan.layout(table.columns)
    run = _TimedRun(plan.outcomes, stopwatch, cut) if stopwatch else _Run(plan.outcomes, cut)
    memory = plan.memory(context)
    applied = walk(table, layout.tags, plan.values, memory, run.call)
    run.passed(plan.values.among(applied))
    contents = contents_of(table)
    run.instances(layout.instances, table, memory, contents)
    study = ContextView(table, context, facts)
    silences = None if facts or cut else memory.silences(layout.tags, table)
    rules = _Wholes(run, table, contents, layout, silences)
    rules.run(layout.series, study.series)
    rules.run(layout.studies, [study])
    rules.run(layout.contexts, [study])
    table.watched = None
    study.series = ()  # they know the study: as a cycle they would keep the whole table for some time
    name = cache(table.instance_key)  # findings name the same few
    return run.result(ruleset.profile, name, plan.not_evaluable, propose=partial(proposed, table=table))


def evaluate_package(ruleset: Ruleset, package: PackageView) -> Evaluation:
    """Run the rules about files, folders and ZIPs as they were handed in."""
    rules = ruleset.of("input")
    run = _Run(dict.fromkeys((rule.id for rule in rules), "not_applicable"))
    run.package(rules, package)
    return run.result(ruleset.profile, lambda row: package.facts[row].origin, ())


class _Run:
    """Some rules over one study or package: their drafts, outcomes and errors."""

    def __init__(self, outcomes: Mapping[str, Outcome], cut: Set[int] = frozenset()) -> None:
        """Begin.

        Args:
            outcomes: Each rule's outcome before any was run.
            cut: Instances of which no rule about absence may speak (`heltig.rules.cut_headers`).
        """
        self._cut = cut
        self.drafts: dict[str, Draft] = {}
        self.outcomes = dict(outcomes)
        self.errors: dict[str, str] = {}

    def instances(
        self, rules: Iterable[Reading], table: StudyTable, memory: Memory, contents: Contents
    ) -> None:
        """Run instance rules over the combinations that they are not known to pass."""
        combinations = Combinations(table)
        clean = memory.combinations(table.encodings[0]) if len(table.encodings) == 1 else {}
        content = contents.get
        for rule, tags, _ in rules:
            known = clean.get(rule.id)
            if known is None:
                known = clean[rule.id] = {}
            applied = known.get(tuple([content(tag, b"") for tag in tags]))
            if applied is None:  # or they vary: what a column holds is then equal to no cell
                self.call(rule, _try, combinations.of(tags), memory, known)
            elif applied:
                self.pass_(rule)

    def package(self, rules: Iterable[Rule], package: PackageView) -> None:
        for rule in rules:
            self.call(rule, _open, package)

    def passed(self, rules: Iterable[Rule]) -> None:
        """Take note of rules that applied, and found nothing in what they were spared."""
        outcomes = self.outcomes
        for rule in rules:
            if outcomes[rule.id] == "not_applicable":
                outcomes[rule.id] = "pass"

    def pass_(self, rule: Rule) -> None:
        """A rule applied, and found nothing in what it was spared."""
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
            if self._cut and _ABSENCE in rule.needs:
                found = _of_whole(found, self._cut)
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


class _TimedRun(_Run):
    """A run that takes the time."""

    def __init__(self, outcomes: Mapping[str, Outcome], stopwatch: Stopwatch, cut: Set[int]) -> None:
        super().__init__(outcomes, cut)
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
            hits = hits_of(rule, at) if applies else None
            if hits:
                seen = combination.cells()
                found.extend([(with_cells(hit, seen), combination.rows, ()) for hit in hits])
            else:
                memory.learn_combination(known, combination.raws, applies)
        applied = applied or applies
    return applied, found


class _Wholes:
    """Runs the rules on whole columns: those that are not known to have nothing to say about such a study."""

    def __init__(
        self, run: _Run, table: StudyTable, contents: Contents, layout: Layout, silences: Silences | None
    ) -> None:
        """Prepare for one study.

        Args:
            run: Takes what the rules find.
            table: The study.
            contents: What it holds.
            layout: The rules for it.
            silences: What is known of studies like it; None where nothing is to be remembered of it.
        """
        self._run = run
        self._table = table
        self._varying = frozenset([tag for tag, column in table.columns.items() if not column.constant])
        self._contents = contents
        self._silences = silences
        self._told = silences.told(contents, layout.bits) if silences else Told()
        if self._told.heard:
            table.watched = Watched(table.columns)

    def run(self, rules: Iterable[Reading], views: Sequence[RowsView]) -> None:
        """Run series rules over series, study and context rules over the study."""
        run, chosen = self._run, _Chosen(self._table)
        silent, applied, heard = self._told
        for rule, tags, bit in rules:
            if bit & silent:
                if bit & applied:
                    run.pass_(rule)
            elif rule.compares and rule.when is None and self._varying.isdisjoint(tags):
                run.pass_(rule)
            elif bit & heard:
                self._listen(rule, bit, partial(run.call, rule, _look, views, chosen))
            elif not chosen.none(rule.when):  # nobody needs to ask again where none applies
                run.call(rule, _look, views, chosen)

    def _listen(self, rule: Rule, bit: int, call: Callable[[], bool]) -> None:
        """Run a rule, and remember what it read if it has nothing to say."""
        run = self._run
        well, asked = self._table.noting(call)
        if self._silences and well and rule.id not in run.drafts:
            applied = run.outcomes[rule.id] == "pass"
            self._silences.learn(self._contents, asked, bit, applied=applied)


class _Chosen:
    """For each `when` that was asked the views to which rules with it apply: many rules share one."""

    def __init__(self, table: StudyTable) -> None:
        self._table = table
        self._known: dict[Callable[[Any], bool], tuple[list[RowsView], Set[str]]] = {}

    def none(self, when: Callable[[Any], bool] | None) -> bool:
        """It is known to apply to no view."""
        known = self._known.get(when) if when else None
        return known is not None and not known[0]

    def of(self, when: Callable[[Any], bool], views: Sequence[RowsView]) -> Sequence[RowsView]:
        """The views to which it applies."""
        known = self._known.get(when)
        if known is None:
            known = self._table.noting(lambda: [view for view in views if when(view)])
            self._known[when] = known
        self._table.note(known[1])
        return known[0]


def _look(rule: Rule, views: Sequence[RowsView], chosen: _Chosen) -> tuple[bool, list[Found]]:
    """Run a series, study or context rule over what it is about."""
    applies: Sequence[RowsView]
    if rule.when is not None:
        applies = chosen.of(rule.when, views)
    elif len(views) == 1 or not rule.reads:
        applies = views  # one view has all rows, and the layout left out rules on what no row has
    else:
        applies = [view for view in views if any(map(view.has, rule.reads))]
    return bool(applies), [(hit, view.rows, ()) for view in applies for hit in hits_of(rule, view)]


def _of_whole(found: Iterable[Found], cut: Set[int]) -> list[Found]:
    """What is left of some hits without the instances that are not there to their end."""
    whole: list[Found] = []
    for hit, rows, where in found:
        see_that_it_is_a_hit(hit)
        left = [row for row in (rows if hit.rows is None else rows_of(hit.rows)) if row not in cut]
        if left:
            whole.append((replace(hit, rows=left), left, where))
    return whole


def _open(rule: Rule, package: PackageView) -> tuple[bool, list[Found]]:
    """Run an input rule over a package."""
    return True, [(hit, (), ()) for hit in hits_of(rule, package)]


def _where(error: BaseException) -> str:
    """An exception's class and place: its text could hold patient data."""
    if isinstance(error, WrongHitError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
