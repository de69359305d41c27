"""The heat map of the overview: whose studies fail by which family of rules, and how many of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from heltig.charts import Cell
from heltig.charts.heat_map import percent
from heltig.dashboard.filters import NOT_NAMED
from heltig.reports.wording import FAMILIES
from heltig.store import devices, study_rules
from heltig.store.records import Device, Location
from heltig.store.study_query import OF_DEVICES
from heltig.store.transaction import ReadTransaction

ROWS_A_PAGE: Final = 12
"""Each has a field for every family that fails anywhere: more would make the page heavy."""

BY: Final[Mapping[str, str]] = {
    "source": "Source",
    "manufacturer": "Manufacturer",
    "model": "Model",
    "station": "Station",
}
"""What studies are counted by: the name in an address, and on the page."""

_UPLOADS: Final = "upload"


class HeatCell(msgspec.Struct, frozen=True):
    """A field of the heat map, with the list of its studies."""

    cell: Cell
    text: str
    address: str


class HeatRow(msgspec.Struct, frozen=True):
    """A row of the heat map; a field is None where nothing was found.

    Attributes:
        place: A source: `archive:NAME`, `gate:NAME`, `upload`; empty for devices.
        name: What a device is called, with `detail` beside it.
    """

    place: str
    name: str
    detail: str
    studies: int
    address: str
    cells: tuple[HeatCell | None, ...]


class HeatMap(msgspec.Struct, frozen=True):
    """Rows by families of rules.

    Attributes:
        by: One of `BY`.
        families: The columns: what the ids of their rules begin with, and their titles.
        rows: Those of a page, of most studies first.
        page: Which page, from 1; `pages` that all rows fill.
        unread: Studies that are not counted yet, since their devices are still to be read from evidence.
    """

    by: str
    families: tuple[tuple[str, str], ...]
    rows: tuple[HeatRow, ...]
    page: int
    pages: int
    unread: int


class _Counted:
    """What is counted of a row."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.spellings: Counter[Device] = Counter()
        self.studies = 0
        self.failing: dict[str, int] = {}

    def add(self, studies: int, families: Mapping[str, int]) -> None:
        self.studies += studies
        for family, number in families.items():
            self.failing[family] = self.failing.get(family, 0) + number

    @property
    def device(self) -> Device | None:
        """As most studies write it; None of a source."""
        return min(self.spellings, key=lambda one: (-self.spellings[one], one), default=None)


def heat_map(transaction: ReadTransaction, by: str, *, judged: Mapping[str, int], page: int = 1) -> HeatMap:
    """Counts what stands now, the rows with most studies first.

    Args:
        transaction: Any.
        by: One of `BY`.
        judged: Judged studies by source, all uploads as one.
        page: Which rows; a page after the last is the last.
    """
    unread = 0
    if by == "source":
        counted = _by_source(judged, study_rules.by_location(transaction))
    else:
        counted = _by_device(devices.counts(transaction), OF_DEVICES.index(by) + 1)
        unread = devices.unread(transaction)
    ordered = sorted(counted, key=lambda row: (-row.studies, row.place, row.device or Device()))
    pages = max(1, -(-len(ordered) // ROWS_A_PAGE))
    page = min(page, pages)
    shown = ordered[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]
    families = sorted({family for row in ordered for family in row.failing})
    return HeatMap(
        by=by,
        families=tuple((family, FAMILIES.get(family, "")) for family in families),
        rows=tuple(_row(row, by, families) for row in shown),
        page=page,
        pages=pages,
        unread=unread,
    )


def place_of(location: Location) -> str:
    """The source of a location: all uploads are one."""
    return _UPLOADS if location.kind == _UPLOADS else str(location)


def _by_source(judged: Mapping[str, int], found: Mapping[tuple[Location, str], int]) -> Iterable[_Counted]:
    rows = {place: _Counted(place) for place in judged}
    for place, studies in judged.items():
        rows[place].add(studies, {})
    for (location, family), number in found.items():
        if place_of(location) in rows:
            rows[place_of(location)].add(0, {family: number})
    return rows.values()


def _by_device(found: Iterable[devices.SetCounts], fields: int) -> Iterable[_Counted]:
    """A study counts once for each device that it comes from, whatever the case of its name."""
    rows: dict[tuple[str, ...], _Counted] = {}
    for one in found:
        spelt = {Device(*msgspec.structs.astuple(device)[:fields]) for device in one.devices}
        keys = {device: tuple(map(_folded, msgspec.structs.astuple(device))) for device in spelt}
        for key in set(keys.values()):
            rows.setdefault(key, _Counted("")).add(one.studies, one.families)
        for device, key in keys.items():
            rows[key].spellings[device] += one.studies
    return rows.values()


def _folded(text: str) -> str:
    """Text as databases compare it without regard to case: of other letters than Latin ones it counts."""
    return text.encode().lower().decode()


def _row(row: _Counted, by: str, families: Iterable[str]) -> HeatRow:
    filters = {"location": row.place}
    name = detail = ""
    if (device := row.device) is not None:
        texts = dict(zip(OF_DEVICES, msgspec.structs.astuple(device), strict=True))
        given = {field: texts[field] for field in OF_DEVICES[: OF_DEVICES.index(by) + 1]}
        filters = {field: text or NOT_NAMED for field, text in given.items()}
        product = " ".join(filter(None, (device.manufacturer, device.model)))
        name, detail = (device.station, product) if by == "station" else (product, "")
    return HeatRow(
        place=row.place,
        name=name,
        detail=detail,
        studies=row.studies,
        address=f"?{urlencode(filters)}",
        cells=tuple(_cell(row, family, filters) for family in families),
    )


def _cell(row: _Counted, family: str, filters: Mapping[str, str]) -> HeatCell | None:
    failing = row.failing.get(family, 0)
    if not failing:
        return None
    cell = Cell(failing, row.studies)
    address = urlencode({**filters, "rule": f"{family}-"})
    return HeatCell(cell, percent(cell.share), f"?{address}")
