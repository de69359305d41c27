"""The pages about profiles say all there is, and what they show is so."""

import inspect
import re
import types
from pathlib import Path

import pytest
import yaml

from heltig.rules import profile_file, profile_site_rules
from heltig.rules.cases import try_case
from heltig.rules.catalogue import catalogue, rules_of
from heltig.rules.profile_file import parse_profile
from heltig.rules.profile_shipped import SHIPPED

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {name: (DOCS / name).read_text("utf-8") for name in ("profiles.md", "site-rules.md")}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [*blocks("profiles.md", "toml"), *(t for t in blocks("site-rules.md", "toml") if "[project" not in t)],
)
def test_a_profile_that_is_shown_is_one(text):
    found = parse_profile(
        text, known=catalogue(), name="shown.toml", find_file=lambda written, of: (written, "")
    )
    assert found.off or found.exceptions or found.site_rules


def test_every_shipped_profile_and_every_key_is_explained():
    keys = {*profile_file._KEYS, *profile_file._SCOPES, *profile_site_rules._KEYS}
    told = set(re.findall(r"[\w-]+", " ".join(PAGES.values())))
    assert {*SHIPPED, *keys} - told == set()


def test_every_parameter_has_its_line_in_the_docstring():
    from heltig.rules.parameters import Parameters

    documented = re.findall(r"^    (\w+): ", inspect.getdoc(Parameters) or "", re.MULTILINE)
    assert documented == list(Parameters.__struct_fields__)


def test_the_cases_that_are_shown_come_out_as_they_say():
    profile = parse_profile(blocks("site-rules.md", "toml")[0], known=catalogue(), name="shown.toml")
    rule = profile.rules_among({})["SITE-ACCESSION-FORM"]
    (shown,) = blocks("site-rules.md", "yaml")
    assert [try_case(rule, case) for case in yaml.safe_load(shown)["cases"]] == [[]] * 4


def test_the_rule_with_code_that_is_shown_is_one():
    (shown,) = blocks("site-rules.md", "python")
    module = types.ModuleType("shown")
    exec(compile(shown, "site-rules.md", "exec"), module.__dict__)  # noqa: S102  # our own page
    (rule,) = rules_of(module)
    study = [{"StationName": "CT1", "SeriesDescription": "CT2 chest"}]
    assert try_case(rule, {"outcome": "fail", "study": study, "findings": [{"observed": "CT1"}]}) == []
