"""Profiles: a site's settings for judging."""

import pytest

from heltig.errors import ConfigurationError
from heltig.rules.profile import DEFAULT, parse_profile

KNOWN = ["PAT-ID-EMPTY", "STU-DATE-EMPTY", "SER-LATERALITY"]
TEXT = """
name = "radiology"
off = ["PAT-ID-EMPTY"]

[severity]
"STU-DATE-EMPTY" = "block"

[parameters]
age_tolerance_years = 2

[[for]]
modalities = ["MG"]
required = ["SER-LATERALITY"]

[[for]]
archives = ["old"]
off = ["STU-DATE-EMPTY"]
"""


def test_a_profile_is_read_from_toml():
    profile = parse_profile(TEXT, known=KNOWN, name="site.toml")
    assert profile.name == "radiology"
    assert not profile.runs("PAT-ID-EMPTY")
    assert profile.severity_of == {"STU-DATE-EMPTY": "block"}
    assert profile.parameters.age_tolerance_years == 2


def test_exceptions_apply_to_the_studies_they_name():
    profile = parse_profile(TEXT, known=KNOWN, name="site.toml")
    assert profile.for_study(modalities=["CT"]).required == frozenset()
    assert profile.for_study(modalities=["CT", "MG"]).required == {"SER-LATERALITY"}
    assert profile.for_study(modalities=["CT"], archive="old").off == {"PAT-ID-EMPTY", "STU-DATE-EMPTY"}
    assert profile.for_study(modalities=["CT"], archive="new").off == {"PAT-ID-EMPTY"}


def test_the_hash_follows_the_content_and_not_the_form():
    same = TEXT.replace('off = ["PAT-ID-EMPTY"]', "off = [\n  'PAT-ID-EMPTY',  # a comment\n]")
    profile = parse_profile(TEXT, known=KNOWN, name="a.toml")
    assert parse_profile(same, known=KNOWN, name="b.toml").hash == profile.hash
    assert profile.hash != DEFAULT.hash


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = ", "TOML"),
        ("unknown = 1", "unknown"),
        ('off = ["NOPE"]', "NOPE"),
        ('[[for]]\nrequired = ["NOPE"]', "NOPE"),
        ("[parameters]\nage_tolerance_years = 'two'", "age_tolerance_years"),
        ('[severity]\n"PAT-ID-EMPTY" = "fatal"', "fatal"),
    ],
)
def test_a_wrong_profile_is_refused_with_what_is_wrong(text, told):
    with pytest.raises(ConfigurationError, match=told) as refused:
        parse_profile(text, known=KNOWN, name="site.toml")
    assert "site.toml" in refused.value.detail
