"""The rules about inputs know every kind of fact that there is about one."""

from datetime import date

import pytest

from connectors.upload import KINDS
from heltig.dicom.source import PackageFact
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate_package
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context, PackageView

RULE_ABOUT = {"package": "SRC-ZIP-SAFE", "content": "SRC-NOT-DICOM"}
RULE_OF = {
    "inner-package": "SRC-ZIP-NESTED",
    "several-studies": "STU-MULTI-UID",
    "dicomdir-missing": "SRC-DICOMDIR",
    "dicomdir-unlisted": "SRC-DICOMDIR",
    "dicomdir-damaged": "SRC-DICOMDIR",
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_the_matter_of_one_rule_or_set_aside(kind: str) -> None:
    fact = PackageFact(kind=kind, origin="study.zip!1.dcm", detail=KINDS[kind].meaning)
    package = PackageView((fact,), Context(date(2026, 1, 1), Parameters()))
    rules = [rule for rule in catalogue().values() if rule.level == "input"]
    found = [finding.rule for finding in evaluate_package(Ruleset(rules, Profile()), package).findings]
    about = KINDS[kind].about
    assert found == ([] if about == "aside" else [RULE_ABOUT.get(about) or RULE_OF[kind]])
