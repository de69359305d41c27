"""A series' page: where its slices stand, and in what its instances differ."""

import asyncio
from datetime import date
from typing import Final

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from markupsafe import Markup

from heltig.api.front import segment
from heltig.api.services import services_of
from heltig.charts import in_words, slice_strip
from heltig.dashboard.contents import contents_of
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.dashboard.pages import page, study_of
from heltig.dashboard.viewer import viewer_link
from heltig.dashboard.visibility import sight_of
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES
from heltig.errors import NotFoundError
from heltig.pipeline.differences.varying import Varying, varying
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.identifiers.told_values import Told, told
from heltig.reports.study_pictures import strips_of
from heltig.standard import uids
from heltig.standard.dictionary import tag_of
from heltig.store.series_contents import content_at

STRIPS: Final = 8
"""Stacks that are drawn, those with flaws first."""

SHARED: Final = 60
"""Attributes that differ between groups of instances and are shown; `EACH` of those that none share."""

EACH: Final = 40

_FACTS: Final = (
    "SOPClassUID",
    "Manufacturer",
    "ManufacturerModelName",
    "StationName",
    "ProtocolName",
    "BodyPartExamined",
    "FrameOfReferenceUID",
    "SliceThickness",
    "SpacingBetweenSlices",
    "PixelSpacing",
    "Rows",
    "Columns",
)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a series' evidence.

    Attributes:
        facts: What is the same in all its instances, of what tells most of a series.
        strips: Its slices along their normal; `stacks` is the number of stacks, `flawed` of those with flaws.
        shared: The attributes that differ between groups of instances.
        each: Those of which every instance has a value of its own.
        left_out: Number of attributes that differ and are not shown.
    """

    facts: tuple[tuple[str, Told], ...]
    strips: tuple[Markup, ...]
    stacks: int
    flawed: int
    shared: tuple[Varying, ...]
    each: tuple[Varying, ...]
    left_out: int


@route("/studies/{study:str}/series/{series:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_series(request: AnyRequest, study: FromPath[str], series: FromPath[str]) -> Response[str]:
    """One series of the newest snapshot."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    found = await contents_of(request, study)
    key = study_of(segment(series))
    about = next((one for one in found.series if one.series_key == key), None)
    snapshot = found.snapshot
    part = next((one for one in snapshot.series if one.series_key == key), None) if snapshot else None
    if about is None or part is None or snapshot is None:
        raise NotFoundError("This study has no such series at this location, as it was last read.")
    content = await services.store.read(content_at, part.address)
    place = [one.series_key for one in found.series].index(key)
    return page(
        request,
        "series.html",
        now=services.clock(),
        shown=found,
        study=sight.study(found.study),
        series=about,
        before=found.series[place - 1] if place else None,
        after=found.series[place + 1] if place + 1 < len(found.series) else None,
        evidence=await asyncio.to_thread(_evidence, key, content, snapshot.reference_date, sight),
        viewer=viewer_link(services.settings, found.study),
    )


def _evidence(key: str, content: bytes, reference: date, sight: Sight) -> Evidence:
    table = read_snapshot(key, None, FILES, [content])
    strips = sorted(strips_of(table, reference), key=lambda strip: not strip.has_flaws)
    differing = varying(table, sight)
    shared = [one for one in differing if not one.is_each]
    each = [one for one in differing if one.is_each]
    facts = []
    for keyword in _FACTS:
        column = table.columns.get(tag_of(keyword))
        if column is not None and column.constant:
            value = told(table, column, 1, sight)
            known = uids.lookup(value.text) if keyword == "SOPClassUID" else None
            facts.append((keyword, Told(known.name) if known else value))
    return Evidence(
        facts=tuple((name, value) for name, value in facts if value.kind != "empty"),
        strips=tuple(
            slice_strip(
                f"slices-{place}",
                f"Where the slices are{f', stack {place} of {len(strips)}' if len(strips) > 1 else ''}",
                strip,
            )
            + Markup('<p class="small muted">{}</p>').format(in_words(strip))
            for place, strip in enumerate(strips[:STRIPS], 1)
        ),
        stacks=len(strips),
        flawed=sum(strip.has_flaws for strip in strips),
        shared=tuple(shared[:SHARED]),
        each=tuple(each[:EACH]),
        left_out=max(0, len(shared) - SHARED) + max(0, len(each) - EACH),
    )


SERIES: Final = (show_series,)
