"""In what a study differs from an earlier snapshot of it, or from what another location has of it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.front import segment
from heltig.api.services import services_of
from heltig.dashboard.filters import insist_on_names, number
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.dashboard.pages import page, study_of
from heltig.dashboard.study import REVISIONS_SHOWN, seen_at, series_of
from heltig.dashboard.viewer import viewer_link
from heltig.dashboard.visibility import sight_of
from heltig.dicom.snapshot import read_snapshot, read_source
from heltig.dicom.source import FILES
from heltig.errors import NotFoundError
from heltig.pipeline.differences.changed_attributes import MOST_ATTRIBUTES as OF_A_SERIES
from heltig.pipeline.differences.changed_attributes import ChangedSeries, changed_series
from heltig.pipeline.identifiers.sights import Sight
from heltig.store import stored_snapshots, verdicts
from heltig.store.engine import Store
from heltig.store.records import Series, StoredVerdict, Study
from heltig.store.series_contents import content_at
from heltig.store.stored_snapshots import StoredPart, StoredSnapshot
from heltig.store.transaction import ReadTransaction

MOST_SERIES: Final = 25
"""Series of other evidence that are looked into."""

MOST_ATTRIBUTES: Final = 80
"""Attributes that are shown on a page."""


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared.

    Attributes:
        study: The study where it is looked at; `elsewhere` at every location.
        past: The last verdict on each earlier snapshot of it, the newest first.
        others: It at other locations.
        revision: The revision whose snapshot it is compared with; None for another location.
        other: The study at the location that it is compared with; None for an earlier snapshot.
        before: The snapshot that it is compared with; None where it is not kept any more.
        after: Its newest snapshot.
        series: Its series, by number.
    """

    study: Study
    elsewhere: tuple[Study, ...]
    past: tuple[StoredVerdict, ...]
    others: tuple[Study, ...]
    revision: StoredVerdict | None
    other: Study | None
    before: StoredSnapshot | None
    after: StoredSnapshot | None
    series: tuple[Series, ...]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What differs.

    Attributes:
        changed: The series that both have and that differ.
        gone: Those that only the other side has; `new` those that only this one has.
        same: Number of series that do not differ.
        left_out: Number of series of other evidence that were not looked into.
        shows_all: Both sources show all attributes.
    """

    changed: tuple[ChangedSeries, ...]
    gone: tuple[StoredPart, ...]
    new: tuple[StoredPart, ...]
    same: int
    left_out: int
    shows_all: bool


def sides_of(
    transaction: ReadTransaction,
    study_key: str,
    *,
    now: datetime,
    location: str,
    against: int | None,
    other: str,
) -> Sides:
    """What is compared with what.

    Args:
        transaction: Any.
        study_key: The study.
        now: The time.
        location: Where it is looked at, as text; empty for the worst one.
        against: The revision of a verdict, for the snapshot that it was given on.
        other: Another location, as text. Without either: the newest earlier snapshot, or else the first
            other location.

    Raises:
        NotFoundError: There is no such study, location or revision.
    """
    study, everywhere = seen_at(transaction, study_key, now=now, location=location)
    past: dict[str, StoredVerdict] = {}
    for verdict in verdicts.history(transaction, study.location, study.study_key, limit=REVISIONS_SHOWN):
        if verdict.inputs.snapshot != study.snapshot:
            past.setdefault(verdict.inputs.snapshot, verdict)
    others = tuple(one for one in everywhere if one.location != study.location)
    revision: StoredVerdict | None = None
    there: Study | None = None
    if against is not None:
        revision = verdicts.revision(transaction, study.location, study.study_key, against)
        if revision is None:
            raise NotFoundError(f"This study's verdict has no revision {against}.")
    elif other:
        there = next((one for one in others if str(one.location) == other), None)
        if there is None:
            raise NotFoundError("This study was not seen at that other location.")
    elif past:
        revision = next(iter(past.values()))
    elif others:
        there = others[0]
    before = None
    if revision is not None:
        wanted = revision.inputs.snapshot
        before = stored_snapshots.find(transaction, study.location, study.study_key, snapshot=wanted)
    elif there is not None:
        before = stored_snapshots.find(transaction, there.location, there.study_key)
    return Sides(
        study=study,
        elsewhere=tuple(everywhere),
        past=tuple(past.values()),
        others=others,
        revision=revision,
        other=there,
        before=before,
        after=stored_snapshots.find(transaction, study.location, study.study_key),
        series=series_of(transaction, study),
    )


@route("/studies/{study:str}/differences", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_differences(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """In what a study differs from what it was, or is elsewhere."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    now = services.clock()
    insist_on_names(request.query_params, "location", "against", "other")
    sides = await services.store.read(
        sides_of,
        study_of(segment(study)),
        now=now,
        location=request.query_params.get("location", ""),
        against=number(request.query_params, "against"),
        other=request.query_params.get("other", ""),
    )
    sides = msgspec.structs.replace(sides, series=tuple(map(sight.series, sides.series)))
    found = None
    if sides.before is not None and sides.after is not None:
        order = [one.series_key for one in sides.series]
        found = await _found(services.store, sides.before, sides.after, order, sight)
    return page(
        request,
        "differences.html",
        now=now,
        shown=sides,
        study=sight.study(sides.study),
        found=found,
        names={one.series_key: one for one in sides.series},
        viewer=viewer_link(services.settings, sides.study),
    )


async def _found(
    store: Store, before: StoredSnapshot, after: StoredSnapshot, order: Sequence[str], sight: Sight
) -> Found:
    """Compares two snapshots, one series after the other; evidence that both have is not read.

    Args:
        store: Where they are.
        before: The one.
        after: The other.
        order: The keys of its series, as they are shown.
        sight: What somebody sees of patients.
    """
    here, there = ({part.series_key: part for part in one.series} for one in (before, after))
    both = [key for key in order if key in here and key in there]
    other = [key for key in both if here[key].address != there[key].address]
    shows_all = all("all_attributes" in read_source(one.facts).shows for one in (before, after))
    changed: list[ChangedSeries] = []
    room = MOST_ATTRIBUTES
    for key in other[:MOST_SERIES]:
        mine = await store.read(content_at, here[key].address)
        theirs = await store.read(content_at, there[key].address)
        one = await asyncio.to_thread(
            _changed, key, mine, theirs, sight, shows_all=shows_all, most=min(room, OF_A_SERIES)
        )
        room -= len(one.attributes)
        changed.append(one)
    differing = tuple(one for one in changed if not one.is_same)
    return Found(
        changed=differing,
        gone=tuple(part for key, part in here.items() if key not in there),
        new=tuple(part for key, part in there.items() if key not in here),
        same=len(both) - len(other) + len(changed) - len(differing),
        left_out=max(0, len(other) - MOST_SERIES),
        shows_all=shows_all,
    )


def _changed(
    key: str, before: bytes, after: bytes, sight: Sight, *, shows_all: bool, most: int
) -> ChangedSeries:
    mine, theirs = (read_snapshot(key, None, FILES, [content]) for content in (before, after))
    return changed_series(key, mine, theirs, sight, shows_all=shows_all, most=most)


DIFFERENCES: Final = (show_differences,)
