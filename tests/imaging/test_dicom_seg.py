"""Structures as a DICOM segmentation: what highdicom reads is what was found; dciodvfy objects to nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging.analyses import analysis_of
from imaging.bodies import rotation
from imaging.multiframe import enhanced
from imaging.phantom import Box, Phantom, encode, series
from imaging.segmentations import masks_of, seg
from pydicom import dcmread
from pydicom.dataset import Dataset
from unit.dciodvfy import errors_by_dciodvfy

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.identity import encoded, tracking_uid
from heltig.imaging.dicom_out.seg import segmentation_object
from heltig.imaging.dicom_out.seg_frames import packed
from heltig.imaging.labels import STRUCTURES
from heltig.imaging.segment.segmenter import Provenance
from heltig.imaging.volume import Code, LabelMap, Structure, Volume

BODY = Phantom.of(
    (40, 30, 12),
    (2.0, 2.0, 5.0),
    [
        Box("gallbladder", (4, 5, 3), (6, 7, 4), 10),  # the liver is drawn over it: absent
        Box("liver", (3, 4, 2), (20, 20, 10), 60),
        Box("spleen", (26, 4, 7), (36, 14, 12), 50),
        Box("kidney_left", (26, 18, 4), (34, 26, 9), 30),
        Box("torso_fat", (2, 22, 1), (20, 28, 3), -90),
        Box("torso_fat", (2, 22, 6), (20, 28, 8), -90),
        Box("rib_left_3", (38, 4, 5), (39, 5, 6), 300),
    ],
)
WRITTEN = ("liver", "spleen", "kidney_left", "torso_fat", "rib_left_3")


def with_trunk(volume: Volume) -> list[LabelMap]:
    """The labels of the body, and a second map that overlaps them."""
    trunk = np.zeros(BODY.shape, np.uint16)
    trunk[2:38, 2:28, 1:11] = 7
    return [BODY.label_map(STRUCTURES), LabelMap(trunk, {7: STRUCTURES["body_trunc"]})]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analysis_of(BODY)


def written(analysis: Analysis, **options: bool) -> Any:
    made = segmentation_object(analysis, **options)
    assert made is not None
    return highdicom.seg.segread(BytesIO(encoded(made)))


def masks_in(found: Any, analysis: Analysis) -> dict[str, Any]:
    """Masks of segments by label, on the grid of the volume, each frame where its own position says."""
    inverse = np.linalg.inv(analysis.volume.affine) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    names = {int(one.SegmentNumber): str(one.SegmentLabel) for one in found.SegmentSequence}
    masks = {name: np.zeros(analysis.volume.shape, bool) for number, name in names.items() if number}
    for number, groups in enumerate(found.PerFrameFunctionalGroupsSequence, 1):
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        i, j, k = np.round((inverse @ np.array([*position, 1.0]))[:3]).astype(int).tolist()
        assert (i, j) == (0, 0)
        pixels = np.asarray(found.get_stored_frame(number)).T
        own = groups.get("SegmentIdentificationSequence")
        if own is None:
            for segment in set(np.unique(pixels).tolist()) - {0}:
                masks[names[segment]][:, :, k] = pixels == segment
        else:
            masks[names[own[0].ReferencedSegmentNumber]][:, :, k] = pixels != 0
    return masks


@pytest.mark.parametrize("label_map", [False, True])
def test_what_is_read_is_what_was_found(analysis: Analysis, *, label_map: bool) -> None:
    found = written(analysis, label_map=label_map)
    assert found.SegmentationType == ("LABELMAP" if label_map else "BINARY")
    assert found.SegmentsOverlap == "NO"
    masks = masks_in(found, analysis)
    assert list(masks) == list(WRITTEN)
    for key, mask in masks.items():
        assert np.array_equal(mask, BODY.mask(key)), key
    slices = {key: int(BODY.mask(key).any((0, 1)).sum()) for key in WRITTEN}
    assert found.NumberOfFrames == (11 if label_map else sum(slices.values()))


@pytest.mark.parametrize("label_map", [False, True])
def test_highdicom_would_write_the_same_frames(analysis: Analysis, *, label_map: bool) -> None:
    made = segmentation_object(analysis, label_map=label_map)
    assert made is not None
    ours = dcmread(BytesIO(encoded(made)))
    masks = {key: mask for key, mask in masks_of(BODY).items() if key in WRITTEN}
    theirs = dcmread(BytesIO(seg(BODY, masks, kind="LABELMAP" if label_map else "BINARY")))
    for keyword in (
        *(
            "Rows",
            "Columns",
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
            "SamplesPerPixel",
        ),
        *("PhotometricInterpretation", "NumberOfFrames", "SegmentationType", "SegmentsOverlap", "ImageType"),
        *("FrameOfReferenceUID", "LossyImageCompression", "SOPClassUID"),
    ):
        assert ours[keyword].value == theirs[keyword].value, keyword
    assert [
        (one.DimensionIndexPointer, one.FunctionalGroupPointer) for one in ours.DimensionIndexSequence
    ] == [(one.DimensionIndexPointer, one.FunctionalGroupPointer) for one in theirs.DimensionIndexSequence]
    assert ours.SharedFunctionalGroupsSequence == theirs.SharedFunctionalGroupsSequence
    by_ours, by_theirs = (sorted(one.PerFrameFunctionalGroupsSequence, key=_place) for one in (ours, theirs))
    for one, other in zip(by_ours, by_theirs, strict=True):
        del one.FrameContentSequence, other.FrameContentSequence  # slices may be counted from either end
        assert one == other


def _place(groups: Dataset) -> tuple[int, float]:
    own = groups.get("SegmentIdentificationSequence")
    height = float(groups.PlanePositionSequence[0].ImagePositionPatient[2])
    return own[0].ReferencedSegmentNumber if own else 0, height


def test_segments_say_what_they_are_and_how_they_came_about(analysis: Analysis) -> None:
    ran = (
        Provenance(
            tool="totalsegmentator", version="2.4.0", inputs=(), arguments={}, seconds=1, models=("291",)
        ),
        Provenance(tool="replay", version="1", inputs=(), arguments={}, seconds=1, synthetic=True),
    )
    found = written(replace(analysis, provenance=ran))
    for item, key in zip(found.SegmentSequence, WRITTEN, strict=True):
        structure = STRUCTURES[key]
        (kind,) = item.SegmentedPropertyTypeCodeSequence
        (category,) = item.SegmentedPropertyCategoryCodeSequence
        assert (kind.CodeValue, category.CodeValue) == (structure.type.value, structure.category.value)
        sides = kind.get("SegmentedPropertyTypeModifierCodeSequence", [])
        assert [side.CodeMeaning for side in sides] == (["Left"] if "left" in key else [])
        assert (item.SegmentLabel, item.TrackingID) == (key, key)
        assert item.TrackingUID == tracking_uid(BODY.volume().study_instance_uid, key)
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        (algorithm,) = item.SegmentationAlgorithmIdentificationSequence
        assert algorithm.AlgorithmName == "totalsegmentator + replay"
        assert algorithm.AlgorithmVersion == "2.4.0 + 1"
        assert algorithm.AlgorithmParameters == "device=cpu; model=291; device=cpu; synthetic"
        assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"


@pytest.mark.parametrize("label_map", [False, True])
def test_structures_that_overlap_keep_all_their_voxels(*, label_map: bool) -> None:
    analysis = analysis_of(BODY, maps=with_trunk)
    found = written(analysis, label_map=label_map)
    assert (found.SegmentationType, found.SegmentsOverlap) == ("BINARY", "YES")
    masks = masks_in(found, analysis)
    assert masks["body_trunc"].sum() == 36 * 26 * 10
    for key in WRITTEN:
        assert np.array_equal(masks[key], BODY.mask(key)), key


def test_several_maps_without_overlap_can_be_one_label_map() -> None:
    def apart(volume: Volume) -> list[LabelMap]:
        return [
            LabelMap(np.where(BODY.mask(key), number, 0).astype(np.uint16), {number: STRUCTURES[key]})
            for number, key in ((9, "liver"), (4, "spleen"))
        ]

    analysis = analysis_of(BODY, maps=apart)
    found = written(analysis, label_map=True)
    assert (found.SegmentationType, found.SegmentsOverlap) == ("LABELMAP", "NO")
    for key, mask in masks_in(found, analysis).items():
        assert np.array_equal(mask, BODY.mask(key))


def test_three_hundred_structures_of_odd_images() -> None:
    names = [f"lesion {number}" for number in range(1, 301)]
    parts = [
        Box(name, (n % 13, n // 13 % 11, n // 143), (n % 13 + 1, n // 13 % 11 + 1, n // 143 + 1), n)
        for n, name in enumerate(names)
    ]
    body = Phantom.of((13, 11, 5), (3.0, 3.0, 10.0), parts)

    tissue = Code("85756007", "SCT", "Tissue")
    structures = {
        label: Structure(f"lesion_{label}", name, tissue, Code(f"a code that is long {label}", "99X", name))
        for label, name in body.keys.items()
    }
    analysis = analysis_of(body, maps=lambda volume: [LabelMap(body.labels, structures)])
    found = written(analysis, label_map=True)
    assert found.BitsAllocated == 16
    assert [str(one.SegmentLabel) for one in found.SegmentSequence][1:] == names
    for name, mask in masks_in(found, analysis).items():
        assert np.array_equal(mask, body.mask(name)), name
    made = segmentation_object(analysis)
    assert made is not None
    frames = dcmread(BytesIO(encoded(made))).pixel_array
    assert frames.shape == (300, 11, 13)
    for name, frame in zip(names, frames, strict=True):
        assert np.array_equal(frame.T, body.mask(name).any(2)), name


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 19), st.integers(1, 19), st.integers(1, 20), st.integers(0, 1 << 30))
def test_bits_stand_one_behind_the_other(rows: int, columns: int, frames: int, seed: int) -> None:
    masks = np.random.default_rng(seed).random((frames, rows, columns)) < 0.5
    data = b"".join(packed(iter(masks), rows * columns))
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    assert len(data) == -(-masks.size // 8)
    assert np.array_equal(bits[: masks.size], masks.ravel())
    assert not bits[masks.size :].any()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1 << 30), st.booleans(), st.booleans())
def test_any_labels_come_back(seed: int, label_map: bool, two_maps: bool) -> None:
    rng = np.random.default_rng(seed)
    body = Phantom.of((7, 5, 4), (1.0, 2.0, 3.0), [Box("", (0, 0, 0), (7, 5, 4), 40)])
    keys = rng.permutation(["liver", "spleen", "aorta", "heart", "brain", "skull"])
    halves = (keys[:3], keys[3:]) if two_maps else (keys,)
    maps = [
        LabelMap(
            rng.integers(0, len(half) + 1, body.shape).astype(np.uint16),
            {number: STRUCTURES[key] for number, key in enumerate(half, 1)},
        )
        for half in halves
    ]
    analysis = analysis_of(body, maps=lambda volume: maps)
    masks = masks_in(written(analysis, label_map=label_map), analysis)
    assert set(masks) == {key for one in maps for key in keys if one.mask(key).any()}
    for key, mask in masks.items():
        assert any(np.array_equal(mask, one.mask(key)) for one in maps)


def test_nothing_found_is_no_segmentation() -> None:
    empty = [LabelMap(np.zeros(BODY.shape, np.uint16), {1: STRUCTURES["liver"]})]
    assert segmentation_object(analysis_of(BODY, maps=lambda volume: empty)) is None


def test_frames_of_an_enhanced_image_are_referred_to_by_number() -> None:
    analysis = analysis_of(BODY, images=lambda phantom: [enhanced([phantom], frame_order=range(11, -1, -1))])
    found = written(analysis)
    for groups in found.PerFrameFunctionalGroupsSequence:
        (source,) = groups.DerivationImageSequence[0].SourceImageSequence
        k = round((groups.PlanePositionSequence[0].ImagePositionPatient[2] + 60) / 5)
        assert source.ReferencedFrameNumber == 12 - k
    (series_item,) = found.ReferencedSeriesSequence
    assert len(series_item.ReferencedInstanceSequence) == 1
    for key, mask in masks_in(found, analysis).items():
        assert np.array_equal(mask, BODY.mask(key)), key


def lossy(phantom: Phantom) -> Sequence[Dataset]:
    told = {"LossyImageCompressionRatio": "8", "LossyImageCompressionMethod": "ISO_10918_1"}
    return series(phantom, LossyImageCompression="01", **told)


def poor(phantom: Phantom) -> Sequence[Dataset]:
    made = series(phantom)
    for ds in made:
        for keyword in ("StudyID", "FrameOfReferenceUID", "PositionReferenceIndicator", "PatientSex"):
            del ds[keyword]
    return made


ANALYSES: Mapping[str, Any] = {
    "plain": partial(analysis_of, BODY),
    "overlapping": partial(analysis_of, BODY, maps=with_trunk),
    "enhanced": partial(analysis_of, BODY, images=lambda phantom: [enhanced([phantom])]),
    "MR": partial(analysis_of, BODY, images=partial(series, modality="MR", signed=True)),
    "tilted": partial(analysis_of, BODY.tilted(12)),
    "oblique": partial(
        analysis_of, BODY.placed(rotation(0, 20) @ rotation(2, 7.3), (-101.23456789, 33.3, 1e-3))
    ),
    "lossy": partial(analysis_of, BODY, images=lossy),
    "poor headers": partial(analysis_of, BODY, images=poor),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_dciodvfy_has_no_objection(name: str, tmp_path: Path) -> None:
    analysis = ANALYSES[name]()
    for label_map in (False, True):
        made = segmentation_object(analysis, label_map=label_map)
        assert made is not None
        file = tmp_path / f"{label_map}.dcm"
        file.write_bytes(encoded(made))
        assert errors_by_dciodvfy(file) == []
        found = highdicom.seg.segread(file)
        for key, mask in masks_in(found, analysis).items():
            expected = analysis.segmentation.count(key)
            assert int(mask.sum()) == expected, key


def test_names_from_files_do_no_harm() -> None:
    odd = Structure("l_sion", "Lesion\\x\n" + "y" * 80, Code("", "", ""), Code("", "99" * 20, "m" * 90))
    maps = [LabelMap(BODY.labels, dict.fromkeys(BODY.keys, odd))]
    found = written(analysis_of(BODY, maps=lambda volume: maps))
    (item,) = found.SegmentSequence
    assert item.SegmentLabel == ("Lesion x " + "y" * 80)[:64]
    assert item.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "m" * 64


def test_encoding_writes_the_frames_as_they_are(analysis: Analysis) -> None:
    made = segmentation_object(analysis)
    assert made is not None
    first = encoded(made)
    assert made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence  # pydicom has parsed them now
    assert encoded(made) == first
    assert encode(dcmread(BytesIO(first))) == first
