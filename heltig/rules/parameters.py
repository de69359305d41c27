"""The thresholds and lists that a profile may set; rules read them from their context."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from heltig.rules.site_pattern import PatternError, pattern_of

Days: TypeAlias = Annotated[int, Meta(ge=0, le=36_525)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Measure: TypeAlias = Annotated[float, Meta(ge=0, le=1_000_000)]

Target: TypeAlias = Literal["dcm4chee", "orthanc", "azure", "aws", "google"]
"""Archives of which it is known what they refuse."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds and lists.

    Attributes:
        placeholder_patient_ids: PatientIDs that name nobody, compared in upper case; zeros and punctuation
            alone name nobody anyway.
        issuer_required: Each PatientID must come with its issuer.
        earliest_study_year: A StudyDate before this year is not believed.
        future_days: A date this many days after the reference date is not believed.
        oldest_patient_years: A patient older than this is not believed.
        age_tolerance_years: How far PatientAge may be from what the dates say.
        study_time_tolerance_minutes: How far values of StudyTime may lie apart within a study.
        series_spread_days: How far SeriesDate may be from StudyDate.
        acquisition_before_study_days: How far an acquisition may lie before its StudyDate.
        sparse_siblings: A series of one instance is suspect where a sibling has at least this many.
        oversize_text_bytes: A single text value longer than this is suspect.
        direction_tolerance: How far direction cosines may be from unit length, and from a right angle (as a
            cosine).
        orientation_tolerance: How far a direction cosine may differ between images that are parallel.
        slice_distance_ratio: How far the distance of two slices may be from the usual one, as a part of it.
        slice_distance_mm: The same in millimetres, but no more than 0.4 of it; the larger of the two
            counts. Positions are often rounded to a tenth.
        slice_location_mm: How far SliceLocation may be from where the slice stands, after an offset.
        spacing_to_thickness: The least and the most of the distance of slices for each millimetre of
            SliceThickness.
        stack_lean_degrees: How far a stack may lean before it is called sheared.
        stack_shift_mm: How far a slice may be shifted within its plane against the line of its stack.
        pixel_spacing_ratio: How far PixelSpacing may differ, as a part of it, and still be the same.
        accepted_transfer_syntaxes: UIDs of the transfer syntaxes that the target takes, or their keywords;
            none: all of them.
        declared_deidentified: All data is declared de-identified, whether it says so itself or not.
        pseudonyms: A regular expression, as site rules know them, that PatientID and PatientName of
            de-identified data match as a whole; empty: what looks like a person's is found by its form.
        targets: The archives that studies are meant for: `dcm4chee`, `orthanc`, `azure`, `aws`, `google`.
        accepted_sop_classes: UIDs of the SOP Classes that the target takes, or their keywords; none: all of
            them.
    """

    placeholder_patient_ids: tuple[str, ...] = (
        "1", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890", "0123456789",
        "UNKNOWN", "UNBEKANNT", "NONE", "NULL", "N/A", "NA", "TEST", "ANON", "ANONYMOUS", "ANONYM",
        "ANONYMIZED", "PATIENT", "NOID", "NO ID", "NO_ID", "NOPID", "TBD", "DUMMY", "UNDEFINED", "EMERGENCY",
    )  # fmt: skip
    issuer_required: bool = False
    earliest_study_year: Annotated[int, Meta(ge=1, le=9999)] = 1980
    future_days: Days = 1
    oldest_patient_years: Count = 130
    age_tolerance_years: Count = 1
    study_time_tolerance_minutes: Count = 10
    series_spread_days: Days = 7
    acquisition_before_study_days: Days = 1
    sparse_siblings: Count = 50
    oversize_text_bytes: Count = 16_384
    direction_tolerance: Measure = 0.001
    orientation_tolerance: Measure = 0.01
    slice_distance_ratio: Measure = 0.05
    slice_distance_mm: Measure = 0.15
    slice_location_mm: Measure = 0.5
    spacing_to_thickness: tuple[Measure, Measure] = (0.5, 1.5)
    stack_lean_degrees: Measure = 0.5
    stack_shift_mm: Measure = 1.0
    pixel_spacing_ratio: Measure = 0.001
    accepted_transfer_syntaxes: tuple[str, ...] = ()
    declared_deidentified: bool = False
    pseudonyms: str = ""
    targets: tuple[Target, ...] = ()
    accepted_sop_classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            pattern_of(self.pseudonyms)
        except PatternError as error:
            raise ValueError(f"pseudonyms is not a regular expression that is known: {error}") from None
        least, most = self.spacing_to_thickness
        if least > most:
            raise ValueError("spacing_to_thickness: the least is greater than the most")
        for name in ("accepted_transfer_syntaxes", "accepted_sop_classes"):
            for uid in getattr(self, name):
                if not set(uid) <= set("0123456789."):
                    raise ValueError(f"{name}: {uid} is no UID")
