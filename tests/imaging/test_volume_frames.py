"""Enhanced objects: the slices are frames, and what is said of them stands in functional groups."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from imaging.multiframe import ENHANCED_CT, enhanced
from imaging.phantom import Box, Phantom, checkerboard, encode
from pydicom.dataset import Dataset

from heltig.imaging.agreement import check_agreement
from heltig.imaging.reading import read_only_volume, read_volume, survey
from heltig.imaging.refusal import Refused
from heltig.imaging.volume import HOUNSFIELD, NO_UNIT

BODY = Phantom.of((64, 48, 6), (0.8, 0.9, 2.5), [Box("a", (3, 3, 2), (9, 9, 5), checkerboard(40, 80))])
ORDER = random.Random(7).sample(range(6), 6)


@pytest.mark.parametrize("slopes", [(1.0,), (1, 2, 0.5, 1, 0.25, 1)], ids=["one slope", "one for each frame"])
def test_an_enhanced_ct(slopes: tuple[float, ...]) -> None:
    volume = read_only_volume([encode(enhanced([BODY], slopes=slopes, frame_order=ORDER))])
    assert np.array_equal(volume.voxels, BODY.voxels)
    assert np.allclose(volume.affine, BODY.affine)
    assert volume.unit == HOUNSFIELD
    assert (volume.technique.kvp, volume.technique.kernel, volume.technique.slice_thickness) == (
        120,
        "Br40",
        2.5,
    )
    assert {found.sop_class_uid for found in volume.slices} == {ENHANCED_CT}
    assert [found.frame for found in volume.slices] == [ORDER.index(k) + 1 for k in range(6)]


def test_the_contrast_agent_of_an_enhanced_ct_is_a_code() -> None:
    ds, agent = enhanced([BODY]), Dataset()
    agent.CodeValue, agent.CodingSchemeDesignator, agent.CodeMeaning = "109219001", "SCT", "Iohexol"
    ds.ContrastBolusAgentSequence = [agent]
    (found,) = survey([encode(ds)]).series
    assert found.technique is not None
    assert found.technique.contrast_agent == "Iohexol"


def test_an_enhanced_mr_of_two_times_compressed_as_a_whole(tmp_path: Path) -> None:
    images = [Phantom(BODY.voxels + 1000 + n, BODY.labels, BODY.keys, BODY.spacing) for n in (0, 1)]
    ds = enhanced(images, modality="MR")
    ds.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)  # RLE
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(encode(ds))
    (found,) = survey([path]).series
    assert [stack.volumes for stack in found.stacks] == [2, 2]
    for stack, image in zip(found.stacks, images, strict=True):
        volume = read_volume(stack)
        assert np.array_equal(volume.voxels, image.voxels)
        assert volume.unit == NO_UNIT


def test_a_frame_missing() -> None:
    ds = enhanced([BODY], frame_order=[0, 1, 2, 4, 5])
    with pytest.raises(Refused, match="GEOMETRY_MISSING_SLICE"):
        read_only_volume([encode(ds)])


def test_frames_of_which_not_all_are_there() -> None:
    fewer = enhanced([BODY])
    fewer.NumberOfFrames = 5
    with pytest.raises(Refused, match="PIXELS_LENGTH"):
        read_only_volume([encode(fewer)])
    ds = enhanced([BODY])
    ds.PixelData = ds.PixelData[: -2 * 64 * 48]
    with pytest.raises(Refused, match="PIXELS_LENGTH"):
        read_only_volume([encode(ds)])


def test_frames_of_which_not_all_say_where_they_lie() -> None:
    ds = enhanced([BODY])
    ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:-1]
    with pytest.raises(Refused, match=r"GEOMETRY_NOT_GIVEN.* 1 of \d+ images"):
        read_only_volume([encode(ds)])


def test_frames_without_groups_of_their_own_are_left_out() -> None:
    ds = enhanced([BODY])
    del ds.PerFrameFunctionalGroupsSequence
    (found,) = survey([encode(ds)]).series
    assert [code for _, code in found.left_out] == ["UNPLACED_FRAMES"]


@pytest.mark.corpus
def test_every_real_volume_is_as_dcm2niix_has_it(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("dcm2niix", reason="needs dcm2niix")
    files = [
        path for path in sorted(corpus.rglob("*")) if path.is_file() and path.suffix not in (".csv", ".md")
    ]
    stacks = [stack for series in survey(files).series for stack in series.stacks]
    answers: Counter[str] = Counter()
    for number, stack in enumerate(stacks):
        folder = tmp_path / str(number)
        folder.mkdir()
        volume = read_volume(stack)
        found = check_agreement(volume, stack, folder)
        if found.status != "agrees":
            # Philips without a Rescale Slope: dcm2niix takes that of the Real World Value Mapping instead.
            assert "example-dicom-functional" in str(stack.planes.object(stack.order[0]).source), found
        answers[found.status] += 1
    assert answers["agrees"] >= 20
