"""A rule is explained in the same words wherever it is; pages lead to one another."""

import re
from pathlib import Path
from typing import get_args

import pytest

from heltig.reports.explanation import as_markdown, as_text, facts_of, targets_of
from heltig.rules.catalogue import catalogue
from heltig.rules.parameters import Target

PAGES = Path(__file__).parents[3] / "docs" / "rules"
_LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")


def on_a_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("id", catalogue())
def test_text_and_page_say_the_same(id: str) -> None:
    rule = catalogue()[id]
    text, page = on_a_line(as_text(rule)), on_a_line(as_markdown(rule, {}))
    for part in (rule.title, *rule.manual.values(), *facts_of(rule).values()):
        assert on_a_line(part) in page
        assert on_a_line(part) in text
    assert on_a_line(as_markdown(rule, {"Cases": "here"})).endswith("| Cases | here |")


def test_each_target_has_its_rules() -> None:
    told = {id: targets_of(rule) for id, rule in catalogue().items()}
    assert {target for targets in told.values() for target in targets} == set(get_args(Target))
    assert {id for id, targets in told.items() if targets} == {id for id in told if id.startswith("TGT-")}
    assert "Targets: orthanc" in on_a_line(as_text(catalogue()["TGT-ORTHANC"]))


def test_the_pages_lead_where_they_say() -> None:
    pages = {path.name: path.read_text("utf-8") for path in PAGES.glob("*.md")}
    assert len(pages) > 150
    for name, text in pages.items():
        for file, anchor in _LINK.findall(text):
            assert (PAGES / file).resolve().is_file(), f"{name} leads to {file}"
            assert not anchor or re.search(rf"^#+ {anchor}$", pages[file], re.MULTILINE), f"{name}: #{anchor}"


@pytest.mark.parametrize("index", ["README.md", "by-severity.md"])
def test_each_rule_stands_in_an_index_once(index: str) -> None:
    listed = re.findall(r"^\| \[([A-Z0-9.-]+)\]\(\1\.md\)", (PAGES / index).read_text("utf-8"), re.MULTILINE)
    written = {path.stem for path in PAGES.glob("*.md") if path.stem.split("-")[0].isupper()} - {"README"}
    assert sorted(listed) == sorted(written)


def test_who_cites_the_standard_names_a_clause() -> None:
    clause = re.compile(r"PS3\.\d+ (?:table |CID )?[A-Z0-9]+(?:[.-][0-9]+)*")
    cited = {rule.id: rule.reference for rule in catalogue().values() if rule.reference}
    assert {id: said for id, said in cited.items() if not clause.fullmatch(said)} == {}
