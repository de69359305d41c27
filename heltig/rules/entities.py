"""Entities: what belongs to a patient, a study, a series or a frame of reference is said once for it."""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Cell
from heltig.rules.conflict import conflict, parts, patients, shown
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView, StudyView

_TRIAL: Final = (
    *("ClinicalTrialProtocolID", "ClinicalTrialSiteID", "ClinicalTrialSubjectID"),
    *("ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID"),
)
_BODY: Final = ("PatientSize", "PatientWeight")


def known_number(cell: Cell) -> str:
    """A number however it is written; 0 stands for none."""
    numbers = [number for number in cell.numbers if number]
    return f"{numbers[0]:g}" if numbers else ""


@rule(
    "PAT-TRIAL-CONFLICT",
    level="study",
    severity="review",
    compares=True,
    reads=_TRIAL,
    reference="PS3.3 C.7.1.3",
)
def trial_conflict(study: StudyView) -> Iterator[Hit]:
    """A study has several subjects or visits of a clinical trial.

    Finds: More than one ClinicalTrialProtocolID (0012,0020), ClinicalTrialSiteID (0012,0030),
        ClinicalTrialSubjectID (0012,0040), ClinicalTrialSubjectReadingID (0012,0042) or
        ClinicalTrialTimePointID (0012,0050) within the instances of one PatientID of a study.
    Why: In trial data the subject takes the patient's place, and the time point the study's. Images of two
        subjects or visits under one study are counted for the wrong one, and nobody else can find out.
    Mend: Ask who sent the data which subject and visit it is, and have the study sent again.
    Example: Two visits that were de-identified into one study, each with a number of its own.
    """
    for patient in patients(study):
        for keyword in _TRIAL:
            yield from conflict(patient, keyword, where="study")


@rule(
    "STU-BODY-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=_BODY,
    reference="PS3.3 C.7.2.2",
)
def body_conflict(study: StudyView) -> Iterator[Hit]:
    """A patient has several heights or weights within a study.

    Finds: More than one PatientSize (0010,1020) or PatientWeight (0010,1030) within the instances of one
        PatientID of a study; the same number written in another way, and 0 for unknown, do not count.
    Why: Uptake values of PET and doses are calculated by weight: two parts of one study give two results.
    Mend: Have the right value entered where the examination is planned. Nothing, where the study is read
        only.
    Example: A weight typed in anew for the second part of an examination.
    """
    for patient in patients(study):
        for keyword in _BODY:
            yield from conflict(patient, keyword, where="study", key=known_number)


@rule(
    "SER-NUMBER-CONFLICT",
    level="series",
    severity="review",
    compares=True,
    reads=("SeriesNumber",),
    reference="PS3.3 C.7.3.1",
)
def number_conflict(series: SeriesView) -> Iterator[Hit]:
    """One series has several SeriesNumbers.

    Finds: More than one SeriesNumber (0020,0011) within a series; instances without one do not count.
    Why: Viewers list and sort series by number: images stand under the wrong one or are shown twice, and
        people name series to one another by it.
    Mend: Have the number of most instances written into the others. Where two series were given one
        SeriesInstanceUID, have them sent again.
    Example: A workstation that numbers reformatted images anew and leaves the UID.
    """
    yield from conflict(series, "SeriesNumber", where="series", key=_integer)


def _integer(cell: Cell) -> str:
    text = shown(cell)
    return str(int(text)) if text.isdecimal() and len(text) <= _DIGITS else text


_DIGITS: Final = 12


@rule(
    "SER-DATE-CONFLICT",
    level="series",
    severity="note",
    compares=True,
    reads=("SeriesDate",),
    reference="PS3.3 C.7.3.1",
)
def date_conflict(series: SeriesView) -> Iterator[Hit]:
    """One series has several dates.

    Finds: More than one SeriesDate (0008,0021) within a series; instances without one do not count.
    Why: A series starts once. Archives keep the date of the first instance that comes, so that lists differ
        from archive to archive.
    Mend: Nothing for a series that runs past midnight on equipment that writes the day of each image. Else
        find out whether two series were given one SeriesInstanceUID.
    Example: Images of a second day appended to the series of the first.
    """
    yield from conflict(series, "SeriesDate", where="series")


@rule(
    "SER-REFERENCE-CONFLICT",
    level="series",
    severity="note",
    compares=True,
    reads=("PositionReferenceIndicator",),
    reference="PS3.3 C.7.4.1",
)
def reference_conflict(series: SeriesView) -> Iterator[Hit]:
    """One frame of reference has several places that it is counted from.

    Finds: More than one PositionReferenceIndicator (0020,1040) within the instances of a series that have one
        FrameOfReferenceUID.
    Why: The indicator names the part of the body that the frame of reference starts at: software that aligns
        examinations by it is off.
    Mend: Compare with the modality. Where the patient was moved in between, it is another frame of reference.
    Example: Reformatted images that lost the indicator `XY` of a scan that is counted from `SN`.
    """
    for frame in parts(series, "FrameOfReferenceUID"):
        yield from conflict(frame, "PositionReferenceIndicator", where="frame of reference")
