"""Across studies: is this the patient that the other studies mean?"""

from collections.abc import Iterator

from heltig.rules.context import where
from heltig.rules.identity import names_nobody
from heltig.rules.index_facts import Identity, IndexFact, is_other_person, name_words
from heltig.rules.parameters import Parameters
from heltig.rules.rule import Hit, rule
from heltig.rules.views import ContextView
from heltig.rules.wording import cut

_NO_BIRTH_DATES = frozenset({"19000101", "00010101"})
"""What systems write where they do not know the date."""

_NO_NAMES = frozenset({"PHANTOM", "QA", "QC", "DEMO"})
"""Words of names that are nobody's, beside those of the profile's `placeholder_patient_ids`."""

_WELL_KNOWN = "1.2.840.10008."
"""Frames of reference of atlases, which many patients share rightly (PS3.6 Annex A)."""


def _has_identity(study: ContextView) -> bool:
    """The study says whose it is, and the identity was not replaced on purpose."""
    removed = study.context.deidentified or study.first("PatientIdentityRemoved").text.upper() == "YES"
    return not removed and study.has("PatientID")


@rule(
    "PAT-SPLIT-SUSPECT",
    level="context",
    severity="review",
    reads=("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID",
           "PatientIdentityRemoved"),
    when=_has_identity,
    reference="PS3.3 C.7.1.1",
)  # fmt: skip
def patient_split(study: ContextView) -> Iterator[Hit]:
    """One person seems to have several PatientIDs.

    Finds: Another study of a patient of the same name, birth date and sex, under another PatientID. Names are
        compared without case and punctuation. What is empty or stands for nobody does not count, nor do
        PatientIDs of different issuers, nor data whose identity was removed.
    Why: Nobody who looks for the patient's earlier images finds them all: they are filed under two patients.
    Mend: Ask the patient administration whether these are one person. If so, have the records merged there,
        and PatientID corrected in the studies under the number that goes.
    Example: A patient came through the emergency room, got a new number, and was never merged.
    """
    parameters = study.context.parameters
    if _is_nobody(_identity(study), parameters):
        return
    for fact in study.told("patient"):
        other = fact.patient.patient_id
        if _is_comparable(study, fact) and not names_nobody(other, parameters):
            there = "many other PatientIDs, …" if fact.is_crowd else cut(other, 30)
            yield Hit(
                tags=("PatientID",),
                observed=f"{cut(fact.value, 30)} here, {there} elsewhere",
                expected="one PatientID for one person",
                rows=_rows_with(study, "PatientID", fact.value),
                message=f"The same name, birth date and sex have another PatientID in {where(fact)}",
            )


@rule(
    "PAT-COLLISION-SUSPECT",
    level="context",
    severity="block",
    reads=("PatientID", "PatientName", "PatientBirthDate", "IssuerOfPatientID", "PatientIdentityRemoved"),
    when=_has_identity,
    reference="PS3.3 C.7.1.1",
)
def patient_collision(study: ContextView) -> Iterator[Hit]:
    """One PatientID seems to be two people's.

    Finds: Another study with the same PatientID (0010,0020), but another name and another birth date. What is
        empty or stands for nobody does not count, nor do PatientIDs of different issuers, nor data whose
        identity was removed.
    Why: Archives file both under one patient. Somebody is shown another person's images.
    Mend: Find out who was examined in each of the two studies, and have PatientID corrected in the wrong one.
        Where two sites gave the same number, have each set its IssuerOfPatientID.
    Example: Two hospitals, both of which number their patients from 1, send to one archive.
    """
    for fact in study.told("patient_id"):
        if _is_comparable(study, fact):
            name, born = fact.patient.patient_name, fact.patient.patient_birth_date
            other = "many names and birth dates, …" if fact.is_crowd else f"{cut(name, 40)} {born} too"
            yield Hit(
                tags=("PatientID",),
                observed=f"{cut(fact.value, 30)}: {other}",
                expected="a PatientID of this patient's own",
                rows=_rows_with(study, "PatientID", fact.value),
                message=f"The PatientID has another name and birth date in {where(fact)}",
            )


@rule(
    "STU-ACCESSION-SHARED",
    level="context",
    severity="review",
    reads=("AccessionNumber", "PatientIdentityRemoved"),
    when=lambda study: (
        study.has("AccessionNumber")
        and not study.context.deidentified
        and study.first("PatientIdentityRemoved").text.upper() != "YES"
    ),
    reference="PS3.3 C.7.2.1",
)
def accession_shared(study: ContextView) -> Iterator[Hit]:
    """Several studies have one accession number.

    Finds: Another StudyInstanceUID with the same AccessionNumber (0008,0050), in the same batch or at any
        location that is known. Placeholders (those of the profile, zeros, punctuation) and data whose
        identity was removed are left alone. The message says so where the other study is another patient's.
    Why: The accession number is the order. Who asks for its images gets those of both studies, or of one of
        them by chance; reports are filed to the wrong one.
    Mend: Where one order rightly led to several studies, accept it (waive it, or set the rule to note).
        Otherwise find the study's own order in the information system, and have AccessionNumber corrected.
    Example: The technician opened the previous patient's worklist entry again, and began a new study with it.
    """
    own = _identity(study)
    for fact in study.told("accession"):
        if not names_nobody(fact.value, study.context.parameters):
            whose = " of another patient" if is_other_person(own, fact.patient) else ""
            others = "many other studies, …" if fact.is_crowd else f"study {cut(fact.study)}{whose} too"
            yield Hit(
                tags=("AccessionNumber",),
                observed=f"{cut(fact.value, 30)} in {others}",
                expected="an AccessionNumber of one study",
                rows=_rows_with(study, "AccessionNumber", fact.value),
                message=f"The accession number is also in {where(fact)}{whose}",
            )


@rule(
    "GEO-FOR-SHARED",
    level="context",
    severity="review",
    reads=("FrameOfReferenceUID",),
    reference="PS3.3 C.7.4.1",
)
def frame_of_reference_shared(study: ContextView) -> Iterator[Hit]:
    """Two patients share a frame of reference.

    Finds: A FrameOfReferenceUID (0020,0052) that a study of another patient has too: another PatientID, and
        another name or birth date. Well-known frames of reference, of atlases, are shared rightly, and
        several studies of one patient may share theirs.
    Why: Images with one frame of reference are shown on top of one another, and plans are carried over
        without asking. Between two people that is never right.
    Mend: Find out whether one of the two studies is filed under the wrong patient. Otherwise the device or
        the software that made the later one reuses the UID: report it to its maker.
    Example: A phantom template with a fixed FrameOfReferenceUID was used as the base of real studies.
    """
    own = _identity(study)
    for fact in study.told("frame_of_reference"):
        known = fact.value.startswith(_WELL_KNOWN) or names_nobody(
            fact.patient.patient_id, study.context.parameters
        )
        if not known and (fact.is_crowd or _differs(own, fact.patient)):
            # Without the other PatientID: what is found in a UID is shown where names are left out.
            others = "many other studies, …" if fact.is_crowd else f"study {cut(fact.study)}"
            yield Hit(
                tags=("FrameOfReferenceUID",),
                observed=f"{cut(fact.value)} in {others} of another patient",
                expected="a frame of reference of one patient",
                rows=_rows_with(study, "FrameOfReferenceUID", fact.value),
                message=f"Another patient has the frame of reference in {where(fact)}",
            )


def _is_comparable(study: ContextView, fact: IndexFact) -> bool:
    """The PatientID here is somebody's, and from the issuer that the other one is from, as far as is said."""
    if names_nobody(fact.value, study.context.parameters):
        return False
    issuers = {study.first("IssuerOfPatientID").text, fact.patient.issuer_of_patient_id} - {""}
    return len(issuers) < 2


def _identity(study: ContextView) -> Identity:
    """Whom most instances name."""
    return Identity(
        patient_name=study.first("PatientName").text,
        patient_birth_date=study.first("PatientBirthDate").text,
    )


def _is_nobody(patient: Identity, parameters: Parameters) -> bool:
    """The name or the birth date is one that is written where there is none."""
    words = name_words(patient.patient_name).upper().split()
    is_no_name = bool(words) and _NO_NAMES.union(parameters.placeholder_patient_ids).issuperset(words)
    return is_no_name or patient.patient_birth_date in _NO_BIRTH_DATES


def _differs(here: Identity, there: Identity) -> bool:
    """Name or birth date differ; what is empty differs from nothing."""
    names = {name_words(here.patient_name), name_words(there.patient_name)} - {""}
    dates = {here.patient_birth_date, there.patient_birth_date} - {""}
    return len(names) > 1 or len(dates) > 1


def _rows_with(study: ContextView, keyword: str, value: str) -> list[int]:
    """The instances with a value; all of them where it is written in more than one way."""
    rows = [row for group in study.groups(keyword) if group.key == value for row in group.rows]
    return sorted(rows) or list(study.rows)
