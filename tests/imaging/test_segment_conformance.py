"""The same masks give the same label maps and the same numbers, whichever backend read them."""

from pathlib import Path

import numpy as np
import pytest
from imaging.phantom import Box, Phantom
from imaging.segmentations import folder, masks_of, nifti_with_table, seg

from heltig.imaging.metrics import measure
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.replay import Replay, record
from heltig.imaging.segment.segmenter import Segmenter
from heltig.imaging.segmentation import Segmentation

BODY = Phantom.of(
    (40, 30, 12),
    (2.0, 2.0, 5.0),
    [
        Box("spleen", (26, 4, 3), (36, 14, 9), 50),
        Box("liver", (3, 4, 2), (20, 20, 10), 60),
        Box("kidney_left", (26, 18, 4), (34, 26, 9), 30),
        Box("kidney_right", (4, 22, 4), (12, 28, 9), 31),
    ],
)


def test_backends_agree_bit_by_bit(tmp_path: Path) -> None:
    volume, masks = BODY.volume(), masks_of(BODY)
    by_nifti = ByoNifti(nifti_with_table(tmp_path / "labels.nii.gz", BODY))
    first = by_nifti.segment(volume)
    record(first, volume, tmp_path / "recorded")
    backends: list[Segmenter] = [
        by_nifti,
        ByoNifti(folder(tmp_path / "folder", BODY, masks)),
        ByoDicomSeg([seg(BODY, masks)]),
        ByoDicomSeg([seg(BODY, masks, kind="LABELMAP")]),
        ByoDicomSeg([seg(BODY, masks, kind="FRACTIONAL")]),
        ByoDicomSeg([seg(BODY, {key: masks[key]}) for key in masks]),
        Replay(tmp_path / "recorded"),
    ]
    expected = measure(Segmentation(volume, first.maps)).measurements
    assert any(one.value == pytest.approx(BODY.volume_cm3("liver")) for one in expected)
    for backend in backends:
        assert backend.available().condition == "ok"
        found = backend.segment(volume)
        (labels,) = found.maps
        assert labels.labels.dtype == np.uint16
        assert np.array_equal(labels.labels, first.maps[0].labels), backend
        assert dict(labels.structures) == dict(first.maps[0].structures), backend
        assert measure(Segmentation(volume, found.maps)).measurements == expected, backend
        assert found.provenance.synthetic is (backend.id == "replay")
        assert found.provenance.inputs
        assert not found.provenance.resampled_from
        for key, mask in masks.items():
            assert np.array_equal(labels.mask(key), mask)


def test_overlapping_structures_are_several_maps(tmp_path: Path) -> None:
    masks = masks_of(BODY)
    masks["body_trunc"] = np.ones(BODY.shape, bool)
    volume = BODY.volume()
    by_folder = ByoNifti(folder(tmp_path, BODY, masks)).segment(volume)
    by_seg = ByoDicomSeg([seg(BODY, masks)]).segment(volume)
    record(by_seg, volume, tmp_path / "recorded")
    for found in (by_folder, by_seg, Replay(tmp_path / "recorded").segment(volume)):
        assert len(found.maps) == 2
        whole = Segmentation(volume, found.maps)
        assert {key: whole.count(key) for key in masks} == {key: mask.sum() for key, mask in masks.items()}
        for one, other in zip(found.maps, by_folder.maps, strict=True):
            assert np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("acquired", [("L", "I"), ("P", "I"), ("R", "P")])
def test_every_acquisition_is_alike(acquired: tuple[str, str], tmp_path: Path) -> None:
    turned = BODY.turned(*acquired)
    volume, masks = turned.volume(), masks_of(turned)
    by_seg = ByoDicomSeg([seg(turned, masks)]).segment(volume)
    by_nifti = ByoNifti(nifti_with_table(tmp_path / "labels.nii", BODY)).segment(volume)
    assert not by_nifti.provenance.resampled_from, "axes counted otherwise are no resampling"
    assert np.array_equal(by_seg.maps[0].labels, by_nifti.maps[0].labels)
    for key, mask in masks.items():
        assert np.array_equal(by_seg.maps[0].mask(key), mask)


def test_only_what_is_wanted() -> None:
    found = ByoDicomSeg([seg(BODY, masks_of(BODY))]).segment(BODY.volume(), wanted={"liver"})
    assert [one.key for one in found.maps[0].structures.values()] == ["liver"]


def test_a_series_without_masks_gives_none(tmp_path: Path) -> None:
    volume = BODY.volume()
    for backend in (ByoNifti(tmp_path / "none.nii"), ByoNifti(tmp_path), ByoDicomSeg([]), Replay(tmp_path)):
        assert backend.available().condition == "no_input"
        with pytest.raises(Refused, match="MASKS_NOT_FOUND"):
            backend.segment(volume)
