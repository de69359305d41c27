"""Every rule of the catalogue against the labelled studies that come with it."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from heltig.errors import ConfigurationError
from heltig.rules.cases import evaluate_case, try_case
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.engine import Ruleset
from heltig.rules.profile import Profile
from heltig.rules.rule import Rule

OUTCOMES: Final = ("pass", "fail", "not_applicable", "not_evaluable", "error")

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, where there is one


class CaseResult(msgspec.Struct, frozen=True, rename="camel", order=True):
    """What came of one labelled study.

    Attributes:
        rule: The rule it is about.
        number: Its place among the studies of the rule, from 1 on.
        name: What it is.
        expected: The outcome of the rule on it, as labelled.
        found: The outcome that came out.
        problems: What else came out otherwise, such as another value; empty when all is as labelled.
        found_among_all: Judged by all rules, this one finds something.
        digest: SHA-256 of all that all rules find on it.
    """

    rule: str
    number: int
    name: str
    expected: str
    found: str
    problems: tuple[str, ...]
    found_among_all: bool
    digest: str


class RuleResult(msgspec.Struct, frozen=True, rename="camel"):
    """What came of a rule: from the requirement behind it to the studies that prove it.

    Attributes:
        rule: The rule.
        family: Its family.
        severity: Its severity by default.
        requirement: The clause of the standard, or that it is a rule of practice.
        title: What it finds.
        cases: Number of labelled studies for each outcome.
        found_among_all: On one that fails the rule finds something with all other rules beside it.
        as_expected: So it does, and all came out as labelled, one at least that fails and one that passes.
            None for a rule of the site: the labelled studies of Heltig say nothing of it.
    """

    rule: str
    family: str
    severity: str
    requirement: str
    title: str
    cases: dict[str, int]
    found_among_all: bool
    as_expected: bool | None


def judge_cases(*, order: int, part: int, parts: int) -> Iterator[CaseResult]:
    """Judge the labelled studies of all rules of this package, without the rules that a site installed.

    Args:
        order: What their order is drawn from.
        part: Which part of them, from 0 on.
        parts: How many processes share them.

    Raises:
        ConfigurationError: The installation lacks them.
    """
    shipped = shipped_rules()
    everything = Ruleset(shipped, Profile())
    cases = [(rule, number, case) for rule in shipped for number, case in enumerate(cases_of(rule.id), 1)]
    random.Random(order).shuffle(cases)  # noqa: S311 - no secret is made of it
    for rule, number, case in cases[part::parts]:
        by_all = evaluate_case(everything, case)
        findings = [finding for finding in by_all.findings if finding.rule == rule.id]
        yield CaseResult(
            rule=rule.id,
            number=number,
            name=case["name"],
            expected=case["outcome"],
            found=evaluate_case(Ruleset([rule], Profile()), case).outcomes.get(rule.id, "not called"),
            problems=tuple(try_case(rule, case)),
            found_among_all=bool(findings),
            digest=hashlib.sha256(msgspec.json.encode((by_all.findings, by_all.errors))).hexdigest(),
        )


def shipped_rules() -> list[Rule]:
    """The rules of this package, without those of a site that are installed beside it."""
    return [rule for rule in catalogue().values() if family_of(rule) != "Site"]


def rules_of_the_site() -> list[Rule]:
    """The rules that a site installed."""
    return [rule for rule in catalogue().values() if family_of(rule) == "Site"]


def results_of_rules(cases: Iterable[CaseResult]) -> list[RuleResult]:
    """What the results of all labelled studies mean for the rules, by rule; those of a site last."""
    by_rule = {rule: list(found) for rule, found in groupby(sorted(cases), key=lambda case: case.rule)}
    own = [_result(rule, by_rule.get(rule.id, [])) for rule in shipped_rules()]
    return [
        *own,
        *(msgspec.structs.replace(_result(rule, []), as_expected=None) for rule in rules_of_the_site()),
    ]


def _result(rule: Rule, cases: list[CaseResult]) -> RuleResult:
    counts = Counter(case.expected for case in cases)
    among_all = any(case.found_among_all for case in cases if case.expected == "fail")
    return RuleResult(
        rule=rule.id,
        family=family_of(rule),
        severity=rule.severity,
        requirement=rule.reference or "rule of practice",
        title=rule.title,
        cases={outcome: counts[outcome] for outcome in OUTCOMES},
        found_among_all=among_all,
        as_expected=among_all and counts["pass"] > 0 and not any(case.problems for case in cases),
    )


def cases_of(rule: str) -> Iterator[Mapping[str, Any]]:
    """The labelled studies of a rule.

    Raises:
        ConfigurationError: The installation lacks them.
    """
    yield from yaml.load(case_file(rule).read_text("utf-8"), _LOADER)["cases"]  # noqa: S506 - a safe one


def case_file(rule: str) -> Traversable:
    """The file of a rule's labelled studies.

    Raises:
        ConfigurationError: The installation lacks it.
    """
    file = _folder() / f"{rule}.yml"
    if not file.is_file():
        raise ConfigurationError(f"this installation lacks the labelled studies of {rule}: install it anew")
    return file


def _folder() -> Traversable:
    """Beside this module in a wheel; in a checkout where the tests have them."""
    packed = files("heltig.validation") / "cases"
    return packed if packed.is_dir() else Path(__file__).parents[2] / "tests" / "rules"
