"""What the objects of a study refer to.

A reference is an item with a Referenced SOP Instance UID (0008,1155). The items around it may say in which
study and series the instance is; only such a reference claims that the instance is in the same study. Where
none says so, the instance may be anywhere: in an earlier study, or a localizer that was never sent.
"""

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from heltig.dicom.plain import plain_texts
from heltig.dicom.table import ItemTable, Table
from heltig.rules.views import StudyView
from heltig.standard.dictionary import lookup, tag_of

REFERENCED_SOP_INSTANCE_UID = "00081155"
REFERENCED_SOP_CLASS_UID = "00081150"
SERIES_INSTANCE_UID = "0020000E"
STUDY_INSTANCE_UID = "0020000D"
RT_REFERENCED_STUDY = "30060012"
REFERENCED_SERIES = "00081115"

_NOT_TO_INSTANCES = frozenset(
    map(
        tag_of,
        (
            "ReferencedStudySequence",
            "ReferencedPerformedProcedureStepSequence",
            "ReferencedPatientSequence",
            "ReferencedVisitSequence",
            "PredecessorDocumentsSequence",  # which this one replaces: they may be gone
        ),
    )
)
"""Sequences that refer to what no archive stores as an instance, or to what need not be there any more."""

_IN_JSON, _IN_PART10 = b"00081155", b"\x08\x00\x55\x11"
"""The tag of a Referenced SOP Instance UID in a raw sequence, in files little endian."""


class Reference(NamedTuple):
    """One item that refers to an instance.

    Attributes:
        path: Tags of the sequences from the data set down to the item.
        study: The StudyInstanceUID that the items around it give; empty where none does.
        series: The SeriesInstanceUID likewise.
        sop_class: Referenced SOP Class UID; empty where there is none.
        instance: Referenced SOP Instance UID.
        items: The table that has the item.
        item: Its row there.
    """

    path: tuple[str, ...]
    study: str
    series: str
    sop_class: str
    instance: str
    items: ItemTable
    item: int


_Scope = tuple[str, str]
"""A study and a series; either may be empty."""


def references(study: StudyView) -> tuple[Reference, ...]:
    """Every reference of a study's objects, in the order of their paths; read once a study."""
    return study.once(_references)


def has_references(study: StudyView) -> bool:
    """Some object of the study refers to an instance; told from the raw cells, once a study."""
    return bool(study.once(_referring))


def _references(study: StudyView) -> tuple[Reference, ...]:
    return tuple(_below(study.table, study.once(_referring), (), [{("", "")}]))


def _referring(study: StudyView) -> list[str]:
    return _may_refer(study.table)


def rows_of(found: Iterable[Reference]) -> list[int]:
    """The rows of the study whose objects have these references."""
    by_table: dict[int, tuple[ItemTable, set[int]]] = {}
    for reference in found:
        by_table.setdefault(id(reference.items), (reference.items, set()))[1].add(reference.item)
    rows: set[int] = set()
    for items, numbers in by_table.values():
        rows.update(items.parent.study_rows(items.column.tag, {items.owners[item] for item in numbers}))
    return sorted(rows)


def references_by_row(study: StudyView) -> dict[int, list[Reference]]:
    """Every reference by the rows of the study that have it; made once a study, and not to be changed."""
    return study.once(_by_row)


def _by_row(study: StudyView) -> dict[int, list[Reference]]:
    return by_row(references(study))


def by_row(found: Iterable[Reference]) -> dict[int, list[Reference]]:
    """References by the rows of the study that have them."""
    rows: dict[int, list[Reference]] = {}
    known: dict[int, dict[int, list[int]]] = {}
    for reference in found:
        items = reference.items
        for row in _rows_of_cells(items, known).get(items.owners[reference.item], ()):
            rows.setdefault(row, []).append(reference)
    return rows


def _rows_of_cells(items: ItemTable, known: dict[int, dict[int, list[int]]]) -> dict[int, list[int]]:
    """The rows of the study that have each cell of a sequence, by the code of the cell.

    Args:
        items: The items of the sequence.
        known: The answers so far, by the identity of the items' table; it is filled.
    """
    rows = known.get(id(items))
    if rows is None:
        parent, found = items.parent, dict[int, set[int]]()
        if isinstance(parent, ItemTable):
            above = _rows_of_cells(parent, known)
            for owner, code in zip(parent.owners, items.column.codes, strict=True):
                found.setdefault(code, set()).update(above.get(owner, ()))
        else:
            for row, code in enumerate(items.column.codes):
                found.setdefault(code, set()).add(row)
        rows = known[id(items)] = {code: sorted(those) for code, those in found.items()}
    return rows


def _below(
    table: Table, tags: Iterable[str], path: tuple[str, ...], scopes: list[set[_Scope]]
) -> Iterator[Reference]:
    """References in the sequences of a table.

    Args:
        table: The study or the items of a sequence.
        tags: Its sequences that may refer, in order.
        path: Tags of the sequences down to it.
        scopes: Of each row the scopes it stands in (equal cells of several owners are one row); one for all
            where there is a single entry.
    """
    for tag in tags:
        column = table.columns[tag]
        items = table.items(column)
        owned: dict[int, set[_Scope]] = {}
        if len(scopes) == 1:
            owned = dict.fromkeys(range(len(column.cells)), scopes[0])
        else:
            for code, scope in zip(column.codes, scopes, strict=True):
                owned.setdefault(code, set()).update(scope)
        here = [*path, tag]
        inner = _scopes(items, tag, [owned.get(owner, set()) for owner in items.owners])
        if tag != RT_REFERENCED_STUDY:
            yield from _in_items(items, tuple(here), inner)
        yield from _below(items, _may_refer(items), tuple(here), inner)


def _may_refer(table: Table) -> list[str]:
    """The sequences whose items may refer to instances, in order."""
    sequences = _sequences(tuple(table.columns))
    written = {_IN_JSON if encoding.syntax == "json" else _IN_PART10 for encoding in table.encodings}
    return [
        tag for tag in sequences if any(form in cell for cell in table.columns[tag].cells for form in written)
    ]


@lru_cache(maxsize=1024)
def _sequences(tags: tuple[str, ...]) -> list[str]:
    """Of some attributes the sequences that refer to instances, in order; studies share most of theirs."""
    return sorted(tag for tag in tags if is_sequence(tag) and tag not in _NOT_TO_INSTANCES)


@cache
def is_sequence(tag: str) -> bool:
    """The attribute is a sequence by the dictionary."""
    entry = lookup(tag)
    return entry is not None and entry.vr == "SQ"


def _scopes(items: ItemTable, tag: str, around: list[set[_Scope]]) -> list[set[_Scope]]:
    """The scope of each item: what it says itself, else what the items around it say."""
    studies = _texts(items, REFERENCED_SOP_INSTANCE_UID if tag == RT_REFERENCED_STUDY else STUDY_INSTANCE_UID)
    series = _texts(items, SERIES_INSTANCE_UID)
    if not studies and not series:
        return around
    studies, series = studies or [""] * items.rows, series or [""] * items.rows
    return [
        {(own_study or study, own_series or one) for study, one in outer}
        for own_study, own_series, outer in zip(studies, series, around, strict=True)
    ]


def _in_items(items: ItemTable, path: tuple[str, ...], scopes: list[set[_Scope]]) -> Iterator[Reference]:
    instances = _texts(items, REFERENCED_SOP_INSTANCE_UID)
    if not instances:
        return
    classes = _texts(items, REFERENCED_SOP_CLASS_UID) or [""] * items.rows
    for item, (instance, sop_class, around) in enumerate(zip(instances, classes, scopes, strict=True)):
        if instance:
            for study, series in sorted(around):
                yield Reference(path, study, series, sop_class, instance, items, item)


def _texts(items: ItemTable, tag: str) -> list[str]:
    """The first value of every item as text; empty list where no item has the attribute."""
    column = items.columns.get(tag)
    if column is None:
        return []
    plain = plain_texts(column.cells)
    texts = [items.cell(column, code).text if text is None else text for code, text in enumerate(plain)]
    return [texts[code] for code in column.codes]


def named(path: Iterable[str]) -> str:
    """A path as findings name attributes: tags joined by slashes, down to the Referenced SOP Instance UID."""
    return "/".join([*path, REFERENCED_SOP_INSTANCE_UID])


EVIDENCE = (tag_of("CurrentRequestedProcedureEvidenceSequence"), tag_of("PertinentOtherEvidenceSequence"))
"""Where reports and key objects list everything they refer to (PS3.3 C.17.2)."""
