"""A study's evidence as bytes: what is stored, what its id is made of, and how it is read back.

A snapshot is written a series at a time, so that late instances do not copy the rest of the study. The bytes
of a series depend on its instances alone, not on the order or the process in which they were read: rows stand
in their final order, columns by tag, and cells are numbered by their first row.
"""

import hashlib
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

import msgspec

from heltig.dicom.cell import DataSet, Encoding, Fault
from heltig.dicom.column import Column
from heltig.dicom.json_members import JSON
from heltig.dicom.json_writing import element_as_json
from heltig.dicom.source import Source
from heltig.dicom.study import SeriesRows, StudyTable
from heltig.dicom.table import decoded


class _Column(msgspec.Struct, array_like=True, frozen=True):
    tag: str
    cells: list[bytes]
    encodings: bytes  # one little-endian 16-bit number a cell
    codes: bytes  # one little-endian 32-bit number a row, 0 for absent; empty when every row has the one cell


_FIRST = array("H", [0]).tobytes()
"""The encodings of one cell of the first encoding."""


class _Series(msgspec.Struct, array_like=True, frozen=True):
    key: str
    rows: int
    encodings: list[Encoding]
    columns: list[_Column]
    faults: list[tuple[int, tuple[Fault, ...]]]  # row within the series, in order


class _SourceFacts(msgspec.Struct, array_like=True, frozen=True):
    shows: list[str]
    asked_for: str | None
    study_rows: list[tuple[tuple[str, ...], list[bytes]]]
    series_rows: list[tuple[tuple[str, ...], list[bytes]]]
    failures: tuple[Fault, ...]


class SeriesEvidence(msgspec.Struct, frozen=True):
    """The evidence of one series.

    Attributes:
        key: The SeriesInstanceUID or fallback key.
        instances: Number of instances.
        content: The bytes to store.
        digest: SHA-256 of `content`, 64 hex digits.
    """

    key: str
    instances: int
    content: bytes
    digest: str


def series_evidence(table: StudyTable) -> list[SeriesEvidence]:
    """The evidence of each series of an arranged study, in the order of their keys."""
    alike = _columns_of_all(table)
    found = []
    for series in table.series:
        content = msgspec.msgpack.encode(_series(table, series, alike))
        digest = hashlib.sha256(content).hexdigest()
        found.append(SeriesEvidence(series.key, len(series.rows), content, digest))
    return found


def snapshot_id(table: StudyTable, evidence: Iterable[SeriesEvidence]) -> str:
    """The id of a snapshot: SHA-256 over its series and its source facts, 64 hex digits."""
    digests = sorted((series.key, series.digest) for series in evidence)
    return hashlib.sha256(
        msgspec.msgpack.encode((table.key, digests, source_facts(table.source)))
    ).hexdigest()


def source_facts(source: Source) -> bytes:
    """The source facts in their one form, as they are stored beside the series."""
    rows = [
        [(d.tags, [bytes(raw) for raw in d.raws]) for d in part]
        for part in (source.study_rows, source.series_rows)
    ]
    return msgspec.msgpack.encode((sorted(source.shows), source.asked_for, *rows, source.failures))


def read_source(facts: bytes) -> Source:
    """The source facts that `source_facts` wrote.

    Raises:
        msgspec.DecodeError: The bytes are no source facts.
    """
    written = msgspec.msgpack.decode(facts, type=_SourceFacts)
    return Source(
        shows=frozenset(written.shows),
        asked_for=written.asked_for,
        study_rows=tuple(DataSet(tags, raws, JSON) for tags, raws in written.study_rows),
        series_rows=tuple(DataSet(tags, raws, JSON) for tags, raws in written.series_rows),
        failures=written.failures,
    )


def read_snapshot(key: str, uid: str | None, source: Source, contents: Sequence[bytes]) -> StudyTable:
    """Make an arranged table from the stored bytes of its series.

    Raises:
        msgspec.DecodeError: The bytes are not those of a series.
    """
    table = StudyTable(key, uid, source)
    for content in contents:
        _append(table, msgspec.msgpack.decode(content, type=_Series))
    table.arrange()
    return table


def read_elements(content: bytes, columns: Collection[str]) -> dict[str, bytes]:
    """Some attributes in DICOM JSON as the first instance of a series has them, of those that any has.

    Args:
        content: The stored bytes of the series.
        columns: Tags; of private attributes what `heltig.dicom.table.private_key` makes of them.

    Raises:
        msgspec.DecodeError: The bytes are not those of a series.
    """
    series = msgspec.msgpack.decode(content, type=_Series)
    return {
        column.tag: element_as_json(
            column.tag, column.cells[0], series.encodings[array("H", column.encodings)[0]]
        )
        for column in series.columns
        if column.tag in columns and column.cells
    }


def read_combinations(content: bytes, tags: Sequence[str]) -> set[tuple[str, ...]]:
    """The values of some attributes that instances of a series have together, each combination once.

    Args:
        content: The stored bytes of the series.
        tags: The attributes; no other one is decoded.

    Returns:
        The texts as a person would write them, in the order of the tags; an empty one stands for none.

    Raises:
        msgspec.DecodeError: The bytes are not those of a series.
    """
    series = msgspec.msgpack.decode(content, type=_Series)
    columns = {column.tag: column for column in series.columns if column.tag in tags}
    codes: list[Sequence[int]] = []
    texts: list[list[str]] = []
    for tag in tags:
        column = columns.get(tag)
        cells = zip(column.cells, array("H", column.encodings), strict=True) if column else ()
        texts.append(
            ["", *(decoded(tag, cell, series.encodings[number]).shown.strip() for cell, number in cells)]
        )
        codes.append(array("I", column.codes) if column and column.codes else [int(column is not None)])
    if all(len(one) == 1 for one in codes):
        return {tuple(known[one[0]] for known, one in zip(texts, codes, strict=True))}
    rows = [one if len(one) > 1 else [one[0]] * series.rows for one in codes]
    found = set(zip(*rows, strict=True))
    return {tuple(known[code] for known, code in zip(texts, each, strict=True)) for each in found}


_Columns: TypeAlias = dict[str, _Column | None]


def _columns_of_all(table: StudyTable) -> _Columns:
    """Every column by its tag, made where it is the same in each series."""
    is_read_alike = len(table.encodings) == 1
    return {
        tag: _same(column, 1, {0: 0}) if column.constant and is_read_alike else None
        for tag, column in sorted(table.columns.items())
    }


def _series(table: StudyTable, series: SeriesRows, alike: _Columns) -> _Series:
    used: dict[int, int] = {0: 0} if len(table.encodings) == 1 else {}
    columns = [
        made
        for tag, column in alike.items()
        if (made := column or _column(table, table.columns[tag], series.rows, used)) is not None
    ]
    start, stop = series.rows.start, series.rows.stop
    faults = [(row - start, table.faults[row]) for row in sorted(table.faults) if start <= row < stop]
    encodings = [table.encodings[number] for number in used]
    return _Series(series.key, len(series.rows), encodings, columns, faults)


def _same(column: Column, code: int, used: dict[int, int]) -> _Column | None:
    """A column of which every row of a series has this cell."""
    if code == 0:
        return None
    encoding = used.setdefault(column.encodings[code], len(used))
    return _Column(column.tag, [column.cells[code]], _FIRST if encoding == 0 else _packed([encoding]), b"")


def _packed(encodings: Sequence[int]) -> bytes:
    return array("H", encodings).tobytes()


def _column(table: StudyTable, column: Column, rows: range, used: dict[int, int]) -> _Column | None:
    """A column of a series; None where no row has it.

    Args:
        table: The study.
        column: Of the study.
        rows: Those of the series.
        used: For each encoding of the table its number in the series; those that are not in it are added.
    """
    codes = column.codes[rows.start : rows.stop]
    if type(codes) is bytes and codes.count(codes[0]) == len(codes):  # quickest seen so
        return _same(column, codes[0], used)
    distinct = dict.fromkeys(codes)
    is_everywhere = 0 not in distinct
    distinct.pop(0, None)
    cells = list(map(column.cells.__getitem__, distinct))
    if not cells:
        return None
    if len(table.encodings) == 1:
        encodings = [0] * len(cells)
    else:
        encodings = [used.setdefault(column.encodings[code], len(used)) for code in distinct]
    places: Iterable[int] = range(1, len(cells) + 1)
    if len(set(cells)) < len(cells):  # two codes may hold equal cells
        known: dict[tuple[int, bytes], int] = {}
        places = [known.setdefault(pair, len(known) + 1) for pair in zip(encodings, cells, strict=True)]
        encodings, cells = [encoding for encoding, _ in known], [cell for _, cell in known]
    numbers = {0: 0, **dict(zip(distinct, places, strict=True))}
    is_same = is_everywhere and len(cells) == 1
    return _Column(
        tag=column.tag,
        cells=cells,
        encodings=_packed(encodings),
        codes=b"" if is_same else array("I", map(numbers.__getitem__, codes)).tobytes(),
    )


def _append(table: StudyTable, series: _Series) -> None:
    """Append a stored series row by row."""
    columns = []
    for column in series.columns:
        codes = array("I", column.codes) if column.codes else array("I", [1]) * series.rows
        columns.append((column, codes, array("H", column.encodings)))
    faults = dict(series.faults)
    for row in range(series.rows):
        present = [(c, codes[row] - 1, encodings) for c, codes, encodings in columns if codes[row]]
        tags = tuple([c.tag for c, _, _ in present])
        raws = [c.cells[code] for c, code, _ in present]
        encoding = series.encodings[present[0][2][present[0][1]]]
        arrival = table.append(tags, raws, encoding)
        if row in faults:
            table.faults[arrival] = faults[row]
