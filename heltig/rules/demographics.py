"""Patient: do name, birth date, sex and age say the same of one patient?"""

import re
from collections.abc import Iterator
from datetime import date
from functools import partial

from heltig.dicom.cell import Cell, DataSet
from heltig.dicom.dates import parse_as, parse_da
from heltig.dicom.study import element
from heltig.rules import mending
from heltig.rules.conflict import capitals, conflict, parts, patients, values_of
from heltig.rules.identity import identity_removed
from heltig.rules.names import COMPONENTS, GROUP_LENGTH, GROUPS, groups_of, spelling, words
from heltig.rules.proposal import mended
from heltig.rules.rule import Hit, rule
from heltig.rules.views import RowsView, StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of
from heltig.standard.terms import enumerated

DAYS_A_YEAR = 365.2425
_DAYS = {"D": 1.0, "W": 7.0, "M": DAYS_A_YEAR / 12, "Y": DAYS_A_YEAR}
_DATE = re.compile(r"([0-9]{4})[-./]?([0-9]{2})[-./]?([0-9]{2})")
_HUMAN = frozenset(
    {"337915000", "L-85B00"}
)  # Homo sapiens in SNOMED CT, and in SNOMED RT as older objects have it


@rule(
    "PAT-NAME-CONFLICT",
    level="study",
    severity="block",
    compares=True,
    reads=("PatientName",),
    reference="PS3.3 C.7.1.1",
)
def name_conflict(study: StudyView) -> Iterator[Hit]:
    """One PatientID has several names in a study.

    Finds: PatientNames (0010,0010) of one PatientID that differ in their words. Case, delimiters and groups
        that only some instances have do not count.
    Why: Either the images belong to two patients, or the archive's patient record is overwritten with the
        wrong name; some archives refuse the study.
    Mend: Find out which patient was examined. If it is one, set the name of the information system in all
        instances; if there are two, give the second one's instances their own PatientID and StudyInstanceUID.
    Example: `DOE^JANE` in the images and `ROE^RICHARD` in a dose report that took the next patient's name.
    """
    for patient in patients(study):
        yield from _different_names(patient)


def _different_names(patient: RowsView) -> list[Hit]:
    """The first of the name's groups in which a patient's instances differ; empty when there is none."""
    for group in range(GROUPS):
        found = list(conflict(patient, "PatientName", where="study", key=partial(words, group=group)))
        if found:
            return found
    return []


@rule("PAT-NAME-SHAPE", level="instance", severity="review", reads=("PatientName",), reference="PS3.5 6.2.1")
def name_shape(at: Values) -> Iterator[Hit]:
    """PatientName is not built as a person name.

    Finds: A PatientName (0010,0010) of more than three groups joined by `=`, more than five components joined
        by `^`, or more than 64 characters in a group; or one written with a comma instead of `^`.
    Why: What is too much is cut off or makes the archive refuse the study. A name with a comma is filed as a
        family name as a whole: a search for `DOE^JANE` does not find `DOE, JANE`.
    Mend: Have the name written as Family^Given^Middle^Prefix^Suffix where it is entered or converted.
        `Family^Given` is proposed where one word stands behind the only comma, and is a common given name.
    Example: `DOE, JANE` from a system that takes the name as one line of text.
    """
    name = at["PatientName"]
    groups = groups_of(name)
    if len(groups) > GROUPS:
        yield Hit(observed=f"{cut(name.text)}: {len(groups)} groups", expected=f"at most {GROUPS} groups")
    for group in groups:
        if len(group) > GROUP_LENGTH:
            yield Hit(
                observed=f"{cut(group, 40)}: {len(group)} characters",
                expected=f"at most {GROUP_LENGTH} characters in a group",
            )
        components = group.count("^") + 1
        if components > COMPONENTS:
            yield Hit(
                observed=f"{cut(group, 60)}: {components} components",
                expected=f"at most {COMPONENTS} components",
            )
    if "," in groups[0].strip(", ") and "^" not in groups[0]:
        why = "One comma, and one word behind it, which is a common given name: family and given name."
        changes = mended(tag_of("PatientName"), name, mending.name, why)
        yield Hit(observed=cut(groups[0]), expected="Family^Given", changes=changes)


@rule("PAT-NAME-FORMAT", level="study", severity="note", reads=("PatientName",), reference="PS3.5 6.2.1")
def name_format(study: StudyView) -> Iterator[Hit]:
    """A patient's name is written in several ways, or in one line.

    Finds: PatientNames (0010,0010) of one PatientID with the same words and another case, other delimiters or
        other groups; and names of several words without a `^` between them.
    Why: Archives that compare the characters take two spellings for two people, and a name without `^` is a
        family name only.
    Mend: Have the name written as the information system has it, Family^Given, in all systems that add to the
        study.
    Example: `Doe^Jane` from the scanner and `DOE^JANE` from a workstation.
    """
    for patient in patients(study):
        for name in parts(patient, "PatientName", words):
            if not _different_names(name):
                yield from conflict(name, "PatientName", where="study", key=spelling)
    for group in values_of(study, "PatientName", spelling):
        family = groups_of(group.cell)[0]
        if not {"^", ","} & set(family) and len(family.split()) > 1:
            yield Hit(tags=("PatientName",), observed=cut(family), expected="Family^Given", rows=group.rows)


def _day(cell: Cell) -> str:
    """A date without the delimiters that older objects write; other text as it stands."""
    parts = _DATE.fullmatch(cell.text)
    return "".join(parts.groups()) if parts else cell.shown.strip()


@rule(
    "PAT-DOB-CONFLICT",
    level="study",
    severity="block",
    compares=True,
    reads=("PatientBirthDate",),
    reference="PS3.3 C.7.1.1",
)
def birth_date_conflict(study: StudyView) -> Iterator[Hit]:
    """One PatientID has several birth dates in a study.

    Finds: More than one PatientBirthDate (0010,0030) for one PatientID.
    Why: The birth date is what archives and people tell namesakes apart by: the images may belong to two
        patients.
    Mend: Compare with the information system. Correct the wrong date, or separate the instances that belong
        to another patient.
    Example: A patient registered again by hand at the second scanner, with day and month exchanged.
    """
    for patient in patients(study):
        yield from conflict(patient, "PatientBirthDate", where="study", key=_day)


@rule(
    "PAT-SEX-CONFLICT",
    level="study",
    severity="review",
    compares=True,
    reads=("PatientSex",),
    reference="PS3.3 C.7.1.1",
)
def sex_conflict(study: StudyView) -> Iterator[Hit]:
    """One PatientID has several values of PatientSex in a study.

    Finds: More than one PatientSex (0010,0040) for one PatientID; instances without a value do not count.
    Why: It may be a slip, or images of two patients. Reference values and dose estimates read it.
    Mend: Compare with the information system, and correct the value or separate the instances.
    Example: `O` from a modality that sends it when nothing was entered, `F` from the worklist.
    """
    for patient in patients(study):
        yield from conflict(patient, "PatientSex", where="study", key=capitals)


@rule("PAT-SEX-ENUM", level="instance", severity="review", reads=("PatientSex",), reference="PS3.3 C.7.1.1")
def sex_enumerated(at: Values) -> Iterator[Hit]:
    """PatientSex is not M, F or O.

    Finds: A PatientSex (0010,0040) other than the enumerated values M, F and O.
    Why: Archives and viewers that check enumerated values refuse or drop it; dose and reference values read
        it.
    Mend: Map the local code to M, F or O, or send it empty when it is not known. The letter is proposed for
        the English words and for small letters.
    Example: `W` from a German information system, `U` for unknown.
    """
    allowed = enumerated("PatientSex") or frozenset()
    if at.has("PatientSex") and at["PatientSex"].text not in allowed:
        why = "The English word, or the small letter, has one enumerated value."
        changes = mended(tag_of("PatientSex"), at["PatientSex"], mending.sex, why)
        yield Hit(observed=cut(at["PatientSex"].text), expected="M, F, O or empty", changes=changes)


@rule(
    "PAT-DOB-FUTURE",
    level="instance",
    severity="review",
    reads=("PatientBirthDate", "StudyDate", "PatientIdentityRemoved"),
    when=lambda at: parse_da(at["PatientBirthDate"].text) is not None,
    reference="PS3.3 C.7.1.1",
)
def birth_date_impossible(at: Values) -> Iterator[Hit]:
    """The birth date is after the study, or too long ago.

    Finds: A PatientBirthDate (0010,0030) after StudyDate or in the future, or one that makes the patient
        older than the profile's `oldest_patient_years` (130); in data whose identity was removed that is a
        date put in its place. Dates that are no dates are a matter of VAL-DA.
    Why: One of the two dates is wrong. Ages, reference values and retention periods are reckoned from them,
        and the patient is not found by birth date.
    Mend: Compare both dates with the information system; look at the modality's clock if StudyDate is wrong.
    Example: A birth date of 11 November 1111, typed to get past a form that insists on one.
    """
    born = parse_da(at["PatientBirthDate"].text)
    if born is None:
        return
    today = at.context.reference_date
    studied = parse_da(at["StudyDate"].text) or today
    if born > studied or (born - today).days > at.context.parameters.future_days:
        yield _dates(at, "born before the study")
    elif _is_too_old(born, min(studied, today), at):
        yield _dates(at, f"at most {at.context.parameters.oldest_patient_years} years of age")


def _is_too_old(born: date, seen: date, at: Values) -> bool:
    return _years(born, seen) > at.context.parameters.oldest_patient_years and not identity_removed(at)


def _dates(at: Values, expected: str) -> Hit:
    studied = at["StudyDate"].text
    return Hit(
        tags=("PatientBirthDate", "StudyDate"),
        observed=f"born {at['PatientBirthDate'].text}, study {cut(studied, 20) or 'without a date'}",
        expected=expected,
    )


def _years(start: date, end: date) -> float:
    return (end - start).days / DAYS_A_YEAR


@rule(
    "PAT-AGE-MISMATCH",
    level="instance",
    severity="review",
    reads=("PatientAge", "PatientBirthDate", "StudyDate"),
    when=lambda at: _age_of(at) is not None and parse_as(at["PatientAge"].text) is not None,
    reference="PS3.3 C.7.2.2",
)
def age_mismatch(at: Values) -> Iterator[Hit]:
    """PatientAge is not the age between birth and study.

    Finds: A PatientAge (0010,1010) that differs from StudyDate less PatientBirthDate by more than the
        profile's `age_tolerance_years` (1). Where one of the dates is impossible another rule says so.
    Why: Birth date or age belongs to somebody else, or one of them was corrected alone. Dose and reference
        values are reckoned from the age.
    Mend: Compare with the information system; correct the birth date, or leave PatientAge out: it can be
        reckoned.
    Example: `000Y` from a modality that sends it when no age was entered, with a birth date 50 years before.
    """
    stated, actual = parse_as(at["PatientAge"].text), _age_of(at)
    if stated is None or actual is None:
        return
    number, unit = stated
    least, most = number * _DAYS[unit] / DAYS_A_YEAR, (number + 1) * _DAYS[unit] / DAYS_A_YEAR
    tolerance = at.context.parameters.age_tolerance_years
    if not least - tolerance <= actual <= most + tolerance:
        born, studied = at["PatientBirthDate"].text, at["StudyDate"].text
        yield Hit(
            tags=("PatientAge", "PatientBirthDate", "StudyDate"),
            observed=f"{at['PatientAge'].text}, born {born}, study {studied}",
            expected=f"{int(actual):03}Y",
        )


def _age_of(at: Values) -> float | None:
    """Years from birth to study; None where a date is absent or not believed."""
    born, studied = parse_da(at["PatientBirthDate"].text), parse_da(at["StudyDate"].text)
    if born is None or studied is None or born > studied:
        return None
    years, ahead = _years(born, studied), (studied - at.context.reference_date).days
    parameters = at.context.parameters
    believed = ahead <= parameters.future_days and years <= parameters.oldest_patient_years
    return years if believed else None


@rule(
    "PAT-SPECIES",
    level="instance",
    severity="note",
    reads=("PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription",
        "ResponsiblePerson", "ResponsibleOrganization"),
    needs=("metadata", "all_attributes"),
    when=lambda at: _is_animal(at),
    reference="PS3.3 C.7.1.1",
)  # fmt: skip
def species(at: Values) -> Iterator[Hit]:
    """An animal without anybody responsible for it.

    Finds: Instances with a species or breed that is not human, and neither ResponsiblePerson (0010,2297), not
        even empty, nor a ResponsibleOrganization (0010,2299).
    Why: An animal's name and number tell nothing without its owner's: the archive cannot tell two dogs called
        Rex apart.
    Mend: Have the owner's name and role sent with the study.
    Example: A study of a dog whose owner stands in PatientName.
    """
    if not at["ResponsiblePerson"].vr and not at.has("ResponsibleOrganization"):
        what = at["PatientSpeciesDescription"].text or at["PatientBreedDescription"].text or "an animal"
        yield Hit(
            tags=("ResponsiblePerson",), observed=cut(f"{what}: absent"), expected="the responsible person"
        )


def _is_animal(at: Values) -> bool:
    described = at["PatientSpeciesDescription"].text.casefold()
    codes = {
        element(DataSet(item.tags, item.raws, item.encoding), tag_of("CodeValue")).text
        for item in at["PatientSpeciesCodeSequence"].items
    }
    if codes & _HUMAN or described in ("human", "homo sapiens"):
        return False
    return bool(codes or described or at.has("PatientBreedDescription"))
