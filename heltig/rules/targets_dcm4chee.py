"""Targets: what dcm4chee-arc would answer to a study, by the status it gives."""

from collections.abc import Iterator
from typing import Final

from heltig.rules.duplicates import copies
from heltig.rules.references_rejection import REASONS, is_rejection_note, rejected
from heltig.rules.rule import Hit, rule
from heltig.rules.targets import is_target
from heltig.rules.views import StudyView
from heltig.rules.wording import counted, cut


@rule("TGT-DCM4CHEE", level="study", severity="block", when=lambda study: is_target(study, "dcm4chee"))
def dcm4chee(study: StudyView) -> Iterator[Hit]:
    """dcm4chee-arc would refuse a part of the study.

    Finds: Where the profile names the target `dcm4chee`: instances without PatientID (A777H, unless it is set
        up to accept them or to make one), of another PatientID or issuer than the first of the study (A778H),
        of a SOPInstanceUID that another series has (A77BH), rejection notes of one SOPInstanceUID that differ
        (A770H), and rejection notes on instances that are not there (A772H) or are of another class (A773H).
    Why: It files the study as it arrives. What comes later and contradicts the first instance is refused, so
        that a part of the study is missing.
    Mend: Correct the study at its source before it is sent. Where the archive is set up to accept what is
        named here, switch the rule off in the profile.
    Example: The last series of a study under another PatientID, typed in at the scanner.
    """
    yield from _patients(study)
    yield from _elsewhere(
        study, "dcm4chee-arc answers A77BH: the SOPInstanceUID is in another series already"
    )
    yield from _notes_again(study)
    yield from _notes_on_nothing(study)


def _patients(study: StudyView) -> Iterator[Hit]:
    without: list[int] = []
    patients: dict[tuple[str, str], list[int]] = {}
    ids, issuers = study.texts("PatientID"), study.texts("IssuerOfPatientID")
    for row, patient in enumerate(zip(ids, issuers, strict=True)):
        if patient[0]:
            patients.setdefault(patient, []).append(row)
        else:
            without.append(row)
    if without and study.has("SOPClassUID"):
        yield Hit(
            tags=("PatientID",),
            observed="no PatientID",
            expected="a PatientID",
            rows=without,
            message="dcm4chee-arc answers A777H unless it accepts or makes missing PatientIDs",
        )
    if len(patients) > 1:
        ordered = sorted(patients.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        yield Hit(
            tags=("PatientID", "IssuerOfPatientID"),
            observed=counted((" of ".join(filter(None, who)), len(rows)) for who, rows in ordered),
            expected="one PatientID of one issuer",
            rows=sorted(row for _, rows in ordered[1:] for row in rows),
            message="dcm4chee-arc answers A778H to what comes after the first patient",
        )


def _elsewhere(study: StudyView, message: str) -> Iterator[Hit]:
    """Instances whose SOPInstanceUID an earlier series of the study has too."""
    uids, series = study.texts("SOPInstanceUID"), study.texts("SeriesInstanceUID")
    if len(set(uids)) == len(uids):
        return
    first: dict[str, str] = {}
    again = [row for row, uid in enumerate(uids) if uid and first.setdefault(uid, series[row]) != series[row]]
    if again:
        yield Hit(
            tags=("SOPInstanceUID",),
            observed=f"in two series: {cut(uids[again[0]], 64)}",
            expected="a SOPInstanceUID of its own",
            rows=again,
            message=message,
        )


def _notes_again(study: StudyView) -> Iterator[Hit]:
    """Rejection notes of a SOPInstanceUID that another note before them has, and that say something else."""
    notes = is_rejection_note(study) if study.has("ConceptNameCodeSequence") else {}
    again = [
        copy.row
        for series in (study.series if len(notes) > 1 else ())
        for copy in copies(series)
        if copy.differs and copy.first in notes
    ]
    if again:
        yield Hit(
            tags=("SOPInstanceUID",),
            observed=f"different notes of {cut(study.texts('SOPInstanceUID')[again[0]], 64)}",
            expected="a SOPInstanceUID of its own",
            rows=again,
            message="dcm4chee-arc answers A770H: it has received a rejection note of this UID",
        )


def _notes_on_nothing(study: StudyView) -> Iterator[Hit]:
    if "complete_study" not in study.source.shows or not study.has("ConceptNameCodeSequence"):
        return
    classes = dict(zip(study.texts("SOPInstanceUID"), study.texts("SOPClassUID"), strict=True))
    for row, _, found in rejected(study):
        unknown = sorted({one.instance for one in found} - classes.keys())
        other = sorted(
            one.instance
            for one in found
            if one.sop_class and classes.get(one.instance, one.sop_class) != one.sop_class
        )
        for uids, code, what in (
            (unknown, "A772H", "not in the study"),
            (other, "A773H", "of another SOP Class"),
        ):
            if uids:
                yield Hit(
                    tags=("CurrentRequestedProcedureEvidenceSequence",),
                    observed=f"{len(uids)} {what}, {cut(uids[0], 40)} the first",
                    expected="instances of the study, of the class that they have",
                    rows=[row],
                    message=f"dcm4chee-arc answers {code} to the rejection note",
                )


_COMPARED: Final = ("PatientName", "PatientBirthDate", "PatientSex")


@rule(
    "TGT-DCM4CHEE-PATIENT",
    level="study",
    severity="review",
    reads=_COMPARED,
    compares=True,
    when=lambda study: is_target(study, "dcm4chee"),
)
def patient(study: StudyView) -> Iterator[Hit]:
    """dcm4chee-arc may refuse a part of the study, because it compares patients.

    Finds: Where the profile names the target `dcm4chee`: instances of one PatientID with more than one
        PatientName, PatientBirthDate or PatientSex (A779H). What it compares is a setting of the archive,
        RejectConflictingPatientAttribute; nothing, where nobody has set it. Values that are empty are left
        alone.
    Why: It compares with the patient that it knows. Whichever of the values that one has, the instances with
        another one are refused.
    Mend: Correct the study at its source before it is sent. Where the archive compares nothing, switch the
        rule off in the profile; where it does, raise it to `block`.
    Example: A married name on the last series only.
    """
    ids = study.texts("PatientID")
    for keyword in _COMPARED:
        if study.uniform(keyword):
            continue
        by_patient: dict[str, dict[str, list[int]]] = {}
        for row, text in enumerate(study.texts(keyword)):
            if text and ids[row]:
                by_patient.setdefault(ids[row], {}).setdefault(text.rstrip("^="), []).append(row)
        for values in by_patient.values():
            if len(values) > 1:
                ordered = sorted(values.items(), key=lambda pair: (-len(pair[1]), pair[0]))
                yield Hit(
                    tags=(keyword,),
                    observed=counted((text, len(rows)) for text, rows in ordered),
                    expected=f"one {keyword} of one PatientID",
                    rows=sorted(row for _, rows in ordered[1:] for row in rows),
                    message=f"dcm4chee-arc answers A779H where it is set up to compare {keyword}",
                )


_RETENTION: Final = "113039"


@rule(
    "TGT-DCM4CHEE-REJECTION",
    level="study",
    severity="review",
    reads=("ConceptNameCodeSequence",),
    when=lambda study: is_target(study, "dcm4chee") and study.has("ConceptNameCodeSequence"),
)
def rejection(study: StudyView) -> Iterator[Hit]:
    """dcm4chee-arc may refuse a rejection note.

    Finds: Where the profile names the target `dcm4chee`: rejection notes on an instance that another note of
        the study rejects for another reason (A774H, unless the one may overwrite the other), and notes that
        the retention period is over (A775H where the archive does not allow them, A776H where the period is
        not over there).
    Why: The archive refuses the note as a whole, and what it rejects stays in use.
    Mend: Send the note that counts, alone. Ask the archive's administrator which notes may overwrite
        which (OverwritePreviousRejection), and when data may expire
        (AllowRejectionForDataRetentionPolicyExpired).
    Example: An image rejected for its quality first, and for the wrong worklist entry later.
    """
    reasons: dict[str, str] = {}
    for row, reason, found in rejected(study):
        other = sorted(one.instance for one in found if reasons.setdefault(one.instance, reason) != reason)
        if other:
            before = REASONS[reasons[other[0]]]
            yield Hit(
                tags=("ConceptNameCodeSequence",),
                observed=f"{REASONS[reason]}, and before: {before}",
                expected="one reason for an instance",
                rows=[row],
                message="dcm4chee-arc answers A774H unless the note may overwrite the other",
            )
        if reason == _RETENTION and found:
            yield Hit(
                tags=("ConceptNameCodeSequence",),
                observed=f"{REASONS[reason]} ({reason}, DCM)",
                expected="data whose retention period is over in the archive",
                rows=[row],
                message="dcm4chee-arc answers A775H or A776H unless the data may expire there",
            )
