"""Who sees patient data on the pages: whoever may ask the API for a study with its evidence."""

from collections.abc import Iterable

from heltig.auth.policy import refusal
from heltig.auth.principal import Principal
from heltig.pipeline.redaction import redacted_finding
from heltig.rules.finding import Finding


def sees_patients(principal: Principal | None) -> bool:
    """Names, PatientIDs, birth dates, accession numbers, referring physicians, and values that were found."""
    return refusal(principal, "GET", "/api/v1/studies/{study}") is None


def seen_findings(findings: Iterable[Finding], *, patients: bool) -> tuple[Finding, ...]:
    """Findings as a person may see them.

    Args:
        findings: All of them.
        patients: The person sees patient data.
    """
    return tuple(finding if patients else redacted_finding(finding) for finding in findings)
