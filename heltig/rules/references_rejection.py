"""References: rejection notes, which say that instances should no longer be used."""

from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

from heltig.dicom.study import StudyTable
from heltig.rules.acquisition import class_name
from heltig.rules.references_read import EVIDENCE, Reference, by_row, named, references
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"

REASONS: Final = {
    "113001": "rejected for quality reasons",
    "113037": "rejected for patient safety reasons",
    "113038": "incorrect modality worklist entry",
    "113039": "data retention policy expired",
}
"""Titles of rejection notes (PS3.16 CID 7010 and IHE RAD IOCM), code values of scheme DCM."""

_notes: WeakKeyDictionary[StudyTable, dict[int, str]] = WeakKeyDictionary()
"""What is known of studies that are being judged: several rules ask for it."""


def is_rejection_note(study: StudyView) -> dict[int, str]:
    """The rows that are rejection notes, with the code of each one's reason; read once a study."""
    found = _notes.get(study.table)
    if found is None:
        found = _notes[study.table] = _rejection_notes(study)
    return found


def _rejection_notes(study: StudyView) -> dict[int, str]:
    titles = study.table.columns.get(tag_of("ConceptNameCodeSequence"))
    if titles is None:
        return {}
    items = study.table.items(titles)
    reasons = {}
    for item, owner in enumerate(items.owners):
        code = items.at(tag_of("CodeValue"), item).text
        if code in REASONS and items.at(tag_of("CodingSchemeDesignator"), item).text == "DCM":
            reasons[owner] = code
    if not reasons:
        return {}
    classes = study.texts("SOPClassUID")
    return {
        row: reasons[code]
        for row, code in enumerate(titles.codes)
        if code in reasons and classes[row] == KEY_OBJECTS
    }


def rejected(study: StudyView) -> Iterator[tuple[int, str, list[Reference]]]:
    """The rejection notes of a study: row, code of the reason, and what each rejects by its evidence."""
    notes = is_rejection_note(study)
    found = by_row(one for one in references(study) if one.path[0] in EVIDENCE)
    for row, reason in sorted(notes.items()):
        yield row, reason, found.get(row, [])


def _has_notes(study: StudyView) -> bool:
    return study.has("ConceptNameCodeSequence") and bool(is_rejection_note(study))


@rule("IOCM-NOTE", level="study", severity="review", when=_has_notes, reference="PS3.16 CID 7010")
def note(study: StudyView) -> Iterator[Hit]:
    """A rejection note stands beside the instances that it rejects.

    Finds: A key object whose title is a reason for rejection, and instances it names that are in the study.
    Why: The instances are no longer to be used, and whoever receives this study shows them like all others,
        unless it understands rejection notes (IHE Imaging Object Change Management).
    Mend: Have the source apply the note, so that rejected instances are hidden or deleted before the study is
        sent; or send the study to an archive that applies it.
    Example: A repeated chest image of which the blurred first one was rejected and sent all the same.
    """
    present = set(study.texts("SOPInstanceUID"))
    for row, reason, found in rejected(study):
        there = {one.instance for one in found} & present
        if there:
            number = f"{len(there)} instance{'s' * (len(there) != 1)}"
            yield Hit(
                tags=("ConceptNameCodeSequence",),
                observed=f"{number} {REASONS[reason]} ({reason}, DCM)",
                expected="rejected instances hidden or deleted",
                rows=[row, *(r for r, uid in enumerate(study.texts("SOPInstanceUID")) if uid in there)],
            )


@rule(
    "IOCM-NOTE-DANGLING",
    level="study",
    severity="review",
    needs=("metadata", "complete_study"),
    when=_has_notes,
)
def note_dangling(study: StudyView) -> Iterator[Hit]:
    """A rejection note names instances that are not there, or are of another kind.

    Finds: Rejection notes of whose instances some are in the study and others are not, and notes that name
        another SOP Class than the instance has. A note of which no instance is there was applied: that is as
        it should be.
    Why: An archive that applies the note refuses it as a whole, and the instances stay in use (dcm4chee-arc
        answers A772H for an unknown instance, A773H for another class).
    Mend: Compare the note with what was sent: send the instances that are missing, or have a note made that
        names what is there.
    Example: A note on three images, of which one had been deleted before.
    """
    classes = dict(zip(study.texts("SOPInstanceUID"), study.texts("SOPClassUID"), strict=True))
    for row, _, found in rejected(study):
        named_ones = {one.instance: one for one in found}
        unknown = sorted(named_ones.keys() - classes.keys())
        if unknown and len(unknown) < len(named_ones):
            number = f"{len(unknown)} of {len(named_ones)} instances not there"
            yield Hit(
                tags=(named(named_ones[unknown[0]].path),),
                observed=f"{number}, {cut(unknown[0], 40)} the first",
                expected="instances of the study",
                rows=[row],
            )
        for uid, one in sorted(named_ones.items()):
            there = classes.get(uid)
            if there and one.sop_class and there != one.sop_class:
                yield Hit(
                    tags=("/".join([*one.path, tag_of("ReferencedSOPClassUID")]),),
                    observed=cut(f"{class_name(one.sop_class)}, where {class_name(there)} is there"),
                    expected="the SOP Class of the instance",
                    rows=[row],
                )
