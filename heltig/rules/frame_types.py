"""Pixels: does the kind of an enhanced object say what the kinds of its frames are?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Cell
from heltig.dicom.frames import FrameTable
from heltig.rules.acquisition import value
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView
from heltig.rules.wording import cut

_MACROS: Final = {
    "1.2.840.10008.5.1.4.1.1.2.1": "CTImageFrameTypeSequence",
    "1.2.840.10008.5.1.4.1.1.4.1": "MRImageFrameTypeSequence",
    "1.2.840.10008.5.1.4.1.1.4.2": "MRSpectroscopyFrameTypeSequence",
    "1.2.840.10008.5.1.4.1.1.4.3": "MRImageFrameTypeSequence",
    "1.2.840.10008.5.1.4.1.1.130": "PETFrameTypeSequence",
}
"""The macro with FrameType of the SOP Classes that PS3.3 C.8.16 is about."""

_MIXED: Final = "MIXED"
_MAY_MIX: Final = (1, 4)
"""The values of ImageType that may be MIXED; the second and third never are."""

_ALIKE: Final = (1, 2, 4)
"""The values that are compared: makers fill the third with words of their own for each frame."""


@rule("PIX-FRAME-TYPE", level="series", severity="note", reference="PS3.3 C.8.16",
    reads=("ImageType", "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"),
    when=lambda series: series.first("SOPClassUID").text in _MACROS and series.has("ImageType"))  # fmt: skip
def frame_type(series: SeriesView) -> Iterator[Hit]:
    r"""ImageType says something else than its frames.

    Finds: Enhanced CT, MR and PET objects in which the first, second or fourth value of ImageType (0008,0008)
        is not that of FrameType (0008,9007) of every frame, is not MIXED where the first or fourth differs
        from frame to frame, or is MIXED where they are the same. Legacy converted objects, and frames without
        FrameType (IOD-FUNCTIONAL-GROUP), are left alone.
    Why: Programs choose objects by ImageType: what is ORIGINAL, a map or a phase image. They take derived
        frames for measured ones, or leave measured ones out.
    Mend: Have the sender write MIXED, or the value that the frames have. The frames are not touched.
    Example: `ORIGINAL\PRIMARY\M\NONE` over frames of which half are DERIVED.
    """
    known = zip(series.rows, series.cells("SOPClassUID"), series.cells("ImageType"), strict=True)
    rows = {row: (_MACROS.get(uid.text, ""), cell) for row, uid, cell in known if not cell.empty}
    for macro in sorted(set(_MACROS.values())):
        of_macro = {row: cell for row, (name, cell) in rows.items() if name == macro}
        if of_macro:
            yield from _compared(series, macro, of_macro)


def _compared(series: SeriesView, macro: str, image_types: dict[int, Cell]) -> Iterator[Hit]:
    table = FrameTable(series.table, list(image_types))
    frames: dict[int, list[Cell]] = {}
    for frame, cell in zip(table.frames, table.cells(macro, "FrameType"), strict=True):
        frames.setdefault(frame.row, []).append(cell)
    for row, cells in frames.items():
        for number in _ALIKE:
            told, kinds = value(image_types[row], number), {value(cell, number) for cell in set(cells)}
            if not told or "" in kinds or kinds == {told}:
                continue
            expected = kinds.pop() if len(kinds) == 1 else _MIXED if number in _MAY_MIX else ""
            if expected and told != expected:
                kind = "mixed" if expected == _MIXED else f"{expected} in every frame"
                yield Hit(
                    tags=("ImageType",),
                    observed=cut(f"value {number}: {told}, {kind}"),
                    expected=expected,
                    rows=(row,),
                )
