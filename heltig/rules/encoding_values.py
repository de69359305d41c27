"""Encoding: lengths of values, and what stands in the items of sequences."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from heltig.dicom.cell import UNDEFINED_LENGTH
from heltig.dicom.column import Column
from heltig.dicom.table import DEEPEST
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, StudyView
from heltig.rules.wording import counted
from heltig.standard.dictionary import lookup
from heltig.standard.value_representations import VRS

_BYTES: Final = ("metadata", "bytes")
_ITEM_FAULTS: Final = frozenset(
    {
        *("explicit-in-implicit", "implicit-in-explicit", "nesting", "tag-duplicate", "tag-order"),
        *("trailing", "truncated", "unreadable"),
    }
)
_ALL_BUT_SEQUENCES: Final = ("", *sorted(VRS.keys() - {"SQ"}))
"""A sequence is odd where something in it is."""

_LONG_TEXT: Final = frozenset({"LT", "UC", "UR", "UT"})
"""VRs of text that may be longer than a few lines; VAL-LENGTH looks at the others."""


@rule("ENC-ODD-LENGTH", level="value", severity="review", needs=_BYTES, vrs=_ALL_BUT_SEQUENCES,
    reference="PS3.5 7.1.1")  # fmt: skip
def odd_length(at: Place) -> Iterator[Hit]:
    """A value has an odd number of bytes.

    Finds: Elements of an odd length, in items of sequences too, pixel data among them.
    Why: Every length in DICOM is even. Readers that count on it refuse the file; some network software cuts
        or shifts what follows.
    Mend: Have the object written anew by a toolkit, which pads the value as its VR asks for.
    Example: Pixel data of 255 by 255 bytes without the byte that fills them up.
    """
    for fault in at.cell.faults:
        if fault.kind == "odd-length":
            yield Hit(observed=fault.detail, expected="an even number of bytes")


@rule("ENC-ITEM", level="value", severity="review", needs=_BYTES, vrs=("SQ",), reference="PS3.5 7.5")
def item(at: Place) -> Iterator[Hit]:
    """The items of a sequence are not written as they should be.

    Finds: Items that are longer than their sequence or cannot be read, elements in them out of order or
        twice, elements with VRs where none belong or without where one does, and more than 64 levels of
        items. What a file lost at its end is a matter of ENC-TRUNCATED.
    Why: Each reader makes something else of such a sequence: references, codes and functional groups are
        lost, or the rest of the data set with them.
    Mend: Have the object written anew by the system that made it. Where that is not possible, a toolkit can
        rewrite it: compare the sequence before and after.
    Example: A sequence copied as it was from an implicit VR file into an explicit one.
    """
    if at.syntax == "json" or not at.cell.items:
        return
    head = 8 if at.syntax == "explicit" else 4
    length = at.cell.length or 0
    is_open = length == UNDEFINED_LENGTH
    if len(at.raw) - head < length and not is_open:
        return  # the file ends inside the sequence
    counts: dict[str, int] = {}
    for fault in (*at.cell.faults, *(fault for item in at.cell.items for fault in item.faults)):
        if fault.kind in _ITEM_FAULTS and not (is_open and fault.kind == "truncated"):
            counts[fault.kind] = counts.get(fault.kind, 0) + 1
    if at.depth >= DEEPEST:
        counts["nesting"] = counts.get("nesting", 0) + 1
    if counts:
        yield Hit(observed=counted(sorted(counts.items())), expected="items as PS3.5 7.5 has them")


@rule("ENC-OVERSIZE-TEXT", level="study", severity="note")
def oversize_text(study: StudyView) -> Iterator[Hit]:
    """A text is so long that it may be something else.

    Finds: Text values of unlimited length (LT, UC, UR, UT, and private text) that are longer than the
        profile's `oversize_text_bytes`, 16 KiB by default. Items of sequences are left alone.
    Why: Protocols, logs and whole documents are put into attributes: archives store them in each instance,
        and de-identification does not look into them.
    Mend: Look what the text is. Have it left out of what goes to others, mostly a private attribute.
    Example: A scanner's whole protocol, as text in a private attribute of each slice.
    """
    limit = study.context.parameters.oversize_text_bytes
    table = study.table
    for tag in _long_texts(tuple(table.columns)):
        column = table.columns[tag]
        if max(map(len, column.cells)) > limit:
            found = _longer(study, column, limit)
            if found:
                lengths = max(found.values())
                yield Hit(
                    tags=(tag,),
                    observed=f"up to {lengths:,} characters".replace(",", " "),
                    expected=f"at most {limit} bytes",
                    rows=table.rows_with(tag, set(found), study.rows),
                )


@lru_cache(maxsize=256)
def _long_texts(tags: tuple[str, ...]) -> list[str]:
    """Of some attributes those that may have text of unlimited length; studies share most of theirs."""
    return [tag for tag in tags if len(tag) > 8 or ((entry := lookup(tag)) and entry.vr in _LONG_TEXT)]


def _longer(study: StudyView, column: Column, limit: int) -> dict[int, int]:
    """The length of each text that is longer than the limit, by the number of its cell."""
    found = {}
    for code, raw in enumerate(column.cells):
        if len(raw) > limit:
            texts = [v for v in study.table.cell(column, code).values if isinstance(v, str)]
            longest = max(map(len, texts), default=0)
            if longest > limit:
                found[code] = longest
    return found
