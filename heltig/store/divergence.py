"""Do two archives hold the same study?"""

from collections.abc import Mapping

import msgspec

from heltig.store.studies import unpack_uids


class Held(msgspec.Struct, frozen=True):
    """A study as one archive has it.

    Attributes:
        shows: What the archive could show of it (`heltig.dicom.source.SHOWS`).
        series: Of each series, by key, its content digest and its packed SOP Instance UIDs.
    """

    shows: frozenset[str]
    series: Mapping[str, tuple[bytes, bytes]]


class Divergence(msgspec.Struct, frozen=True):
    """What differs.

    Attributes:
        only_here: Number of instances that the other does not have.
        only_there: Likewise the other way round.
        uids: The series that have the same instances with other attributes.
    """

    only_here: int
    only_there: int
    uids: tuple[str, ...]


def divergence(here: Held, there: Held) -> Divergence | None:
    """What differs between two archives, over what both can show; nothing where they agree.

    An instance is missing where it should have been shown: in a complete answer. Attributes are compared
    where neither answer is a summary, in series of the same instances.
    """
    if "metadata" not in here.shows & there.shows:
        return None
    if {key: digest for key, (digest, _) in here.series.items()} == {
        key: digest for key, (digest, _) in there.series.items()
    }:
        return None
    mine = {key: set(unpack_uids(packed)) for key, (_, packed) in here.series.items()}
    theirs = {key: set(unpack_uids(packed)) for key, (_, packed) in there.series.items()}
    only_here = _missing(mine, theirs) if "complete_study" in there.shows else 0
    only_there = _missing(theirs, mine) if "complete_study" in here.shows else 0
    uids: list[str] = []
    if "all_attributes" in here.shows & there.shows:
        both = sorted(mine.keys() & theirs.keys())
        uids = [k for k in both if mine[k] == theirs[k] and here.series[k][0] != there.series[k][0]]
    if not (only_here or only_there or uids):
        return None
    return Divergence(only_here, only_there, tuple(uids))


def _missing(these: Mapping[str, set[str]], those: Mapping[str, set[str]]) -> int:
    return sum(len(uids - those.get(key, set())) for key, uids in these.items())
