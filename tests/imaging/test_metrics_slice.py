"""What is measured on the slice through L3; phantoms P4, P5, P6, P8."""

from dataclasses import replace
from math import pi
from typing import Any

import pytest
from imaging.bodies import drawn, first_slice, results, rotation, segmentation, summary, torso, value, why
from imaging.phantom import Box, Phantom, shares

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics import measure
from heltig.imaging.metrics.l3 import MiddleSlice, middle_of_l3
from heltig.imaging.metrics.measurement import Gap
from heltig.imaging.segmentation import Segmentation


@pytest.fixture(scope="module")
def body() -> Phantom:
    """P4, with an even number of slices a vertebra."""
    return torso()


def test_fat_in_slabs_about_vertebrae(body: Phantom) -> None:
    """A vertebra and a gap are 35 mm high. Above T12 there is no vertebra that says where its slab ends."""
    found = results(body, optional=["fat_slabs"])
    for level in ("L5", "L4", "L3", "L2", "L1"):
        for name, key in (("SAT", "subcutaneous_fat"), ("VAT", "torso_fat")):
            area = value(found, name, key)
            assert area is not None
            assert value(found, f"{name}_volume", f"{key}+vertebrae_{level}") == pytest.approx(area * 3.5)
    assert why(found, "SAT_volume", "subcutaneous_fat+vertebrae_T12") == ("not_evaluated", "slab_uncertain")
    cut = results(torso(more=[Box("body", (0, 0, 0), (9, 9, 90), 0)]), optional=["fat_slabs"])
    region = "torso_fat+vertebrae_L3"
    assert why(cut, "VAT_volume", region) == ("truncated", "cut_off")
    assert value(cut, "observed_VAT_volume", region) == value(found, "VAT_volume", region)


def test_fat_that_is_drawn_on_one_slice_makes_no_slab(body: Phantom) -> None:
    z = z_of(body)
    drawn_once = body.labels.copy()
    fat = body.mask("torso_fat")
    fat[:, :, z] = False
    drawn_once[fat] = 0
    found = results(replace(body, labels=drawn_once), optional=["fat_slabs"])
    assert value(found, "VAT", "torso_fat") == value(results(body), "VAT", "torso_fat")
    for level in ("L5", "L3", "L1"):
        assert why(found, "VAT_volume", f"torso_fat+vertebrae_{level}") == ("not_evaluated", "slab_in_part")
        assert value(found, "SAT_volume", f"subcutaneous_fat+vertebrae_{level}")


def z_of(*phantoms: Phantom) -> int | Gap:
    middle = middle_of_l3(Inventory(segmentation(*phantoms)))
    return middle.z if isinstance(middle, MiddleSlice) else middle


def test_areas_of_the_torso(body: Phantom) -> None:
    found = results(body, patient_size_m=1.75)
    sat, sma = pi * (170 * 120 - 150 * 100) / 100, pi * (150 * 100 - 125 * 80) / 100
    vat = pi * 60 * 30 / 100
    both = "subcutaneous_fat+torso_fat"
    assert value(found, "SMA", "skeletal_muscle") == pytest.approx(sma, rel=2e-3)
    assert value(found, "SMI", "skeletal_muscle") == pytest.approx(sma / 1.75**2, rel=2e-3)
    assert value(found, "SMD", "skeletal_muscle") == 50
    assert value(found, "SMD_sd", "skeletal_muscle") == 0
    assert value(found, "IMAT", "skeletal_muscle") == 0
    assert value(found, "SAT", "subcutaneous_fat") == pytest.approx(sat, rel=2e-3)
    assert value(found, "VAT", "torso_fat") == pytest.approx(vat, rel=3e-3)
    assert value(found, "TAT", both) == pytest.approx(sat + vat, rel=2e-3)
    ratio = value(found, "VAT_SAT_ratio", "torso_fat+subcutaneous_fat")
    assert ratio == pytest.approx(vat / sat, rel=4e-3)


@pytest.mark.parametrize("slices", [5, 6])
def test_the_middle_slice_is_known(slices: int) -> None:
    """With an even number two slices are as near: the one towards the feet is taken."""
    phantom = torso(slices)
    z = first_slice("L3", slices) + (slices - 1) // 2
    assert z_of(phantom) == z
    one = results(phantom).one("SMA", "skeletal_muscle")
    assert one is not None
    assert one.place is not None
    assert one.place.sop_instance_uid == phantom.uids()[z]
    assert one.place.index == z
    assert one.place.height_mm == phantom.point((0, 0, z))[2]
    assert one.window == (-29, 150)
    assert value(results(phantom), "L3_slice", "vertebrae_L3") == z


def test_thin_tips_of_the_process_do_not_move_the_slice(body: Phantom) -> None:
    assert z_of(torso(process=(10, 3))) == z_of(body)


def test_a_thick_process_does_not_where_bodies_are_known(body: Phantom) -> None:
    thick = torso(process=(15, 3))
    bodies = [
        Box("vertebrae_body", (155, 150, first_slice(level, 6)), (195, 185, first_slice(level, 6) + 6), 0)
        for level in ("L4", "L3", "L2")
    ]
    z = z_of(body)
    assert isinstance(z, int)
    assert z_of(thick) == z - 1  # of nine slices the fifth
    assert z_of(thick, drawn(thick, bodies)) == z


AMBIGUOUS = {
    "cut off": [Box("", (0, 0, 0), (350, 250, first_slice("L3", 6)), 0)],
    "too low": [Box("", (155, 150, first_slice("L3", 6) + 2), (195, 185, first_slice("L3", 6) + 6), 0)],
    "neighbours swapped": [
        Box("vertebrae_L2", (155, 150, first_slice("L4", 6)), (195, 185, first_slice("L4", 6) + 6), 0),
        Box("vertebrae_L4", (155, 150, first_slice("L2", 6)), (195, 185, first_slice("L2", 6) + 6), 0),
    ],
    "neighbour too far": [
        Box("", (155, 150, first_slice("L2", 6)), (195, 185, first_slice("L2", 6) + 7), 0),
        Box("vertebrae_L2", (155, 150, first_slice("L1", 6) + 1), (195, 185, first_slice("L1", 6) + 6), 0),
    ],
}


@pytest.mark.parametrize("how", AMBIGUOUS)
def test_an_uncertain_middle_is_not_taken(how: str) -> None:
    phantom = torso(more=AMBIGUOUS[how])
    if how == "cut off":
        low = first_slice("L3", 6)
        phantom = replace(phantom, voxels=phantom.voxels[:, :, low:], labels=phantom.labels[:, :, low:])
    assert z_of(phantom) == Gap("not_evaluated", "l3_ambiguous")
    found = results(phantom)
    assert why(found, "SMA", "skeletal_muscle") == ("not_evaluated", "l3_ambiguous")
    assert why(found, "L3_slice", "vertebrae_L3") == ("not_evaluated", "l3_ambiguous")


def test_nothing_is_measured_without_l3() -> None:
    found = results(torso(levels=("L4", "L2")))
    assert why(found, "SMA", "skeletal_muscle") == ("not_evaluated", "not_segmented")
    assert why(found, "SAT", "subcutaneous_fat") == ("not_evaluated", "not_segmented")


def test_values_out_of_the_window_do_not_count() -> None:
    """P5: of each slice exactly 10 per cent are fat and 5 per cent are too dense."""
    once = torso()
    muscle = once.mask("skeletal_muscle")
    for z in range(once.shape[2]):
        count = int(muscle[:, :, z].sum())
        slice_ = once.voxels[:, :, z]
        slice_[muscle[:, :, z]] = shares(50, (0.1, -100), (0.05, 200))(*[muscle[:, :, z].nonzero()[0]] * 3)
        assert slice_[muscle[:, :, z]].size == count
    found = results(once)
    raw = value(found, "SMA_raw", "skeletal_muscle")
    assert raw is not None
    pixel = 0.01  # cm², the shares are rounded to whole ones
    assert value(found, "SMA", "skeletal_muscle") == pytest.approx(0.85 * raw, abs=pixel)
    assert value(found, "IMAT", "skeletal_muscle") == pytest.approx(0.10 * raw, abs=pixel)
    assert value(found, "SMD", "skeletal_muscle") == 50


@pytest.mark.parametrize(("hounsfield", "counts"), [(-30, 0), (-29, 1), (150, 1), (151, 0)])
def test_both_ends_of_the_window_count(hounsfield: int, counts: int) -> None:
    found = results(torso(muscle=hounsfield))
    assert bool(value(found, "SMA", "skeletal_muscle")) == bool(counts)
    if not counts:
        assert why(found, "SMD", "skeletal_muscle") == ("not_evaluated", "no_muscle_in_window")


@pytest.mark.parametrize(
    ("written", "given", "metres", "warnings"),
    [
        (1.75, None, 1.75, ()),
        (175, None, 1.75, ("height_in_cm",)),
        (1.75, 1.60, 1.60, ("height_given",)),
        (0.5, None, None, ()),
        (None, None, None, ()),
        (1.75, 175.0, None, ()),
    ],
)
def test_heights(
    written: float | None, given: float | None, metres: float | None, warnings: Any, body: Phantom
) -> None:
    found = measure(segmentation(body, patient_size_m=written), height_m=given)
    one, sma = found.one("SMI", "skeletal_muscle"), value(found, "SMA", "skeletal_muscle")
    assert one is not None
    assert sma is not None
    assert one.warnings == warnings
    assert one.value == (sma / metres**2 if metres else None)
    assert one.reason == ("" if metres else "no_height")


@pytest.mark.parametrize(("width", "removed"), [(12, True), (300, False)])
def test_arms_are_taken_away(width: int, removed: bool, body: Phantom) -> None:
    """Muscle about an arm bone; if that were most of all muscle, nothing is taken away."""
    z = z_of(body)
    assert isinstance(z, int)
    arm = [
        Box("skeletal_muscle", (2, 2, z), (2 + width, 30, z + 1), 40),
        Box("humerus_right", (5, 5, z), (8, 8, z + 1), 400),
    ]
    phantom = torso(more=arm)
    if not removed:
        phantom.labels[:, 40:, z][phantom.labels[:, 40:, z] == 2] = 0
    found = results(phantom)
    sma = found.one("SMA", "skeletal_muscle")
    raw = value(found, "SMA_with_arms", "skeletal_muscle")
    assert sma is not None
    if removed:
        assert sma.value == value(results(body), "SMA", "skeletal_muscle")
        assert raw == pytest.approx(sma.value + (width * 28 - 9) / 100)
        assert sma.warnings == ()
    else:
        assert sma.value == raw
        assert sma.warnings == ("arms_beside",)


def test_arms_beyond_the_image_cut_only_off_what_has_arms(body: Phantom) -> None:
    z = z_of(body)
    assert isinstance(z, int)
    arm = [
        Box("skeletal_muscle", (0, 2, z), (14, 30, z + 1), 40),
        Box("humerus_right", (5, 5, z), (8, 8, z + 1), 400),
    ]
    found = results(torso(more=arm))
    assert value(found, "SMA", "skeletal_muscle") == value(results(body), "SMA", "skeletal_muscle")
    assert why(found, "SMA_with_arms", "skeletal_muscle") == ("truncated", "cut_off")
    assert value(found, "observed_SMA_with_arms", "skeletal_muscle")


@pytest.mark.parametrize(("slices", "apart"), [(6, 10), (3, 20)])
def test_the_areas_nearby_are_given(slices: int, apart: int, body: Phantom) -> None:
    """Of slices 10 mm apart these are the neighbours, never the slice itself."""
    found = results(body if slices == 6 else torso(slices))
    sma = value(found, "SMA", "skeletal_muscle")
    below, above = (found.one(f"SMA_5mm_{where}", "skeletal_muscle") for where in ("below", "above"))
    assert below is not None
    assert above is not None
    assert below.value == above.value == sma
    assert below.place is not None
    assert above.place is not None
    assert above.place.height_mm - below.place.height_mm == apart
    for name, region in (("SAT", "subcutaneous_fat"), ("VAT", "torso_fat")):
        fat = found.one(f"{name}_5mm_below", region)
        assert fat is not None
        assert (fat.value, fat.place) == (value(found, name, region), below.place)


def test_fat_beyond_the_image_is_not_measured(body: Phantom) -> None:
    """P8: the image ends before the body does."""
    narrow = replace(body, voxels=body.voxels[30:], labels=body.labels[30:])
    found = results(narrow)
    assert why(found, "SAT", "subcutaneous_fat") == ("truncated", "cut_off")
    assert why(found, "VAT", "torso_fat") == ("truncated", "cut_off")
    assert why(found, "VAT_SAT_ratio", "torso_fat+subcutaneous_fat") == ("truncated", "cut_off")
    seen = value(found, "observed_SAT", "subcutaneous_fat")
    z = z_of(narrow)
    assert isinstance(z, int)
    assert seen == pytest.approx(narrow.mask("subcutaneous_fat")[:, :, z].sum() / 100)


def test_no_ratio_without_subcutaneous_fat(body: Phantom) -> None:
    labels = body.labels.copy()
    z = z_of(body)
    assert isinstance(z, int)
    labels[:, :, z][labels[:, :, z] == 1] = 0
    found = results(replace(body, labels=labels))
    assert why(found, "VAT_SAT_ratio", "torso_fat+subcutaneous_fat") == (
        "not_evaluated",
        "no_subcutaneous_fat",
    )


def test_contrast_agent_is_said_beside_the_attenuation(body: Phantom) -> None:
    one = results(body, series_description="Abdomen portal venous").one("SMD", "skeletal_muscle")
    assert one is not None
    assert (one.value, one.warnings) == (50, ("contrast_enhanced",))


@pytest.mark.parametrize(("row", "column"), [("R", "A"), ("L", "I"), ("A", "S")])
def test_slice_metrics_do_not_depend_on_how_slices_were_stored(row: str, column: str, body: Phantom) -> None:
    """P6; the slice of another direction is no image that could be named."""
    turned = results(body.turned(row, column))
    assert summary(turned) == summary(results(body))
    one = turned.one("SMA", "skeletal_muscle")
    assert one is not None
    assert one.place is not None
    assert (one.place.sop_instance_uid is None) == (row != "R")


def test_slightly_oblique_slices_are_measured_and_others_are_not(body: Phantom) -> None:
    sma = value(results(body), "SMA", "skeletal_muscle")
    assert value(results(body.placed(rotation(0, 10))), "SMA", "skeletal_muscle") == pytest.approx(sma)
    found = results(body.placed(rotation(0, 20)))
    assert why(found, "SMA", "skeletal_muscle") == ("not_evaluated", "oblique")


def test_nothing_is_measured_on_slices_of_a_tilted_gantry(body: Phantom) -> None:
    found = results(body.tilted(12))
    assert why(found, "SMA", "skeletal_muscle") == ("not_evaluated", "tilted")
    assert why(found, "SAT", "subcutaneous_fat") == ("not_evaluated", "tilted")
    volume = value(found, "volume", "vertebrae_L3")
    assert volume == pytest.approx(body.volume_cm3("vertebrae_L3"))


def test_mr_has_no_windows(body: Phantom) -> None:
    """P16."""
    volume = body.volume(modality="MR")
    found = measure(Segmentation(volume, [body.label_map()]))
    assert why(found, "SMA", "skeletal_muscle") == ("suppressed", "not_ct")
    assert why(found, "TAT", "subcutaneous_fat+torso_fat") == ("suppressed", "not_ct")
