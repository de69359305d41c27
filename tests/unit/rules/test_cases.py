"""Every rule of the catalogue against its cases in tests/rules."""

from pathlib import Path

import pytest
import yaml

from heltig.rules.cases import try_case
from heltig.rules.catalogue import catalogue

FOLDER = Path(__file__).parents[2] / "rules"


def _cases():
    for path in sorted(FOLDER.glob("*.yml")):
        for case in yaml.safe_load(path.read_text("utf-8"))["cases"]:
            yield pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")


@pytest.mark.parametrize(("rule", "case"), list(_cases()))
def test_a_rule_comes_out_as_its_case_says(rule, case):
    assert try_case(catalogue()[rule], case) == []


@pytest.mark.parametrize("rule", sorted(catalogue()))
def test_a_rule_has_cases_for_every_way_it_can_come_out(rule):
    path = FOLDER / f"{rule}.yml"
    assert path.exists(), f"{rule} has no cases: write tests/rules/{rule}.yml"
    outcomes = {case["outcome"] for case in yaml.safe_load(path.read_text("utf-8"))["cases"]}
    assert {"pass", "fail"} <= outcomes
    declared = catalogue()[rule]
    if declared.needs - {"metadata"} and declared.level != "input":
        assert "not_evaluable" in outcomes
    if declared.when or declared.reads or declared.vrs:
        assert "not_applicable" in outcomes


def test_every_file_of_cases_belongs_to_a_rule():
    assert {path.stem for path in FOLDER.glob("*.yml")} == set(catalogue())
