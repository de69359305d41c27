"""The classical method on a torso whose masks are known: exact where its wall is closed, else near."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from imaging.bodies import CENTRE, SUBCUTANEOUS, segmentation, torso
from imaging.phantom import AIR, Box, Phantom, Ring

from heltig.imaging.metrics import measure
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.classical import Classical
from heltig.imaging.segmentation import Segmentation

TORSO = torso(3, levels=("L4", "L3", "L2"))
BODY = Ring("body", CENTRE, (170, 120), 0).mask(TORSO.shape, TORSO.spacing)


def found(phantom: Phantom) -> tuple[Any, Any]:
    maps = Classical().segment(phantom.volume()).maps
    return tuple(
        next(one.mask(key) for one in maps if one.mask(key).any()) for key in ("body", "subcutaneous_fat")
    )


def dice(a: Any, b: Any) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_a_torso_exactly() -> None:
    body, fat = found(TORSO)
    assert np.array_equal(body, BODY)
    assert np.array_equal(fat, TORSO.mask("subcutaneous_fat"))


def test_its_fat_is_measured_like_any_other() -> None:
    result = Classical().segment(TORSO.volume())
    spine = [one for one in segmentation(TORSO).maps[0].structures.values() if one.key.startswith("vert")]
    assert spine
    measured = measure(Segmentation(TORSO.volume(), [*result.maps, TORSO.label_map()]))
    sat = measured.one("SAT", "subcutaneous_fat")
    assert sat is not None
    assert sat.value == pytest.approx(np.pi * (170 * 120 - 150 * 100) / 100, rel=2e-3)


@pytest.mark.parametrize("turn", [("L", "I"), ("P", "S"), ("R", "A")])
def test_however_it_was_acquired(turn: tuple[str, str]) -> None:
    turned = TORSO.turned(*turn)
    _, fat = found(turned)
    assert np.array_equal(fat, turned.mask("subcutaneous_fat"))


def test_noise_and_coarse_voxels() -> None:
    noisy = replace(
        TORSO, voxels=TORSO.voxels + np.random.default_rng(3).normal(0, 15, TORSO.shape).astype(np.int16)
    )
    body, fat = found(noisy)
    assert dice(body, BODY) > 0.999
    assert dice(fat, TORSO.mask("subcutaneous_fat")) > 0.995


def test_a_table_is_no_body() -> None:
    """But for a strip where the back lies on it."""
    table = Box("", (10, 247, 0), (340, 250, TORSO.shape[2]), 100)
    body, fat = found(torso(3, more=[table]))
    assert not body[:120, 247:].any()
    assert not body[230:, 247:].any()
    assert dice(body, BODY) > 0.99
    assert np.array_equal(fat, TORSO.mask("subcutaneous_fat"))


def test_skin_is_no_wall() -> None:
    skin = Ring("", CENTRE, (170, 120), 30, inner=(168, 118))
    body, fat = found(torso(3, more=[skin]))
    inside = TORSO.mask("subcutaneous_fat") & Ring("", CENTRE, (168, 118), 0).mask(TORSO.shape, TORSO.spacing)
    assert np.array_equal(body, BODY)
    assert np.array_equal(fat, inside)


def test_a_gap_in_the_wall_lets_little_through() -> None:
    """12 mm of the wall are fat, as in the midline, and what lies behind it is fat, too."""
    visceral = Ring("", CENTRE, (125, 80), -90)
    gap = Box("", (169, 20, 0), (181, 50, TORSO.shape[2]), SUBCUTANEOUS)
    body, fat = found(torso(3, more=[visceral, gap]))
    more = fat & ~TORSO.mask("subcutaneous_fat")
    assert np.array_equal(body, BODY)
    assert not (TORSO.mask("subcutaneous_fat") & ~fat).any()
    assert more.sum() / TORSO.shape[2] < 12 * 30, "all of it is in the gap"
    assert not more[:, 60:].any()


def test_lungs_belong_to_the_body_and_air_about_it_does_not() -> None:
    lung = Ring("", (120, 125), (40, 50), -850)
    body, _ = found(torso(3, more=[Ring("", CENTRE, (125, 80), 40), lung]))
    assert np.array_equal(body, BODY)


def test_nothing_but_air() -> None:
    empty = Phantom.of((30, 30, 10), (2, 2, 2), [], background=AIR)
    result = Classical().segment(empty.volume())
    assert {one.key for map_ in result.maps for one in map_.structures.values()} == {
        "body",
        "subcutaneous_fat",
    }
    assert not any(map_.labels.any() for map_ in result.maps)


def test_only_what_is_wanted_and_only_of_ct() -> None:
    result = Classical().segment(TORSO.volume(), wanted={"subcutaneous_fat"})
    assert [one.key for map_ in result.maps for one in map_.structures.values()] == ["subcutaneous_fat"]
    with pytest.raises(Refused, match="SEGMENTER_MODALITY"):
        Classical().segment(TORSO.volume(modality="MR"))
