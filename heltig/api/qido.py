"""What a QIDO-RS search for studies asks (PS3.18 8.3.4 and 10.6.1), read from its query string."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from heltig.api.standing import location_named
from heltig.api.study_fields import Fields, fields_of, is_creator, tag_named
from heltig.dicom.dates import parse_da, parse_tm
from heltig.errors import UsageError
from heltig.pipeline.publish import READINESS_TAG
from heltig.standard.dictionary import lookup
from heltig.store.study_query import StudyQuery
from heltig.verdict import READINESS

DEFAULT_LIMIT: Final = 100
MOST_ROWS: Final = 1000
MOST_ROWS_OF_EVIDENCE: Final = 100
"""Of a search that has to read in what studies were judged by."""

EMPTY: Final = '""'
"""Matches attributes without a value, with `emptyvaluematching=true` (PS3.4 C.2.2.2)."""

MOST_WARNINGS: Final = 10

MORE: Final = "There are additional results that can be requested"
NOT_FUZZY: Final = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
NOT_MULTIPLE: Final = "The multiplevaluematching parameter is not supported"

_MOST_VALUES: Final = 1000


class Search(msgspec.Struct, frozen=True):
    """A search.

    Attributes:
        query: What studies have to match.
        limit: The most rows; `offset` the rows to pass over.
        fields: What `includefield` names.
        warnings: What the client has to be told beside the rows.
    """

    query: StudyQuery
    limit: int
    offset: int
    fields: Fields
    warnings: tuple[str, ...]


def parse_search(query_string: bytes) -> Search:
    """Read a query string.

    Parameters that are not known are ignored (PS3.18 8.3), with a warning where they name an attribute that
    is not matched. An attribute without a value matches everything.

    Raises:
        UsageError: A value is not what its attribute or parameter takes.
    """
    keys: dict[str, Any] = {}
    names: list[str] = []
    creators: dict[str, str] = {}
    warnings: list[str] = []
    numbers = {"limit": DEFAULT_LIMIT, "offset": 0}
    given = _parameters(query_string)
    empty = ("emptyvaluematching", "true") in given
    for name, value in given:
        tag = tag_named(name)
        if name in numbers:
            numbers[name] = _number(name, value)
        elif name == "includefield":
            names += [part.strip() for part in value.split(",") if part.strip()]
        elif name in _FLAGS:
            if _flag(name, value) and (warning := _FLAGS[name]):
                warnings.append(warning)
        elif name == "archive":
            keys["locations"] = (location_named(value),)
        elif matching := _MATCHING.get("00991001" if name == "readiness" else tag):
            _match(keys, name, value, *matching, empty=empty)
        elif tag and is_creator(tag):
            creators[tag] = value
        elif tag or (tag := tag_named(name.partition(".")[0])):  # of a path into a sequence the sequence
            entry = lookup(tag)
            warnings.append(f"{entry.keyword if entry else tag} is not matched")
    if len(keys.get("study_keys", ())) > _MOST_VALUES:
        raise UsageError(f"StudyInstanceUID: at most {_MOST_VALUES} at a time; more by POST to /readiness.")
    if "readiness" in keys:
        keys["states"] = ("JUDGED",)  # what was READY and is PENDING now is not READY
    fields = fields_of(names, creators)
    return Search(
        StudyQuery(**keys),
        min(numbers["limit"], MOST_ROWS_OF_EVIDENCE if fields.further else MOST_ROWS),
        numbers["offset"],
        fields,
        _some_of(list(dict.fromkeys((*warnings, *fields.warnings)))),
    )


def _some_of(warnings: list[str]) -> tuple[str, ...]:
    """As many as fit into the head of an answer: clients and proxies limit that."""
    if len(warnings) <= MOST_WARNINGS:
        return tuple(warnings)
    left = len(warnings) - MOST_WARNINGS
    return (*warnings[:MOST_WARNINGS], f"{left} more parameters or fields are not supported")


def _match(
    keys: dict[str, Any],
    name: str,
    value: str,
    attribute: str,
    read: Callable[[str], Any],
    *,
    empty: bool,
) -> None:
    """Notes what one attribute has to be. Lists grow when they are given again; nothing else may be."""
    is_list = read in (_uids, _readiness)
    if not value:
        return
    if empty and value == EMPTY and attribute in _MAY_BE_EMPTY:
        keys["empty"] = keys.get("empty", frozenset()) | {attribute}
        return
    if attribute in keys and not is_list:
        raise UsageError(f"{name} is given twice. Only lists of UIDs, of modalities and of readiness may be.")
    keys[attribute] = (*keys.get(attribute, ()), *read(value)) if is_list else read(value)


def _parameters(query_string: bytes) -> list[tuple[str, str]]:
    try:
        text = query_string.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise UsageError("The query is not percent-encoded UTF-8, or has over 1000 parameters.") from error


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise UsageError(f"{name}: true or false is wanted.")
    return value.lower() == "true"


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise UsageError(f"{name}: a number is wanted, 0 or more.")
    return int(value)


def _text(value: str) -> str:
    return value


def _uids(value: str) -> tuple[str, ...]:
    """A list of UIDs (PS3.4 C.2.2.2.2), separated by commas or backslashes."""
    return tuple(part for part in re.split(r"[,\\]", value) if part)


def _range(value: str, read: Callable[[str], object], what: str) -> tuple[str, str]:
    """A range (PS3.4 C.2.2.2.5): `A-B`, `A-`, `-B`; a single value is both its ends, and has to exist."""
    first, dash, last = value.partition("-")
    last = last if dash else first
    if not (first or last) or any(end and (" " in end or read(end) is None) for end in (first, last)):
        raise UsageError(f"{what}, or a range: two of them joined by a hyphen.")
    return first, last


def _dates(value: str) -> tuple[str, str]:
    return _range(value, parse_da, "StudyDate is a day as YYYYMMDD")


def _times(value: str) -> tuple[str, str]:
    return _range(value, parse_tm, "StudyTime is a time as HHMMSS")


def _birth_dates(value: str) -> tuple[str, str]:
    return _range(value, parse_da, "PatientBirthDate is a day as YYYYMMDD")


def _readiness(value: str) -> tuple[str, ...]:
    wanted = _uids(value.upper())
    if not wanted or not set(wanted) <= set(READINESS):
        raise UsageError(f"{READINESS_TAG} (readiness) is one or more of {', '.join(READINESS)}.")
    return wanted


_MATCHING: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "00080020": ("study_date", _dates),
    "00080030": ("study_time", _times),
    "00080050": ("accession_number", _text),
    "00080061": ("modalities_in_study", _uids),
    "00080090": ("referring_physician_name", _text),
    "00081030": ("study_description", _text),
    "00100010": ("patient_name", _text),
    "00100020": ("patient_id", _text),
    "00100021": ("issuer_of_patient_id", _text),
    "00100030": ("patient_birth_date", _birth_dates),
    "00100040": ("patient_sex", _text),
    "0020000D": ("study_keys", _uids),
    "00200010": ("study_id", _text),
    READINESS_TAG: ("readiness", _readiness),
}
"""The attributes that are matched: the field of `StudyQuery`, and how a value of the query is read."""

_MAY_BE_EMPTY: Final = frozenset(
    attribute for attribute, _ in _MATCHING.values() if attribute not in ("study_keys", "readiness")
)

_FLAGS: Final[Mapping[str, str]] = {
    "fuzzymatching": NOT_FUZZY,
    "multiplevaluematching": NOT_MULTIPLE,
    "emptyvaluematching": "",
}
"""Parameters that are true or false, and the warning where true is not supported (PS3.18 8.3.4)."""
