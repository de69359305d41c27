"""Studies that are known here and that their archive does not list any more."""

from collections.abc import Mapping
from typing import Final

import msgspec

from heltig.pipeline.pull.listing import ListedStudy, Listing
from heltig.store import studies
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.text import storable_key

MOST_VANISHED: Final = 0.5
"""The part of the known studies that may vanish at once and still be asked for. When more do, it is likelier
that the archive's database is another one, or hides studies from us, than that they were all deleted."""


class Vanished(msgspec.Struct, frozen=True):
    """What a listing does not have.

    Attributes:
        studies: To be asked for: that a study is not listed proves nothing by itself.
        notes: What the listing means for the studies that are known, in a sentence.
    """

    studies: tuple[ListedStudy, ...] = ()
    notes: tuple[str, ...] = ()


async def vanished_studies(
    store: Store, location: Location, listing: Listing, query: Mapping[str, str]
) -> Vanished:
    """The studies of an archive that stand here and are not in its listing.

    Args:
        store: Where they are known.
        location: The archive's location.
        listing: What it lists now. One that was not read to its end says nothing of the others.
        query: What was listed: with a range of StudyDate only studies of which the known date lies in it
            are looked at.

    Raises:
        StorageError: The database failed.
    """
    if not listing.is_whole:
        return Vanished()
    known = await store.read(studies.keys_at, location, dates=_days(query.get("StudyDate", "")))
    listed = {storable_key(study.uid) for study in listing.studies}
    missing = tuple(ListedStudy(key, ()) for key in known if key not in listed)
    if not missing:
        return Vanished()
    told = f"{len(missing):,} of {len(known):,} known studies"
    if len(missing) > MOST_VANISHED * len(known):
        return Vanished(
            (),
            (
                f"The archive lists far fewer studies than before: {told} are missing. None is withdrawn; "
                "see whether it is the right archive, and in order. `--study UID` asks for one.",
            ),
        )
    return Vanished(missing, (f"The archive does not list {told}: each is asked for by its UID.",))


def _days(dates: str) -> tuple[str, str] | None:
    """First and last day of a range as PS3.4 C.2.2.2.5 writes it, an open one empty; None for all days."""
    if not dates:
        return None
    first, separator, last = dates.partition("-")
    return first, last if separator else first
