"""How a study stands, over all locations that have it: the worst verdict that is current."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from heltig.errors import UsageError
from heltig.pipeline.publish import LOCATIONS_TAG, READINESS_TAG, STATE_TAG, element, prepared
from heltig.store.lookups import Lookup
from heltig.store.records import Location

Status: TypeAlias = Literal["READY", "NEEDS_REVIEW", "BLOCKED", "PENDING", "WITHDRAWN", "UNKNOWN"]
"""A study's readiness where it is JUDGED, else its state."""

_WORST_FIRST: Final[Sequence[Status]] = ("BLOCKED", "PENDING", "NEEDS_REVIEW", "READY", "WITHDRAWN")
"""A PENDING study may come out as anything, so only BLOCKED is worse."""

_ONE_LOCATION: Final = f'"{LOCATIONS_TAG}":{{"vr":"IS","Value":[1]}}'.encode()


class Standing(msgspec.Struct, frozen=True):
    """How a study stands.

    Attributes:
        status: What to act on.
        revision: Of the verdict.
        comment: The rules behind it.
        locations: How many locations have the study.
        dataset: The data set about it in DICOM JSON.
        tag: The entity tag's value, without quotes.
    """

    status: Status
    revision: int
    comment: str
    locations: int
    dataset: bytes
    tag: str


def standing(found: Sequence[Lookup], *, minute: str) -> Standing:
    """How a study stands by the prepared answers about it, one a location.

    Args:
        found: At least one.
        minute: The present one (`Services.minute`): a verdict that relied on a waiver ends with it. The study
            is PENDING then, until it is judged again: what stands without that waiver is not known before.
    """
    if len(found) == 1:
        return _at_one(found[0], minute)
    each = [_at_one(lookup, minute) for lookup in found]
    worst = min(each, key=lambda one: _WORST_FIRST.index(one.status))
    locations = sum(one.locations for one in each)
    if locations == worst.locations:
        dataset = worst.dataset
    else:
        dataset = worst.dataset.replace(_ONE_LOCATION, _ONE_LOCATION.replace(b"[1]", b"[%d]" % locations))
    tag = hashlib.sha256("".join(one.tag for one in each).encode()).hexdigest()[:32]
    return msgspec.structs.replace(worst, locations=locations, dataset=dataset, tag=tag)


def dataset_of(found: Sequence[Lookup], *, minute: str) -> bytes:
    """The data set of `standing`, by less work where a study is at one location: for many studies.

    Arguments are those of `standing`.
    """
    if len(found) == 1 and not _has_ended(found[0], minute):
        return prepared(found[0].body).dataset
    return standing(found, minute=minute).dataset


def worst(found: Sequence[Lookup], *, minute: str) -> Lookup:
    """The answer that `standing` goes by.

    Args:
        found: At least one.
        minute: The present one.
    """
    return min(found, key=lambda lookup: _WORST_FIRST.index(_at_one(lookup, minute).status))


def at(found: Sequence[Lookup], archive: str | None) -> Sequence[Lookup]:
    """Those of the answers that are about the location asked for; all when none is.

    Args:
        found: The answers about one study.
        archive: An archive's name; any location as `upload:NAME`.

    Raises:
        UsageError: It names no location.
    """
    if archive is None:
        return found
    return [lookup for lookup in found if lookup.location == str(location_named(archive))]


def location_named(text: str) -> Location:
    """The location that a request names: `main` is `archive:main`.

    Raises:
        UsageError: There is no such kind of location.
    """
    try:
        return Location.parse(text) if ":" in text else Location("archive", text)
    except msgspec.ValidationError as error:
        raise UsageError(
            "A location is an archive's name, or archive:NAME, gate:NAME, upload:NAME."
        ) from error


def _at_one(lookup: Lookup, minute: str) -> Standing:
    made = prepared(lookup.body)
    tag, dataset = made.tag[:32], made.dataset
    status: Status = (lookup.readiness or "PENDING") if lookup.state == "JUDGED" else lookup.state
    if _has_ended(lookup, minute):
        status, tag = "PENDING", hashlib.sha256(f"{tag} ended".encode()).hexdigest()[:32]
        dataset = _as_pending(dataset)
    locations = 0 if status == "WITHDRAWN" else 1
    return Standing(status, lookup.revision, made.comment, locations, dataset, tag)


def _has_ended(lookup: Lookup, minute: str) -> bool:
    """Whether a verdict relied on a waiver that holds no longer."""
    return lookup.valid_until is not None and lookup.valid_until <= minute and lookup.state == "JUDGED"


def _as_pending(dataset: bytes) -> bytes:
    decoded: Mapping[str, Any] = msgspec.json.decode(dataset)
    changed = {**decoded, READINESS_TAG: element("CS"), STATE_TAG: element("CS", "PENDING")}
    return msgspec.json.encode(changed)
