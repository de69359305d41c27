"""Targets that a profile names."""

from typing import get_args

import pytest

from heltig.errors import ConfigurationError
from heltig.reports.explanation import targets_of
from heltig.rules.cases import try_case
from heltig.rules.catalogue import catalogue
from heltig.rules.parameters import Target
from heltig.rules.profile_file import parse_profile, shipped_profile

STUDY = [{"PatientID": "A1"}, {"PatientID": "B2"}]


def of_targets():
    return [rule for rule in catalogue().values() if rule.id.startswith("TGT-")]


@pytest.mark.parametrize("target", get_args(Target))
def test_every_target_has_a_rule_and_wakes_only_its_own(target) -> None:
    outcomes = {}
    for rule in of_targets():
        asleep = try_case(
            rule, {"outcome": "not_applicable", "study": STUDY, "parameters": {"targets": [target]}}
        )
        outcomes[rule.id] = bool(asleep)
    assert outcomes[f"TGT-{target.upper()}"]
    assert {id for id, awake in outcomes.items() if awake} <= {
        rule.id for rule in of_targets() if target in targets_of(rule)
    }


def test_a_profile_that_names_no_target_wakes_none() -> None:
    for rule in of_targets():
        assert try_case(rule, {"outcome": "not_applicable", "study": STUDY}) == []


def test_a_target_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="targets"):
        parse_profile("[parameters]\ntargets = ['pacs']", known=[], name="migration")


def test_the_profile_of_aws_knows_the_transfer_syntaxes_that_it_supports() -> None:
    accepted = shipped_profile("aws-healthimaging", known=catalogue()).parameters.accepted_transfer_syntaxes
    supported = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.4.106.1")
    case = {
        "outcome": "fail",
        "parameters": {"accepted_transfer_syntaxes": list(accepted)},
        "study": [{"TransferSyntaxUID": syntax} for syntax in (*supported, "1.2.840.10008.1.2.4.94")],
        "findings": [{"observed": "JPIP Referenced", "count": 1}],
    }
    assert try_case(catalogue()["ENC-TS-TARGET"], case) == []
