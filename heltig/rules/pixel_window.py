"""Windows: can the values of Window Center and Window Width be shown (PS3.3 C.11.2.1.2)?"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from heltig.dicom.column import Column
from heltig.dicom.frames import PER_FRAME, SHARED
from heltig.dicom.table import ItemTable, Table
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_CENTER: Final = tag_of("WindowCenter")
_WIDTH: Final = tag_of("WindowWidth")
_FUNCTION: Final = tag_of("VOILUTFunction")
_MACRO: Final = tag_of("FrameVOILUTSequence")

_FRACTION: Final = rb"(?:\.[0-9]{0,15})?"
_AT_LEAST_ONE: Final = rb"[1-9][0-9]{0,14}" + _FRACTION
_ANY: Final = rb"-?[0-9]{1,15}" + _FRACTION


def _single(number: bytes) -> re.Pattern[bytes]:
    """Raw cells that hold one plainly written number, in JSON or in a file."""
    in_json = rb'\{"vr": ?"DS", ?"Value": ?\["?' + number + rb'"?\]\}'
    in_part10 = rb"(?:DS[\x00-\xff]{2}|[\x00-\xff]\x00{3}) *" + number + rb" *"
    return re.compile(in_json + rb"|" + in_part10)


_PLAIN_WIDTH: Final = _single(_AT_LEAST_ONE)
_PLAIN_CENTER: Final = _single(_ANY)


@rule("PIX-WINDOW", level="study", severity="review", reference="PS3.3 C.11.2.1.2",
    reads=("WindowCenter", "WindowWidth", "SharedFunctionalGroupsSequence",
           "PerFrameFunctionalGroupsSequence"))  # fmt: skip
def window(study: StudyView) -> Iterator[Hit]:
    """A window cannot be applied.

    Finds: WindowWidth (0028,1051) of zero, or below one with the linear function, and another number of
        values in it than in WindowCenter (0028,1050); also in the functional groups of frames. Negative
        widths are a matter of VAL-NEGATIVE.
    Why: Viewers divide by the width, or by the width less one: the image is black, white or not shown.
    Mend: Have the sender write a width of one or more, or the function LINEAR_EXACT, which allows less. A
        viewer can work without any window.
    Example: `0` from software that never set it, or `0.5` for a map of values between zero and one.
    """
    for table in _tables(study.table):
        columns = [table.columns.get(tag) for tag in (_WIDTH, _CENTER, _FUNCTION)]
        width, center, function = columns
        if width is not None and not (_all(_PLAIN_WIDTH, width) and _all(_PLAIN_CENTER, center)):
            codes = [width.codes, *(_codes(column, table) for column in (center, function))]
            combinations = list(zip(*codes, strict=True))
            found: dict[tuple[str, str], set[tuple[int, ...]]] = {}
            for combination in dict.fromkeys(combinations):
                for wrong in _wrong(table, columns, combination):
                    found.setdefault(wrong, set()).add(combination)
            for (observed, expected), having in found.items():
                rows = [row for row, combination in enumerate(combinations) if combination in having]
                yield Hit(
                    tags=("WindowWidth",),
                    observed=observed,
                    expected=expected,
                    rows=_instances(table, rows),
                )


def _instances(table: Table, rows: Sequence[int]) -> Sequence[int]:
    """The instances that have these rows of the study's table, or of a table of items."""
    if isinstance(table, ItemTable):
        return table.parent.study_rows(table.column.tag, {table.owners[row] for row in rows})
    return rows


def _tables(table: Table) -> Iterator[Table]:
    """The table of the instances, and those of the windows in functional groups."""
    yield table
    for tag in (SHARED, PER_FRAME):
        column = table.columns.get(tag)
        if column is not None:
            groups = table.items(column)
            macro = groups.columns.get(_MACRO)
            if macro is not None:
                yield groups.items(macro)


def _all(pattern: re.Pattern[bytes], column: Column | None) -> bool:
    """Every cell of a column is as a pattern says, or there is none."""
    return column is None or all(map(pattern.fullmatch, column.cells[1:]))


def _codes(column: Column | None, table: Table) -> Sequence[int]:
    return bytes(table.rows) if column is None else column.codes


def _wrong(
    table: Table, columns: Sequence[Column | None], combination: tuple[int, ...]
) -> Iterator[tuple[str, str]]:
    """What is wrong with one combination of width, center and function, and what should be there."""
    width, center, function = (
        None if column is None else table.cell(column, code)
        for column, code in zip(columns, combination, strict=True)
    )
    if width is None or width.empty:
        return
    other = "" if function is None or function.text in ("", "LINEAR") else function.text
    least = 0.0 if other else 1.0
    for number in width.numbers:
        if number is not None and number >= 0 and (number < least or number == 0):
            observed = f"WindowWidth {cut(width.shown)}" + (f", with {cut(other)}" if other else "")
            yield observed, "more than zero" if other else "one or more"
            break
    if center is not None and not center.empty and len(center.values) != len(width.values):
        yield f"{len(center.values)} centers, {len(width.values)} widths", "as many of one as of the other"
