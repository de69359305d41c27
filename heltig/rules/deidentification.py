"""De-identification: is it said how, and of all of the study?"""

from collections.abc import Iterator

from heltig.rules.deidentification_claims import checked_rows, claimed_rows, declared, is_claimed
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values


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
    reference="PS3.3 C.7.1.1",
)
def mixed(study: StudyView) -> Iterator[Hit]:
    """A part of the study is said to be de-identified, a part is not.

    Finds: Instances without the claim in a study of which others claim to be de-identified. Not counted are
        objects that say nothing about it, are made from images, such as segmentations and reports, and have
        the PatientName and PatientID of an image that claims it, or of such an object of another maker: they
        were made later. The other rules look through them as through the images. One that says
        PatientIdentityRemoved NO is always counted.
    Why: The part that was left out may name the patient, and with him all the rest.
    Mend: De-identify the instances named here, or find out that they were and have them say so; do not send
        the study before.
    Example: A series that arrived after the script had run.
    """
    claimed = claimed_rows(study)
    checked = checked_rows(study)
    if len(checked) < len(study):
        others = [row for row in study.rows if row not in checked]
        yield Hit(
            tags=("PatientIdentityRemoved",),
            observed=f"YES in {len(claimed)}, not in {len(others)} instances",
            expected="all of the study de-identified, or nothing",
            rows=others,
        )
