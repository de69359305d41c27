"""Series: which part of the body, how the patient lay, and when."""

from collections.abc import Iterator
from datetime import date

from heltig.dicom.dates import parse_da
from heltig.rules.acquisition import OPHTHALMIC, PROJECTIONS, is_acquired
from heltig.rules.conflict import capitals, conflict
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView
from heltig.standard.terms import UNPAIRED_BODY_PARTS


@rule(
    "SER-BODYPART-CONFLICT",
    level="series",
    severity="review",
    compares=True,
    reads=("BodyPartExamined", "Laterality"),
    reference="PS3.3 C.7.3.1",
)
def body_part_conflict(series: SeriesView) -> Iterator[Hit]:
    """One series shows several body parts or sides.

    Finds: More than one Laterality (0020,0060) within a series; or more than one BodyPartExamined
        (0018,0015), but in series of projections, in which each image may show another part. Case does not
        count, nor do instances without a value.
    Why: Archives keep one for the series: hanging protocols, routing and the search for earlier studies use
        the wrong part, or the wrong side.
    Mend: Look at the instances with the rarer value; correct them, or have them stored in a series of their
        own.
    Example: Both knees scanned in one series, half of it with `L` and half with `R`.
    """
    yield from conflict(series, "Laterality", where="series", key=capitals)
    if series.modality not in PROJECTIONS:
        yield from conflict(series, "BodyPartExamined", where="series", key=capitals)


@rule(
    "SER-PATPOS-CONFLICT",
    level="series",
    severity="review",
    compares=True,
    reads=("PatientPosition",),
    reference="PS3.3 C.7.3.1.1.2",
)
def patient_position_conflict(series: SeriesView) -> Iterator[Hit]:
    """The patient lies in several positions in one series.

    Finds: More than one PatientPosition (0018,5100) within a series; instances without one do not count.
    Why: A patient is not turned over within a series: left and right are labelled from it where the
        orientation is missing, and treatment planning relies on it.
    Mend: Look at the instances with the rarer value. If the patient was turned, they are another series;
        otherwise have the value corrected.
    Example: Prone and supine slices of a colon examination in one series.
    """
    yield from conflict(series, "PatientPosition", where="series", key=capitals)


_LIMBS = frozenset(
    {
        *("CLAVICLE", "ACJOINT", "SCAPULA", "SHOULDER", "UPPERARM", "HUMERUS", "ELBOW", "FOREARM", "RADIUS"),
        *("ULNA", "RADIUSULNA", "WRIST", "HAND", "THUMB", "FINGER", "THIGH", "FEMUR", "KNEE", "PATELLA"),
        *("LOWERLEG", "TIBIA", "FIBULA", "TIBIAFIBULA", "CALF", "ANKLE", "CALCANEUS", "FOOT", "TOE"),
    }
)
"""Parts of the limbs (PS3.16 annex L) of which one image shows one side; hips are often shown together."""

_ONE_SIDED = {
    **dict.fromkeys(PROJECTIONS, _LIMBS),
    "MR": _LIMBS - {"CLAVICLE", "THIGH", "FEMUR", "LOWERLEG", "CALF", "TIBIA", "FIBULA", "TIBIAFIBULA"},
    "MG": _LIMBS | {"BREAST"},
    **dict.fromkeys(OPHTHALMIC, frozenset({"EYE", "CORNEA", "SCLERA", "EYELID"})),
}
"""Body parts that each modality images one side of at a time."""

_SIDES = ("ImageLaterality", "MeasurementLaterality", "SharedFunctionalGroupsSequence")
"""Where else the side is said: FrameLaterality (0020,9072) stands in a functional group."""


@rule(
    "SER-LATERALITY",
    level="series",
    severity="review",
    reads=("BodyPartExamined",),
    needs=("metadata", "all_attributes"),
    reference="PS3.3 C.7.3.1",
)
def laterality(series: SeriesView) -> Iterator[Hit]:
    """Left or right is not said where there are both, or said where there is only one.

    Finds: X-ray and MR series of a limb, mammograms and series of an eye without Laterality (0020,0060),
        ImageLaterality (0020,0062) or MeasurementLaterality (0024,0113) in any instance; and Laterality `L`
        or `R` with a BodyPartExamined (0018,0015) that there is one of. Lungs, kidneys, eyes and breasts in
        scans of trunk or head, which show both sides, are left alone, as are CT and ultrasound, and enhanced
        objects, which say the side for each frame.
    Why: The side is then known to the person who took the images, and to nobody else. Hanging protocols and
        the search for earlier images of the same side go by it.
    Mend: Compare with the order or with the marker in the image, and have the side set in the series.
    Example: A radiograph of a knee with BodyPartExamined `KNEE` and an empty Laterality.
    """
    part = capitals(series.first("BodyPartExamined"))
    side = capitals(series.first("Laterality"))
    if (
        part in _ONE_SIDED.get(series.modality, ())
        and not side
        and not any(series.first(keyword).vr for keyword in _SIDES)
    ):
        yield Hit(
            tags=("Laterality", "BodyPartExamined"),
            observed=f"{series.modality} of {part} without a side",
            expected="L or R",
        )
    elif part in UNPAIRED_BODY_PARTS and side in ("L", "R"):
        yield Hit(
            tags=("Laterality", "BodyPartExamined"),
            observed=f"{side} with {part}",
            expected="no Laterality where there is one of it",
        )


@rule(
    "SER-DATE-SPREAD",
    level="series",
    severity="review",
    reads=("SeriesDate",),
    when=is_acquired,
    reference="PS3.3 C.7.3.1",
)
def date_spread(series: SeriesView) -> Iterator[Hit]:
    """A series was acquired long before or after its study.

    Finds: A SeriesDate (0008,0021) more than the profile's `series_spread_days` (7) from the StudyDate most
        instances of the study have. Reports, segmentations, reformatted images and the like may be made at
        any later time and are left alone.
    Why: The series may belong to another examination of the patient, filed under the wrong study.
    Mend: Compare with the orders of both days; if the series belongs to another study, have it moved there.
    Example: A control examination three weeks later, done under the worklist entry of the first.
    """
    studied = _study_date(series)
    most = series.context.parameters.series_spread_days
    for group in series.groups("SeriesDate") if studied else ():
        day = parse_da(group.cell.text)
        if studied and day and abs((day - studied).days) > most:
            yield Hit(
                tags=("SeriesDate", "StudyDate"),
                observed=f"series {day:%Y%m%d} ({group.count}), study {studied:%Y%m%d}",
                expected=f"at most {most} days apart",
                rows=group.rows,
            )


@rule(
    "SER-ACQ-BEFORE-STUDY",
    level="series",
    severity="note",
    reads=("AcquisitionDate", "ContentDate", "AcquisitionDateTime"),
    reference="PS3.3 C.7.6.1",
)
def acquired_before_study(series: SeriesView) -> Iterator[Hit]:
    """Images were acquired before their study began.

    Finds: AcquisitionDate (0008,0022), or AcquisitionDateTime (0008,002A) where there is no AcquisitionDate,
        or ContentDate (0008,0023), more than the profile's `acquisition_before_study_days` (1) before the
        StudyDate most instances of the study have. Series of which SER-DATE-SPREAD says so are left alone.
    Why: Either the images are from an earlier examination, copied into this study, or the dates were changed
        in one place only.
    Mend: If the images are copies for comparison, nothing needs to be done. Otherwise have the dates
        corrected together.
    Example: De-identified data of which only StudyDate was shifted.
    """
    studied = _study_date(series)
    if studied is None or _is_away(series, studied):
        return
    most = series.context.parameters.acquisition_before_study_days
    for keyword in ("AcquisitionDate", "ContentDate", "AcquisitionDateTime"):
        if keyword == "AcquisitionDateTime" and series.has("AcquisitionDate"):
            continue
        early = {row: day for row, day in _days(series, keyword) if day and (studied - day).days > most}
        if early:
            yield Hit(
                tags=(keyword, "StudyDate"),
                observed=f"{keyword} {min(early.values()):%Y%m%d}, study {studied:%Y%m%d}",
                expected="not before the study",
                rows=series.rows if series.uniform(keyword) else list(early),
            )
            return


def _is_away(series: SeriesView, studied: date) -> bool:
    """SER-DATE-SPREAD says of the series as a whole that it is from another day."""
    day = parse_da(series.first("SeriesDate").text)
    most = series.context.parameters.series_spread_days
    return day is not None and (studied - day).days > most and is_acquired(series)


def _days(series: SeriesView, keyword: str) -> Iterator[tuple[int, date | None]]:
    """The day of each row; of the first alone where all have the same."""
    texts = [series.first(keyword).text] if series.uniform(keyword) else series.texts(keyword)
    return zip(series.rows, map(_day, texts), strict=False)


def _day(text: str) -> date | None:
    return parse_da(text[:8])


def _study_date(series: SeriesView) -> date | None:
    """The day most instances of the study have; None where it is no day, or is not believed itself."""
    studied = parse_da(series.study.first("StudyDate").text)
    if studied is None:
        return None
    ahead = (studied - series.context.reference_date).days
    return None if ahead > series.context.parameters.future_days else studied
