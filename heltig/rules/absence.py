"""Attributes that every instance of a study should have, and the instances that lack them."""

from collections.abc import Callable, Iterator

from heltig.rules.rule import Hit
from heltig.rules.views import RowsView, StudyView
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup


def has_patient(study: StudyView) -> bool:
    """Some object of the study belongs to a patient.

    Hanging protocols, colour palettes, implant templates and the like have no patient (PS3.3 A.1.2).
    """
    return study.once(_has_patient)


def _has_patient(study: StudyView) -> bool:
    if study.uniform("SOPClassUID"):
        return _of_a_patient(study.first("SOPClassUID").text)
    return any(_of_a_patient(group.key) for group in study.groups("SOPClassUID"))


def _of_a_patient(sop_class_uid: str) -> bool:
    """Objects of this SOP Class belong to a patient; those of an unknown one are taken to."""
    sop_class = lookup(sop_class_uid)
    return sop_class is None or sop_class.study


def lacking(
    study: StudyView, keyword: str, *, needed_by: Callable[[str], bool] = _of_a_patient
) -> Iterator[Hit]:
    """A hit for the instances without an attribute, and one for those in which it is empty.

    This is a rule about each instance, run on whole columns: an attribute that all have costs nothing.

    Args:
        study: The study.
        keyword: The attribute.
        needed_by: Whether objects of a SOP Class need it, given its UID; those that belong to a patient by
            default.
    """
    rows = _rows_without(study, keyword)
    if not rows:
        return
    states: dict[str, list[int]] = {}
    for (sop_class, cell), found in RowsView(study.table, rows, study.context).alike("SOPClassUID", keyword):
        if needed_by(sop_class.text):
            states.setdefault("empty" if cell.vr else "absent", []).extend(found)
    for state, found in sorted(states.items()):
        yield Hit(
            tags=(keyword,),
            observed=state,
            expected=f"a value in {keyword}",
            rows=sorted(found),
            seen=(),
        )


def _rows_without(study: StudyView, keyword: str) -> list[int]:
    if study.uniform(keyword):
        return [] if study.first(keyword).vr else list(study.rows)
    if len(study.table.columns[tag_of(keyword)].cells) > len(study) // 2:  # mostly values of their own
        return [row for row, text in zip(study.rows, study.texts(keyword), strict=True) if not text]
    return next((group.rows for group in study.groups(keyword) if not group.key), [])
