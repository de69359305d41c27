"""The distinct combinations of values that an instance rule reads."""

from collections.abc import Iterator, Sequence

from heltig.dicom.cell import ABSENT, Cell
from heltig.dicom.study import StudyTable


class Combinations:
    """Finds combinations once for each set of attributes that vary, however many rules read them."""

    def __init__(self, table: StudyTable) -> None:
        self._table = table
        self._distinct: dict[tuple[str, ...], list[tuple[int, ...]]] = {}

    def of(self, tags: tuple[str, ...]) -> Iterator[tuple[list[Cell], "Rows"]]:
        """Each combination as its cells in the order of `tags`, with the rows that have it."""
        table = self._table
        columns = [table.columns.get(tag) for tag in tags]
        cells = [ABSENT if column is None else table.cell(column, 1) for column in columns]
        varying = tuple(
            [tag for tag, c in zip(tags, columns, strict=True) if c is not None and not c.constant]
        )
        codes = [table.columns[tag].codes for tag in varying]
        distinct = self._distinct.get(varying)
        if distinct is None:
            distinct = list(dict.fromkeys(zip(*codes, strict=True))) if codes else [()]
            self._distinct[varying] = distinct
        places = [(place, c) for place, c in enumerate(columns) if c is not None and not c.constant]
        for combination in distinct:
            own = cells.copy()
            for (place, column), code in zip(places, combination, strict=True):
                own[place] = table.cell(column, code)
            yield own, Rows(table.rows, codes, combination)


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
