"""What rules quote is told where identifiers are hidden; no name is."""

import json
import re
from collections.abc import Iterator

from unit.rules.test_cases import CASES

from heltig.pipeline.identifiers.harmless_text import is_harmless_text
from heltig.pipeline.identifiers.redaction import is_harmless, may_be_told
from heltig.pipeline.identifiers.vocabulary import WORDS
from heltig.rules.cases import evaluate_case
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset
from heltig.rules.family_names import is_family_name
from heltig.rules.given_names import is_given_name
from heltig.rules.profile import Profile

WORD = re.compile(r"\b[a-z]+(?:'s)?\b", re.ASCII)


def test_words_that_rules_write_are_in_the_vocabulary() -> None:
    missing = {rule: words for rule in sorted(CASES) if (words := set(_unknown_words(rule)))}
    assert not missing, "add them to heltig/pipeline/identifiers/vocabulary.py"


def _unknown_words(rule: str) -> Iterator[str]:
    """What a rule writes of codes, numbers and UIDs and nobody knows, but for what its cases have there."""
    for case in CASES[rule]:
        if case["outcome"] != "fail":
            continue
        given = {name: value for name, value in case.items() if name not in ("name", "findings")}
        known = WORDS | set(WORD.findall(json.dumps(given, default=str)))
        for finding in evaluate_case(Ruleset([catalogue()[rule]], Profile()), case).findings:
            if finding.tags and all(map(is_harmless, finding.tags)):
                yield from set(WORD.findall(f"{finding.observed} {finding.expected}")) - known


def test_no_name_is_among_them() -> None:
    assert [word for word in WORDS if is_given_name(word) or is_family_name(word)] == []
    assert not is_harmless_text("schmidt", coded=True)
    assert not may_be_told("VAL-RANGE", ("00280010",), "jane doe", "a number")
