"""References: do the frames and segments that they name exist in the instance that they name?"""

from collections.abc import Iterator

from heltig.rules.pixel_facts import integer, is_image
from heltig.rules.references_read import Reference, references, rows_of
from heltig.rules.references_sources import SEGMENTATIONS
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_FRAME = tag_of("ReferencedFrameNumber")
_SEGMENT = tag_of("ReferencedSegmentNumber")


@rule(
    "REF-FRAME",
    level="study",
    severity="review",
    needs=("metadata", "all_attributes"),
    when=lambda study: bool(study.once(_to_parts)),
    reference="PS3.3 10.3",
)
def frame_absent(study: StudyView) -> Iterator[Hit]:
    """A reference names a frame or a segment that the instance does not have.

    Finds: ReferencedFrameNumber (0008,1160) below 1 or above the NumberOfFrames (0028,0008) of the image that
        is referred to, and ReferencedSegmentNumber (0062,000B) that the SegmentSequence of the segmentation
        that is referred to does not describe. Only instances of the same study can be looked at.
    Why: Whoever follows the reference is shown nothing, or the wrong frame: a measurement stands beside
        another slice than it was made on.
    Mend: Find out whether frames were cut out of the image, or the reference was written wrongly. Send the
        image that the reference was made for, or have the object that refers to it made anew.
    Example: A segmentation made from frame 61 of an enhanced image of which 60 frames were sent.
    """
    found = study.once(_to_parts)
    wrong: dict[tuple[str, str, str], list[Reference]] = {}
    frames = _frames(study, found)
    segments = _segments(study, found)
    for one in found:
        last = frames.get(one.instance)
        for number in _numbers(one, _FRAME):
            if last is not None and not 1 <= number <= last:
                key = ("/".join([*one.path, _FRAME]), f"frame {number:.15g} of {last}", cut(f"1 to {last}"))
                wrong.setdefault(key, []).append(one)
        described = segments.get(one.instance)
        for number in _numbers(one, _SEGMENT):
            if described is not None and number not in described:
                key = (
                    "/".join([*one.path, _SEGMENT]),
                    f"segment {number:.15g}, which is not described",
                    "a Segment Number of the segmentation",
                )
                wrong.setdefault(key, []).append(one)
    for (tag, observed, expected), several in sorted(wrong.items()):
        yield Hit(tags=(tag,), observed=cut(observed), expected=expected, rows=rows_of(several))


def _to_parts(study: StudyView) -> tuple[Reference, ...]:
    """The references to frames or segments of instances that the study has."""
    found = [one for one in references(study) if _FRAME in one.items.columns or _SEGMENT in one.items.columns]
    if not found:
        return ()
    present = set(study.texts("SOPInstanceUID"))
    return tuple([one for one in found if one.instance in present])


def _numbers(one: Reference, tag: str) -> list[float]:
    cell = one.items.at(tag, one.item)
    return [number for number in cell.numbers if number is not None]


def _rows_of_targets(study: StudyView, found: tuple[Reference, ...]) -> Iterator[tuple[str, int]]:
    wanted = {one.instance for one in found}
    return ((uid, row) for row, uid in enumerate(study.texts("SOPInstanceUID")) if uid in wanted)


def _frames(study: StudyView, found: tuple[Reference, ...]) -> dict[str, int]:
    """The number of frames of images that are referred to; of two of one UID the larger."""
    frames: dict[str, int] = {}
    for uid, row in _rows_of_targets(study, found):
        if is_image(study.table.at(tag_of("SOPClassUID"), row).text):
            cell = study.table.at(tag_of("NumberOfFrames"), row)
            number = 1 if cell.empty else integer(cell)
            if number is not None and number > 0:
                frames[uid] = max(number, frames.get(uid, 0))
    return frames


def _segments(study: StudyView, found: tuple[Reference, ...]) -> dict[str, set[float]]:
    """The Segment Numbers that segmentations which are referred to describe."""
    column = study.table.columns.get(tag_of("SegmentSequence"))
    if column is None:
        return {}
    items = study.table.items(column)
    by_cell: dict[int, set[float]] = {}
    for item, owner in enumerate(items.owners):
        numbers = items.at(tag_of("SegmentNumber"), item).numbers
        by_cell.setdefault(owner, set()).update(number for number in numbers if number is not None)
    segments: dict[str, set[float]] = {}
    for uid, row in _rows_of_targets(study, found):
        code = column.codes[row]
        if code and study.table.at(tag_of("SOPClassUID"), row).text in SEGMENTATIONS:
            segments.setdefault(uid, set()).update(by_cell.get(code, ()))
    return segments
