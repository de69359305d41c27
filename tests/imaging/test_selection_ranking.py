"""The order of series that may be measured: every level of the key, kernels, sequences."""

from typing import Any

import pytest

from heltig.imaging.selection.candidates import Candidate, Phase
from heltig.imaging.selection.policy import shipped
from heltig.imaging.selection.preferring import preference_of, sequence_rank
from heltig.imaging.selection.ranking import LEVELS
from heltig.imaging.selection.request import Request
from heltig.imaging.selection.selecting import Entry, select
from heltig.imaging.volume import Technique

from .candidates import a_series

# -- the levels of the key, one at a time: the better of two differs in this one, and loses all that follow

SHORT = {"slices": 139, "series_number": 9}
LEVEL_PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "modality": ({"modality": "CT", **SHORT}, {"modality": "MR"}),
    "sequence": (
        {"modality": "MR", "series_description": "MPRAGE", "mr_acquisition_type": "3D", **SHORT},
        {"modality": "MR", "series_description": "FLAIR 3D", "mr_acquisition_type": "3D"},
    ),
    "phase": ({"phase": Phase("native"), **SHORT}, {"phase": Phase("arterial", 1.0)}),
    "tilt": (SHORT, {"tilted": True}),
    "elongation": (
        {"modality": "MR", "spacing": (1.0, 1.0, 1.5), "slices": 90, "series_number": 9},
        {"modality": "MR", "spacing": (0.5, 0.5, 1.0)},
    ),
    "coverage_tier": ({"slices": 130, "spacing": (0.8, 0.8, 5.0), "series_number": 9}, {"slices": 540}),
    "slice_mm": (
        {"spacing": (0.8, 0.8, 1.2), "slices": 146, "series_number": 9},
        {"spacing": (0.8, 0.8, 1.3)},
    ),
    "preference": ({"kernel": "soft", **SHORT}, {"kernel": "bone"}),
    "coverage_mm": ({"slices": 141, "series_number": 9}, {"phase": Phase("unknown", 1.0)}),
    "phase_probability": (
        {"phase": Phase("native", 0.9), "series_number": 9},
        {"phase": Phase("native", 0.8)},
    ),
    "slices": (
        {"spacing": (0.8, 0.8, 0.7), "slices": 160, "series_number": 9},
        {"spacing": (0.8, 0.8, 0.8), "slices": 140},
    ),
    "series_number": ({"uid": "9"}, {"series_number": None, "uid": "1"}),
    "series_instance_uid": ({"uid": "1", "study_instance_uid": "9"}, {"uid": "2"}),
    "study_instance_uid": ({"first_sop_instance_uid": "9"}, {"study_instance_uid": "9"}),
    "first_sop_instance_uid": ({"first_sop_instance_uid": "1"}, {"first_sop_instance_uid": "2"}),
}


@pytest.mark.parametrize("level", LEVEL_PAIRS)
def test_each_level_decides(level: str) -> None:
    better, worse = (a_series(**what) for what in LEVEL_PAIRS[level])
    for pair in ([better, worse], [worse, better]):
        audit = select(pair, request=Request(target="brain"))
        assert [entry.decided_by for entry in audit.entries] == [level, level]
        assert audit.winner
        assert _identity(audit.winner) == _identity(better)


def test_every_level_is_tried() -> None:
    assert tuple(LEVEL_PAIRS) == LEVELS


def test_thin_sharp_slices_do_not_win_by_being_thinner() -> None:
    audit = select(
        [
            a_series("1.1", kernel="Br64f", spacing=(0.8, 0.8, 0.6), slices=234),
            a_series("1.2", kernel="Br38f"),
        ]
    )
    assert audit.winner
    assert audit.winner.series_instance_uid == "1.2"


def test_one_slice_more_of_the_lung_kernel_does_not_win() -> None:
    audit = select([a_series("1.1", kernel="lung", slices=141), a_series("1.2", kernel="soft")])
    assert audit.winner
    assert audit.winner.series_instance_uid == "1.2"


def test_coverage_is_compared_within_a_phase() -> None:
    """The long portal venous series does not put the short native one into another tier."""
    audit = select(
        [
            a_series("1.1", phase=Phase("native"), slices=60),
            a_series("1.2", phase=Phase("portal_venous"), slices=700),
        ]
    )
    assert [entry.key and entry.key.coverage_tier for entry in audit.entries] == [0, 0]


def test_mr_sequences() -> None:
    cases: list[tuple[int, dict[str, Any]]] = [
        (0, {"series_description": "SAG 3D BRAVO", "mr_acquisition_type": "3D"}),
        (0, {"protocol": "T1W_3D_TFE", "mr_acquisition_type": "3D"}),
        (0, {"scanning_sequence": "GR\\IR", "mr_acquisition_type": "3D", "echo_time": 2.9}),
        (1, {"series_description": "t1_se_tra", "mr_acquisition_type": "2D"}),
        (2, {"scanning_sequence": "GR", "mr_acquisition_type": "3D", "echo_time": 25.0}),
        (2, {"series_description": "epilepsy", "scanning_sequence": "SE"}),
        (3, {"series_description": "T2*_swi", "scanning_sequence": "GR", "mr_acquisition_type": "3D"}),
    ]
    for rank, said in cases:
        assert sequence_rank(Technique(modality="MR", **said), shipped()) == rank, said


def test_siemens_t1_mpr_is_a_sequence_and_no_reformation() -> None:
    candidate = a_series(modality="MR", series_description="t1_mpr_ns_sag_p2", mr_acquisition_type="3D")
    assert select([candidate]).winner
    assert sequence_rank(candidate.technique, shipped()) == 0


@pytest.mark.parametrize(
    ("score", "manufacturer", "kernel", "description"),
    [
        (-1, "Canon Medical Systems", "BODY_SHARP", None),
        (-1, "TOSHIBA", "FC08", None),
        (-1, None, "FC13", None),
        (1, "TOSHIBA", "FC51", "Thorax"),
        (1, "Other", "sharp", None),
        (-1, "SIEMENS", "Br38f\\3", "Br38f"),
        (-1, "Siemens Healthineers", "I30f\\3", None),
        (-1, None, "B30f", "Abdomen B30f"),
        (1, None, "H70h", None),
        (1, "SIEMENS", "Bl57f\\3", None),
        (-1, "Philips", "UB", None),
        (1, "Philips Medical Systems", "YA", None),
        (0, "SIEMENS", "YA", None),
        (0, "SIEMENS", "B", None),
        (-1, "GE MEDICAL SYSTEMS", "STANDARD", None),
        (1, "GE MEDICAL SYSTEMS", "BONEPLUS", None),
        (0, "GE MEDICAL SYSTEMS", "DETAIL", None),
        (-1, None, None, "TC ABDOMEN TEJIDOS BLANDOS"),
        (-1, None, None, "Partes_Moles"),
        (-1, None, None, "Médiastin"),
        (-1, None, None, "Weichteilfenster"),
        (-1, None, None, "мягкие ткани"),
        (1, None, None, "ÓSSEO"),
        (1, None, None, "Knochenfenster"),
        (1, None, None, "кости"),
        (1, None, None, "骨条件"),
        (0, None, None, "soft bone"),
        (0, None, None, "Nosocomial edges"),
        (0, None, None, None),
    ],
)
def test_kernels_and_words(
    score: int, manufacturer: str | None, kernel: str | None, description: str | None
) -> None:
    candidate = a_series(manufacturer=manufacturer, kernel=kernel, series_description=description)
    assert preference_of(candidate, shipped()).score == score


def test_windows() -> None:
    for window, score in {(40.0, 400.0): -1, (-600.0, 1600.0): 1, (500.0, 2000.0): 0}.items():
        assert preference_of(a_series(window=window), shipped()).score == score


def _identity(one: Candidate | Entry) -> tuple[str, str, str]:
    return one.study_instance_uid, one.series_instance_uid, one.first_sop_instance_uid
