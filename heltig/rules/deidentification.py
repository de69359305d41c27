"""De-identification: is it said how, and of all of the study?"""

from collections.abc import Iterator
from typing import Final

from heltig.rules.acquisition import ACQUIRED
from heltig.rules.deidentification_claims import claimed_rows, declared, is_claimed
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.standard.sop_classes import lookup

_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"


def _claims_itself(at: Values) -> bool:
    return at["PatientIdentityRemoved"].text.upper() == "YES"


@rule(
    "DEI-METHOD",
    level="instance",
    severity="review",
    reads=("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    needs=("metadata", "all_attributes"),
    when=_claims_itself,
    reference="PS3.3 C.7.1.1",
)
def method(at: Values) -> Iterator[Hit]:
    """The data says that the identity was removed, but not how.

    Finds: PatientIdentityRemoved (0012,0062) YES with neither DeidentificationMethod (0012,0063) nor
        DeidentificationMethodCodeSequence (0012,0064).
    Why: Nobody can tell what was removed and what kept on purpose, so nobody can judge whether it was enough.
        The standard demands one of the two.
    Mend: Have the de-identifier write its method, best as codes of the profile and options it applied.
    Example: A script that sets the flag and removes the name, no more.
    """
    if not at.has("DeidentificationMethod") and not at.has("DeidentificationMethodCodeSequence"):
        yield Hit(
            tags=("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
            observed="absent",
            expected="the method, as text or codes",
        )


@rule(
    "DEI-MIXED",
    level="study",
    severity="block",
    reads=("PatientIdentityRemoved",),
    when=lambda study: is_claimed(study) and not declared(study.context),
    needs=("metadata", "all_attributes"),
)
def mixed(study: StudyView) -> Iterator[Hit]:
    """A part of the study is said to be de-identified, a part is not.

    Finds: Instances without the claim in a study of which others claim to be de-identified. Not counted are
        objects made from images, such as segmentations and reports, of the same PatientName and PatientID:
        they were made later.
    Why: The part that was left out may name the patient, and with him all the rest.
    Mend: De-identify the instances named here, or find out that they were and have them say so; do not send
        the study before.
    Example: A series that arrived after the script had run.
    """
    claimed = claimed_rows(study)
    if len(claimed) == len(study):
        return
    names = {row: (name, id) for row, name, id in _identities(study)}
    known = {names[row] for row in claimed}
    classes = study.texts("SOPClassUID")
    others = [
        row
        for row in study.rows
        if row not in claimed and not (names[row] in known and _is_made_later(classes[row]))
    ]
    if others:
        yield Hit(
            tags=("PatientIdentityRemoved",),
            observed=f"YES in {len(claimed)}, not in {len(others)} instances",
            expected="all of the study de-identified, or nothing",
            rows=others,
        )


def _identities(study: StudyView) -> Iterator[tuple[int, str, str]]:
    return zip(study.rows, study.texts("PatientName"), study.texts("PatientID"), strict=True)


def _is_made_later(sop_class_uid: str) -> bool:
    sop_class = lookup(sop_class_uid)
    return (
        sop_class is not None
        and sop_class_uid != _SECONDARY_CAPTURE
        and bool(sop_class.modality)
        and ACQUIRED.isdisjoint(sop_class.modality)
    )
