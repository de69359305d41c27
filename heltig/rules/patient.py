"""Patient: is it clear whose study this is?"""

from collections.abc import Iterator

from heltig.dicom.cell import Cell
from heltig.rules import mending
from heltig.rules.absence import has_patient, lacking
from heltig.rules.conflict import conflict, patients, same_patient_id
from heltig.rules.identity import identity_removed, names_nobody
from heltig.rules.names import words
from heltig.rules.proposal import Change, mended
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import cut, is_invisible, visible_spaces
from heltig.standard.dictionary import tag_of


@rule(
    "PAT-ID-EMPTY",
    level="study",
    severity="block",
    reads=("PatientID", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.1.1",
)
def id_empty(study: StudyView) -> Iterator[Hit]:
    """PatientID is absent or empty.

    Finds: Instances in which PatientID (0010,0020) is absent or has no value. Objects that belong to no
        patient, such as hanging protocols, are left alone.
    Why: An archive files a study under its patient. Without a PatientID it refuses the study, or files it
        under a patient that it makes up, where nobody looks for it.
    Mend: Find the patient by AccessionNumber or StudyDate in the information system and have PatientID set in
        all instances of the study.
    Example: A study sent from the modality's emergency mode before the patient was registered.
    """
    yield from lacking(study, "PatientID")


@rule(
    "PAT-ID-PLACEHOLDER",
    level="instance",
    severity="review",
    reads=("PatientID", "PatientName", "PatientIdentityRemoved"),
    when=lambda at: at.has("PatientID"),
    reference="PS3.3 C.7.1.1",
)
def id_placeholder(at: Values) -> Iterator[Hit]:
    """PatientID names nobody.

    Finds: A PatientID (0010,0020) that is one of the profile's `placeholder_patient_ids`, consists of zeros
        or of punctuation alone, or repeats the patient's name. In data whose identity was removed a name
        that is also the ID is left alone.
    Why: Everybody without a number gets the same one. In the archive they become one patient with many
        people's studies.
    Mend: Find the patient by AccessionNumber or StudyDate in the information system and have the real
        PatientID set in all instances of the study.
    Example: `0000000`, `UNKNOWN`, or `DOE^JOHN` in PatientID as well as in PatientName.
    """
    text = at["PatientID"].text
    if names_nobody(text, at.context.parameters) or _is_name(at):
        yield Hit(tags=("PatientID",), observed=cut(text), expected="a PatientID of this patient's own")


def _is_name(at: Values) -> bool:
    """The ID repeats a name of family and given name; a phantom or a pseudonym has one word for both."""
    name = at["PatientName"]
    return "^" in name.text.rstrip("^") and words(at["PatientID"]) == words(name) and not identity_removed(at)


@rule(
    "PAT-ID-WHITESPACE",
    level="instance",
    severity="review",
    reads=("PatientID",),
    when=lambda at: at.has("PatientID"),
    reference="PS3.5 6.2",
)
def id_whitespace(at: Values) -> Iterator[Hit]:
    """PatientID has spaces around it, or something invisible in it.

    Finds: A PatientID (0010,0020) with leading spaces, with two or more trailing ones (seen only where the
        source shows the bytes), or with tabs, line ends, no-break spaces or other invisible characters
        anywhere.
    Why: The standard says that spaces around it mean nothing. Databases that do not know this make two
        patients of one, and nobody can see why.
    Mend: Trim PatientID where it is entered: mostly a barcode reader, or a database with columns of fixed
        width. Have it corrected in the study, and in the archive's other studies of this patient. Trimming is
        proposed unless something invisible stands inside.
    Example: `␣123456`, or a number with a tab behind it.
    """
    cell = at["PatientID"]
    for value in cell.values:
        if isinstance(value, str) and (value[:1] == " " or _hides_something(value)):
            observed = cut(visible_spaces(value))
            yield Hit(observed=observed, expected="no spaces around it", changes=_trimmed(cell))
    trailing = _trailing_spaces(cell)
    if trailing > 1:
        padded = Cell(cell.vr, (cell.text + " " * trailing,))
        yield Hit(
            observed=f"{trailing} trailing spaces",
            expected="at most one, to make the length even",
            changes=_trimmed(padded),
        )


def _trimmed(cell: Cell) -> tuple[Change, ...]:
    why = "Spaces around a PatientID mean nothing (PS3.5 6.2), and control characters are none of it."
    return mended(tag_of("PatientID"), cell, mending.trimmed, why)


def _hides_something(value: str) -> bool:
    return not value.isprintable() and any(map(is_invisible, value))


def _trailing_spaces(cell: Cell) -> int:
    """How much longer a single ASCII value is in the file than it reads; 0 where something else is wrong."""
    value = cell.values[0] if len(cell.values) == 1 else None
    if cell.length is None or cell.faults or not isinstance(value, str) or not value.isascii():
        return 0
    return cell.length - len(value)


@rule(
    "PAT-ID-CONFLICT",
    level="study",
    severity="block",
    compares=True,
    reads=("PatientID",),
    reference="PS3.3 A.1.2",
)
def id_conflict(study: StudyView) -> Iterator[Hit]:
    """One study has several PatientIDs.

    Finds: More than one PatientID (0010,0020) among the instances of one StudyInstanceUID. IDs that differ in
        case or in leading zeros only are a matter of PAT-ID-PADDED-EQUAL.
    Why: A study belongs to one patient. Archives split such a study, refuse part of it, or show one patient's
        images under the other's name.
    Mend: Find out which patient was examined. Correct PatientID where it is wrong; where two patients were
        really examined under one worklist entry, give the second one's instances a StudyInstanceUID of their
        own.
    Example: The worklist entry of the previous patient was still open when the next scan began.
    """
    yield from conflict(study, "PatientID", where="study", key=same_patient_id)


@rule(
    "PAT-ID-PADDED-EQUAL",
    level="study",
    severity="review",
    compares=True,
    reads=("PatientID",),
    reference="PS3.5 6.2",
)
def id_padded_equal(study: StudyView) -> Iterator[Hit]:
    """One study has a PatientID in several spellings.

    Finds: PatientIDs (0010,0020) in one study that are the same once case and leading zeros are dropped.
    Why: Most likely it is one patient, but archives compare the characters: the study is split, or refused,
        as if there were two.
    Mend: Set the spelling of the information system in all instances. The system that dropped the zeros or
        changed the case does it to every study: have its configuration corrected.
    Example: `00123456` from the modality and `123456` from a workstation that stores it as a number.
    """
    for patient in patients(study):
        yield from conflict(patient, "PatientID", where="study")


@rule(
    "PAT-ISSUER-MISSING",
    level="instance",
    severity="review",
    reads=("PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence"),
    needs=("metadata", "all_attributes"),
    when=lambda at: at.context.parameters.issuer_required and at.has("PatientID"),
    reference="PS3.3 C.7.1.1",
)
def issuer_missing(at: Values) -> Iterator[Hit]:
    """Nobody says who issued the PatientID.

    Finds: Instances with a PatientID (0010,0020) but neither IssuerOfPatientID (0010,0021) nor an item in
        IssuerOfPatientIDQualifiersSequence (0010,0024). Only under a profile with `issuer_required`.
    Why: An archive of several sites tells equal numbers of different patients apart by their issuer; some
        refuse studies without one (dcm4chee: no Patient ID from a trusted issuer).
    Mend: Have the modality or the router add the site's issuer, or configure the archive to assume it by
        calling AE title.
    Example: A study moved from a hospital's own archive to one for the whole region.
    """
    if not at.has("IssuerOfPatientID") and not at.has("IssuerOfPatientIDQualifiersSequence"):
        yield Hit(tags=("IssuerOfPatientID",), observed="none", expected="the issuer of the PatientID")


@rule(
    "PAT-ISSUER-CONFLICT",
    level="study",
    severity="block",
    compares=True,
    reads=("IssuerOfPatientID",),
    reference="PS3.3 C.7.1.1",
)
def issuer_conflict(study: StudyView) -> Iterator[Hit]:
    """One PatientID comes from several issuers.

    Finds: More than one IssuerOfPatientID (0010,0021) for one PatientID within a study.
    Why: The same number from two issuers is two patients. Archives refuse the second part of such a study
        (dcm4chee: Patient ID differs, issuer included) or split it.
    Mend: Find out which issuer the number is from and have it set in all instances; look for a gateway that
        puts its own issuer over one that is already there.
    Example: A study of a partner hospital, to which a workstation added key images with its own issuer.
    """
    for patient in patients(study):
        yield from conflict(patient, "IssuerOfPatientID", where="study")
