"""What holds of every volume, whatever the body, the grid, the scaling and the order of files."""

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from imaging.phantom import Box, Phantom, checkerboard, encode, series

from heltig.imaging.agreement import check_agreement
from heltig.imaging.reading import read_only_volume, read_volume, survey
from heltig.imaging.refusal import Refused

LETTERS = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}
PARTS = [Box("a", (2, 1, 1), (7, 5, 4), checkerboard(40, 80)), Box("b", (5, 4, 2), (9, 7, 6), 700)]
SHAPE = (11, 9, 7)

directions = (
    st.permutations(list(LETTERS))
    .map(lambda all_: (all_[0], all_[1]))
    .filter(lambda pair: LETTERS[pair[0]] != LETTERS[pair[1]])
)
millimetres = st.integers(20, 500).map(lambda number: number / 100)
spacings = st.tuples(millimetres, millimetres, millimetres)
degrees = st.integers(-25, 25)


def rotation(angles: tuple[int, int, int]) -> np.ndarray:
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        one = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        one[[a, a, b, b], [a, b, a, b]] = c, -s, s, c
        turned = one @ turned
    return turned


def read(phantom: Phantom, **how: object) -> object:
    return read_only_volume([encode(ds) for ds in series(phantom, **how)])


@settings(max_examples=25)
@given(spacings, directions, st.tuples(degrees, degrees, degrees), degrees)
def test_every_voxel_is_where_it_was_made(
    spacing: tuple[float, float, float],
    axes: tuple[str, str],
    angles: tuple[int, int, int],
    tilt: int,
) -> None:
    phantom = Phantom.of(SHAPE, spacing, PARTS).turned(*axes).placed(rotation(angles)).tilted(tilt)
    volume = read(phantom)
    assert np.array_equal(volume.voxels, phantom.voxels)
    assert np.allclose(volume.affine, phantom.affine, atol=1e-5)
    assert volume.voxel_volume_mm3 == pytest.approx(float(np.prod(spacing)), rel=1e-5)
    sideways = abs(np.tan(np.radians(tilt))) * phantom.spacing[2] * (phantom.shape[2] - 1)
    assume(abs(sideways - 0.1) > 0.01)
    assert volume.tilted == (sideways > 0.1)


@settings(max_examples=15)
@given(st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_matter(chance: random.Random) -> None:
    phantom = Phantom.of(SHAPE, (1, 1, 2), PARTS)
    files = [encode(ds) for ds in series(phantom)]
    chance.shuffle(files)
    volume = read_only_volume(files)
    assert np.array_equal(volume.voxels, phantom.voxels)
    assert volume.slices == phantom.volume().slices


@settings(max_examples=40)
@given(
    signed=st.booleans(),
    bits=st.integers(9, 16),
    slope=st.sampled_from([1, 2, -1, 3, 0.5, 0.1, 1e-3]),
    intercept=st.sampled_from([0, -1024, 1, 0.25, 40000, -32768]),
    seed=st.integers(0, 99),
)
@example(signed=True, bits=16, slope=1, intercept=-32768, seed=1)
def test_values_are_slope_times_stored_plus_intercept(
    signed: bool, bits: int, slope: float, intercept: float, seed: int
) -> None:
    low = -(1 << bits - 1) if signed else 0
    stored = np.random.default_rng(seed).integers(low, low + (1 << bits), (3, 6, 5))
    images = series(Phantom.of((5, 6, 3), (1, 1, 2), [], background=0), intercept=0.0)
    for ds, values in zip(images, stored, strict=True):
        ds.RescaleSlope, ds.RescaleIntercept = str(slope), str(intercept)
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, int(signed)
        ds.PixelData = (values & ((1 << bits) - 1)).astype("<u2").tobytes()
    volume = read_only_volume([encode(ds) for ds in images])
    expected = (stored * slope + intercept).transpose(2, 1, 0)
    fits = expected.min() >= -32768 and expected.max() <= 32767
    whole = float(slope).is_integer() and float(intercept).is_integer()
    assert volume.voxels.dtype == (np.int16 if whole and fits else np.float32)
    assert np.array_equal(volume.voxels, expected.astype(volume.voxels.dtype))


@settings(max_examples=25)
@given(st.sets(st.integers(1, 10), min_size=1, max_size=3), directions)
def test_no_gap_goes_unseen(missing: set[int], axes: tuple[str, str]) -> None:
    phantom = Phantom.of((6, 12, 12), (1, 1, 2.5), []).turned(*axes)
    images = series(phantom)
    assume(phantom.shape[2] == 12)
    kept = [ds for k, ds in enumerate(images) if k not in missing]
    (found,) = survey([encode(ds) for ds in kept]).series
    assert [reason.code for reason in found.refused] == ["GEOMETRY_MISSING_SLICE"]


@settings(max_examples=60)
@given(st.data())
def test_damaged_files_are_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    files = [bytearray(encode(ds)) for ds in series(Phantom.of((4, 4, 4), (1, 1, 2), PARTS[:0]))]
    for _ in range(data.draw(st.integers(1, 4))):
        one = data.draw(st.sampled_from(files))
        place = data.draw(st.integers(132, len(one) - 1))
        one[place : place + 1] = data.draw(st.binary(max_size=2))
    try:
        for found in survey(map(bytes, files)).series:
            for stack in found.stacks:
                read_volume(stack, most_voxels=1 << 20)
    except Refused as refused:
        assert refused.code  # noqa: PT017 - whatever else is raised fails


@settings(max_examples=8)
@given(spacings, directions, st.tuples(degrees, degrees, degrees), st.sampled_from(["CT", "MR"]))
@example((1.0, 1.0, 2.0), ("L", "P"), (45, 10, 0), "CT")  # nearest to two axes at once
def test_dcm2niix_makes_the_same_volume(
    spacing: tuple[float, float, float], axes: tuple[str, str], angles: tuple[int, int, int], modality: str
) -> None:
    pytest.importorskip("dcm2niix", reason="needs dcm2niix")
    phantom = Phantom.of(SHAPE, spacing, PARTS).turned(*axes).placed(rotation(angles))
    how = {"modality": "MR", "intercept": -1000.0} if modality == "MR" else {}
    stack = survey([encode(ds) for ds in series(phantom, **how)]).series[0].stacks[0]
    with tempfile.TemporaryDirectory() as folder:
        assert check_agreement(read_volume(stack), stack, Path(folder)) == ("agrees", ())
