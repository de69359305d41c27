"""The images that segmentations and structure sets were made from: where should they be, and are they there?

Such an object names its images twice: in a list, with study and series (PS3.3 C.12.2, C.8.8.5), and in each
frame or contour by the SOP Instance UID alone. An image is of this study where the list says so, or names a
series that the study has: then it has to be there. One of another study cannot be looked for here. One that
is not there and not listed either is lost, unless the object has no list and none of its images is there:
then it may be anywhere.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.rules.references import absent, claims_this_study
from heltig.rules.references_read import REFERENCED_SERIES, Reference, named, references_by_row
from heltig.rules.rule import Hit
from heltig.rules.views import StudyView
from heltig.standard.dictionary import tag_of

STRUCTURE_SET: Final = "1.2.840.10008.5.1.4.1.1.481.3"
LABEL_MAP: Final = "1.2.840.10008.5.1.4.1.1.66.7"
SEGMENTATIONS: Final = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", LABEL_MAP})

_LISTS: Final = frozenset(
    {
        REFERENCED_SERIES,
        tag_of("StudiesContainingOtherReferencedInstancesSequence"),
        tag_of("ReferencedFrameOfReferenceSequence"),
    }
)
"""Where an object lists its images with study and series."""

_USES: Final = frozenset(
    {
        (tag_of("SharedFunctionalGroupsSequence"), tag_of("SourceImageSequence")),
        (tag_of("PerFrameFunctionalGroupsSequence"), tag_of("SourceImageSequence")),
        (tag_of("ROIContourSequence"), tag_of("ContourImageSequence")),
    }
)
"""Where frames and contours name them: the outermost sequence and the innermost."""


class Use(NamedTuple):
    """One reference of one object."""

    row: int
    to: Reference


class Sources(NamedTuple):
    """The images that some objects were made from.

    Attributes:
        all: Every reference to them.
        lost: Those to images of this study that are not there.
        unlisted: Those of frames and contours to images that are neither there nor listed.
        elsewhere: Those to images of other studies, or of nobody knows which, that are not there.
    """

    all: tuple[Use, ...]
    lost: tuple[Use, ...]
    unlisted: tuple[Use, ...]
    elsewhere: tuple[Use, ...]


def of_segmentations(study: StudyView) -> Sources:
    """The images that the segmentations of a study were made from; found once a study."""
    return study.once(_of_segmentations)


def of_structure_sets(study: StudyView) -> Sources:
    """The images that the structure sets of a study were made on; found once a study."""
    return study.once(_of_structure_sets)


def _of_segmentations(study: StudyView) -> Sources:
    return _sources(study, SEGMENTATIONS)


def _of_structure_sets(study: StudyView) -> Sources:
    return _sources(study, frozenset({STRUCTURE_SET}))


def _sources(study: StudyView, classes: frozenset[str]) -> Sources:
    found = Sources((), (), (), ())
    if any(group.key in classes for group in study.groups("SOPClassUID")):
        of_row = study.texts("SOPClassUID")
        present = set(study.texts("SOPInstanceUID"))
        series = {one.uid for one in study.series if one.uid}
        for row, several in sorted(references_by_row(study).items()):
            if of_row[row] in classes:
                of_object = _of_object(study, row, several, present, series)
                found = Sources(*(a + b for a, b in zip(found, of_object, strict=True)))
    return found


def _of_object(
    study: StudyView, row: int, several: list[Reference], present: set[str], series: set[str]
) -> Sources:
    """What one object refers to.

    Args:
        study: The study.
        row: The object's row.
        several: Its references.
        present: SOP Instance UIDs of the study.
        series: Series Instance UIDs of the study.
    """
    gone = [one for one in several if one.instance not in present]
    of_study: list[Reference] = []
    of_others: list[Reference] = []
    for one in gone:
        if claims_this_study(one, study) or one.series in series:
            of_study.append(one)
        elif one.path[0] in _LISTS:
            of_others.append(one)
    named_with_study = {one.instance for one in [*of_study, *of_others]}
    bare = [one for one in gone if _is_use(one) and one.instance not in named_with_study]
    can_tell = any(one.path[0] in _LISTS or (one.instance in present and _is_use(one)) for one in several)
    return Sources(
        tuple([Use(row, one) for one in several]),
        tuple([Use(row, one) for one in of_study]),
        tuple([Use(row, one) for one in bare if can_tell]),
        tuple([Use(row, one) for one in [*of_others, *(bare if not can_tell else ())]]),
    )


def _is_use(one: Reference) -> bool:
    return (one.path[0], one.path[-1]) in _USES


def not_there(lost: tuple[Use, ...], of: tuple[Use, ...], expected: str) -> Iterator[Hit]:
    """A hit for each sequence that refers to images which are not there.

    Args:
        lost: The references to them.
        of: All references of the same objects.
        expected: What should be there.
    """
    for path in sorted({use.to.path for use in lost}):
        gone = [use for use in lost if use.to.path == path]
        yield Hit(
            tags=(named(path),),
            observed=absent([use.to for use in gone], [use.to for use in of if use.to.path == path]),
            expected=expected,
            rows=sorted({use.row for use in gone}),
        )
