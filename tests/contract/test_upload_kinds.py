"""The rules about inputs know every kind of fact that the upload connector makes."""

from datetime import date

import pytest

from connectors.upload import KINDS
from heltig.dicom.source import PackageFact
from heltig.rules.engine import Ruleset, evaluate_package
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.source import not_dicom, zip_safe
from heltig.rules.views import Context, PackageView

RULE_ABOUT = {"package": {"SRC-ZIP-SAFE"}, "content": {"SRC-NOT-DICOM"}, "aside": set()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_the_matter_of_one_rule_or_set_aside(kind: str) -> None:
    fact = PackageFact(kind=kind, origin="study.zip!1.dcm", detail=KINDS[kind].meaning)
    package = PackageView((fact,), Context(date(2026, 1, 1), Parameters()))
    found = evaluate_package(Ruleset([zip_safe, not_dicom], Profile()), package).findings
    assert {finding.rule for finding in found} == RULE_ABOUT[KINDS[kind].about]
