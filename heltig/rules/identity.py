"""Was the patient's identity removed, and does a PatientID name anybody?"""

import re

from heltig.rules.deidentification_claims import declared
from heltig.rules.parameters import Parameters
from heltig.rules.views import Values

_NOBODY = re.compile(r"0+|[Xx]{3,}|[\W_]+")


def identity_removed(at: Values) -> bool:
    """The data says that it is de-identified, or was declared so; the rule reads PatientIdentityRemoved.

    Names, numbers and dates are then replaced or shifted on purpose.
    """
    return declared(at.context) or at["PatientIdentityRemoved"].text.upper() == "YES"


def names_nobody(number: str, parameters: Parameters) -> bool:
    """A number that stands where there is none: listed in the profile, or zeros or punctuation alone."""
    return number.upper() in parameters.placeholder_patient_ids or bool(_NOBODY.fullmatch(number))
