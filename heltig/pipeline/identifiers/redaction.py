"""A report without what could name a patient.

Left are UIDs, codes and numbers that are such, of codes those that are known; text, names, dates and times
are taken out, and file names with them, since exports like to name files after patients.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

import msgspec

from heltig.pipeline.identifiers.harmless_text import is_harmless_text
from heltig.pipeline.identifiers.messages import is_sentence, redacted_message, says_what_is_missing
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.pipeline.report import CheckedInput, CheckedStudy, CheckReport, SkippedMember
from heltig.rules.finding import Finding
from heltig.rules.proposal import ProposedChange
from heltig.standard.dictionary import lookup
from heltig.standard.private_creators import is_known

_HARMLESS_VRS: Final = frozenset(
    {"AT", "CS", "DS", "FD", "FL", "IS", "SL", "SQ", "SS", "SV", "UI", "UL", "US", "UV"}
)
_UID: Final = re.compile(r"[0-9.]{1,128}|no-uid-[a-z]+-[0-9a-f]{16,64}", re.ASCII)
_WAY_ON: Final = re.compile(r"/(?=[0-9A-F]{4}(?:[0-9A-F]{4}|xx[0-9A-F]{2})(?:[ /]|$))", re.ASCII)


def redacted(report: CheckReport) -> CheckReport:
    """The same report without text, names, dates, times and file names."""
    return msgspec.structs.replace(
        report,
        inputs=tuple(_input(given, number) for number, given in enumerate(report.inputs, 1)),
        studies=tuple(map(_study, report.studies)),
    )


def _study(study: CheckedStudy) -> CheckedStudy:
    return msgspec.structs.replace(
        study,
        study_instance_uid=study.study_instance_uid and told_uid(study.study_instance_uid),
        key=told_uid(study.key),
        findings=tuple(map(redacted_finding, study.findings)),
    )


def redacted_finding(finding: Finding) -> Finding:
    """The same finding without values that could name a patient, wherever they stand in it."""
    observed, expected = told_texts(finding.rule, finding.tags, finding.observed, finding.expected)
    return msgspec.structs.replace(
        finding,
        message=told_message(finding),
        tags=told_tags(finding.tags),
        observed=observed,
        expected=expected,
        instances=tuple(dict.fromkeys(map(told_uid, finding.instances))),
        proposed=tuple(filter(_is_told, finding.proposed)),
        digest="",  # it can be guessed
    )


def told_message(finding: Finding) -> str:
    """The sentence of a finding, whoever made the rule, without values that could name a patient."""
    return redacted_message(
        finding.message,
        rule=finding.rule,
        remedy=finding.remedy,
        numbers=bool(finding.tags) and all(map(is_harmless, finding.tags)),
        coded=any("CS" in _vrs(tag) for tag in finding.tags),
    )


def told_texts(rule: str, tags: Collection[str], observed: str, expected: str = "") -> tuple[str, str]:
    """What a rule observed and expected, as far as that cannot name a patient."""
    tags = told_tags(tags)
    if may_be_told(rule, tags, observed, expected):
        return observed, expected
    if says_what_is_missing(observed):
        return observed, expected if is_sentence(expected) else REDACTED
    return REDACTED, REDACTED


def told_uid(text: str) -> str:
    """A UID, or the key of what has none; where it is neither anything may stand.

    >>> told_uid("1.2.840"), told_uid("no-uid-series-71a2c2b6ac0e2a22"), told_uid("1.2^DOE")
    ('1.2.840', 'no-uid-series-71a2c2b6ac0e2a22', '[redacted]')
    """
    return text if _UID.fullmatch(text) else REDACTED


def _is_told(change: ProposedChange) -> bool:
    coded = "CS" in _vrs(change.tag)
    values = (*(change.was or ()), *change.becomes)
    uids = (*change.series, *change.instances)
    return (
        is_harmless(change.tag)
        and all(is_harmless_text(value, coded=coded) for value in values)
        and all(told_uid(uid) == uid for uid in uids)
    )


def told_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Attributes, or the ways to them, without names of private creators that no vendor is known to use.

    Anything may stand there. What follows on such a name cannot be told from it, so it goes with it.

    >>> told_tags(["0029xx10 SIEMENS CSA HEADER", "0029xx10 DOE^JANE/00080060", "0029xx10 DOE^JACK"])
    ('0029xx10 SIEMENS CSA HEADER', '0029xx10 [redacted]')
    """
    return tuple(dict.fromkeys(map(_told_tag, tags)))


def _told_tag(tag: str) -> str:
    number, blank, rest = tag.partition(" ")
    if not blank or is_known(rest):
        return tag
    for slash in _WAY_ON.finditer(rest):  # names have slashes, too: PHILIPS MR/PART
        name = rest[: slash.start()]
        if is_known(name):
            return f"{number} {name}/{_told_tag(rest[slash.end() :])}"
    return f"{number} {REDACTED}"


def may_be_told(rule: str, tags: Collection[str], *texts: str) -> bool:
    """Whether what a rule observed in some attributes cannot name a patient.

    Args:
        rule: Its id.
        tags: The attributes.
        texts: What it says of them: where a code or a number should be, anything may stand.
    """
    if not tags:
        return rule.startswith("SRC-")
    coded = any("CS" in _vrs(tag) for tag in tags)
    return all(map(is_harmless, tags)) and all(is_harmless_text(text, coded=coded) for text in texts)


@lru_cache(maxsize=4096)
def is_harmless(tag: str) -> bool:
    """Whether what stands in an attribute, given by its tag or the way to it, cannot name a patient."""
    if tag.rpartition("/")[2].startswith("0010"):
        return False  # what says something of the patient may hold anything, whatever its VR
    vrs = _vrs(tag)
    return bool(vrs) and vrs <= _HARMLESS_VRS


def _vrs(tag: str) -> set[str]:
    entry = lookup(tag.rpartition("/")[2])
    return set(entry.vr.split(" or ")) if entry else set()


def _input(given: CheckedInput, number: int) -> CheckedInput:
    names = {member.path: f"file {place}" for place, member in enumerate(given.skipped, 1)}
    return msgspec.structs.replace(
        given,
        path=f"input {number}",
        skipped=tuple(
            SkippedMember(names[member.path], member.kind, member.reason) for member in given.skipped
        ),
        findings=tuple(
            msgspec.structs.replace(
                f, message=told_message(f), instances=tuple(names.get(i, REDACTED) for i in f.instances)
            )
            for f in given.findings
        ),
    )
