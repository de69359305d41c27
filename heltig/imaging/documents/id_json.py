"""Whose results these are: the case, its times, its series; patient and study only if that is allowed."""

from typing import Any, Final

from heltig.imaging.analysis import Analysis
from heltig.imaging.documents.analysis_json import STATEMENTS, series_of

_PATIENT: Final = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
)
_STUDY: Final = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "StudyDescription",
    "ReferringPhysicianName",
)


def id_document(analysis: Analysis) -> dict[str, Any]:
    """The document, ready to be encoded."""
    allowed, results = analysis.order.allow_identified, analysis.results
    known = analysis.selection.phase
    return {
        **STATEMENTS,
        "case_id": analysis.order.analysis_id,
        "fingerprint": analysis.fingerprint,
        "started": analysis.started,
        "seconds": analysis.seconds,
        "verdict": analysis.order.verdict,
        "override": analysis.order.override,
        "series": {
            **series_of(analysis),
            "series_number": analysis.volume.technique.series_number,
            "contrast_phase": results.phase.phase,
            "contrast_phase_by_headers": known and known.name,
        },
        "patient": _texts(analysis, _PATIENT) if allowed else None,
        "study": _texts(analysis, _STUDY) if allowed else None,
    }


def _texts(analysis: Analysis, keywords: tuple[str, ...]) -> dict[str, str | None]:
    """What the first slice says, by keyword of DICOM; None where it says nothing."""
    stack = analysis.stack
    return {keyword: stack.planes.texts(keyword)[stack.order[0]] or None for keyword in keywords}
