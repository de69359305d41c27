"""Proposed changes: what could be written to mend a finding, where exactly one correction is possible.

Heltig never changes data. A rule proposes a change where the evidence itself says what was meant, and the
engine keeps it for those instances only whose attribute still reads as the rule saw it. Attributes of a data
set itself are proposed, those in items of sequences and those of file meta information are not.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.dicom.cell import Cell, Encoding, Value
from heltig.dicom.study import StudyTable
from heltig.dicom.table import decoded
from heltig.rules.views import Place
from heltig.standard.dictionary import is_private, tag_of

Operation: TypeAlias = Literal["add", "replace", "remove"]

MOST_CHANGES: Final = 5000
"""Changes of one finding. What is wrong in another way in more instances is mended where it comes from."""

_CHARACTER_SET: Final = tag_of("SpecificCharacterSet")
_NO_SUCH_TEXT: Final = frozenset(("charset-undecodable", "charset-escape"))
_PADDING: Final = " \0"
_NO_TEXT: Final = re.compile(r"[\\\ud800-\udfff]")
"""A delimiter of values inside a value, and half of a surrogate pair."""


class Change(msgspec.Struct, frozen=True):
    """One change to one attribute, as a rule proposes it.

    Attributes:
        tag: The attribute: eight hex digits.
        vr: Its VR.
        was: The values it must have for the change to be made, all of them, in order; `()` where it is absent
            or empty; None for a removal whatever they are.
        becomes: The values it then has; None where it is removed.
        why: Why this is the one correction.
        rows: The instances; None means those of the hit.
        unanimous: It holds only for instances about which every hit of the rule proposes the same.
    """

    tag: str
    vr: str
    was: tuple[str, ...] | None
    becomes: tuple[str, ...] | None
    why: str
    rows: Iterable[int] | None = None
    unanimous: bool = False

    @property
    def operation(self) -> Operation:
        """`add`, `replace` or `remove`."""
        if self.becomes is None:
            return "remove"
        return "replace" if self.was else "add"


class ProposedChange(msgspec.Struct, frozen=True):
    """A change as a finding carries it: to be made where the attribute still has the values of `was`.

    Attributes:
        operation: `add` a value where the attribute is absent or empty, `replace` all values, or `remove` it.
        tag: Eight hex digits.
        vr: The VR of the attribute.
        was: All values it has now; empty where it is absent or empty; null where a removal does not ask.
        becomes: All values it is to have; empty for a removal.
        why: Why this is the one correction.
        series: Series (keys) all of whose instances are concerned.
        instances: SOPInstanceUIDs of the other instances concerned.
    """

    operation: Operation
    tag: str
    vr: str
    was: tuple[str, ...] | None
    becomes: tuple[str, ...]
    why: str
    series: tuple[str, ...]
    instances: tuple[str, ...]


def removal(tag: str, vr: str, why: str, rows: Iterable[int] | None = None) -> Change:
    """The removal of an attribute that means nothing."""
    return Change(tag=tag, vr=vr, was=None, becomes=None, why=why, rows=rows)


def mended(tag: str, cell: Cell, mend: Callable[[str], str | None], why: str) -> tuple[Change, ...]:
    """The change that puts every value of an attribute right, if there is one.

    Args:
        tag: The attribute, eight hex digits.
        cell: What it holds now.
        mend: Gives the right form of a value, the value itself where it is right, None where nobody can know.
        why: Why this is the one correction.

    Returns:
        One change, or none: where a value cannot be put right the others are left alone, too.
    """
    was = texts_of(cell.values)
    if was is None:
        return ()
    becomes = [mend(value) if value else value for value in was]
    right = tuple(value for value in becomes if value is not None)
    if len(right) < len(was) or right == was or not any(right):
        return ()
    return (Change(tag=tag, vr=cell.vr, was=was, becomes=right, why=why),)


def mended_at(
    at: Place, mend: Callable[[str], str | None], why: str, *, was: tuple[str, ...] | None = None
) -> tuple[Change, ...]:
    """The same for what a value rule sees.

    Nothing is proposed for items of sequences, file meta information and private attributes.

    Args:
        at: The value and where it stands.
        mend: As for `mended`.
        why: As for `mended`.
        was: The values with their padding, where that is what is wrong.
    """
    if at.depth or at.entry is None or at.tag[:4] == "0002" or is_private(at.tag):
        return ()
    cell = at.cell if was is None else Cell(at.cell.vr, was)
    return mended(at.tag, cell, mend, why)


def texts_of(values: Sequence[Value]) -> tuple[str, ...] | None:
    """The values of an attribute as text; None where one of them is something else, or no text of Unicode."""
    texts = tuple("" if value is None else value for value in values)
    if all(isinstance(text, str) and not _NO_TEXT.search(text) for text in texts):
        return tuple(map(str, texts))
    return None


def proposed(changes: Mapping[Change, Set[int]], table: StudyTable) -> tuple[ProposedChange, ...]:
    """What a finding carries of the changes that a rule proposes, in a fixed order.

    A character set is proposed for those instances only of which all text reads in it. Instances that share
    their SOPInstanceUID with others are left out, unless all of their series are
    concerned: nobody could tell which of them is meant.

    Args:
        changes: The changes, with the rows that the rule proposes each for.
        table: The study.
    """
    found = []
    for change, rows in changes.items():
        holding = {row for row in rows if _holds(change, table.at(change.tag, row))}
        if change.tag == _CHARACTER_SET and change.becomes:
            holding -= _unreadable_rows(table, holding, change.becomes)
        series, instances = _places(holding, table)
        if series or instances:
            found.append(
                ProposedChange(
                    operation=change.operation,
                    tag=change.tag,
                    vr=change.vr,
                    was=change.was,
                    becomes=change.becomes or (),
                    why=change.why,
                    series=series,
                    instances=instances,
                )
            )
    if len(found) > MOST_CHANGES:
        return ()
    return tuple(
        sorted(found, key=lambda one: (one.tag, one.was or (), one.becomes, one.series, one.instances))
    )


def _unreadable_rows(table: StudyTable, rows: Set[int], terms: tuple[str, ...]) -> set[int]:
    """Of some rows those with text that is none in a character set."""
    found = set[int]()
    for column in table.columns.values():
        wrong = set()
        for code, raw in enumerate(column.cells[1:], 1):
            if not raw.isascii():
                encoding = msgspec.structs.replace(table.encodings[column.encodings[code]], charset=terms)
                if not _reads(column.tag, raw, encoding):
                    wrong.add(code)
        found.update(table.rows_with(column.tag, wrong, rows) if wrong else ())
    return found


def _reads(tag: str, raw: bytes, encoding: Encoding) -> bool:
    """Whether all text of an element, in its items too, is text in the character set."""
    cell = decoded(tag, raw, encoding)
    return not any(fault.kind in _NO_SUCH_TEXT for fault in cell.faults) and all(
        _reads(below, bytes(text), item.encoding)
        for item in cell.items
        for below, text in zip(item.tags, item.raws, strict=True)
    )


def _holds(change: Change, cell: Cell) -> bool:
    """The attribute is as the change takes it to be."""
    if change.was is None:
        return bool(cell.vr)
    if not change.was:
        return cell.empty
    there = texts_of(cell.values)
    return there is not None and _unpadded(there) == _unpadded(change.was)


def _unpadded(values: Sequence[str]) -> list[str]:
    return [value.rstrip(_PADDING) for value in values]


def _places(rows: Set[int], table: StudyTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whole series, and the other instances one by one."""
    series, others = [], []
    for one in table.series:
        concerned = [row for row in one.rows if row in rows]
        if one.uid and len(concerned) == len(one.rows):
            series.append(one.key)
        else:
            others.extend(concerned)
    if not others:
        return tuple(series), ()
    texts = [table.instance_key(row) for row in range(table.rows)]
    shared = {text for text, count in Counter(texts).items() if count > 1}
    return tuple(series), tuple(sorted({texts[row] for row in others} - shared))
