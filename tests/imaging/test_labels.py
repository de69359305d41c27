"""The table of structures: every code is one of PS3.16, as pydicom's dictionary has it."""

import pytest
from imaging.phantom import structure
from pydicom.sr._concepts_dict import concepts

from heltig.imaging.labels import LEFT, RIGHT, STRUCTURES, TASKS, structure_by_code
from heltig.imaging.volume import Code

MEANINGS = {
    (code, meaning)
    for names in concepts["SCT"].values()
    for code, (meaning, groups) in names.items()
    if groups
}


def test_codes_are_those_of_the_standard() -> None:
    for found in STRUCTURES.values():
        codes = [code for code in (found.category, found.type, found.laterality) if code]
        assert {code.scheme for code in codes} == {"SCT"}
        assert all((code.value, code.meaning) in MEANINGS for code in codes), found.key


def test_sides_are_those_of_the_names() -> None:
    side_is_in_the_type = {"atrial_appendage_left", "lung_middle_lobe_right"}
    for key, found in STRUCTURES.items():
        words = key.split("_")
        side = LEFT if "left" in words else RIGHT if "right" in words else None
        assert found.key == key
        assert found.laterality == (None if key in side_is_in_the_type else side)


def test_all_of_totalsegmentator_is_known() -> None:
    assert [len(TASKS[task]) for task in ("total", "tissue_types", "cerebral_bleed")] == [117, 3, 1]
    assert len(set(TASKS["total"].values())) == 117
    assert {key for labels in TASKS.values() for key in labels.values()} <= set(STRUCTURES)
    assert [len(TASKS[task]) for task in ("total_mr", "vertebrae_body")] == [50, 2]
    assert [TASKS["total_mr"][label] for label in (10, 20, 25, 37, 49)] == [
        *("lung_left", "intervertebral_discs", "portal_vein_and_splenic_vein", "femur_right"),
        "iliopsoas_right",
    ]
    numbers = {key: number for number, key in TASKS["total"].items()}
    some = ("spleen", "liver", "vertebrae_L3", "aorta", "femur_left", "brain", "rib_right_12")
    assert [numbers[key] for key in some] == [1, 5, 29, 52, 75, 90, 115]


def test_structures_are_found_by_their_codes() -> None:
    for key in ("liver", "kidney_left", "kidney_right", "vertebrae_L3", "hip_left", "atrial_appendage_left"):
        found = STRUCTURES[key]
        assert structure_by_code(found.type, found.laterality) is found
    assert structure_by_code(STRUCTURES["liver"].type, RIGHT) is STRUCTURES["liver"]


@pytest.mark.parametrize("key", ["rib_left_3", "vertebrae_S1", "torso_fat", "gluteus_medius_right"])
def test_a_code_that_others_have_too_finds_nothing_wrong(key: str) -> None:
    found = structure_by_code(STRUCTURES[key].type, STRUCTURES[key].laterality)
    assert found is None or found.key == "skeletal_muscle"


def test_codes_of_other_schemes_find_nothing() -> None:
    assert structure_by_code(structure("liver").type) is None
    assert structure_by_code(Code("64033007", "SCT", "Kidney")) is None
