"""How far a round of listing came, and what it found, as cursors and batches."""

from datetime import datetime
from typing import Final

import msgspec

from connectors.paging import Position
from heltig.pipeline.discovery.batch import Batch
from heltig.pipeline.discovery.lister import Listed
from heltig.pipeline.discovery.slices import Slice

ENDLESS: Final = "The archive gives page after page without an end: listing it was given up."
MANY_ROWS: Final = 1_000_000
"""From so many rows of one list on it is said that there are so many: few archives are so large."""

LONG_LIST: Final = 100_000
"""From so many rows of the first list on it is no more said that all is known."""

_MANY: Final = (
    "The list of all its studies has more than {:,} rows, and goes on. If it does not have so many studies, "
    "it gives ever new ones, and these fill the database: pause it, and have its administrator look at it."
)
_NOT_AT_ONCE: Final = (
    "The archive does not give all studies of {} at once: they are listed by hour, minute and modality, and "
    "those without a StudyTime may be missing. Have its administrator raise the limit of its searches."
)
_UNSEARCHED: Final = (
    "The archive does not search by {}: where it gives a round number of studies of a day, or not all, these "
    "cannot be listed in smaller parts. Some may be missing, and one that is deleted is not noticed. "
    "Have its administrator raise the limit of its searches."
)
_NAMELESS: Final = (
    "{:,} studies are listed without a StudyInstanceUID and cannot be asked for. "
    "Have the archive's administrator look at them."
)


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a round came; its JSON is the cursor.

    Attributes:
        day: The last day that is still to be listed; empty in the pass over every study.
        since: The time by the archive's clock when the round began.
        position: In the pass.
        has_no_dates: The archive does not search by dates: the pass hands out all studies.
    """

    day: str = ""
    since: datetime | None = None
    position: Position = Position(0, ())
    has_no_dates: bool = False

    @property
    def cursor(self) -> str:
        """To go on from here, see `place_of`."""
        return msgspec.json.encode(self).decode()


def place_of(cursor: str | None) -> Place | None:
    """The place that a cursor means; None for a new round, and for what another version of Heltig wrote."""
    try:
        return msgspec.json.decode(cursor, type=Place) if cursor else None
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def note_of_size(place: Place | None) -> str:
    """What is to be said of a list that is longer than those of nearly all archives; empty of others."""
    rows = place.position.skip if place else 0
    return _MANY.format(rows - rows % MANY_ROWS) if rows >= MANY_ROWS else ""


def goes_on(cursor: str | None, finished: datetime | None) -> bool:
    """Whether a list that is under way is so long that it may have no end.

    Args:
        cursor: How far it came.
        finished: When such a list last came to an end.
    """
    place = place_of(cursor)
    return place is not None and place.position.skip >= (MANY_ROWS if finished else LONG_LIST)


def batch_of(
    listed: Listed,
    part: Slice,
    *,
    cursor: str,
    covered: datetime | None = None,
    is_last: bool = False,
    sweeps: bool = True,
) -> Batch:
    """What was listed of a slice.

    Args:
        listed: It.
        part: The slice.
        cursor: To go on after it.
        covered: See `Batch`.
        is_last: The round ends with it.
        sweeps: Studies that it does not list are to be asked for, where it is proven to be whole.
    """
    notes = [_NAMELESS.format(listed.nameless)] if listed.nameless else []
    if listed.outcome == "endless":
        notes.append(ENDLESS)
    elif listed.outcome == "more" and "StudyTime" not in listed.unsearched:
        notes.append(_NOT_AT_ONCE.format(part.first))
    notes += [_UNSEARCHED.format(key) for key in sorted(listed.unsearched)]
    is_proven = sweeps and listed.outcome == "whole"
    return Batch(
        studies=listed.studies,
        cursor=cursor,
        covered=covered,
        notes=tuple(notes),
        is_last=is_last,
        swept=(part.first, part.last) if is_proven else None,
        swept_uids=frozenset(study.uid for study in listed.studies) if is_proven else frozenset(),
    )
