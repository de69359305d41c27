"""The attributes of entities stand in the modules that are named, and are compared by one rule each."""

import re
from collections import Counter
from pathlib import Path

from heltig.rules.catalogue import catalogue
from heltig.rules.entity_attributes import DEVICE, MEANING, PATIENT, SERIES, STUDY, SUBJECT
from heltig.standard.dictionary import tag_of
from heltig.standard.modules import attributes_of

PAGE = Path(__file__).parents[3] / "docs/entities.md"
OF_RULES = {
    "PAT-SUBJECT-CONFLICT": SUBJECT,
    "PAT-DETAIL-CONFLICT": PATIENT,
    "STU-DETAIL-CONFLICT": STUDY,
    "SER-MEANING-CONFLICT": MEANING,
    "SER-DETAIL-CONFLICT": SERIES,
    "SER-DEVICE-CONFLICT": DEVICE,
}


def test_each_attribute_stands_in_its_module() -> None:
    strangers = [
        (module.clause, keyword)
        for attributes in OF_RULES.values()
        for module in attributes.modules
        for keyword in module.attributes
        if tag_of(keyword) not in attributes_of(module.clause)
    ]
    assert not strangers


def test_each_attribute_is_compared_by_one_rule() -> None:
    rules = [rule for rule in catalogue().values() if rule.compares]
    counts = Counter(keyword for rule in rules for keyword in rule.reads)
    ours = [keyword for attributes in OF_RULES.values() for keyword in attributes.keywords]
    assert {counts[keyword] for keyword in ours} == {1}


def test_the_page_names_what_the_rules_compare() -> None:
    told = {
        (rule, clause, keyword)
        for clause, keywords, rule in re.findall(
            r"^\| [^|]+ \((C\.[0-9.]+)\) \| ([^|]+) \| ([A-Z-]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE
        )
        for keyword in re.findall(r"\w+", keywords)
        if rule in OF_RULES
    }
    compared = {
        (rule, module.clause, keyword)
        for rule, attributes in OF_RULES.items()
        for module in attributes.modules
        for keyword in module.attributes
    }
    assert told == compared
