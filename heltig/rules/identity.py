"""Was the patient's identity removed?"""

from heltig.rules.views import Values


def identity_removed(at: Values) -> bool:
    """The data says that it is de-identified, or was declared so; the rule reads PatientIdentityRemoved.

    Names, numbers and dates are then replaced or shifted on purpose.
    """
    return at.context.deidentified or at["PatientIdentityRemoved"].text.upper() == "YES"
