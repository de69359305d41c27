"""Volumes, attenuation, completeness and parts of structures; phantoms P1, P2, P3, P6, P8, P16."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from imaging.bodies import boxes, drawn, results, rotation, segmentation, summary, value, why
from imaging.phantom import Box, Phantom, checkerboard, encode, noise, series, shares

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics import measure
from heltig.imaging.reading import read_only_volume
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.volume import LabelMap

SHAPE, SPACING = (120, 100, 60), (0.8, 0.8, 2.5)
ABDOMEN = [
    Box("liver", (5, 5, 5), (85, 65, 45), 60),
    Box("spleen", (88, 10, 10), (118, 40, 30), 50),
    Box("kidney_right", (10, 70, 5), (40, 95, 25), 30),
    Box("kidney_left", (70, 70, 5), (95, 95, 25), 35),
]


@pytest.fixture(scope="module")
def abdomen() -> Phantom:
    """P1: boxes."""
    return Phantom.of(SHAPE, SPACING, ABDOMEN)


def test_volumes_and_attenuation_of_boxes_are_exact(abdomen: Phantom) -> None:
    found = results(abdomen)
    volumes = {key: value(found, "volume", key) for key in ("liver", "spleen", "kidney_right", "kidney_left")}
    assert volumes == pytest.approx(
        {"liver": 307.2, "spleen": 28.8, "kidney_right": 24.0, "kidney_left": 20.0}, rel=1e-12
    )
    assert value(found, "attenuation_mean", "liver") == 60
    assert value(found, "attenuation_sd", "liver") == 0
    assert value(found, "attenuation_mean_eroded", "spleen") == 50
    one = found.one("volume", "liver")
    assert one is not None
    assert (one.status, one.unit, one.version) == ("measured", "cm3", "metrics/1")


def test_two_values_by_turns_have_a_population_sd() -> None:
    """P2."""
    found = results(boxes((30, 30, 12), (1, 1, 2), liver=((5, 5, 2), (25, 25, 10), checkerboard(40, 80))))
    statistics = {name: value(found, f"attenuation_{name}", "liver") for name in ("mean", "sd", "median")}
    assert statistics == {"mean": 60, "sd": 20, "median": 60}
    assert value(found, "attenuation_p5", "liver") == 40
    assert value(found, "attenuation_p95", "liver") == 80


def test_volumes_are_by_positions_of_slices() -> None:
    """P7: what the images say of their thickness and their distances is not asked."""
    phantom = boxes((30, 30, 12), (0.8, 0.8, 3), liver=((5, 5, 2), (25, 25, 10), checkerboard(40, 80)))
    files = [encode(ds) for ds in series(phantom, SliceThickness="5", SpacingBetweenSlices="1")]
    found = measure(Segmentation(read_only_volume(files), [phantom.label_map()]))
    assert value(found, "volume", "liver") == pytest.approx(20 * 20 * 8 * 0.8 * 0.8 * 3 / 1000)
    assert value(found, "attenuation_sd", "liver") == 20


def test_noise_is_measured_within_its_error() -> None:
    """P3."""
    found = results(boxes((40, 40, 30), (1, 1, 1), liver=((5, 5, 5), (35, 35, 25), noise(55, 12))))
    n = 30 * 30 * 20
    assert value(found, "attenuation_mean", "liver") == pytest.approx(55, abs=4 * 12 / n**0.5)
    assert value(found, "attenuation_sd", "liver") == pytest.approx(12, abs=4 * 12 / (2 * n) ** 0.5)


def test_values_between_whole_numbers_are_measured_as_they_are(abdomen: Phantom) -> None:
    """A slope of 0.5 leaves no table of counts to make: numpy's own numbers are the same."""
    volume = abdomen.volume()
    voxels = (volume.voxels / 3).astype(np.float32)
    labels = abdomen.label_map()
    found = measure(Segmentation(replace(volume, voxels=voxels), [labels]))
    values = voxels[labels.mask("liver")].astype(float)
    assert value(found, "attenuation_mean", "liver") == pytest.approx(values.mean(), rel=1e-12)
    assert value(found, "attenuation_median", "liver") == np.median(values)


ENCODINGS = [("R", "P"), ("L", "A"), ("R", "A"), ("P", "I"), ("A", "S"), ("L", "I"), ("R", "S")]


@pytest.mark.parametrize(("row", "column"), ENCODINGS)
def test_what_is_measured_does_not_depend_on_how_slices_were_stored(
    row: str, column: str, abdomen: Phantom
) -> None:
    """P6: slices the other way round, flipped, sagittal, coronal."""
    assert summary(results(abdomen.turned(row, column))) == summary(results(abdomen))


def test_oblique_series_have_the_same_volumes(abdomen: Phantom) -> None:
    assert summary(results(abdomen.placed(rotation(0, 10)))) == summary(results(abdomen))


@pytest.mark.parametrize(
    ("low", "high", "face"),
    [
        ((0, 5, 5), (20, 20, 15), "right"),
        ((10, 5, 5), (30, 20, 15), "left"),
        ((5, 0, 5), (20, 20, 15), "anterior"),
        ((5, 10, 5), (20, 30, 15), "posterior"),
        ((5, 5, 0), (20, 20, 15), "inferior"),
        ((5, 5, 5), (20, 20, 20), "superior"),
    ],
)
@pytest.mark.parametrize(("row", "column"), [("L", "P"), ("A", "S")])
def test_a_structure_at_a_face_is_cut_off(low: Any, high: Any, face: str, row: str, column: str) -> None:
    """P8: the volume that is seen is exact, the volume is not known; attenuation still holds."""
    phantom = boxes((30, 30, 20), (1, 1, 2), liver=(low, high, 60)).turned(row, column)
    inventory = Inventory(segmentation(phantom))
    assert inventory.found["liver"].cut_at == (face,)
    found = results(phantom)
    assert why(found, "volume", "liver") == ("truncated", "cut_off")
    assert value(found, "observed_volume", "liver") == pytest.approx(phantom.volume_cm3("liver"))
    mean = found.one("attenuation_mean", "liver")
    assert mean is not None
    assert (mean.value, mean.status) == (60, "truncated")


def circle(filling: int, radius: float = 29.0) -> Phantom:
    """A round field of view with a body that goes beyond it on the left, and one that does not."""
    phantom = boxes(
        (60, 60, 8),
        (1, 1, 3),
        liver=((10, 20, 2), (30, 40, 6), 60),
        spleen=((45, 20, 2), (60, 40, 6), 50),
    )
    x, y = np.ogrid[:60, :60]
    outside = np.hypot(x - 29.5, y - 29.5) > radius
    phantom.voxels[outside] = filling
    phantom.labels[outside] = 0
    phantom.labels[58:] = 0  # not at the face of the volume
    return phantom


@pytest.mark.parametrize("filling", [-2000, -1024])
def test_a_structure_at_the_edge_of_the_reconstruction_is_cut_off(filling: int) -> None:
    inventory = Inventory(segmentation(circle(filling, 27.0)))
    assert inventory.found["spleen"].cut_at == ("reconstruction_circle",)
    assert inventory.found["liver"].cut_at == ()


def test_padding_says_what_was_not_reconstructed() -> None:
    phantom = circle(0, 27.0)
    volume = replace(phantom.volume(), padding=phantom.voxels == 0)
    inventory = Inventory(Segmentation(volume, [phantom.label_map()]))
    assert inventory.status("spleen") == "truncated"
    assert inventory.status("liver") == "complete"


@pytest.mark.parametrize("padded", [True, False])
def test_what_was_never_reconstructed_has_no_attenuation(padded: bool) -> None:
    """A mask may go on where there are no images: only what was measured counts."""
    phantom = circle(-2000, 27.0)
    beyond = boxes((60, 60, 8), (1, 1, 3), spleen=((45, 20, 2), (58, 40, 6), 50))
    volume = replace(phantom.volume(), padding=phantom.voxels == -2000 if padded else None)
    found = measure(Segmentation(volume, [beyond.label_map()]))
    for name in ("attenuation_mean", "attenuation_p5", "attenuation_mean_eroded"):
        assert value(found, name, "spleen") == 50, name
    assert value(found, "attenuation_sd", "spleen") == 0
    assert value(found, "observed_volume", "spleen") == pytest.approx(beyond.volume_cm3("spleen"))


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_padding_that_air_may_have_cuts_nothing_off(modality: str) -> None:
    """Pixel Padding Value is often that of air, which there is in lungs and about every body, too."""
    lowest = -1024 if modality == "CT" else 0
    phantom = Phantom.of(
        (60, 60, 8),
        (1, 1, 3),
        [Box("lung_left", (10, 20, 2), (30, 40, 6), shares(lowest + 150, (0.02, lowest)))],
        background=lowest,
    )
    padded = replace(phantom.volume(modality=modality), padding=phantom.voxels == lowest)
    assert Inventory(Segmentation(padded, [phantom.label_map()])).status("lung_left") == "complete"


def test_air_of_one_value_about_a_body_cuts_nothing_off() -> None:
    """Air may be clipped to -1024 everywhere: that is no edge."""
    phantom = Phantom.of(
        (60, 60, 8), (1, 1, 3), [Box("liver", (10, 20, 2), (30, 40, 6), 60)], background=-1024
    )
    assert Inventory(segmentation(phantom)).status("liver") == "complete"


def test_parts_of_a_kidney_are_listed() -> None:
    """A second kidney of the same side is not added in silence."""
    phantom = Phantom.of(
        (60, 60, 40),
        (1, 1, 1),
        [
            Box("kidney_left", (5, 5, 5), (25, 25, 25), 30),
            Box("kidney_left", (30, 30, 5), (50, 50, 20), 30),
            Box("kidney_left", (5, 50, 5), (8, 53, 8), 30),
        ],
    )
    found = results(phantom)
    assert value(found, "components", "kidney_left") == 2
    assert value(found, "component_1_volume", "kidney_left") == 8.0
    assert value(found, "component_2_volume", "kidney_left") == 6.0
    whole = found.one("volume", "kidney_left")
    assert whole is not None
    assert (whole.value, whole.warnings) == (pytest.approx(14.027), ("several_components",))


def test_parts_that_touch_by_a_corner_are_one() -> None:
    phantom = Phantom.of(
        (60, 60, 40),
        (1, 1, 1),
        [
            Box("kidney_left", (5, 5, 5), (25, 25, 20), 30),
            Box("kidney_left", (25, 25, 20), (45, 45, 35), 30),
        ],
    )
    assert results(phantom).one("components", "kidney_left") is None


def test_what_is_not_there_is_never_zero(abdomen: Phantom) -> None:
    phantom = drawn(abdomen, [*ABDOMEN, Box("pancreas", (100, 90, 50), (102, 92, 52), 40)])
    labels = phantom.label_map()
    structures = {**labels.structures, 90: replace(labels.structures[1], key="stomach")}
    found = measure(Segmentation(abdomen.volume(), [LabelMap(labels.labels, structures)]))
    assert why(found, "volume", "stomach") == ("absent", "absent")
    assert why(found, "volume", "pancreas") == ("not_evaluated", "too_small")
    assert why(found, "attenuation_mean", "stomach") == ("absent", "absent")
    assert found.inventory.status("gallbladder") is None


def test_mr_has_volumes_and_no_hounsfield_units(abdomen: Phantom) -> None:
    """P16."""
    ct, mr = results(abdomen), results(abdomen, modality="MR")
    for key in ("liver", "spleen", "kidney_left", "kidney_right"):
        assert value(mr, "volume", key) == value(ct, "volume", key)
        assert why(mr, "attenuation_mean", key) == ("suppressed", "not_ct")
    assert {one.value for one in mr.measurements if one.unit == "[hnsf'U]"} == {None}


def test_ct_that_is_not_scaled_has_no_hounsfield_units(abdomen: Phantom) -> None:
    plain = replace(abdomen.volume(), unit="1")
    found = measure(Segmentation(plain, [abdomen.label_map()]))
    assert why(found, "attenuation_mean", "liver") == ("suppressed", "no_hounsfield_units")


def test_a_core_that_is_too_small_has_no_mean() -> None:
    found = results(boxes((30, 30, 12), (1, 1, 2), gallbladder=((5, 5, 2), (9, 25, 10), 10)))
    assert why(found, "attenuation_mean_eroded", "gallbladder") == ("not_evaluated", "sample_too_small")


def test_overlapping_structures_come_in_several_maps(abdomen: Phantom) -> None:
    """The first map that has a structure counts."""
    other = drawn(
        abdomen, [Box("torso_fat", (2, 2, 2), (110, 98, 50), 0), Box("liver", (0, 0, 0), (9, 9, 9), 0)]
    )
    found = results(abdomen, other)
    assert value(found, "volume", "liver") == pytest.approx(307.2)
    assert value(found, "volume", "torso_fat") == pytest.approx(other.volume_cm3("torso_fat"))


def test_labels_on_another_grid_are_refused(abdomen: Phantom) -> None:
    labels = abdomen.label_map()
    with pytest.raises(ValueError, match="labels of"):
        Segmentation(abdomen.volume(), [LabelMap(labels.labels[1:], labels.structures)])
