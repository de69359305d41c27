"""What was measured, for display: a table of structures with a column for each of what all of them have, and
what there is beside it, region by region.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

UNITS: Final[Mapping[str, str]] = {"[hnsf'U]": "HU", "cm3": "cm³", "cm2": "cm²", "cm2/m2": "cm²/m²", "1": ""}
"""Units of UCUM as people write them; others stand as they are."""

STATUSES: Final[Mapping[str, str]] = {
    "measured": "measured",
    "truncated": "of the part that is seen",
    "absent": "absent",
    "not_evaluated": "not evaluated",
    "suppressed": "suppressed",
}

NAMES: Final[Mapping[str, str]] = {
    "volume": "volume",
    "observed_volume": "volume of what is seen",
    "attenuation_mean": "attenuation, mean",
    "attenuation_mean_eroded": "attenuation, mean inside",
    "attenuation_sd": "attenuation, standard deviation",
    "attenuation_median": "attenuation, median",
    "attenuation_p5": "attenuation, 5th percentile",
    "attenuation_p95": "attenuation, 95th percentile",
    "L3_slice": "slice through L3",
    "SMA": "skeletal muscle area (SMA)",
    "SMD": "skeletal muscle attenuation (SMD)",
    "SMI": "skeletal muscle index (SMI)",
    "IMAT": "fat within muscle (IMAT)",
    "SAT": "subcutaneous fat area (SAT)",
    "VAT": "visceral fat area (VAT)",
    "TAT": "total fat area (TAT)",
    "VAT_SAT_ratio": "visceral to subcutaneous fat (VAT/SAT)",
}
"""Measurements as people call them; others by their own names."""

COLUMNS: Final[Mapping[str, str]] = {
    "volume": "volume",
    "attenuation_mean": "mean",
    "attenuation_sd": "standard deviation",
    "attenuation_median": "median",
    "attenuation_p5": "5th percentile",
    "attenuation_p95": "95th percentile",
    "attenuation_mean_eroded": "mean inside",
}
"""What structures have, as the columns of their table call it."""

_STANDS_IN: Final = {"observed_volume": "volume"}
"""What is in the column of something else where that has no value: its status says so."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement.

    Attributes:
        name: What was measured, in words; `key` as the files have it.
        value: For display, rounded; empty where there is none.
        unit: For display.
        status: In words.
        why: Why there is no value, or what to keep in mind about it, in sentences.
        window: The values that count, or the slice; empty for all.
    """

    name: str
    key: str
    value: str
    unit: str
    status: str
    why: tuple[str, ...]
    window: str
    method: str
    version: str


class Region(msgspec.Struct, frozen=True):
    """The measurements of one region."""

    key: str
    name: str
    rows: tuple[Row, ...]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the table of structures.

    Attributes:
        key: As the files have it.
        name: In words.
        unit: For display.
        methods: How it was measured, each with the version of the definition.
    """

    key: str
    name: str
    unit: str
    methods: tuple[str, ...]


class Structure(msgspec.Struct, frozen=True, kw_only=True):
    """A row of it.

    Attributes:
        key: As the files have it.
        name: In words.
        cells: A value for each column; empty where there is none.
        status: In words; what is otherwise than `measured` with its column.
        why: What to keep in mind, in sentences.
    """

    key: str
    name: str
    cells: tuple[str, ...]
    status: str
    why: tuple[str, ...]


class Matrix(msgspec.Struct, frozen=True):
    """The table of structures."""

    columns: tuple[Column, ...]
    rows: tuple[Structure, ...]


def split(regions: Sequence[Region]) -> tuple[Matrix | None, tuple[Region, ...]]:
    """Parts what structures have in common from what there is beside it.

    Returns:
        The table, None where it had no row; and the regions with what is not in it.
    """
    found: dict[str, dict[str, Row]] = {}
    beside: list[Region] = []
    for region in regions:
        cells = {_column_of(row): row for row in region.rows if _column_of(row) in COLUMNS and not row.window}
        if cells:
            found[region.key] = cells
        rest = tuple(row for row in region.rows if row not in cells.values())
        if rest:
            beside.append(Region(region.key, region.name, rest))
    if not found:
        return None, tuple(regions)
    names = {region.key: region.name for region in regions}
    columns = [key for key in COLUMNS if any(key in cells for cells in found.values())]
    return Matrix(
        tuple(_column(key, [cells[key] for cells in found.values() if key in cells]) for key in columns),
        tuple(_structure(key, names[key], cells, columns) for key, cells in found.items()),
    ), tuple(beside)


def rounded(value: float) -> str:
    """A value for display: three digits that count, and all before the point.

    >>> rounded(4305.92), rounded(62.449), rounded(0.04512), rounded(-100.0), rounded(0)
    ('4,306', '62.4', '0.0451', '-100', '0')
    """
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if abs(value) >= 0.001 else f"{value:.2e}"


def row_of(one: Mapping[str, Any], meanings: Mapping[str, Any]) -> Row:
    """A measurement of `analysis.json`, with what its `meanings` say of reasons and warnings."""
    reasons, warnings = meanings.get("reasons", {}), meanings.get("warnings", {})
    why = [reasons.get(one["reason"], one["reason"])] if one.get("reason") else []
    why += [warnings.get(key, key) for key in one.get("warnings", ())]
    return Row(
        name=NAMES.get(one["name"], plain(one["name"])),
        key=one["name"],
        value="" if one["value"] is None else rounded(one["value"]),
        unit=UNITS.get(one["unit"], one["unit"]),
        status=STATUSES.get(one["status"], one["status"]),
        why=tuple(why),
        window=_window(one),
        method=one.get("method", ""),
        version=one.get("version", ""),
    )


def _window(one: Mapping[str, Any]) -> str:
    window: Sequence[float] | None = one.get("window")
    place: Mapping[str, Any] | None = one.get("place")
    told = []
    if window:
        told.append(f"{window[0]:g} to {window[1]:g} HU")
    if place:
        told.append(f"slice {place['index']}, {place['height_mm']:.1f} mm")
    return ", ".join(told)


def plain(key: str) -> str:
    """A key of the files as words."""
    return key.replace("_", " ")


def _column_of(row: Row) -> str:
    return _STANDS_IN.get(row.key, row.key)


def _column(key: str, rows: Sequence[Row]) -> Column:
    methods = dict.fromkeys(", ".join(filter(None, (row.method, row.version))) for row in rows)
    units = dict.fromkeys(row.unit for row in rows)
    return Column(key=key, name=COLUMNS[key], unit=", ".join(units), methods=tuple(filter(None, methods)))


def _structure(key: str, name: str, cells: Mapping[str, Row], columns: Sequence[str]) -> Structure:
    by_status: dict[str, list[str]] = {}
    for column, row in cells.items():
        by_status.setdefault(row.status, []).append(COLUMNS[column])
    odd = [f"{', '.join(of)}: {told}" for told, of in by_status.items() if told != STATUSES["measured"]]
    why = dict.fromkeys(sentence for row in cells.values() for sentence in row.why)
    return Structure(
        key=key,
        name=name,
        cells=tuple(cells[column].value if column in cells else "" for column in columns),
        status="; ".join(odd if len(by_status) > 1 else by_status),
        why=tuple(why),
    )
