"""Every rule of the catalogue against the labelled studies that come with it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from heltig.errors import ConfigurationError
from heltig.rules.cases import evaluate_case, try_case
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.rule import Rule

OUTCOMES: Final = ("pass", "fail", "not_applicable", "not_evaluable", "error")


class CaseResult(msgspec.Struct, frozen=True, rename="camel"):
    """What came of one labelled study.

    Attributes:
        rule: The rule it is about.
        name: What it is.
        expected: The outcome of the rule on it, as labelled.
        problems: What came out otherwise; empty when all is as labelled.
    """

    rule: str
    name: str
    expected: str
    problems: tuple[str, ...]


class RuleResult(msgspec.Struct, frozen=True, rename="camel"):
    """What came of a rule: from the requirement behind it to the studies that prove it.

    Attributes:
        rule: The rule.
        family: Its family.
        severity: Its severity by default.
        requirement: The clause of the standard, or that it is a rule of practice.
        title: What it finds.
        cases: Number of labelled studies for each outcome.
        found_among_all: On the first that fails the rule finds something with all other rules beside it.
        as_expected: So it does, and all came out as labelled, one at least that fails and one that passes.
    """

    rule: str
    family: str
    severity: str
    requirement: str
    title: str
    cases: dict[str, int]
    found_among_all: bool
    as_expected: bool


def try_rules() -> tuple[list[RuleResult], list[CaseResult]]:
    """Try every rule of this package on its labelled studies; those of a site have none here."""
    rules: list[RuleResult] = []
    results: list[CaseResult] = []
    for rule in catalogue().values():
        if family_of(rule) == "Site":
            continue
        cases = list(cases_of(rule.id))
        of_rule = [
            CaseResult(rule.id, case["name"], case["outcome"], tuple(try_case(rule, case))) for case in cases
        ]
        results.extend(of_rule)
        rules.append(_result(rule, of_rule, found_among_all=_is_found_among_all(rule, cases)))
    return rules, results


def _is_found_among_all(rule: Rule, cases: Iterable[Mapping[str, Any]]) -> bool:
    failing = next((case for case in cases if case["outcome"] == "fail"), None)
    if failing is None:
        return False
    found = evaluate_case(tuple(catalogue().values()), failing).findings
    return any(finding.rule == rule.id for finding in found)


def _result(rule: Rule, results: list[CaseResult], *, found_among_all: bool) -> RuleResult:
    counts = Counter(result.expected for result in results)
    return RuleResult(
        rule=rule.id,
        family=family_of(rule),
        severity=rule.severity,
        requirement=rule.reference or "rule of practice",
        title=rule.title,
        cases={outcome: counts[outcome] for outcome in OUTCOMES},
        found_among_all=found_among_all,
        as_expected=found_among_all and counts["pass"] > 0 and not any(r.problems for r in results),
    )


def cases_of(rule: str) -> Iterator[Mapping[str, Any]]:
    """The labelled studies of a rule.

    Raises:
        ConfigurationError: The installation lacks them.
    """
    file = _folder() / f"{rule}.yml"
    if not file.is_file():
        raise ConfigurationError(f"this installation lacks the labelled studies of {rule}: install it anew")
    yield from yaml.safe_load(file.read_text("utf-8"))["cases"]


def _folder() -> Traversable:
    """Beside this module in a wheel; in a checkout where the tests have them."""
    packed = files("heltig.validation") / "cases"
    return packed if packed.is_dir() else Path(__file__).parents[2] / "tests" / "rules"
