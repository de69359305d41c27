"""The thresholds and lists that a profile may set; rules read them from their context."""

import msgspec


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
        accepted_transfer_syntaxes: UIDs of the transfer syntaxes that the target takes; none: all of them.
    """

    placeholder_patient_ids: tuple[str, ...] = (
        "1", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890", "0123456789",
        "UNKNOWN", "UNBEKANNT", "NONE", "NULL", "N/A", "NA", "TEST", "ANON", "ANONYMOUS", "ANONYM",
        "ANONYMIZED", "PATIENT", "NOID", "NO ID", "NO_ID", "NOPID", "TBD", "DUMMY", "UNDEFINED", "EMERGENCY",
    )  # fmt: skip
    issuer_required: bool = False
    earliest_study_year: int = 1980
    future_days: int = 1
    oldest_patient_years: int = 130
    age_tolerance_years: int = 1
    study_time_tolerance_minutes: int = 10
    series_spread_days: int = 7
    acquisition_before_study_days: int = 1
    sparse_siblings: int = 50
    oversize_text_bytes: int = 16_384
    accepted_transfer_syntaxes: tuple[str, ...] = ()
