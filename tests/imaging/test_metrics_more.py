"""Vertebra, hemorrhage masks, contrast phase, regions, and what is measured on request; P10, P11, P12."""

import re
from dataclasses import replace
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imaging.bodies import boxes, drawn, results, segmentation, value, why
from imaging.phantom import Box, Ellipsoid, Phantom, checkerboard, noise

from heltig.imaging import metrics
from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics import OPTIONAL, measure
from heltig.imaging.metrics.flat import flat_view
from heltig.imaging.metrics.organs import EXPECTED
from heltig.imaging.metrics.phase import PhaseReading, contrast_phase, phase_by_metadata
from heltig.imaging.order import OPTIONAL_FAMILIES
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.volume import LabelMap, Technique

BLEED = "intracerebral_hemorrhage"


def head(*more: Any, shape: Any = (170, 200, 76), spacing: Any = (1.0, 1.0, 2.0)) -> Phantom:
    """P10: a bleed of half axes 30, 20 and 15 mm in a brain, and something outside of the skull."""
    parts = [
        Ellipsoid("brain", (84, 99, 74), (70, 85, 60), 35),
        Ellipsoid(BLEED, (90, 90, 74), (30, 20, 15), 65),
        Box(BLEED, (2, 2, 2), (12, 12, 6), 65),
        *more,
    ]
    return Phantom.of(shape, spacing, parts)


def test_the_volume_of_a_hemorrhage_mask() -> None:
    found = results(head())
    volume = 4 / 3 * pi * 30 * 20 * 15 / 1000
    assert value(found, "hemorrhage_volume", BLEED) == pytest.approx(volume, rel=7e-3)
    raw, kept = value(found, "hemorrhage_raw_volume", BLEED), value(found, "hemorrhage_volume", BLEED)
    assert raw is not None
    assert kept is not None
    assert raw - kept == pytest.approx(10 * 10 * 4 * 2 / 1000)
    by_axes = found.one("hemorrhage_abc_volume", BLEED)
    assert by_axes is not None
    assert by_axes.value == pytest.approx(36.0, rel=0.02)
    assert by_axes.warnings == ()
    assert value(found, "hemorrhage_attenuation_mean", BLEED) == 65
    slices = [value(found, f"hemorrhage_slice_{part}", BLEED) for part in (15, 50, 85)]
    assert slices == [30 + index for index in (2, 7, 12)]  # of 15 slices, from the 31st on


def test_the_bleed_is_a_hole_in_the_brain_or_part_of_it() -> None:
    one = head(shape=(85, 100, 38), spacing=(2.0, 2.0, 4.0))
    brain = drawn(one, [Ellipsoid("brain", (84, 99, 74), (70, 85, 60), 35)])
    labels = one.label_map()
    bleed = LabelMap(labels.labels, {n: s for n, s in labels.structures.items() if s.key == BLEED})
    apart = measure(Segmentation(one.volume(), [brain.label_map(), bleed]))
    assert value(apart, "hemorrhage_volume", BLEED) == value(results(one), "hemorrhage_volume", BLEED)


def test_a_hemorrhage_is_measured_without_contrast_agent_only() -> None:
    found = results(head(shape=(85, 100, 38), spacing=(2.0, 2.0, 4.0)), series_description="Crânio arterial")
    assert why(found, "hemorrhage_volume", BLEED) == ("not_evaluated", "contrast_enhanced")


def test_a_hemorrhage_is_measured_in_a_whole_brain_only() -> None:
    low = head()
    half = replace(low, voxels=low.voxels[:, :, 20:], labels=low.labels[:, :, 20:])
    assert why(results(half), "hemorrhage_volume", BLEED) == ("not_evaluated", "brain_cut_off")
    alone = boxes((40, 40, 20), (1, 1, 2), intracerebral_hemorrhage=((10, 10, 5), (20, 20, 10), 60))
    found = results(alone)
    assert why(found, "hemorrhage_volume", BLEED) == ("not_evaluated", "not_segmented")
    assert value(found, "hemorrhage_raw_volume", BLEED) == pytest.approx(1.0)
    cut = results(boxes((40, 40, 20), (1, 1, 2), intracerebral_hemorrhage=((10, 10, 0), (20, 20, 10), 60)))
    assert why(cut, "hemorrhage_raw_volume", BLEED) == ("truncated", "cut_off")


def test_an_empty_hemorrhage_mask_has_no_volume() -> None:
    phantom = boxes((40, 40, 20), (1, 1, 2), brain=((5, 5, 5), (30, 30, 15), 35))
    labels = phantom.label_map()
    structures = {**labels.structures, 7: replace(labels.structures[1], key=BLEED)}
    found = measure(Segmentation(phantom.volume(), [LabelMap(labels.labels, structures)]))
    assert why(found, "hemorrhage_volume", BLEED) == ("absent", "absent")
    assert why(found, "hemorrhage_raw_volume", BLEED) == ("absent", "absent")


# -- the first lumbar vertebra


def spine(dz: float = 2.0) -> tuple[Phantom, Phantom]:
    """A vertebra of 150 HU with a core of 100, and which part is its body."""
    parts = [
        Box("vertebrae_L1", (10, 10, 4), (40, 40, 18), 150),
        Box("vertebrae_L1", (20, 40, 4), (30, 55, 18), 300),
        Box("vertebrae_L1", (15, 15, 7), (35, 35, 15), checkerboard(90, 110)),
    ]
    phantom = Phantom.of((50, 60, 22), (1, 1, dz), parts)
    return phantom, drawn(phantom, [Box("vertebrae_body", (10, 10, 4), (40, 40, 18), 0)])


def test_the_core_of_the_vertebral_body() -> None:
    found = results(*spine(), kvp=120.0)
    key = "vertebrae_L1"
    assert value(found, "L1_attenuation_mean", key) == pytest.approx(114.2857142857, rel=0.1)
    core = found.one("L1_attenuation_mean", key)
    assert core is not None
    assert core.warnings == ()
    # voxels from (14, 14, 6) to (36, 36, 16): 22² × 10, of which 20² × 8 are the checkerboard
    inner, all_ = 20 * 20 * 8, 22 * 22 * 10
    assert core.value == pytest.approx((inner * 100 + (all_ - inner) * 150) / all_)
    body, checker = 30 * 30 * 14, inner
    assert value(found, "L1_attenuation_body_mean", key) == pytest.approx(
        (checker * 100 + (body - checker) * 150) / body
    )
    whole = body + 10 * 15 * 14
    assert value(found, "L1_attenuation_vertebra_mean", key) == pytest.approx(
        (checker * 100 + (body - checker) * 150 + (whole - body) * 300) / whole
    )


def test_without_bodies_only_the_vertebra_is_measured() -> None:
    found = results(spine()[0])
    assert why(found, "L1_attenuation_mean", "vertebrae_L1") == ("not_evaluated", "no_vertebral_bodies")
    assert value(found, "L1_attenuation_vertebra_mean", "vertebrae_L1")


@pytest.mark.parametrize(
    ("dz", "technique", "warnings"),
    [
        (2.0, {"kvp": 100.0}, ("tube_voltage",)),
        (2.0, {}, ("tube_voltage",)),
        (6.0, {"kvp": 120.0}, ("slice_distance",)),
        (2.0, {"kvp": 120.0, "series_description": "arterial"}, ("contrast_enhanced",)),
    ],
)
def test_what_to_keep_in_mind_about_the_vertebra(dz: float, technique: Any, warnings: Any) -> None:
    one = results(*spine(dz), **technique).one("L1_attenuation_vertebra_mean", "vertebrae_L1")
    assert one is not None
    assert one.warnings == warnings


# -- contrast phase


def vessels(
    aorta: int | None, portal: int | None, liver: int | None, vein: str = "inferior_vena_cava"
) -> Phantom:
    parts = [
        Box(key, (2 + 22 * n, 2, 2), (22 + 22 * n, 22, 22), hounsfield)
        for n, (key, hounsfield) in enumerate((("aorta", aorta), (vein, portal), ("liver", liver)))
        if hounsfield is not None
    ]
    return Phantom.of((70, 24, 24), (1, 1, 1), parts)


@pytest.mark.parametrize(
    ("aorta", "portal", "liver", "phase"),
    [
        (40, 40, 55, "native"),
        (350, 80, 65, "arterial"),
        (150, 170, 110, "portal_venous"),
        (None, None, None, "unknown"),
        (150, None, 110, "unknown"),
        (120, 90, 60, "enhanced_unclassified"),
        (79, 79, None, "native"),
        (80, 79, None, "enhanced_unclassified"),
        (150, 90, None, "arterial"),
        (149, 90, 79, "enhanced_unclassified"),
        (90, 90, 80, "portal_venous"),
        (111, 110, 60, "portal_venous"),
    ],
)
def test_the_phase_by_values(aorta: int | None, portal: int | None, liver: int | None, phase: str) -> None:
    """P11."""
    phantom = vessels(aorta, portal, liver)
    if not phantom.keys:
        phantom = boxes((20, 20, 20), (1, 1, 1), spleen=((2, 2, 2), (18, 18, 18), 50))
    assert results(phantom).phase.phase == phase


def test_the_portal_vein_goes_before_the_vena_cava() -> None:
    phantom = vessels(350, 80, None, "portal_vein_and_splenic_vein")
    assert results(phantom).phase.phase == "arterial"


@pytest.mark.parametrize(
    ("technique", "phase"),
    [
        ({"series_description": "ABDOME SEM CONTRASTE"}, "native"),
        ({"series_description": "Abd non-contrast 5.0"}, "native"),
        ({"series_description": "CT ABD W/O CONTRAST"}, "native"),
        ({"series_description": "Abdome S/ contraste"}, "native"),
        ({"series_description": "CHEST WITHOUT IV CONTRAST"}, "native"),
        ({"series_description": "Abd PRE-CONTRAST 5mm"}, "native"),
        ({"series_description": "Pré e pós contraste"}, "unknown"),
        ({"series_description": "Abd pré contraste e pós"}, "unknown"),
        ({"series_description": "POST- AND PRE-CONTRAST"}, "unknown"),
        ({"series_description": "COM CONTRASTE VENOSO"}, "unknown"),
        ({"series_description": "Sem contraste venoso"}, "native"),
        ({"series_description": "HEAD NO CONTRAST"}, "native"),
        ({"series_description": "Head non-con 5.0"}, "native"),
        ({"protocol": "ABD W/ AND W/O CONTRAST"}, "unknown"),
        ({"protocol": "Abdomen with and without contrast"}, "unknown"),
        ({"series_description": "Fase Arterial 1.0 Br40"}, "arterial"),
        ({"series_description": "Spätarteriell"}, "arterial"),
        ({"series_description": "PORTALVENÖS 3.0"}, "portal_venous"),
        ({"series_description": "Tórax tardía"}, "delayed"),
        ({"series_description": "Spätphase"}, "delayed"),
        ({"series_description": "portal", "protocol": "arterial"}, "unknown"),
        ({"series_description": "martial arts"}, "unknown"),
        ({}, "unknown"),
        ({"contrast_agent": "Iohexol"}, "enhanced_unclassified"),
        ({"contrast_agent": "NONE"}, "unknown"),
        ({"contrast_agent": "Sem contraste"}, "unknown"),
        ({"contrast_agent": "n/a"}, "unknown"),
        ({"contrast_agent": "-"}, "unknown"),
        ({"contrast_agent": "Not given"}, "unknown"),
        ({"contrast_agent": "ORAL"}, "unknown"),
        ({"contrast_agent": "Oral/rectal contrast"}, "unknown"),
        ({"contrast_agent": "Oral, water"}, "unknown"),
        ({"contrast_agent": "Oral and IV"}, "enhanced_unclassified"),
        ({"contrast_agent": "CONTRASTE"}, "enhanced_unclassified"),
        ({"contrast_agent": "Iohexol", "contrast_start": "1015", "acquisition_time": "1010"}, "unknown"),
        (
            {"contrast_agent": "Iohexol", "contrast_start": "101500", "acquisition_time": "101530.5"},
            "arterial",
        ),
        (
            {"contrast_agent": "Iohexol", "contrast_start": "235930", "acquisition_time": "000040"},
            "portal_venous",
        ),
        ({"contrast_agent": "Iohexol", "contrast_start": "1015", "acquisition_time": "1020"}, "delayed"),
        (
            {"contrast_agent": "Iohexol", "contrast_start": "bad", "acquisition_time": "1020"},
            "enhanced_unclassified",
        ),
    ],
)
def test_the_phase_by_what_the_series_says(technique: Any, phase: str) -> None:
    assert phase_by_metadata(Technique(modality="CT", **technique)).phase == phase


@pytest.mark.parametrize(
    ("said", "values", "phase", "disagree"),
    [
        ("arterial", (350, 80, 65), "arterial", False),
        ("native", (350, 80, 65), "unknown", True),
        ("delayed", (120, 115, 100), "delayed", False),
        ("portal", (120, 90, 60), "portal_venous", False),
        ("", (40, 40, 55), "native", False),
        ("native", None, "native", False),
    ],
)
def test_providers_have_to_agree(said: str, values: Any, phase: str, disagree: bool) -> None:
    phantom = vessels(*values) if values else vessels(50, None, None)
    found = results(phantom, series_description=said).phase
    assert (found.phase, found.disagree) == (phase, disagree)
    assert [reading.provider for reading in found.readings] == ["phase_metadata/1", "phase_hu/1"]


def test_a_further_provider_is_heard() -> None:
    inventory = Inventory(segmentation(vessels(40, 40, 55)))
    found = contrast_phase(inventory, others=[PhaseReading("other/1", "arterial")])
    assert (found.phase, found.disagree, len(found.readings)) == ("unknown", True, 3)


# -- regions


def cubes(**cm3: float) -> Phantom:
    """Structures of these volumes, one above the other, of layers of 1 cm³."""
    parts, low = [], 1
    for key, volume in cm3.items():
        high = low + max(1, round(volume))
        parts.append(Box(key, (1, 1, low), (11, 11, high), 50))
        low = high + 1
    return Phantom.of((12, 12, low + 1), (1, 1, 10), parts)


@pytest.mark.parametrize(
    ("cm3", "region", "presence"),
    [
        ({"liver": 300}, "abdomen", "present"),
        ({"liver": 299}, "abdomen", "partial"),
        ({"liver": 29}, "abdomen", "absent"),
        ({"spleen": 40, "pancreas": 15}, "abdomen", "present"),
        ({"kidney_left": 40, "kidney_right": 40}, "abdomen", "partial"),
        ({"spleen": 40, "kidney_left": 25, "kidney_right": 25}, "abdomen", "partial"),
        ({"brain": 300}, "head", "present"),
        ({"skull": 149}, "head", "partial"),
        ({"vertebrae_C3": 2, "vertebrae_C5": 2}, "neck", "present"),
        ({"vertebrae_C3": 2}, "neck", "partial"),
        ({"thyroid_gland": 3, "trachea": 5}, "neck", "present"),
        ({"thyroid_gland": 3, "trachea": 4}, "neck", "partial"),
        ({"lung_upper_lobe_left": 400, "lung_lower_lobe_right": 400}, "thorax", "present"),
        ({"lung_upper_lobe_left": 799}, "thorax", "partial"),
        ({"heart": 150, "vertebrae_T4": 5, "vertebrae_T6": 5, "vertebrae_T10": 5}, "thorax", "present"),
        ({"heart": 150, "vertebrae_T4": 5, "vertebrae_T6": 5, "vertebrae_T11": 5}, "thorax", "partial"),
        ({"sacrum": 40, "hip_left": 80}, "pelvis", "present"),
        ({"sacrum": 40, "hip_left": 79}, "pelvis", "partial"),
        ({"femur_left": 80, "hip_left": 5}, "legs", "present"),
        ({"hip_left": 5, "femur_left": 80}, "legs", "absent"),
        ({"brain": 300}, "legs", "not_evaluated"),
    ],
)
def test_regions_of_the_body(cm3: dict[str, float], region: str, presence: str) -> None:
    """P12."""
    found = {one.name: one.presence for one in results(cubes(**cm3)).regions}
    assert found[region] == presence


def test_one_voxel_is_no_region() -> None:
    phantom = boxes((20, 20, 20), (1, 1, 1), liver=((5, 5, 5), (6, 6, 6), 60))
    region = next(one for one in results(phantom).regions if one.name == "abdomen")
    assert (region.presence, region.from_mm) == ("absent", None)


def test_where_a_region_is() -> None:
    region = next(one for one in results(cubes(liver=300)).regions if one.name == "abdomen")
    assert (region.from_mm, region.to_mm) == (-60 + 5, -60 + 5 + 3000)


def test_nothing_is_measured_twice() -> None:
    """A name and a region say which number is meant."""
    twice = (*OPTIONAL, *OPTIONAL)
    names = [(one.name, one.region) for one in results(head(), optional=twice).measurements]
    assert len(names) == len(set(names))


def test_no_word_says_what_a_value_means_for_a_patient() -> None:
    forbidden = re.compile(
        r"osteopor|osteopen|sarcopeni|suggestive|suspicious|abnormal|normal range|critical|alert|diagnos",
        re.I,
    )
    texts = {path.name: path.read_text() for path in Path(metrics.__file__).parent.glob("*.py")}
    assert len(texts) > 10
    assert not {name: found[0] for name, text in texts.items() if (found := forbidden.search(text))}


def test_background_is_no_structure() -> None:
    labels = boxes((20, 20, 20), (1, 1, 1), liver=((5, 5, 5), (15, 15, 15), 60))
    named = labels.label_map()
    both = LabelMap(named.labels, {**named.structures, 0: replace(named.structures[1], key="background")})
    assert set(measure(Segmentation(labels.volume(), [both])).inventory.found) == {"liver"}


# -- short names


def test_short_names_of_an_abdomen() -> None:
    phantom = boxes((44, 44, 44), (1, 1, 1), liver=((2, 2, 2), (42, 42, 42), checkerboard(40, 80)))
    found = results(phantom)
    flat = flat_view(found, "a1")
    expected = {"case_id": "a1", "modality": "CT", "body_regions": []}
    expected |= {"liver_vol_cm3": 64.0, "liver_hu_mean": 60, "liver_hu_std": 20}
    assert {key: found for key, found in flat.items() if found is not None} == expected
    missing = {f"{organ}_{of}" for organ in EXPECTED[1:] for of in ("vol_cm3", "hu_mean", "hu_std")}
    assert {key for key, found in flat.items() if found is None} - missing == {
        *("slice_L3", "SMA_cm2", "muscle_HU_mean", "muscle_HU_std"),
        *("hemorrhage_vol_cm3", "hemorrhage_analysis_slices"),
    }
    for organ in EXPECTED[1:]:
        for name in ("volume", "attenuation_mean", "attenuation_sd"):
            assert why(found, name, organ) == ("not_evaluated", "not_segmented")


def test_short_names_of_a_head() -> None:
    found = results(head(shape=(85, 100, 38), spacing=(2.0, 2.0, 4.0)))
    flat = flat_view(found, "a1")
    assert flat["hemorrhage_vol_cm3"] == value(found, "hemorrhage_volume", BLEED)
    assert flat["hemorrhage_analysis_slices"] == [16, 19, 21]  # of the slices 15 to 22
    assert flat["body_regions"] == ["head"]


# -- on request


def test_what_is_optional_is_not_measured_unless_asked_for() -> None:
    phantom = vessels(40, 40, 55)
    assert tuple(OPTIONAL) == OPTIONAL_FAMILIES
    asked = {one.name for one in results(phantom, optional=OPTIONAL).measurements}
    assert asked - {one.name for one in results(phantom).measurements} == {
        *("noise", "contrast_to_noise", "fat_fraction_estimate", "attenuation_difference"),
        *("largest_diameter", "agatston_score", "SAT_volume", "VAT_volume"),
    }


def test_the_fat_estimate_follows_its_line() -> None:
    parts = {"liver": ((2, 2, 2), (42, 42, 36), 23), "spleen": ((2, 44, 2), (42, 60, 20), 45)}
    phantom = boxes((44, 62, 40), (1.5, 1.5, 1.5), **parts)
    found = results(phantom, optional=["liver_fat"], kvp=120.0, series_description="native")
    assert value(found, "fat_fraction_estimate", "liver") == pytest.approx(-0.58 * 23 + 38.2)
    assert value(found, "attenuation_difference", "liver-spleen") == -22
    other = results(phantom, optional=["liver_fat"], kvp=100.0, series_description="native")
    assert why(other, "fat_fraction_estimate", "liver") == ("suppressed", "tube_voltage")
    unknown = results(phantom, optional=["liver_fat"], kvp=120.0)
    assert why(unknown, "fat_fraction_estimate", "liver") == ("suppressed", "phase_not_native")


def test_noise_and_contrast() -> None:
    parts = {
        "aorta": ((2, 2, 2), (32, 32, 32), noise(150, 10)),
        "autochthon_left": ((34, 2, 2), (64, 32, 32), noise(50, 10, seed=2)),
    }
    found = results(boxes((66, 34, 34), (1, 1, 1), **parts), optional=["quality"])
    assert value(found, "noise", "aorta") == pytest.approx(10, rel=0.05)
    assert value(found, "contrast_to_noise", "aorta+autochthon_left") == pytest.approx(10, rel=0.06)
    assert why(found, "contrast_to_noise", "liver+autochthon_left") == ("not_evaluated", "not_segmented")


@pytest.mark.parametrize(
    ("spacing", "degrees"), [((0.7, 0.7, 1.0), 0), ((1.0, 1.0, 2.5), 60), ((0.8, 0.8, 5.0), 45)]
)
def test_the_width_of_a_tube(spacing: Any, degrees: int) -> None:
    """Whatever the voxels and however it lies: 25 mm, to half of a millimetre."""
    angle = np.radians(degrees)
    shape = tuple(round(size / mm) for size, mm in zip((40, 90, 90), spacing, strict=True))
    x, y, z = ((np.arange(n) - (n - 1) / 2 + 0.2) * mm for n, mm in zip(shape, spacing, strict=True))
    x, y, z = np.meshgrid(x, y, z, indexing="ij")
    tube = np.hypot(x, y * np.cos(angle) - z * np.sin(angle)) <= 12.5
    tube &= np.abs(y * np.sin(angle) + z * np.cos(angle)) <= 28
    body = Phantom(np.zeros(shape, np.int16), tube.astype(np.uint16), {1: "aorta"}, spacing)
    found = results(body, optional=["aorta"])
    assert value(found, "largest_diameter", "aorta") == pytest.approx(25, abs=0.6)


def test_the_calcium_score_by_hand() -> None:
    """Lesions of 4 mm² of each weight, one of 0.25 mm², one below 130 HU; slices of 1.5 mm count half."""
    lesions = [
        Box("coronary_arteries", (4 + 6 * n, 4, 3), (8 + 6 * n, 8, 4), hounsfield)
        for n, hounsfield in enumerate((130, 199, 200, 300, 400, 129))
    ]
    tiny = Box("coronary_arteries", (4, 20, 3), (5, 21, 4), 500)
    around = Box("coronary_arteries", (2, 2, 2), (46, 24, 6), 40)
    phantom = Phantom.of((48, 30, 8), (0.5, 0.5, 1.5), [around, *lesions, tiny])
    found = results(phantom, optional=["calcium"], kvp=120.0, series_description="native")
    assert value(found, "agatston_score", "coronary_arteries") == 4 * (1 + 1 + 2 + 3 + 4) * 0.5
    other = results(phantom, optional=["calcium"], kvp=100.0, series_description="native")
    assert why(other, "agatston_score", "coronary_arteries") == ("suppressed", "tube_voltage")
