"""The distinct combinations of values that an instance rule reads."""

from collections.abc import Iterator, Sequence

from heltig.dicom.cell import ABSENT, Cell
from heltig.dicom.column import Column
from heltig.dicom.study import StudyTable


class Combination:
    """One combination of cells, decoded only when asked for.

    Attributes:
        raws: The raw cells; empty where the attribute is absent.
        rows: The rows that have it.
    """

    __slots__ = ("_codes", "_columns", "_table", "raws", "rows")

    def __init__(
        self, table: StudyTable, columns: Sequence[Column | None], codes: Sequence[int], rows: "Rows"
    ) -> None:
        self._table = table
        self._columns = columns
        self._codes = codes
        self.raws = tuple([c.cells[code] if c else b"" for c, code in zip(columns, codes, strict=True)])
        self.rows = rows

    def cells(self) -> list[Cell]:
        """The cells, decoded."""
        return [self.cell(place) for place in range(len(self.raws))]

    def cell(self, place: int) -> Cell:
        """One of the cells, decoded."""
        column = self._columns[place]
        return self._table.cell(column, self._codes[place]) if column else ABSENT


class Named(dict[str, Cell]):
    """The cells of a combination by keyword, each decoded when first asked for."""

    def __init__(self, combination: Combination, keywords: Sequence[str]) -> None:
        self._combination = combination
        self._keywords = keywords

    def __missing__(self, keyword: str) -> Cell:
        if keyword not in self._keywords:
            raise KeyError(keyword)
        cell = self[keyword] = self._combination.cell(self._keywords.index(keyword))
        return cell


class Combinations:
    """Finds combinations once for each set of attributes that vary, however many rules read them."""

    def __init__(self, table: StudyTable) -> None:
        self._table = table
        self._distinct: dict[tuple[str, ...], list[tuple[int, ...]]] = {}

    def of(self, tags: tuple[str, ...]) -> Iterator[Combination]:
        """Each combination of the cells of some attributes, in the order of `tags`."""
        table = self._table
        columns = [table.columns.get(tag) for tag in tags]
        varying = tuple([column.tag for column in columns if column and not column.constant])
        if not varying:
            codes = [0 if column is None else 1 for column in columns]
            yield Combination(table, columns, codes, Rows(table.rows, (), ()))
            return
        all_codes = [table.columns[tag].codes for tag in varying]
        distinct = self._distinct.get(varying)
        if distinct is None:
            distinct = self._distinct[varying] = list(dict.fromkeys(zip(*all_codes, strict=True)))
        for combination in distinct:
            own = iter(combination)
            codes = [0 if c is None else 1 if c.constant else next(own) for c in columns]
            yield Combination(table, columns, codes, Rows(table.rows, all_codes, combination))


class Rows:
    """The rows of one combination; looked for only when somebody asks."""

    def __init__(self, count: int, codes: Sequence[Sequence[int]], combination: tuple[int, ...]) -> None:
        self._count = count
        self._codes = codes
        self._combination = combination

    def __iter__(self) -> Iterator[int]:
        if not self._codes:
            return iter(range(self._count))
        rows = enumerate(zip(*self._codes, strict=True))
        return (row for row, found in rows if found == self._combination)
