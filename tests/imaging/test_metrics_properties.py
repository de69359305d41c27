"""What holds of every measurement, whatever the masks: hypothesis looks for what does not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging.bodies import results, summary, value
from imaging.phantom import Phantom, structure
from scipy import ndimage

from heltig.imaging.distribution import Distribution, histograms
from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics import measure
from heltig.imaging.morphology import components, dilated, eroded
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.volume import LabelMap

KEYS = ("liver", "spleen", "aorta", "inferior_vena_cava")

millimetres = st.integers(4, 40).map(lambda number: number / 10)
spacings = st.tuples(millimetres, millimetres, millimetres)
shapes = st.tuples(st.integers(8, 20), st.integers(8, 20), st.integers(8, 16))


@st.composite
def bodies(draw: Callable[..., Any]) -> Phantom:
    """Blobs of some structures with values of noise."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    shape = draw(shapes)
    field = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    labels = np.digitize(field, np.quantile(field, [0.5, 0.6, 0.7, 0.8])).astype(np.uint16)
    voxels = rng.integers(-200, 400, shape).astype(np.int16)
    return Phantom(voxels, labels, dict(enumerate(KEYS, 1)), draw(spacings))


quick = settings(max_examples=15, deadline=None)


@quick
@given(bodies(), st.sampled_from(["RP", "LA", "RA", "PI", "AS", "LI", "SR"]))
def test_nothing_depends_on_the_order_of_voxels(body: Phantom, letters: str) -> None:
    assert summary(results(body.turned(*letters))) == summary(results(body))


@quick
@given(bodies(), st.permutations(range(1, 5)))
def test_nothing_depends_on_the_numbers_of_labels(body: Phantom, order: list[int]) -> None:
    numbers = np.array([0, *(1000 * number for number in order)], np.uint16)
    keys = {1000 * number: key for number, key in zip(order, KEYS, strict=True)}
    assert summary(results(replace(body, labels=numbers[body.labels], keys=keys))) == summary(results(body))


@quick
@given(bodies(), st.floats(0.5, 3), st.floats(0.5, 3), st.floats(0.5, 3))
def test_volumes_grow_with_the_determinant_of_the_affine(body: Phantom, x: float, y: float, z: float) -> None:
    volume = body.volume()
    stretched = replace(volume, affine=volume.affine @ np.diag([x, y, z, 1]))
    ours, theirs = (Inventory(Segmentation(one, [body.label_map()])).found for one in (volume, stretched))
    for key in KEYS:
        assert theirs[key].volume_cm3 == pytest.approx(ours[key].volume_cm3 * x * y * z)


@quick
@given(bodies(), st.integers(1, 12))
def test_the_parts_of_a_mask_add_up(body: Phantom, cut: int) -> None:
    """Two labels of one structure are one; under two names, they add up to it."""
    labels = body.labels.copy()
    labels[:cut][labels[:cut] == 1] = 9
    whole = Inventory(Segmentation(body.volume(), [body.label_map()])).found["liver"]
    names = {number: structure(key) for number, key in body.keys.items()}
    apart = LabelMap(labels, {**names, 9: structure("rest")})
    parts = Inventory(Segmentation(body.volume(), [apart])).found
    assert parts["liver"].voxels + parts["rest"].voxels == whole.voxels
    assert parts["liver"].volume_cm3 + parts["rest"].volume_cm3 == pytest.approx(whole.volume_cm3)
    together = LabelMap(labels, {**names, 9: structure("liver")})
    joined = Segmentation(body.volume(), [together])
    assert summary(measure(joined)) == summary(results(body))


@quick
@given(bodies())
def test_numbers_are_those_of_numpy(body: Phantom) -> None:
    found = results(body)
    for key in KEYS:
        values = body.voxels[body.mask(key)].astype(float)
        if not found.inventory.has(key):
            continue
        expected = [values.mean(), values.std(), np.median(values), *np.percentile(values, [5, 95])]
        ours = [value(found, f"attenuation_{name}", key) for name in ("mean", "sd", "median", "p5", "p95")]
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-9)


@quick
@given(st.lists(st.integers(-2000, 3000), min_size=1, max_size=30))
def test_a_distribution_by_counting_is_the_one_by_sorting(values: list[int]) -> None:
    counted, exact = (
        Distribution.of(np.array(values, np.int16)),
        Distribution.of(np.array(values, np.float64)),
    )
    for name in ("count", "mean", "sd", "median", "p5", "p95"):
        assert getattr(counted, name) == pytest.approx(getattr(exact, name), rel=1e-9, abs=1e-9)


@quick
@given(bodies(), st.floats(0.5, 6))
def test_erosion_and_dilation_are_those_by_distances(body: Phantom, mm: float) -> None:
    mask = body.labels > 0
    inside = ndimage.distance_transform_edt(mask, sampling=body.spacing)
    outside = ndimage.distance_transform_edt(~mask, sampling=body.spacing)
    assert (eroded(mask, mm, body.spacing) == (mask & (inside >= mm - 1e-9))).all()
    assert (dilated(mask, mm, body.spacing) == (outside <= mm + 1e-9)).all()


@quick
@given(bodies())
def test_components_part_a_mask(body: Phantom) -> None:
    numbered, sizes = components(body.mask("liver"))
    assert sizes == sorted(sizes, reverse=True)
    assert ((numbered > 0) == body.mask("liver")).all()
    assert np.bincount(numbered.ravel(), minlength=len(sizes) + 1)[1:].tolist() == sizes
    assert len(sizes) == ndimage.label(body.mask("liver"), structure=np.ones((3, 3, 3)))[1]


def test_labels_that_nobody_named_are_left_aside() -> None:
    labels = np.array([[[1, 2, 3, 0]]], np.uint16)
    found = histograms(labels, np.array([[[10, 20, 30, 40]]], np.int16), [2])
    assert found.count(2) == 1
    one = found.distribution([2])
    assert one is not None
    assert one.mean == 20
