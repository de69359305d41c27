"""Which series are never measured: every rejection, and words in several languages."""

import pytest

from heltig.imaging.planes import LEFT_OUT
from heltig.imaging.refusal import CODES
from heltig.imaging.selection.codes import POLICY_CODES, REJECTIONS, WARNINGS
from heltig.imaging.selection.request import Request
from heltig.imaging.selection.selecting import select

from .candidates import a_series, reasons

# -- hard rejections

REJECTED = {
    "OWN_RESULT": a_series(manufacturer="Heltig"),
    "MODALITY_NOT_WANTED": a_series(modality="PT"),
    "IMAGE_DERIVED": a_series(image_types=(("DERIVED", "SECONDARY"),)),
    "IMAGE_REFORMATTED": a_series(image_types=(("DERIVED", "PRIMARY", "CSA MPR"),)),
    "DESCRIPTION_UNWANTED": a_series(series_description="Dose Report"),
    "DESCRIPTION_LUNG": a_series(series_description="Tórax PULMAO"),
    "SLICES_TOO_FEW": a_series(slices=19),
    "PIXELS_COARSE": a_series(spacing=(3.1, 3.1, 3.0)),
    "SLICES_FAR_APART": a_series(spacing=(0.8, 0.8, 10.1)),
    "ORIENTATION_OFF_AXIS": a_series(degrees_off_axis=15.1),
    "NOT_HOUNSFIELD": a_series(hounsfield=False),
    "SEVERAL_VOLUMES": a_series(volumes=2),
    "GEOMETRY_GANTRY_TILT": a_series(tilted=True),
}


@pytest.mark.parametrize("code", REJECTED)
def test_each_rejection(code: str) -> None:
    audit = select([REJECTED[code], a_series("1.2.4")], request=Request(slice_metrics=True))
    assert reasons(audit) == {code}
    assert [entry.outcome for entry in audit.entries] == ["selected", "rejected"]


def test_every_code_of_the_policy_is_tried_and_said_in_words() -> None:
    assert set(POLICY_CODES) <= set(REJECTED)
    assert set(REJECTIONS) == {*LEFT_OUT, *CODES, *POLICY_CODES}
    assert not set(POLICY_CODES) & {*LEFT_OUT, *CODES}


def test_limits_themselves_are_allowed() -> None:
    at_the_limits = [
        a_series("1.1", slices=20),
        a_series("1.2", spacing=(3.0000001, 3.0, 10.0)),
        a_series("1.3", modality="MR", slices=10, hounsfield=False),
        a_series("1.4", degrees_off_axis=15.0),
    ]
    assert not reasons(select(at_the_limits, request=Request(slice_metrics=True)))


def test_slices_need_be_straight_only_where_single_ones_are_measured() -> None:
    leaning = [a_series(tilted=True, degrees_off_axis=40)]
    assert select(leaning).winner
    assert not select(leaning, request=Request(slice_metrics=True)).winner


def test_all_reasons_are_given() -> None:
    [entry] = select([a_series(slices=3, volumes=2, series_description="MIP 10mm")]).entries
    assert [reason.code for reason in entry.reasons] == [
        "DESCRIPTION_UNWANTED",
        "SEVERAL_VOLUMES",
        "SLICES_TOO_FEW",
    ]
    assert entry.reasons[2].observed == "3 of 20"


def test_modalities_of_the_request_are_the_only_ones() -> None:
    both = [a_series("1.1"), a_series("1.2", modality="MR")]
    [first, second] = select(both).entries
    assert (first.modality, second.decided_by) == ("CT", "modality")
    [first, second] = select(both, request=Request(modalities=("MR",))).entries
    assert (first.modality, [reason.code for reason in second.reasons]) == ("MR", ["MODALITY_NOT_WANTED"])


def test_phase_images_and_maps_are_no_anatomy() -> None:
    of_several_energies = ("VMI", "MAT_REMOVED", "MAT_SPECIFIC", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY")
    for kind in ("P", "PHASE MAP", "ADC", "PERFUSION_FFE", *of_several_energies):
        assert reasons(select([a_series(image_types=(("ORIGINAL", "PRIMARY", kind),))])) == {"IMAGE_DERIVED"}


def test_body_part_only_warns() -> None:
    for part, warnings in {"CHEST": ("BODY_PART_DIFFERS",), "ABDOMEN": (), "X": ()}.items():
        winner = select([a_series(body_part=part)], request=Request(region="abdomen")).winner
        assert winner
        assert winner.warnings == warnings
    winner = select([a_series(in_parts=True)]).winner
    assert winner
    assert winner.warnings == ("SERIES_IN_PARTS",)
    winner = select(
        [a_series(modality="MR", series_description="T2 tse")], request=Request(target="brain")
    ).winner
    assert winner
    assert winner.warnings == ("SEQUENCE_OTHER",)
    assert set(WARNINGS) == {"BODY_PART_DIFFERS", "SEQUENCE_OTHER", "SERIES_IN_PARTS"}


# -- words

UNWANTED = (
    "SCOUT", "Surview", "3-plane loc", "Localizador", "Lokalisator Localizer", "Survey", "Exam Summary",
    "Relatório", "AX MIP 10x3", "COR_MPR", "Réformations", "Patient Dose", "ResUMÉN", "Smartprep Series",
    "Test Bolus", "Virtual Non Contrast", "MonoE 40keV", "Abd 70 keV", "Iodine_Map", "Z Effective", "VNC 1.5",
)  # fmt: skip
LUNG = (
    "Lung 1.0", "TORAX PULMAO", "Tórax_Pulmão", "PULMÓN", "Pulmonar", "chest pulmonary", "Lungenfenster",
    "Poumons", "Polmone", "Лёгкие", "легочный", "胸部肺窗", "płuca", "ＬＵＮＧ",
)  # fmt: skip
INNOCENT = (
    "Low Dose Chest", "Tórax baixa dose", "Abdomen postop", "Abdomen Scoutfield2", "Summaryless",
    "Prolonged", "ramipril", "Virtual Colonoscopy", "Dual Energy 100 kV", None, "", "1.5",
)  # fmt: skip


@pytest.mark.parametrize("description", UNWANTED)
def test_unwanted_words(description: str) -> None:
    assert reasons(select([a_series(series_description=description)])) == {"DESCRIPTION_UNWANTED"}


def test_words_for_lung_in_several_languages() -> None:
    for description in LUNG:
        candidate = [a_series(series_description=description)]
        assert reasons(select(candidate)) == {"DESCRIPTION_LUNG"}, description
        assert select(candidate, request=Request(target="any")).winner, description


def test_words_that_only_look_alike() -> None:
    for description in INNOCENT:
        assert not reasons(select([a_series(series_description=description)])), description
