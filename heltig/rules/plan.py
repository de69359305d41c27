"""Which rules can say anything about a study: told from what its source shows, and from its attributes."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from heltig.rules.finding import NotEvaluable, Outcome
from heltig.rules.memory import Memory
from heltig.rules.profile import Profile
from heltig.rules.rule import Rule
from heltig.rules.views import Context
from heltig.rules.walk import ValueRules, is_own
from heltig.standard.dictionary import tag_of

_CONTEXTS: Final = 4
"""Contexts for which cells are remembered: a pull past midnight has two reference dates."""

_LAYOUTS: Final = 512
"""Sets of attributes that are remembered: studies of one scanner share theirs."""


class Reading(NamedTuple):
    """A rule and what is known of it before any study.

    Attributes:
        rule: The rule.
        tags: The tags of what it declares to read.
        bit: Its bit in a set of rules; 0 where it is not remembered that it had nothing to say, since nobody
            can tell whether a rule from outside this package reads nothing but the study.
    """

    rule: Rule
    tags: tuple[str, ...]
    bit: int


class Layout:
    """The rules that may apply to studies with certain attributes.

    A rule without `when` applies where an attribute that it reads is there. Where none is, it is left out,
    and so is any rule where one that it requires is not.

    Attributes:
        tags: The attributes, in order.
        instances: The instance rules.
        series: The series rules.
        studies: The study rules.
        contexts: The context rules.
        bits: The bits of the series, study and context rules.
    """

    def __init__(self, tags: tuple[str, ...], readings: Iterable[Reading]) -> None:
        self.tags = tags
        there = frozenset(tags)
        may_apply = [
            reading
            for reading in readings
            if (reading.rule.when or not reading.tags or not there.isdisjoint(reading.tags))
            and there.issuperset(map(tag_of, reading.rule.requires))
        ]
        self.instances = [reading for reading in may_apply if reading.rule.level == "instance"]
        self.series = [reading for reading in may_apply if reading.rule.level == "series"]
        self.studies = [reading for reading in may_apply if reading.rule.level == "study"]
        self.contexts = [reading for reading in may_apply if reading.rule.level == "context"]
        self.bits = sum(reading.bit for reading in (*self.series, *self.studies, *self.contexts))


class Plan:
    """The rules of a ruleset that can be evaluated on what a source shows.

    Attributes:
        values: The value rules.
        not_evaluable: The rules that cannot, and what they miss.
        outcomes: Each rule's outcome before any was run, by id in order.
    """

    def __init__(self, rules: Iterable[Rule], profile: Profile, shows: frozenset[str]) -> None:
        rules = [rule for rule in rules if rule.level != "input"]
        missing = {rule.id: tuple(sorted(rule.needs - shows)) for rule in rules}
        evaluable = [rule for rule in rules if not missing[rule.id]]
        self.values = ValueRules(rule for rule in evaluable if rule.level == "value")
        self.not_evaluable = tuple(
            [NotEvaluable(id, needs, id in profile.required) for id, needs in missing.items() if needs]
        )
        self.outcomes: dict[str, Outcome] = {
            id: "not_evaluable" if needs else "not_applicable" for id, needs in missing.items()
        }
        others = [rule for rule in evaluable if rule.level != "value"]
        self._readings = [
            Reading(rule, tuple(map(tag_of, rule.reads)), (1 << number) if is_own(rule) else 0)
            for number, rule in enumerate(others)
        ]
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._memories: dict[Context, Memory] = {}

    def layout(self, tags: Iterable[str]) -> Layout:
        """The rules for studies with these attributes."""
        ordered = tuple(sorted(tags))
        layout = self._layouts.get(ordered)
        if layout is None:
            if len(self._layouts) == _LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[ordered] = Layout(ordered, self._readings)
        return layout

    def memory(self, context: Context) -> Memory:
        """What is remembered of cells under a context; days pass, and old ones are forgotten."""
        if context not in self._memories:
            if len(self._memories) == _CONTEXTS:
                self._memories.clear()
            self._memories[context] = Memory(context)
        return self._memories[context]
