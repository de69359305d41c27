"""The objections to the objects of one study, found once a shape and shared by the rules that report them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from heltig.dicom.cell import Cell, Value
from heltig.dicom.shapes import Shape, ShapeReader
from heltig.rules.conformance_check import check
from heltig.rules.conformance_owners import READ_BY_OWNERS, owned_by_others
from heltig.rules.conformance_scope import DataSetScope
from heltig.rules.conformance_words import Objection
from heltig.rules.views import StudyView
from heltig.standard.conditions import Interest, interests
from heltig.standard.dictionary import tag_of
from heltig.standard.iods import iod_of

SOP_CLASS_UID: Final = tag_of("SOPClassUID")

_SHAPES: Final = 4096
"""Shapes whose objections are remembered: studies of one archive share most of theirs."""

Rows: TypeAlias = Sequence[int]


class Conformance(NamedTuple):
    """What the check found in a study.

    Attributes:
        known: Some object has an IOD that the tables have.
        objections: By rule, each with the instances concerned.
    """

    known: bool
    objections: dict[str, list[tuple[Objection, Rows]]]


def conformance(study: StudyView) -> Conformance:
    """Check the objects of a study; `StudyView.once` keeps the result."""
    known = False
    objections: dict[str, list[tuple[Objection, Rows]]] = {}
    for shape, rows in reader().shapes(study.table).items():
        found = _objections(shape)
        known = known or found is not None
        for objection in found or ():
            objections.setdefault(objection.rule, []).append((objection, rows))
    return Conformance(known, objections)


@lru_cache(maxsize=_SHAPES)
def _objections(shape: Shape) -> tuple[Objection, ...] | None:
    """What is wrong with objects of a shape; None where their SOP Class has no IOD in the tables."""
    uids = dict(shape.values).get(SOP_CLASS_UID)
    iod = iod_of(uids[0]) if uids else None
    if iod is None:
        return None
    return check(iod, shape, owned=owned_by_others(iod.uid, DataSetScope(shape, iod).own))


@lru_cache(maxsize=1)
def reader() -> ShapeReader:
    """The reader of shapes for conformance: one for all studies, so that it remembers their cells."""
    told = {tag: _Told(interest) for tag, interest in interests().items()}
    return ShapeReader(told | dict.fromkeys((SOP_CLASS_UID, *READ_BY_OWNERS), _first))


def _first(cell: Cell) -> tuple[str, ...]:
    return (cell.text,)


class _Told:
    """Tells the values of a cell as far as they make a difference."""

    def __init__(self, interest: Interest) -> None:
        self._interest = interest

    def __call__(self, cell: Cell) -> tuple[str, ...]:
        return self._interest.of([_text(value) for value in cell.values])


def _text(value: Value) -> str:
    if value is None or isinstance(value, bytes):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
