"""The pages about rules: one each, a family each, and indexes by severity, by source and by target."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module

from heltig.dicom.source import SHOWS
from heltig.reports.explanation import as_markdown, targets_of
from heltig.rules.catalogue import FAMILIES, catalogue, family_of
from heltig.rules.profile_shipped import SHIPPED, shipped_text
from heltig.rules.rule import SEVERITIES, Rule

MEANINGS = {
    "block": "A study with such a finding is BLOCKED: stored as it is, it does harm or is lost.",
    "review": "The study is NEEDS_REVIEW: a person should look at it, and may waive the finding.",
    "note": "Worth knowing; the study may be READY all the same.",
}
SOURCES = """
| what is judged | shows | does not show |
|---|---|---|
| files, folders and ZIPs | everything but `query` | `checksums`, unless it is a ZIP and `--deep` is given |
| uploads | everything but `query` | |
| an archive over DICOMweb | `metadata`, `query`; `all_attributes` unless it is known to give a summary; \
`complete_study` where its counts agree | `file_meta`, `bytes`, `pixel_length`, `checksums` |
""".strip()


def rule_pages() -> Mapping[str, str]:
    """All of them, by their path inside docs/."""
    rules = [rule for rule in catalogue().values() if family_of(rule) in FAMILIES.values()]
    pages = {
        "README.md": _start(rules),
        "by-severity.md": _by_severity(rules),
        "by-source.md": _by_source(rules),
        "by-target.md": _by_target(rules),
    }
    for family in dict.fromkeys(FAMILIES.values()):
        pages[_family_file(family)] = _family_page(family, rules)
    for rule in rules:
        pages[f"{rule.id}.md"] = as_markdown(rule, _links(rule))
    return {f"rules/{name}": text for name, text in pages.items()}


def _start(rules: list[Rule]) -> str:
    lines = [
        "# Rules",
        "",
        f"Heltig judges a study by {len(rules)} rules. Each has a page: what it finds, why that matters to",
        "an archive, how to mend it, an example. `heltig rules show ID` prints the same text, and",
        "`GET /api/v1/rules/ID` answers with it.",
        "",
        "A rule comes out as *pass*, *fail*, *not applicable* (there is nothing of what it is about),",
        "*not evaluable* (the source does not show enough to tell) or *error* (it failed to run). One that",
        "fails gives findings: which attribute, what was found, what was expected, in which instances.",
        "",
        "*Standard* is the clause of DICOM that a rule rests on: the one that is broken, or, of a rule that",
        "asks for more than the standard (two slices at one place, one accession number on two studies),",
        "the one that says what the attributes mean. A rule of practice rests on none.",
        "",
        "Look rules up [by severity](by-severity.md), by [what a source must show](by-source.md), by",
        "[the archive that would refuse a study](by-target.md), or by family:",
        "",
        "| family | what it asks | rules |",
        "|---|---|---|",
    ]
    for family, modules in _families().items():
        number = sum(family_of(rule) == family for rule in rules)
        lines.append(f"| [{family}]({_family_file(family)}) | {_purpose(modules[0])} | {number} |")
    lines += ["", "## All rules", "", *_table(sorted(rules, key=lambda rule: rule.id))]
    return _page(lines)


def _family_page(family: str, rules: Iterable[Rule]) -> str:
    lines = [f"# {family}", "", "[All rules](README.md)"]
    for module in _families()[family]:
        own = [rule for rule in rules if rule.check.__module__ == f"heltig.rules.{module}"]
        if own:
            lines += ["", f"## {_purpose(module)}", "", *_table(own)]
    return _page(lines)


def _by_severity(rules: Iterable[Rule]) -> str:
    lines = [
        "# Rules by severity",
        "",
        "This is the severity that a rule has of its own, and in the profile `default`; a profile may",
        "change it or switch a rule off. [All rules](README.md)",
    ]
    for severity in SEVERITIES:
        own = [rule for rule in rules if rule.severity == severity]
        lines += ["", f"## {severity}", "", f"{MEANINGS[severity]} {len(own)} rules.", "", *_table(own)]
    return _page(lines)


def _by_source(rules: Iterable[Rule]) -> str:
    lines = [
        "# Rules by what a source must show",
        "",
        "A rule that needs more than a source shows is *not evaluable* there: Heltig says so instead of",
        "passing it. A profile may insist on a rule; the study then needs review. [All rules](README.md)",
        "",
        SOURCES,
    ]
    for need, meaning in SHOWS.items():
        own = [rule for rule in rules if need in rule.needs]
        lines += ["", f"## {need}", "", f"{meaning[0].upper()}{meaning[1:]}.", ""]
        if need == "metadata":
            others = [rule for rule in rules if need not in rule.needs]
            lines.append(f"All rules need this but {', '.join(map(_link, others))}.")
        else:
            lines += _table(own)
    return _page(lines)


def _by_target(rules: list[Rule]) -> str:
    lines = [
        "# Rules by target",
        "",
        "Archives accept more or less. These rules say what one of them would answer, and run only where",
        "the profile names the archive as a target, as the profile that is shipped for it does",
        "(`heltig check --profile NAME`). [All rules](README.md)",
    ]
    for name in SHIPPED:
        text = shipped_text(name)
        targets = tomllib.loads(text).get("parameters", {}).get("targets", ())
        if targets:
            own = [rule for rule in rules if set(targets) & set(targets_of(rule))]
            comment = " ".join(line[1:].strip() for line in text.splitlines() if line.startswith("#"))
            lines += ["", f"## {name}", "", comment, "", *_table(own)]
    of_any = [rule for rule in rules if rule.id.endswith("-TARGET")]
    lines += ["", "## Any other archive", "", "By what the profile says that it takes.", "", *_table(of_any)]
    return _page(lines)


def _links(rule: Rule) -> dict[str, str]:
    """The facts of a rule's page that lead to other pages."""
    family = family_of(rule)
    needs = (f"[{need}](by-source.md#{need}): {SHOWS[need]}" for need in sorted(rule.needs))
    links = {
        "Family": f"[{family}]({_family_file(family)})",
        "Severity": f"[{rule.severity}](by-severity.md#{rule.severity}), unless a profile says otherwise",
        "Source must show": "; ".join(needs) or "nothing",
        "Cases": f"[what it must say of which data](../../tests/rules/{rule.id}.yml)",
    }
    if targets := targets_of(rule):
        links["Targets"] = f"[{', '.join(targets)}](by-target.md)"
    return links


def _table(rules: Iterable[Rule]) -> Iterator[str]:
    yield from ("| rule | severity | finds |", "|---|---|---|")
    for rule in rules:
        yield f"| {_link(rule)} | {rule.severity} | {rule.title} |"


def _link(rule: Rule) -> str:
    return f"[{rule.id}]({rule.id}.md)"


def _families() -> dict[str, list[str]]:
    families: dict[str, list[str]] = {}
    for module, family in FAMILIES.items():
        families.setdefault(family, []).append(module)
    return families


def _family_file(family: str) -> str:
    return "family-" + re.sub(r"[^a-z0-9]+", "-", family.lower()) + ".md"


def _purpose(module: str) -> str:
    """What the rules of a module ask, from its docstring: without the name of the family in front."""
    text = import_module(f"heltig.rules.{module}").__doc__ or ""
    first = " ".join(text.split("\n\n")[0].split())
    asked = first.partition(": ")[2] or first
    return f"{asked[0].upper()}{asked[1:]}"


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
