"""Who sees patient data on the pages: whoever may ask the API for a study, and sees it there."""

from heltig.auth.policy import refusal
from heltig.auth.principal import Principal
from heltig.pipeline.identifiers.sights import NOTHING, Sight, Sights


def sight_of(principal: Principal | None, sights: Sights) -> Sight:
    """Names, PatientIDs, birth dates, accession numbers, referring physicians, and values that were found."""
    if refusal(principal, "GET", "/api/v1/studies/{study}") is not None:
        return NOTHING
    return sights.of(principal)
