"""References: the chain from dose to plan to structure set to images, and what segmentations are made of."""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.frames import FrameTable
from heltig.rules.frames_of_reference import other_frames, unlisted_frames
from heltig.rules.references import absent, missing
from heltig.rules.references_read import Reference, named, references_by_row, rows_of
from heltig.rules.references_sources import (
    LABEL_MAP,
    SEGMENTATIONS,
    STRUCTURE_SET,
    not_there,
    of_segmentations,
    of_structure_sets,
)
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_RT: Final = "1.2.840.10008.5.1.4.1.1.481."
_PLANS: Final = frozenset({_RT + "5", _RT + "8"})
_OF_A_CHAIN: Final = frozenset({STRUCTURE_SET, _RT + "2", *_PLANS})

_LINKS: Final = {
    tag_of("ReferencedRTPlanSequence"): ("plan", _PLANS),
    tag_of("ReferencedStructureSetSequence"): ("structure set", frozenset({STRUCTURE_SET})),
}
"""The sequences of a dose or plan that name the next object of the chain (PS3.3 C.8.8.3 and C.8.8.10)."""

_SEGMENT_NUMBER: Final = "/".join(map(tag_of, ("SegmentSequence", "SegmentNumber")))
_IN_FRAMES: Final = "/".join(
    map(
        tag_of,
        (
            "PerFrameFunctionalGroupsSequence",
            "SegmentIdentificationSequence",
            "ReferencedSegmentNumber",
        ),
    )
)
_UNLISTED: Final = "images of the study, or listed with the study they are in"


@rule(
    "REF-RT-CHAIN",
    level="study",
    severity="review",
    needs=("metadata", "complete_study"),
    when=lambda study: study.has_uid and _has_class(study, _OF_A_CHAIN),
    reference="PS3.3 C.8.8",
)
def radiotherapy_chain(study: StudyView) -> Iterator[Hit]:
    """The chain from dose to plan to structure set to images is broken.

    Finds: A dose that refers to a plan, or a plan to a structure set, that is not in the study although
        others of its kind are; a structure set on images of this study, or of a series that the study has,
        that are not there; contours on images that are neither there nor among those that the structure set
        lists; objects of one chain in different frames of reference; regions in a frame of reference that
        their structure set does not list. Of what may be in another study REF-SOURCE-ELSEWHERE tells.
    Why: A planning system loads the chain as a whole. With a link missing, or coordinates that belong to
        another frame of reference, it refuses the plan or shows the dose in the wrong place.
    Mend: Export the whole chain again from the planning system: the plan that was approved, with its
        structure set, its dose and the images it was made on.
    Example: A dose of the first plan sent with the structure set and plan of the second.
    """
    classes = study.texts("SOPClassUID")
    found = references_by_row(study)
    chain = {row: several for row, several in found.items() if classes[row] in _OF_A_CHAIN}
    for tag, (kind, of_kind) in _LINKS.items():
        if _has_class(study, of_kind):
            linked = _all(chain, path=(tag,))
            yield from _lost(missing(linked, study), linked, f"the {kind} it was made from")
    images = of_structure_sets(study)
    yield from not_there(images.lost, images.all, "the images of the structure set")
    yield from not_there(images.unlisted, images.all, _UNLISTED)
    yield from other_frames(study, chain)
    yield from unlisted_frames(study)


@rule(
    "REF-SEG-FRAMES",
    level="study",
    severity="review",
    needs=("metadata", "complete_study"),
    when=lambda study: study.has_uid and _has_class(study, SEGMENTATIONS),
    reference="PS3.3 C.8.20.2",
)
def segmentation(study: StudyView) -> Iterator[Hit]:
    """A segmentation does not fit its segments or the images it was made from.

    Finds: Images of this study, or of a series that the study has, that a segmentation was made from and that
        are not there; frames made from images that are neither there nor among those that the segmentation
        lists; Segment Numbers (0062,0004) that do not count 1, 2, 3 (label maps may leave numbers out);
        frames of a segment that the segmentation does not describe; images in another frame of reference than
        the segmentation. Of images of other studies REF-SOURCE-ELSEWHERE tells.
    Why: A viewer lays the segments over the images, and names them by their numbers: without the images, or
        with wrong numbers, it shows nothing or the wrong organ.
    Mend: Send the images that are missing. Where numbers or frames of reference are wrong, have the
        segmentation written again by its maker.
    Example: A segmentation of segments 1 and 3, left when segment 2 was deleted.
    """
    rows = _rows(study, SEGMENTATIONS)
    found = references_by_row(study)
    made_from = {row: found.get(row, []) for row in rows}
    images = of_segmentations(study)
    yield from not_there(images.lost, images.all, "the images it was made from")
    yield from not_there(images.unlisted, images.all, _UNLISTED)
    yield from _segment_numbers(study, rows)
    yield from other_frames(study, made_from)


@rule(
    "REF-SOURCE-ELSEWHERE",
    level="study",
    severity="note",
    needs=("metadata", "complete_study"),
    when=lambda study: study.has_uid and _has_class(study, SEGMENTATIONS | _OF_A_CHAIN),
    reference="PS3.3 C.12.2",
)
def elsewhere(study: StudyView) -> Iterator[Hit]:
    """What an object was made from is not in the study.

    Finds: Images of other studies that a segmentation or structure set was made from, or images of which it
        does not say in which study they are, none of them there; a dose whose plan, and a plan whose
        structure set may be in another study, since this one has none. Whether they exist cannot be evaluated
        from one study, nor does the index of all studies know what objects refer to: hence a note.
    Why: Mostly nothing is wrong: a segmentation may be a study of its own. But whoever receives this study
        alone can show neither segments nor dose over an image.
    Mend: Nothing, where the other study is sent too. Otherwise send it, or have the objects stored in the
        study of their images.
    Example: Segmentations of a research group in a study of their own, on images of a public archive.
    """
    for images in (of_segmentations(study), of_structure_sets(study)):
        yield from not_there(images.elsewhere, images.all, "the images it was made from, wherever they are")
    classes = study.texts("SOPClassUID")
    chain = {row: several for row, several in references_by_row(study).items() if classes[row] in _OF_A_CHAIN}
    for tag, (kind, of_kind) in _LINKS.items():
        if not _has_class(study, of_kind):
            linked = _all(chain, path=(tag,))
            yield from _lost(missing(linked, study), linked, f"the {kind} it was made from, wherever it is")


def _has_class(study: StudyView, classes: frozenset[str]) -> bool:
    return any(group.key in classes for group in study.groups("SOPClassUID"))


def _rows(study: StudyView, classes: frozenset[str]) -> list[int]:
    return [row for row, uid in enumerate(study.texts("SOPClassUID")) if uid in classes]


def _all(by: dict[int, list[Reference]], *, path: tuple[str, ...] | None = None) -> list[Reference]:
    """The references of some rows, each once."""
    return list(dict.fromkeys(one for several in by.values() for one in several if path in (None, one.path)))


def _lost(lost: list[Reference], of: list[Reference], expected: str) -> Iterator[Hit]:
    for path in sorted({one.path for one in lost}):
        gone = [one for one in lost if one.path == path]
        yield Hit(
            tags=(named(path),),
            observed=absent(gone, (one for one in of if one.path == path)),
            expected=expected,
            rows=rows_of(gone),
        )


def _segment_numbers(study: StudyView, rows: list[int]) -> Iterator[Hit]:
    column = study.table.columns.get(tag_of("SegmentSequence"))
    if column is None:
        return
    items = study.table.items(column)
    by_cell: dict[int, list[str]] = {}
    for item, owner in enumerate(items.owners):
        by_cell.setdefault(owner, []).append(items.at(tag_of("SegmentNumber"), item).text)
    classes = study.texts("SOPClassUID")
    types = [text.upper() for text in study.texts("SegmentationType")]
    wrong: dict[str, list[int]] = {}
    for row in rows:
        numbers = by_cell.get(column.codes[row], [])
        in_order = [str(number) for number in range(1, len(numbers) + 1)]
        any_number = classes[row] == LABEL_MAP or types[row] == "LABELMAP"
        if len(set(numbers)) < len(numbers) if any_number else numbers != in_order:
            wrong.setdefault(cut(", ".join(number or "none" for number in numbers)), []).append(row)
    for observed, concerned in sorted(wrong.items()):
        yield Hit(
            tags=(_SEGMENT_NUMBER,),
            observed=observed,
            expected="1, 2, 3 and so on",
            rows=concerned,
        )
    yield from _undescribed_segments(study, {row: set(by_cell.get(column.codes[row], [])) for row in rows})


def _undescribed_segments(study: StudyView, described: dict[int, set[str]]) -> Iterator[Hit]:
    """Frames of segments that the Segment Sequence does not have."""
    wrong: dict[str, set[int]] = {}
    for series in study.series:
        if described.keys().isdisjoint(series.rows):
            continue
        frames = FrameTable(study.table, series.rows)
        numbers = frames.cells("SegmentIdentificationSequence", "ReferencedSegmentNumber")
        for frame, cell in zip(frames.frames, numbers, strict=True):
            if frame.row in described and not cell.empty and cell.text not in described[frame.row]:
                wrong.setdefault(cell.text, set()).add(frame.row)
    for number, concerned in sorted(wrong.items()):
        yield Hit(
            tags=(_IN_FRAMES,),
            observed=f"segment {cut(number, 20)}, which is not described",
            expected="a Segment Number of the segmentation",
            rows=sorted(concerned),
        )
