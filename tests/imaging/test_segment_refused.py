"""Masks from elsewhere that are damaged, hostile or no masks are refused with a code."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from imaging.phantom import Box, Phantom
from imaging.segmentations import altered, masks_of, nifti, nifti_with_table, seg
from pydicom.dataset import Dataset

from heltig.imaging.refusal import Refused
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.replay import Replay

BODY = Phantom.of((24, 20, 10), (1.0, 1.5, 4.0), [Box("liver", (2, 3, 2), (12, 10, 8), 60)])
VOLUME = BODY.volume()
SEG = seg(BODY, masks_of(BODY))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (np.full(BODY.shape, -1, np.int16), "MASKS_VALUES"),
        (np.full(BODY.shape, 70_000, np.int32), "MASKS_VALUES"),
        (np.full(BODY.shape, 0.5, np.float32), "MASKS_VALUES"),
        (np.full(BODY.shape, np.nan, np.float32), "MASKS_VALUES"),
        (np.zeros((*BODY.shape, 2), np.uint8), "MASKS_UNREADABLE"),
        (np.arange(np.prod(BODY.shape), dtype=np.uint16).reshape(BODY.shape), "MASKS_VALUES"),
    ],
    ids=["negative", "large", "half", "NaN", "4-D", "several"],
)
def test_values_that_are_no_mask(values: Any, code: str, tmp_path: Path) -> None:
    nifti(tmp_path / "liver.nii", values, BODY.affine)
    with pytest.raises(Refused, match=code):
        ByoNifti(tmp_path).segment(VOLUME)


def test_damaged_and_hostile_files(tmp_path: Path) -> None:
    path = nifti(tmp_path / "liver.nii.gz", BODY.labels, BODY.affine)
    whole = path.read_bytes()

    def refused(contents: bytes) -> str:
        path.write_bytes(contents)
        with pytest.raises(Refused) as refusal:
            ByoNifti(tmp_path).segment(VOLUME)
        return refusal.value.code

    assert refused(b"") == "MASKS_UNREADABLE"
    assert refused(b"Secret^Name" * 100) == "MASKS_UNREADABLE"
    assert refused(whole[: len(whole) // 2]) == "MASKS_UNREADABLE"
    assert refused(whole[:-8] + bytes(8)) == "MASKS_UNREADABLE"  # the checksum
    with pytest.raises(Refused, match="Observed: liver, "):
        ByoNifti(tmp_path).segment(VOLUME)
    with pytest.raises(Refused, match="MASKS_UNREADABLE"):
        ByoNifti(path, task="total").segment(VOLUME)
    header = nibabel.Nifti1Header()
    header.set_data_shape((30_000, 30_000, 30_000))
    header.set_data_dtype(np.uint8)
    header.set_sform(np.eye(4), 1)
    path.unlink()
    path = tmp_path / "liver.nii"
    assert refused(header.binaryblock + bytes(4)) == "MASKS_TOO_LARGE"
    header.set_data_shape(BODY.shape)
    header.set_sform(np.eye(4), 0)
    assert refused(header.binaryblock + bytes(4 + 10_000)) == "MASKS_GRID"
    header.set_sform(np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 9e9, 1)
    assert refused(header.binaryblock + bytes(4 + 10_000)) == "MASKS_ELSEWHERE"
    header.set_sform(np.diag([1.0, 1, 0, 1]), 1)
    assert refused(header.binaryblock + bytes(4 + 10_000)) == "MASKS_GRID"


@pytest.mark.parametrize("text", ["", "[]", '{"0": "liver"}', '{"x": 1}', '{"1": {"name": "a"}}', "\udcff"])
def test_label_tables_that_are_none(text: str, tmp_path: Path) -> None:
    path = nifti_with_table(tmp_path / "m.nii", BODY)
    (tmp_path / "m.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused, match="MASKS_LABEL_TABLE"):
        ByoNifti(path).segment(VOLUME)
    (tmp_path / "m.json").unlink()
    with pytest.raises(Refused, match="MASKS_LABEL_TABLE"):
        ByoNifti(path).segment(VOLUME)
    with pytest.raises(Refused, match="MASKS_LABEL_TABLE"):
        ByoNifti(path, task="none").segment(VOLUME)


def test_recordings_that_are_none(tmp_path: Path) -> None:
    for text in ("{", '{"form": 2, "tool": "x", "maps": []}', '{"form": 1, "tool": "x", "maps": [{}]}'):
        (tmp_path / "recording.json").write_text(text)
        with pytest.raises(Refused, match="MASKS_UNREADABLE"):
            Replay(tmp_path).segment(VOLUME)


def _drop(keyword: str) -> Callable[[Dataset], None]:
    return lambda ds: delattr(ds, keyword)


def _far(ds: Dataset) -> None:
    for item in ds.PerFrameFunctionalGroupsSequence:
        item.PlanePositionSequence[0].ImagePositionPatient[0] += 9_999_999


def _short(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[:4]


def _fewer_places(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence = list(ds.PerFrameFunctionalGroupsSequence)[:-1]


def _many_frames(ds: Dataset) -> None:
    """Memory for all of them would not be there."""
    ds.NumberOfFrames = 10**9


def _fraction(ds: Dataset) -> None:
    """Every pixel is at least half of nothing."""
    ds.SegmentationType, ds.MaximumFractionalValue = "FRACTIONAL", 0


def _one_number(ds: Dataset) -> None:
    ds.SegmentSequence = [ds.SegmentSequence[0], ds.SegmentSequence[0]]


def _another_segment(ds: Dataset) -> None:
    ds.SegmentSequence[-1].SegmentNumber = 7


def _number_of_background(ds: Dataset) -> None:
    ds.SegmentSequence[0].SegmentNumber = 0
    for groups in (*ds.SharedFunctionalGroupsSequence, *ds.PerFrameFunctionalGroupsSequence):
        for named in groups.get("SegmentIdentificationSequence", ()):
            named.ReferencedSegmentNumber = 0


def _flat(ds: Dataset) -> None:
    ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = ["0"] * 6


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_drop("SegmentSequence"), "MASKS_UNREADABLE"),
        (_drop("PerFrameFunctionalGroupsSequence"), "MASKS_UNREADABLE"),
        (_drop("SharedFunctionalGroupsSequence"), "MASKS_UNREADABLE"),
        (_drop("PixelData"), "MASKS_UNREADABLE"),
        (_drop("Rows"), "MASKS_UNREADABLE"),
        (_drop("StudyInstanceUID"), "MASKS_UNREADABLE"),
        (_short, "MASKS_UNREADABLE"),
        (_far, "MASKS_ELSEWHERE"),
        (_flat, "MASKS_"),
        (_fewer_places, "6 frames, and 5 of them"),
        (_many_frames, "1000000000 frames"),
        (_fraction, "MASKS_VALUES.*fractions of 0"),
        (_one_number, "several segments of one number"),
        (_another_segment, "a segment that is not described"),
        (_number_of_background, "a segment that is not described"),
    ],
)
def test_segmentations_that_are_damaged(change: Callable[[Dataset], None], code: str) -> None:
    with pytest.raises(Refused, match=code):
        ByoDicomSeg([altered(SEG, change)]).segment(VOLUME)


def test_fractions_above_their_maximum() -> None:
    def changed(ds: Dataset) -> None:
        ds.MaximumFractionalValue = 100

    whole = seg(BODY, masks_of(BODY), kind="FRACTIONAL")
    with pytest.raises(Refused, match="fractions above their maximum"):
        ByoDicomSeg([altered(whole, changed)]).segment(VOLUME)


def test_a_label_map_whose_values_are_not_described() -> None:
    with pytest.raises(Refused, match="a segment that is not described"):
        ByoDicomSeg([altered(seg(BODY, masks_of(BODY), kind="LABELMAP"), _another_segment)]).segment(VOLUME)


def test_no_byte_of_a_segmentation_brings_it_down() -> None:
    rng = np.random.default_rng(8)
    for _ in range(25):
        broken = bytearray(SEG)
        for place in rng.integers(132, len(broken), 6):
            broken[place] = rng.integers(256)
        with suppress(Refused):
            ByoDicomSeg([bytes(broken)]).segment(VOLUME)
    for length in (0, 100, 200, len(SEG) // 2):
        with pytest.raises(Refused, match="MASKS_UNREADABLE"):
            ByoDicomSeg([SEG[:length]]).segment(VOLUME)
