"""What an archive says of objects that were sent to it: a Store Instances Response (PS3.18 I.1)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from connectors.storing import PROCESSING_FAILURE, SUCCESS, Outcome
from heltig.http_answer import NOT_JSON

REFERENCED: Final = "00081199"
FAILED: Final = "00081198"
_INSTANCE: Final = "00081155"
_FAILURE_REASON: Final = "00081197"
_WARNING_REASON: Final = "00081196"


def outcomes_of(body: bytes) -> dict[str, Outcome]:
    """What a body says, by SOP Instance UID: whatever the status of the answer, and in JSON only.

    A body that is none says nothing. An object that is named as stored and as failed has failed.
    """
    try:
        given = msgspec.json.decode(body)
    except NOT_JSON:
        return {}
    found: dict[str, Outcome] = {}
    for answer in given if isinstance(given, list) else [given]:
        for item in _items(answer, REFERENCED):
            if uid := _first(item, _INSTANCE):
                reason = _number(item, _WARNING_REASON)
                found[uid] = Outcome("warning", reason) if reason else SUCCESS
    for answer in given if isinstance(given, list) else [given]:
        for item in _items(answer, FAILED):
            if uid := _first(item, _INSTANCE):
                found[uid] = Outcome("failure", _number(item, _FAILURE_REASON) or PROCESSING_FAILURE)
    return found


def _items(dataset: Any, tag: str) -> Iterator[Mapping[str, Any]]:
    for item in _values(dataset, tag):
        if isinstance(item, Mapping):
            yield item


def _values(dataset: Any, tag: str) -> list[Any]:
    element = dataset.get(tag) if isinstance(dataset, Mapping) else None
    values = element.get("Value") if isinstance(element, Mapping) else None
    return values if isinstance(values, list) else []


def _first(item: Mapping[str, Any], tag: str) -> str:
    value = next(iter(_values(item, tag)), "")
    return value.rstrip("\0 ") if isinstance(value, str) else ""


def _number(item: Mapping[str, Any], tag: str) -> int:
    value = next(iter(_values(item, tag)), 0)
    return value if isinstance(value, int) and 0 <= value <= 0xFFFF else 0
