"""One study's table: rows in the order of series and SOP Instance UID, with where each came from.

Instances without a Study, Series or SOP Instance UID stand under a fallback key made of what they do have.
Such a key starts with `no-uid-`, so that nobody takes it for a UID.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

import msgspec

from heltig.dicom.cell import ABSENT, Cell, DataSet, Fault
from heltig.dicom.source import FILES, Source
from heltig.dicom.stencil import Filled, Stencil
from heltig.dicom.table import Table, decoded

STUDY_INSTANCE_UID = "0020000D"
SERIES_INSTANCE_UID = "0020000E"
SOP_INSTANCE_UID = "00080018"

_STUDY_FALLBACK = ("00100020", "00100010", "00080020", "00080030", "00080050", "00200010")
_SERIES_FALLBACK = ("00080060", "00200011", "0008103E", "00080021", "00080031")


class SeriesRows(msgspec.Struct, frozen=True):
    """The rows of one series: they stand together.

    Attributes:
        key: The SeriesInstanceUID, or a fallback key.
        uid: None where the instances have no SeriesInstanceUID.
        rows: First row and the row after the last.
    """

    key: str
    uid: str | None
    rows: range


class StudyTable(Table):
    """The instances of one study.

    Attributes:
        key: The StudyInstanceUID, or a fallback key.
        uid: None where the instances have no StudyInstanceUID.
        source: What the source could show and said.
        series: The series, in the order of their keys.
        faults: Of each row with any, the faults of its data set as a whole.
        origins: Of each row the file or ZIP member it was read from.
    """

    def __init__(self, key: str, uid: str | None, source: Source = FILES) -> None:
        super().__init__()
        self.key = key
        self.uid = uid
        self.source = source
        self.series: tuple[SeriesRows, ...] = ()
        self.faults: dict[int, tuple[Fault, ...]] = {}
        self.origins: list[str] = []

    def add(self, dataset: DataSet) -> None:
        """Take one instance; the order does not matter."""
        arrival = self.append(dataset.tags, dataset.raws, dataset.encoding)
        if dataset.faults:
            self.faults[arrival] = dataset.faults
        if dataset.origin or self.origins:
            self.origins.extend([""] * (arrival - len(self.origins)))
            self.origins.append(dataset.origin)

    def absorb(self, other: Table) -> None:
        """Append the rows of a settled table of the same study, read elsewhere."""
        first = self._arrived
        super().absorb(other)
        if isinstance(other, StudyTable):
            self.faults.update({first + row: faults for row, faults in other.faults.items()})
            self.origins.extend([""] * (first - len(self.origins)))
            self.origins.extend(other.origins)

    def arrange(self) -> None:
        """End the building: rows stand by series and SOP Instance UID, equal ones by their whole content."""
        arrivals = self._close()
        self.origins.extend([""] * (self.rows - len(self.origins)))
        self.origins = [self.origins[arrival] for arrival in arrivals]
        if self.faults:
            self.faults = {row: self.faults[a] for row, a in enumerate(arrivals) if a in self.faults}
        series, sop = self._series_keys(), self.columns.get(SOP_INSTANCE_UID)
        sops = [b""] * self.rows if sop is None else [sop.cells[code] for code in sop.codes]
        keys = list(zip(series, sops, strict=True))
        order = sorted(range(self.rows), key=keys.__getitem__)
        if len(set(keys)) < self.rows:
            tied = [list(group) for _, group in groupby(order, keys.__getitem__)]
            order = [row for rows in tied for row in self._by_content(rows)]
        self._reorder(order)
        self.series = tuple(self._series([series[row] for row in order]))

    def add_faults(self, faults: Mapping[int, Fault]) -> None:
        """Note more faults of rows of an arranged study.

        Rows that are equal but for their faults are put into order anew: the study is the same as if the
        faults had been known before.
        """
        for row, fault in faults.items():
            self.faults[row] = (*self.faults.get(row, ()), fault)
        sop = self.columns.get(SOP_INSTANCE_UID)
        order: list[int] = []
        for series in self.series:
            for _, tied in groupby(series.rows, lambda row: sop and sop.cells[sop.codes[row]]):
                order += self._by_content(list(tied))
        self._reorder(order)

    def _reorder(self, order: list[int]) -> None:
        self._permute(order)
        self.origins = [self.origins[row] for row in order]
        if self.faults:
            self.faults = {new: self.faults[old] for new, old in enumerate(order) if old in self.faults}

    def _by_content(self, rows: list[int]) -> list[int]:
        def content(row: int) -> tuple[list[bytes], tuple[Fault, ...], str]:
            cells = [column.cells[column.codes[row]] for column in columns]
            return cells, self.faults.get(row, ()), self.origins[row]

        if len(rows) > 1:
            columns = [self.columns[tag] for tag in sorted(self.columns)]
            rows.sort(key=content)
        return rows

    def _series_keys(self) -> list[str]:
        column = self.columns.get(SERIES_INSTANCE_UID)
        if column is None:
            return [self._fallback(row) for row in range(self.rows)]
        texts = [self.cell(column, code).text for code in range(len(column.cells))]
        return [texts[code] or self._fallback(row) for row, code in enumerate(column.codes)]

    def _fallback(self, row: int) -> str:
        return fallback_key("series", (self.at(tag, row).shown for tag in _SERIES_FALLBACK))

    def _series(self, keys: list[str]) -> Iterator[SeriesRows]:
        start = 0
        for key, group in groupby(keys):
            stop = start + sum(1 for _ in group)
            uid = self.at(SERIES_INSTANCE_UID, start).text or None
            yield SeriesRows(key, uid, range(start, stop))
            start = stop

    def instance_key(self, row: int) -> str:
        """The SOPInstanceUID of a row, or a fallback key made of its cells."""
        uid = self.at(SOP_INSTANCE_UID, row).text
        if uid:
            return uid
        columns = (self.columns[tag] for tag in sorted(self.columns))
        return fallback_key("instance", (c.cells[c.codes[row]].hex() for c in columns))


def fallback_key(level: str, parts: Iterable[str]) -> str:
    """A stable key for what has no UID, marked as none.

    >>> fallback_key("series", ["CT", "3"])
    'no-uid-series-71a2c2b6ac0e2a22'
    """
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"no-uid-{level}-{digest[:16]}"


class StudyCollector:
    """Sorts data sets that arrive in any order into one table a study."""

    def __init__(self, source: Source = FILES) -> None:
        self._source = source
        self._tables: dict[str, StudyTable] = {}
        self._places: dict[tuple[str, ...], int | None] = {}
        self._known: dict[bytes, StudyTable] = {}
        self._of_stencil: tuple[Stencil, StudyTable] | None = None

    def add(self, dataset: DataSet) -> StudyTable:
        """Put one data set into the table of its study, and return the table."""
        stencil = dataset.raws.stencil if isinstance(dataset.raws, Filled) else None
        if stencil is not None and self._of_stencil and self._of_stencil[0] is stencil:
            self._of_stencil[1].add(dataset)
            return self._of_stencil[1]
        place = self._place(dataset.tags)
        table = self._table(dataset, place)
        if stencil is not None and table.uid and place not in stencil.holes:
            self._of_stencil = (stencil, table)  # all its instances have that UID
        table.add(dataset)
        return table

    def _place(self, tags: tuple[str, ...]) -> int | None:
        """Where the StudyInstanceUID stands."""
        if tags not in self._places:
            self._places[tags] = tags.index(STUDY_INSTANCE_UID) if STUDY_INSTANCE_UID in tags else None
        return self._places[tags]

    def _table(self, dataset: DataSet, place: int | None) -> StudyTable:
        raw = b"" if place is None else bytes(dataset.raws[place])
        table = self._known.get(raw)
        if table is None:
            uid = "" if place is None else element(dataset, STUDY_INSTANCE_UID).text
            key = uid or fallback_key("study", (element(dataset, t).shown for t in _STUDY_FALLBACK))
            table = self._tables.get(key)
            if table is None:
                table = self._tables[key] = StudyTable(key, uid or None, self._source)
            if uid:
                self._known[raw] = table
        return table

    def absorb(self, part: StudyTable) -> None:
        """Put what another process read of a study to what is known of it."""
        table = self._tables.get(part.key)
        if table is None:
            table = self._tables[part.key] = StudyTable(part.key, part.uid, self._source)
        table.absorb(part)

    def release(self, key: str) -> StudyTable:
        """Part with what was read of a study, settled but not arranged, for a collector in another process.

        Nothing may be added to this one afterwards.
        """
        table = self._tables.pop(key)
        table.settle()
        return table

    def studies(self) -> list[StudyTable]:
        """The studies in the order of their keys, arranged; nothing may be added afterwards."""
        tables = [self._tables[key] for key in sorted(self._tables)]
        for table in tables:
            table.arrange()
        return tables


def element(dataset: DataSet, tag: str) -> Cell:
    """One element of a data set that is in no table; `ABSENT` where it has none."""
    if tag not in dataset.tags:
        return ABSENT
    return decoded(tag, bytes(dataset.raws[dataset.tags.index(tag)]), dataset.encoding)
