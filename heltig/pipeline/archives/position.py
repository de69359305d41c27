"""How far an archive was read, in words: the cursors of strategies are notes of theirs to themselves."""

from typing import Any, Final

import msgspec

from heltig.pipeline.discovery.slices import LAST_DAY

_UNDER_WAY: Final = "under way"
"""Of a cursor in a form that is not known here: another version of Heltig may have written it."""


def position_in_words(strategy: str, position: str | None) -> str | None:
    """Where reading an archive goes on, without UIDs and tokens of the archive.

    Args:
        strategy: `feed`, `hot`, `warm` or `cold`.
        position: The cursor's; None or empty before the first round and after a whole one.

    >>> position_in_words("feed", '{"seq":4711,"anchors":[[4710,"2f"]]}')
    'after change 4,711'
    >>> position_in_words("cold", '{"day":"20260301","since":"2026-03-09T08:00:00Z"}')
    'at studies of 2026-03-01 and earlier'
    """
    if not position:
        return None
    try:
        found = msgspec.json.decode(position, type=dict[str, Any])
    except msgspec.DecodeError:
        return _UNDER_WAY
    return _of_feed(found) if strategy == "feed" else _of_listing(found)


def _of_feed(found: dict[str, Any]) -> str:
    """See `connectors.dicomweb.feeds`: Orthanc's, Azure's of both versions, dcm4chee's."""
    match found:
        case {"seq": int(number)} | {"type": "numbers", "last": int(number)}:
            return f"after change {number:,}"
        case {"type": "times", "start": str(moment)} | {"since": str(moment)}:
            return f"after changes until {moment[:16].replace('T', ' ')}"
    return _UNDER_WAY


def _of_listing(found: dict[str, Any]) -> str:
    """See `heltig.pipeline.discovery.rounds.Place`."""
    match found:
        case {"position": {"skip": int(number)}} if number:
            return f"after {number:,} studies of the list of all"
        case {"day": str(day)} if day == LAST_DAY:
            return "at the newest studies"
        case {"day": str(day)} if len(day) == len(LAST_DAY) and day.isdecimal():
            return f"at studies of {day[:4]}-{day[4:6]}-{day[6:]} and earlier"
        case {"day": _}:
            return _UNDER_WAY
    return "at the list of all studies"
