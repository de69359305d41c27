"""What a study is made of: its series along time, and its instances under them, a page at a time."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from markupsafe import Markup

from heltig.api.front import segment
from heltig.api.services import services_of
from heltig.charts import Span, timeline
from heltig.dashboard.filters import insist_on_names, number
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.dashboard.pages import page, study_of
from heltig.dashboard.study import seen_at, series_of
from heltig.dashboard.viewer import viewer_link
from heltig.dashboard.visibility import sight_of
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES
from heltig.dicom.study import SOP_INSTANCE_UID, StudyTable
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.identifiers.told_values import told
from heltig.reports.study_pictures import span_of
from heltig.standard import uids
from heltig.standard.dictionary import tag_of
from heltig.store import stored_snapshots
from heltig.store.engine import Store
from heltig.store.records import Series, Study
from heltig.store.series_contents import content_at
from heltig.store.stored_snapshots import StoredPart, StoredSnapshot
from heltig.store.transaction import ReadTransaction

INSTANCES: Final = 100
"""Instances on a page."""

SERIES: Final = 60
"""Series on a page: as many are in its timeline."""

_NUMBERS: Final = ("InstanceNumber", "SOPClassUID", "Rows", "Columns", "NumberOfFrames")


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """An instance in the tree.

    Attributes:
        key: Its SOPInstanceUID, or a fallback key.
        number: Its InstanceNumber as it is written.
        sop_class: Its SOP class by name, or by UID where that is not known.
        size: Rows, columns and frames, as far as it says them.
        is_double: Another instance of the series has the same SOPInstanceUID.
    """

    key: str
    number: str
    sop_class: str
    size: str
    is_double: bool


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A series whose instances are shown.

    Attributes:
        key: Its key.
        instances: Those of the page, by InstanceNumber.
        page: Which page it is, from 1 on; `pages` is their number.
        first: The place of the first of them, from 1 on.
        total: The number of all.
    """

    key: str
    instances: tuple[Instance, ...]
    page: int
    pages: int
    first: int
    total: int


class Contents(msgspec.Struct, frozen=True):
    """A study, its series, and the snapshot that they are in."""

    study: Study
    elsewhere: tuple[Study, ...]
    series: tuple[Series, ...]
    snapshot: StoredSnapshot | None


async def contents_of(request: AnyRequest, study: str) -> Contents:
    """The study of an address with its series, as whoever asks may see them; no evidence is read.

    Raises:
        NotFoundError: There is no such study or location.
    """
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    found = await services.store.read(
        _contents,
        study_of(segment(study)),
        now=services.clock(),
        location=request.query_params.get("location", ""),
    )
    return msgspec.structs.replace(found, series=tuple(map(sight.series, found.series)))


def _contents(transaction: ReadTransaction, study_key: str, *, now: datetime, location: str) -> Contents:
    study, everywhere = seen_at(transaction, study_key, now=now, location=location)
    return Contents(
        study,
        tuple(everywhere),
        series_of(transaction, study),
        stored_snapshots.find(transaction, study.location, study.study_key),
    )


@route("/studies/{study:str}/series", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_contents(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """The tree of a study, and when its series were acquired."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    insist_on_names(request.query_params, "location", "open", "list", "page")
    found = await contents_of(request, study)
    keys = [one.series_key for one in found.series]
    wanted = request.query_params.get("open", "") or (keys[0] if len(keys) == 1 else "")
    lists = max(1, -(-len(keys) // SERIES))
    asked = keys.index(wanted) // SERIES + 1 if wanted in keys else number(request.query_params, "list") or 1
    current = min(max(asked, 1), lists)
    listed = found.series[(current - 1) * SERIES : current * SERIES]
    names = {one.series_key: _name(one) for one in listed}
    spans: list[Span] = []
    opened = None
    for part in found.snapshot.series if found.snapshot else ():
        if part.series_key not in names:
            continue
        table = await _read(services.store, part)
        span = await asyncio.to_thread(span_of, table)
        if span is not None:
            spans.append(Span(names[part.series_key], span.begin, span.end, part.instances))
        if part.series_key == wanted:
            place = number(request.query_params, "page") or 1
            opened = await asyncio.to_thread(_opened, table, wanted, place, sight)
    return page(
        request,
        "contents.html",
        now=services.clock(),
        shown=found,
        study=sight.study(found.study),
        opened=opened,
        timeline=_timeline(spans, relative=not sight.evidence),
        timed=len(spans),
        listed=listed,
        list=current,
        lists=lists,
        viewer=viewer_link(services.settings, found.study),
    )


async def _read(store: Store, part: StoredPart) -> StudyTable:
    content = await store.read(content_at, part.address)
    return await asyncio.to_thread(read_snapshot, part.series_key, None, FILES, [content])


def _timeline(spans: Sequence[Span], *, relative: bool) -> Markup | None:
    if not spans:
        return None
    return timeline("timeline", "When the series were acquired", spans, relative=relative)


def _name(series: Series) -> str:
    parts = (series.series_number or "no number", series.modality, series.series_description)
    return " ".join(filter(None, parts))


def _opened(table: StudyTable, key: str, wanted: int, sight: Sight) -> Opened:
    order = sorted(range(table.rows), key=_numbers(table).__getitem__)
    pages = max(1, -(-len(order) // INSTANCES))
    shown = min(max(wanted, 1), pages)
    first = (shown - 1) * INSTANCES
    sops = table.columns.get(SOP_INSTANCE_UID)
    codes = sops.codes if sops is not None else []
    cells = [sops.cells[code] for code in codes] if sops is not None else []
    doubles = {cell for cell, times in Counter(cells).items() if times > 1}
    return Opened(
        key=key,
        instances=tuple(
            _instance(table, row, sight, is_double=bool(cells) and cells[row] in doubles)
            for row in order[first : first + INSTANCES]
        ),
        page=shown,
        pages=pages,
        first=first + 1,
        total=table.rows,
    )


def _numbers(table: StudyTable) -> list[tuple[bool, int, int]]:
    """Of each row what it is sorted by: its InstanceNumber, what has none at the end, then its place."""
    tag = tag_of("InstanceNumber")
    column = table.columns.get(tag)
    if column is None:
        return [(True, 0, row) for row in range(table.rows)]
    found: dict[int, tuple[bool, int]] = {}
    for code in set(column.codes):
        text = table.cell(column, code).shown.strip()
        is_number = text.lstrip("-").isascii() and text.lstrip("-").isdigit() and len(text) < 20
        found[code] = (not is_number, int(text) if is_number else 0)
    return [(*found[code], row) for row, code in enumerate(column.codes)]


def _instance(table: StudyTable, row: int, sight: Sight, *, is_double: bool) -> Instance:
    instance_number, sop_class, rows, columns, frames = (
        _told(table, tag_of(keyword), row, sight) for keyword in _NUMBERS
    )
    known = uids.lookup(sop_class)
    size = f"{rows} × {columns}" if rows and columns else ""
    if frames and frames != "1":
        size = f"{size}, {frames} frames" if size else f"{frames} frames"
    return Instance(
        key=table.instance_key(row),
        number=instance_number,
        sop_class=known.name if known else sop_class,
        size=size,
        is_double=is_double,
    )


def _told(table: StudyTable, tag: str, row: int, sight: Sight) -> str:
    """What they may see of it: where a number should be, anything may stand."""
    column = table.columns.get(tag)
    return told(table, column, column.codes[row], sight).text.strip() if column is not None else ""


CONTENTS: Final = (show_contents,)
