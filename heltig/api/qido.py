"""What a QIDO-RS search for studies asks (PS3.18 8.3.4 and 10.6.1), read from its query string."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from heltig.api.standing import location_named
from heltig.errors import UsageError
from heltig.pipeline.publish import READINESS_TAG
from heltig.standard.dictionary import lookup, tag_of
from heltig.store.search import StudyQuery
from heltig.verdict import READINESS

DEFAULT_LIMIT: Final = 100
MOST_ROWS: Final = 1000

MORE: Final = "There are additional results that can be requested"
NOT_FUZZY: Final = "The fuzzymatching parameter is not supported. Only literal matching has been performed."

_DATE: Final = re.compile(r"\d{8}", re.ASCII)
_TIME: Final = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", re.ASCII)
_MOST_VALUES: Final = 1000


class Search(msgspec.Struct, frozen=True):
    """A search.

    Attributes:
        query: What studies have to match.
        limit: The most rows; `offset` the rows to pass over.
        everything: `includefield=all`.
        fields: Tags of the attributes named by `includefield`.
        warnings: What the client has to be told beside the rows.
    """

    query: StudyQuery
    limit: int
    offset: int
    everything: bool
    fields: frozenset[str]
    warnings: tuple[str, ...]


def parse_search(query_string: bytes) -> Search:
    """Read a query string.

    Parameters that are not known are ignored (PS3.18 8.3), with a warning where they name an attribute that
    is not matched. An attribute without a value matches everything.

    Raises:
        UsageError: A value is not what its attribute or parameter takes.
    """
    keys: dict[str, Any] = {}
    fields: set[str] = set()
    warnings: list[str] = []
    numbers = {"limit": DEFAULT_LIMIT, "offset": 0}
    everything = False
    for name, value in _parameters(query_string):
        if name in numbers:
            numbers[name] = _number(name, value)
        elif name == "includefield":
            wanted = [part.strip() for part in value.split(",")]
            everything = everything or "all" in wanted
            fields.update(tag for part in wanted if (tag := _tag(part)))
        elif name == "fuzzymatching":
            if value.lower() == "true":
                warnings.append(NOT_FUZZY)
        elif name == "archive":
            keys["locations"] = (location_named(value),)
        elif matching := _MATCHING.get("00991001" if name == "readiness" else _tag(name)):
            if value:
                attribute, read = matching
                keys[attribute] = (*keys.get(attribute, ()), *read(value)) if read is _uids else read(value)
        elif tag := _tag(name):
            entry = lookup(tag)
            warnings.append(f"{entry.keyword if entry else tag} is not matched")
    if len(keys.get("study_keys", ())) > _MOST_VALUES:
        raise UsageError(f"StudyInstanceUID: at most {_MOST_VALUES} at a time; more by POST to /readiness.")
    if "readiness" in keys:
        keys["states"] = ("JUDGED",)  # what was READY and is PENDING now is not READY
    limit = min(numbers["limit"], MOST_ROWS)
    return Search(
        StudyQuery(**keys),
        limit,
        numbers["offset"],
        everything,
        frozenset(fields),
        tuple(dict.fromkeys(warnings)),
    )


def _parameters(query_string: bytes) -> list[tuple[str, str]]:
    try:
        text = query_string.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise UsageError("The query is not percent-encoded UTF-8, or has over 1000 parameters.") from error


def _tag(name: str) -> str:
    """The tag that a keyword or eight hex digits name; empty for what names no attribute."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        return name.upper()
    try:
        return tag_of(name)
    except KeyError:
        return ""


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise UsageError(f"{name}: a number is wanted, 0 or more.")
    return int(value)


def _text(value: str) -> str:
    return value


def _uids(value: str) -> tuple[str, ...]:
    """A list of UIDs (PS3.4 C.2.2.2.2), separated by commas or backslashes."""
    return tuple(part for part in re.split(r"[,\\]", value) if part)


def _range(value: str, form: re.Pattern[str], what: str) -> tuple[str, str]:
    """A range (PS3.4 C.2.2.2.5): `A-B`, `A-`, `-B`; a single value is both its ends."""
    first, dash, last = value.partition("-")
    last = last if dash else first
    if not (first or last) or any(end and not form.fullmatch(end) for end in (first, last)):
        raise UsageError(f"{what}, or a range: two of them joined by a hyphen.")
    return first, last


def _dates(value: str) -> tuple[str, str]:
    return _range(value, _DATE, "StudyDate is a day as YYYYMMDD")


def _times(value: str) -> tuple[str, str]:
    return _range(value, _TIME, "StudyTime is a time as HHMMSS")


def _birth_date(value: str) -> str:
    if not _DATE.fullmatch(value):
        raise UsageError("PatientBirthDate is matched by a single day as YYYYMMDD.")
    return value


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
    "00100030": ("patient_birth_date", _birth_date),
    "00100040": ("patient_sex", _text),
    "0020000D": ("study_keys", _uids),
    "00200010": ("study_id", _text),
    READINESS_TAG: ("readiness", _readiness),
}
"""The attributes that are matched: the field of `StudyQuery`, and how a value of the query is read."""
