"""Patient: is it clear whose study this is?"""

from collections.abc import Iterator

from heltig.rules.conflict import conflict
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.standard.terms import enumerated


@rule(
    "PAT-ID-EMPTY",
    level="instance",
    severity="block",
    reads=("PatientID",),
    needs=("metadata", "all_attributes"),
    when=lambda at: True,
    reference="PS3.3 C.7.1.1",
)
def id_empty(at: Values) -> Iterator[Hit]:
    """PatientID is absent or empty.

    Finds: Instances in which PatientID (0010,0020) is absent or has no value.
    Why: An archive files a study under its patient. Without a PatientID it refuses the study, or files it
        under a patient that it makes up, where nobody looks for it.
    Mend: Find the patient by AccessionNumber or StudyDate in the information system and have PatientID set in
        all instances of the study.
    Example: A study sent from the modality's emergency mode before the patient was registered.
    """
    if not at.has("PatientID"):
        yield Hit(observed="absent" if not at["PatientID"].vr else "empty", expected="a PatientID")


@rule("PAT-ID-CONFLICT", level="study", severity="block", reads=("PatientID",), reference="PS3.3 A.1.2")
def id_conflict(study: StudyView) -> Iterator[Hit]:
    """One study has several PatientIDs.

    Finds: More than one PatientID (0010,0020) among the instances of one StudyInstanceUID.
    Why: A study belongs to one patient. Archives split such a study, refuse part of it, or show one patient's
        images under the other's name.
    Mend: Find out which patient was examined. Correct PatientID where it is wrong; where two patients were
        really examined under one worklist entry, give the second one's instances a StudyInstanceUID of their
        own.
    Example: The worklist entry of the previous patient was still open when the next scan began.
    """
    yield from conflict(study, "PatientID", where="study")


@rule("PAT-SEX-ENUM", level="instance", severity="review", reads=("PatientSex",), reference="PS3.3 C.7.1.1")
def sex_enumerated(at: Values) -> Iterator[Hit]:
    """PatientSex is not M, F or O.

    Finds: A PatientSex (0010,0040) other than the enumerated values M, F and O.
    Why: Archives and viewers that check enumerated values refuse or drop it; dose and reference values read
        it.
    Mend: Map the local code to M, F or O, or send it empty when it is not known.
    Example: `W` from a German information system, `U` for unknown.
    """
    allowed = enumerated("PatientSex") or frozenset()
    if at.has("PatientSex") and at["PatientSex"].text not in allowed:
        yield Hit(observed=at["PatientSex"].text, expected="M, F, O or empty")
