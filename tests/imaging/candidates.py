"""Series to choose among, as the policy sees them: no images behind them."""

from typing import Any

from heltig.imaging.selection.candidates import Candidate
from heltig.imaging.selection.selecting import Audit
from heltig.imaging.volume import Technique


def a_series(uid: str = "1.2.3", **what: Any) -> Candidate:
    """140 axial slices of 1 mm by a kernel that says nothing; what a test names is otherwise."""
    technique = {name: what.pop(name) for name in list(what) if name in Technique.__dataclass_fields__}
    facts: dict[str, Any] = {
        "study_instance_uid": "1.2",
        "series_instance_uid": uid,
        "first_sop_instance_uid": f"{uid}.1",
        "technique": Technique(**{"modality": "CT", "series_number": 1, **technique}),
        "image_types": (("ORIGINAL", "PRIMARY", "AXIAL"),),
        "slices": 140,
        "spacing": (0.8, 0.8, 1.0),
    }
    return Candidate(**facts | what)


def reasons(audit: Audit) -> set[str]:
    return {reason.code for entry in audit.entries for reason in entry.reasons}
