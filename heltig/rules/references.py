"""References: is what the objects of a study refer to there, and is it what they say?"""

from collections.abc import Callable, Iterable, Iterator

from heltig.rules.acquisition import ACQUIRED, class_name
from heltig.rules.references_read import (
    EVIDENCE,
    REFERENCED_SERIES,
    Reference,
    by_row,
    has_references,
    named,
    references,
    references_by_row,
    rows_of,
)
from heltig.rules.references_rejection import is_rejection_note
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

_ABOUT_OTHERS = frozenset({"PR", "KO", "SR"})
"""Modalities of objects that list what they refer to, and have nothing of their own to show."""

_WITH_RULES_OF_THEIR_OWN = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE"})
"""Modalities of objects whose references REF-SEG-FRAMES and REF-RT-CHAIN look at."""

_IMAGES = frozenset(map(tag_of, ("ReferencedImageSequence", "SourceImageSequence")))

_FROM_CONTENT = frozenset(
    map(tag_of, ("ContentSequence", "GraphicAnnotationSequence", "DisplayedAreaSelectionSequence"))
)
"""Where reports, key objects and presentation states use what they list."""


def claims_this_study(reference: Reference, study: StudyView) -> bool:
    """The reference says that the instance is in the same study as the object that refers to it.

    A Referenced Series Sequence of the data set itself lists series of the same study (PS3.3 C.11.11 and
    C.12.2); elsewhere the items around it have to name the study.
    """
    if reference.study:
        return reference.study == study.uid
    return len(reference.path) == 2 and reference.path[0] == REFERENCED_SERIES


def missing(found: Iterable[Reference], study: StudyView) -> list[Reference]:
    """Of some references those to instances that are not in the study."""
    present = set(study.texts("SOPInstanceUID"))
    return [reference for reference in found if reference.instance not in present]


def absent(lost: Iterable[Reference], found: Iterable[Reference]) -> str:
    """How many instances are not there, for a finding: `2 of 5 instances, 1.2.3 the first`."""
    uids = sorted({reference.instance for reference in lost})
    total = len({reference.instance for reference in found})
    return f"{len(uids)} of {total} instance{'s' * (total != 1)}, {cut(uids[0], 40)} the first"


def _of_those_referred_to(study: StudyView, keyword: str) -> dict[str, set[str]]:
    """The values of an attribute by SOPInstanceUID, of instances that the study refers to."""
    uids = study.texts("SOPInstanceUID")
    wanted = {found.instance for found in references(study)}.intersection(uids)
    values: dict[str, set[str]] = {}
    if wanted:
        for uid, value in zip(uids, study.texts(keyword), strict=True):
            if uid in wanted and value:
                values.setdefault(uid, set()).add(value)
    return values


def _must_refer_rightly(sop_class_uid: str) -> bool:
    """Objects of this SOP Class are nothing without what they refer to, unlike what equipment acquires."""
    sop_class = lookup(sop_class_uid)
    return sop_class is not None and not (
        sop_class.image
        or ACQUIRED.intersection(sop_class.modality)
        or _WITH_RULES_OF_THEIR_OWN.intersection(sop_class.modality)
    )


def _is_about_others(sop_class_uid: str) -> bool:
    sop_class = lookup(sop_class_uid)
    return sop_class is not None and not _ABOUT_OTHERS.isdisjoint(sop_class.modality)


def _only_about_others(study: StudyView) -> bool:
    return all(_is_about_others(group.key) for group in study.groups("SOPClassUID"))


def _stands_alone(sop_class_uid: str) -> bool:
    """Images, waveforms and objects of SOP Classes that nobody knows; not those with rules of their own."""
    sop_class = lookup(sop_class_uid)
    return sop_class is None or not (
        _must_refer_rightly(sop_class_uid) or _WITH_RULES_OF_THEIR_OWN.intersection(sop_class.modality)
    )


def _rows(study: StudyView, of: Callable[[str], bool]) -> set[int]:
    """The rows of some SOP Classes."""
    return {row for group in study.groups("SOPClassUID") if of(group.key) for row in group.rows}


def _not_there(
    study: StudyView, lost: list[Reference], of: list[Reference], rows: set[int], expected: str
) -> Iterator[Hit]:
    """A hit for each sequence in which some rows refer to instances that are not there."""
    if len(rows) < len(study):
        lost = [one for row, several in by_row(lost).items() if row in rows for one in several]
    for path in sorted({one.path for one in lost}):
        found = [one for one in lost if one.path == path]
        yield Hit(
            tags=(named(path),),
            observed=absent(found, (one for one in of if one.path == path)),
            expected=expected,
            rows=rows.intersection(rows_of(found)),
        )


@rule(
    "REF-DANGLING",
    level="study",
    severity="review",
    needs=("metadata", "complete_study"),
    when=lambda study: study.has_uid and has_references(study),
    reference="PS3.3 C.12.2",
)
def dangling(study: StudyView) -> Iterator[Hit]:
    """An object refers to an instance of its own study that is not there.

    Finds: Key objects, reports, presentation states and other objects that are no images, which refer to an
        instance as one of this study that the study does not have. Not counted are references to other
        studies, and those of segmentations, radiotherapy objects and rejection notes, which have rules of
        their own.
    Why: The instances were lost, or never sent: whoever opens the key object or report finds nothing.
    Mend: Look for the instances in the source and send them; where they were deleted on purpose, have the
        object that refers to them made anew.
    Example: A key object on four images, of which two stayed on the workstation.
    """
    claimed = [found for found in references(study) if claims_this_study(found, study)]
    lost = missing(claimed, study)
    if not lost or (len(lost) == len(claimed) and _only_about_others(study)):
        return  # nothing but objects about images that are not there: STU-EMPTY-IMAGES says so
    rows = _rows(study, _must_refer_rightly) - is_rejection_note(study).keys()
    yield from _not_there(study, lost, claimed, rows, "instances of this study")


@rule(
    "REF-IMAGE-ABSENT",
    level="study",
    severity="note",
    needs=("metadata", "complete_study"),
    when=lambda study: study.has_uid and has_references(study),
)
def image_absent(study: StudyView) -> Iterator[Hit]:
    """An image refers to an image that the study does not have.

    Finds: Images that refer to images which are not in the study: in ReferencedImageSequence (0008,1140) or
        SourceImageSequence (0008,2112), which do not say in which study they are, or in an evidence sequence
        that names this study.
    Why: Mostly nothing is wrong: scanners refer to localizers that nobody sends, and to images of earlier
        studies. Where localizers are expected, it shows that they are missing.
    Mend: Nothing, unless the images should be there: then send them.
    Example: MR slices that refer to three localizers which the technician did not send.
    """
    found = [
        one
        for one in references(study)
        if claims_this_study(one, study) or (not one.study and one.path[-1] in _IMAGES)
    ]
    lost = missing(found, study)
    if lost:
        rows = _rows(study, _stands_alone)
        yield from _not_there(study, lost, found, rows, "images of this study, or of another one")


@rule(
    "REF-CLASS",
    level="study",
    severity="review",
    when=has_references,
    reference="PS3.3 C.12.2",
)
def class_differs(study: StudyView) -> Iterator[Hit]:
    """A reference names another SOP Class than the instance has.

    Finds: Referenced SOP Class UIDs (0008,1150) that differ from the SOPClassUID (0008,0016) of the instance
        of that UID in the study.
    Why: A viewer or archive that goes by the reference asks for the wrong kind of object and gets none; it
        also happens when an object was converted and kept its UID.
    Mend: Find out which of the two is right. An object that was converted needs a UID of its own; else have
        the reference corrected.
    Example: A segmentation that names CT images as enhanced ones.
    """
    real = _of_those_referred_to(study, "SOPClassUID")
    wrong: dict[tuple[tuple[str, ...], str, str], list[Reference]] = {}
    for found in references(study):
        classes = real.get(found.instance)
        if classes and found.sop_class and found.sop_class not in classes:
            key = (found.path, found.sop_class, min(classes))
            wrong.setdefault(key, []).append(found)
    notes = is_rejection_note(study) if wrong else frozenset()
    for (path, said, there), several in sorted(wrong.items()):
        rows = [row for row in rows_of(several) if row not in notes]
        if rows:
            yield Hit(
                tags=("/".join([*path, tag_of("ReferencedSOPClassUID")]),),
                observed=cut(f"{class_name(said)}, where {class_name(there)} is there"),
                expected="the SOP Class of the instance",
                rows=rows,
            )


@rule(
    "REF-STUDY",
    level="study",
    severity="note",
    when=lambda study: study.has_uid and has_references(study),
    reference="PS3.3 C.12.2",
)
def other_study(study: StudyView) -> Iterator[Hit]:
    """A reference names another study or series than the one its instance is in.

    Finds: References to an instance that is in this study, under another StudyInstanceUID or
        SeriesInstanceUID than it has.
    Why: The object was moved to another study or series, and what refers to it was not told: a viewer that
        follows the reference looks in the old place.
    Mend: Have the references corrected together with the object when a study is merged or split.
    Example: A key object that still names the study that its images were in before a merge.
    """
    place = _of_those_referred_to(study, "SeriesInstanceUID")
    wrong: dict[tuple[tuple[str, ...], str], list[Reference]] = {}
    for found in references(study):
        there = place.get(found.instance)
        if there is None:
            continue
        if found.study and found.study != study.uid:
            wrong.setdefault((found.path, f"study {cut(found.study, 64)}"), []).append(found)
        elif found.series and found.series not in there:
            wrong.setdefault((found.path, f"series {cut(found.series, 64)}"), []).append(found)
    for (path, said), several in sorted(wrong.items()):
        yield Hit(
            tags=(named(path),),
            observed=said,
            expected="the study and series that the instance is in",
            rows=rows_of(several),
        )


@rule(
    "REF-EVIDENCE",
    level="study",
    severity="review",
    when=lambda study: (
        any(_is_about_others(group.key) for group in study.groups("SOPClassUID")) and has_references(study)
    ),
    reference="PS3.3 C.17.2",
)
def evidence(study: StudyView) -> Iterator[Hit]:
    """A report or key object refers to an instance that its evidence does not list.

    Finds: Instances that the content of a report, key object or presentation state refers to, and that are
        neither in CurrentRequestedProcedureEvidenceSequence (0040,A375) nor PertinentOtherEvidenceSequence
        (0040,A385), for presentation states in ReferencedSeriesSequence (0008,1115).
    Why: The evidence says in which study and series each instance is. Without it a viewer cannot ask for the
        images, and archives that keep together what belongs together miss them.
    Mend: Have the object made anew by a system that lists all it refers to.
    Example: A measurement report on six images whose evidence lists the first one.
    """
    lists = (*EVIDENCE, REFERENCED_SERIES)
    classes = study.texts("SOPClassUID")
    paths: set[tuple[str, ...]] = set()
    uids: set[str] = set()
    rows: set[int] = set()
    for row, found in references_by_row(study).items():
        if not _is_about_others(classes[row]):
            continue
        listed = {one.instance for one in found if one.path[0] in lists}
        for one in found:
            if one.path[0] in _FROM_CONTENT and one.instance not in listed:
                paths.add(one.path)
                uids.add(one.instance)
                rows.add(row)
    if uids:
        yield Hit(
            tags=tuple(map(named, sorted(paths))),
            observed=f"{len(uids)} not listed, {cut(min(uids), 40)} the first",
            expected="every instance in the evidence",
            rows=sorted(rows),
        )
