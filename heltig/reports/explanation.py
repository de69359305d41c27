"""What a rule is and what it needs, in words: the same for a terminal, a page of the docs and REST."""

import re
import textwrap
from typing import Final, get_args

from heltig.dicom.source import SHOWS
from heltig.rules.catalogue import family_of, since_of
from heltig.rules.parameters import Target
from heltig.rules.rule import Rule

LOOKS_AT: Final = {
    "value": "each distinct value",
    "instance": "each distinct combination of the values it reads",
    "series": "each series",
    "study": "the whole study",
    "context": "the study, and what the index of all studies says about it",
    "input": "the file, folder or ZIP as it was handed in",
}
"""What a rule of each level gets to see."""

_TARGET = re.compile(r"target `([^`]+)`")
_WIDTH: Final = 90
"""Characters of a line."""


def targets_of(rule: Rule) -> tuple[Target, ...]:
    """The archives whose answers a rule tells: its manual names them as "the target `orthanc`"."""
    named = set(_TARGET.findall(rule.manual["Finds"]))
    return tuple(target for target in get_args(Target) if target in named)


def facts_of(rule: Rule) -> dict[str, str]:
    """What there is to know of a rule beside its manual, by name, in the order in which people read it."""
    if rule.reads:
        reads = ", ".join(rule.reads)
    elif rule.vrs:
        reads = "values of VR " + ", ".join(sorted(filter(None, rule.vrs)))
    else:
        reads = "what its manual says"
    facts = {
        "Family": family_of(rule),
        "Severity": f"{rule.severity}, unless a profile says otherwise",
        "Looks at": LOOKS_AT[rule.level],
        "Reads": reads,
        "Source must show": "; ".join(f"{need}: {SHOWS[need]}" for need in sorted(rule.needs)) or "nothing",
        "Standard": rule.reference or "a rule of practice",
        "Since": since_of(rule) or "a rule of the site",
    }
    if targets := targets_of(rule):
        facts["Targets"] = ", ".join(targets)
    return facts


def as_text(rule: Rule) -> str:
    """A rule's manual and facts as plain text."""
    lines = [f"{rule.id}: {rule.title}", ""]
    for heading, text in rule.manual.items():
        lines += [f"{heading}:", *_wrapped(text, first="  ", then="  "), ""]
    facts = facts_of(rule)
    column = max(map(len, facts)) + 2
    for name, value in facts.items():
        lines += _wrapped(value, first=f"{name + ':':<{column}}", then=" " * column)
    return "\n".join(lines)


def _wrapped(text: str, *, first: str, then: str) -> list[str]:
    """Lines of a text behind their margins; ids of rules, which have hyphens, stay whole."""
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def as_markdown(rule: Rule, links: dict[str, str]) -> str:
    """The same as a page.

    Args:
        rule: The rule.
        links: What stands in place of facts of these names, and further facts.
    """
    lines = [f"# {rule.id}", "", f"{rule.title}.", ""]
    for heading, text in rule.manual.items():
        lines += [f"## {heading}", "", text, ""]
    facts = facts_of(rule) | links
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]
    return "\n".join(lines) + "\n"
