"""Targets: what AWS HealthImaging would do with a study, by the reason of the warning it gives."""

import re
from collections.abc import Iterator
from typing import Final

from heltig.rules.pixel_facts import PIXEL_DATA, integer, rows_without
from heltig.rules.rule import Hit, rule
from heltig.rules.targets import UIDS, is_target
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import counted, cut

_DICOM_UID: Final = re.compile(r"(?=.{1,64}$)(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*")
_AWS_ALIKE: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
)


@rule("TGT-AWS", level="study", severity="review", when=lambda study: is_target(study, "aws"))
def aws(study: StudyView) -> Iterator[Hit]:
    """AWS HealthImaging would set a part of the study aside, or warn of it.

    Finds: Where the profile names the target `aws`: UIDs that are not as the standard writes them (B201H),
        and attributes of patient and study that differ within the study, so that a part goes into an image
        set that is not primary.
    Why: Its DICOMweb interface shows primary image sets alone: the rest of the study is stored and not found.
    Mend: Correct the study at its source before it is imported.
    Example: One series with another accession number, which ends in an image set of its own.
    """
    for keyword in UIDS:
        wrong: dict[str, list[int]] = {}
        for row, uid in enumerate(study.texts(keyword)):
            if uid and _DICOM_UID.fullmatch(uid) is None:
                wrong.setdefault(uid, []).append(row)
        for uid, rows in wrong.items():
            yield Hit(
                tags=(keyword,),
                observed=cut(uid),
                expected="a UID as PS3.5 9.1 writes it",
                rows=rows,
                message="AWS HealthImaging warns with B201H",
            )
    for keyword in _AWS_ALIKE:
        groups = [] if study.uniform(keyword) else study.groups(keyword)
        if len(groups) > 1:
            yield Hit(
                tags=(keyword,),
                observed=counted((group.key or "none", group.count) for group in groups),
                expected=f"one {keyword} in the study",
                rows=sorted(row for group in groups[1:] for row in group.rows),
                message="AWS HealthImaging puts the instances that differ into a non-primary image set",
            )


_OF_A_FRAME: Final = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")


@rule(
    "TGT-AWS-FRAMES",
    level="study",
    severity="review",
    needs=("metadata", "all_attributes"),
    when=lambda study: is_target(study, "aws") and any(map(study.has, PIXEL_DATA)),
)
def frames(study: StudyView) -> Iterator[Hit]:
    """AWS HealthImaging could not tell the frames of an image apart.

    Finds: Where the profile names the target `aws`: instances with pixel data in which Rows, Columns,
        SamplesPerPixel or BitsAllocated is absent or below one, or NumberOfFrames is given and below one
        (B110H, it takes the frames from the pixel data by these attributes).
    Why: It imports the instance with a warning, and does not give its pixels as frames: a viewer shows
        nothing.
    Mend: Have the image exported again from where it came, with its description.
    Example: A captured screen whose header was written by hand, without BitsAllocated.
    """
    pictures = set(study.rows)
    pictures -= rows_without(study, PIXEL_DATA[0]).intersection(
        *(rows_without(study, keyword) for keyword in PIXEL_DATA[1:])
    )
    for keyword in _OF_A_FRAME:
        lacking = sorted(rows_without(study, keyword) & pictures)
        if lacking:
            yield _frames_unknown(keyword, "none", lacking)
    for keyword in (*_OF_A_FRAME, "NumberOfFrames"):
        for group in study.groups(keyword):
            number = integer(group.cell)
            if group.key and (number is None or number < 1):
                wrong = sorted(pictures.intersection(group.rows))
                if wrong:
                    yield _frames_unknown(keyword, cut(group.key), wrong)


def _frames_unknown(keyword: str, observed: str, rows: list[int]) -> Hit:
    return Hit(
        tags=(keyword,),
        observed=observed,
        expected="one or more",
        rows=rows,
        message="AWS HealthImaging warns with B110H: it cannot take the frames from the pixel data",
    )


_AWS_LENGTHS: Final = {
    "PatientName": 256,
    "PatientID": 256,
    "PatientBirthDate": 18,
    "PatientSex": 16,
    "StudyInstanceUID": 256,
    "StudyID": 16,
    "StudyDescription": 64,
    "AccessionNumber": 256,
    "StudyDate": 18,
    "StudyTime": 28,
}
"""Characters that AWS HealthImaging takes; where its pages differ, the smaller number."""


@rule(
    "TGT-LENGTHS",
    level="instance",
    severity="review",
    reads=tuple(_AWS_LENGTHS),
    when=lambda at: "aws" in at.context.parameters.targets,
)
def lengths(at: Values) -> Iterator[Hit]:
    """A value is longer than the archive to come takes.

    Finds: Where the profile names the target `aws`: values of patient and study longer than AWS HealthImaging
        imports.
    Why: The import of the instance fails, though the value may be within what DICOM allows.
    Mend: Shorten the value at its source, or move what is too long into a comment.
    Example: A StudyDescription of a hundred letters, joined from three procedures.
    """
    for keyword, most in _AWS_LENGTHS.items():
        text = at[keyword].shown
        if len(text) > most:
            yield Hit(
                tags=(keyword,),
                observed=cut(f"{len(text)} characters: {text}"),
                expected=f"{most} characters at most",
                message="AWS HealthImaging does not import it",
            )
