"""Every rule of the catalogue against its cases in tests/rules."""

from pathlib import Path

import pytest
import yaml

from heltig.rules.cases import try_case
from heltig.rules.catalogue import catalogue

FOLDER = Path(__file__).parents[2] / "rules"
CASES = {
    # By the loader that is in C: each process of pytest reads them all before it runs a test.
    path.stem: yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)["cases"]
    for path in sorted(FOLDER.glob("*.yml"))
}


def _cases():
    for rule, cases in CASES.items():
        for case in cases:
            yield pytest.param(rule, case, id=f"{rule}: {case['name']}")


@pytest.mark.parametrize(("rule", "case"), list(_cases()))
def test_a_rule_comes_out_as_its_case_says(rule, case):
    assert try_case(catalogue()[rule], case) == []


@pytest.mark.parametrize("rule", sorted(catalogue()))
def test_a_rule_has_cases_for_every_way_it_can_come_out(rule):
    assert rule in CASES, f"{rule} has no cases: write tests/rules/{rule}.yml"
    outcomes = {case["outcome"] for case in CASES[rule]}
    assert {"pass", "fail"} <= outcomes
    declared = catalogue()[rule]
    if declared.needs - {"metadata"} and declared.level != "input":
        assert "not_evaluable" in outcomes
    if declared.when or declared.reads or declared.vrs:
        assert "not_applicable" in outcomes


def test_every_file_of_cases_belongs_to_a_rule():
    assert set(CASES) == set(catalogue())
