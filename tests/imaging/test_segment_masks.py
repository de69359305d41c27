"""Masks from elsewhere: what they are called and where they lie."""

import json
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imaging.phantom import Box, Phantom
from imaging.segmentations import altered, folder, masks_of, nifti, nifti_with_table, seg
from pydicom import dcmread
from pydicom.dataset import Dataset

from heltig.imaging.labels import ABNORMAL_STRUCTURE, ANATOMICAL_STRUCTURE, STRUCTURES, TISSUE
from heltig.imaging.reading import read_only_volume
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.naming import by_code, by_name
from heltig.imaging.segment.segmenter import SegmentationResult
from heltig.imaging.volume import Code, Structure

BODY = Phantom.of(
    (24, 20, 10),
    (1.0, 1.5, 4.0),
    [Box("liver", (2, 3, 2), (12, 10, 8), 60), Box("spleen", (15, 3, 3), (21, 9, 7), 50)],
)
VOLUME = BODY.volume()
MASKS = masks_of(BODY)
SEG = seg(BODY, MASKS)
LEFT = Code("7771000", "SCT", "Left")


def codes(found: SegmentationResult) -> dict[str, str]:
    return {note.code: note.observed for note in found.notes}


# -- names


@pytest.mark.parametrize(
    ("kind", "side", "label", "key"),
    [
        (Code("10200004", "SCT", "Liver"), None, "seg 7", "liver"),
        (Code("T-62000", "SRT", "Liver"), None, "", "liver"),
        (Code("64033007", "SCT", "Kidney"), LEFT, "", "kidney_left"),
        (Code("T-71000", "SRT", "Kidney"), Code("G-A101", "SRT", "Left"), "", "kidney_left"),
        (Code("113197003", "SCT", "Rib"), LEFT, "rib_left_3", "rib_left_3"),
        (Code("10200004", "SCT", "Liver"), None, "spleen", "liver"),
        (Code("x", "99X", ""), None, "Left Kidney", "kidney_left"),
        (Code("x", "99X", ""), None, "Vertebrae L3", "vertebrae_L3"),
        (Code("x", "99X", ""), None, "Thing, unknown", "thing_unknown"),
        (Code("x", "99X", "Thing"), None, "", "thing"),
    ],
)
def test_code_first_then_label(kind: Code, side: Code | None, label: str, key: str) -> None:
    found = by_code(ANATOMICAL_STRUCTURE, kind, laterality=side, label=label)
    assert found.structure.key == key
    assert found.known is (key in STRUCTURES)
    if not found.known:
        assert found.structure.type == kind, "its own code is kept"


def test_a_tumour_in_the_liver_is_not_the_liver() -> None:
    tumour = Code("108369006", "SCT", "Neoplasm")
    found = by_code(ABNORMAL_STRUCTURE, tumour, laterality=None, label="Liver")
    assert (found.structure.key, found.structure.type, found.known) == ("other_liver", tumour, False)


@given(st.text())
def test_any_name_has_a_key(name: str) -> None:
    found = by_name(name)
    assert found.structure.key
    assert found.known is (found.structure.key in STRUCTURES)


def test_names_in_any_letters_are_told_apart() -> None:
    keys = [
        by_name(name).structure.key for name in ("肝臓", "腎臓", "печень 2", "почка 2", "x" * 80, "x" * 81)
    ]
    assert len(set(keys)) == len(keys)
    assert all(key.isascii() and len(key) <= 64 for key in keys)
    assert by_name("Leber-ä").structure.key == "leber_a"


def test_what_is_unknown_or_doubled_is_kept_and_noted() -> None:
    lesion = Structure("lesion", "lesion", TISSUE, Code("52988006", "SCT", "Lesion"))
    liver = STRUCTURES["liver"]
    masks = {"liver": MASKS["liver"], "graft": MASKS["spleen"], "lesion": BODY.labels == 0}
    made = seg(BODY, masks, structures={"liver": liver, "graft": liver, "lesion": lesion})
    found = ByoDicomSeg([made]).segment(VOLUME)
    assert codes(found) == {"UNMAPPED": "lesion", "SAME_STRUCTURE": "liver_2"}
    (labels,) = found.maps
    assert np.array_equal(labels.mask("liver_2"), MASKS["spleen"])
    assert next(s for s in labels.structures.values() if s.key == "liver_2").name == "liver 2"
    assert np.array_equal(labels.mask("lesion"), BODY.labels == 0)
    assert next(s for s in labels.structures.values() if s.key == "lesion").type == lesion.type


# -- label tables and folders


def test_a_table_with_codes_and_labels_beside_it(tmp_path: Path) -> None:
    path = nifti_with_table(tmp_path / "m.nii", BODY)
    table = tmp_path / "table.json"
    kind = {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"}
    coded = {
        "name": "a",
        "type": kind,
        "laterality": {"value": LEFT.value, "scheme": "SCT", "meaning": "Left"},
    }
    table.write_text(json.dumps({"1": coded, "9": "brain"}))
    found = ByoNifti(path, table).segment(VOLUME)
    assert {one.key for one in found.maps[0].structures.values()} == {"kidney_left", "brain", "label_2"}
    assert codes(found) == {"NOT_IN_TABLE": "2", "UNMAPPED": "label_2"}
    assert not found.maps[0].mask("brain").any(), "it could have been found"
    by_task = ByoNifti(path, task="tissue_types").segment(VOLUME)
    assert np.array_equal(by_task.maps[0].mask("subcutaneous_fat"), MASKS["liver"])


def test_an_empty_file_of_a_folder_says_absent(tmp_path: Path) -> None:
    masks = {**MASKS, "brain": np.zeros(BODY.shape)}
    found = ByoNifti(folder(tmp_path, BODY, masks)).segment(VOLUME)
    assert {one.key for one in found.maps[0].structures.values()} == {"liver", "spleen", "brain"}
    assert not found.maps[0].mask("brain").any()


# -- grids


def test_masks_at_half_the_resolution_are_resampled_and_recorded(tmp_path: Path) -> None:
    coarse = BODY.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    coarse[:3, 3] += BODY.affine[:3, :3] @ [0.5, 0.5, 0.5]
    fine = Phantom.of(BODY.shape, BODY.spacing, [Box("liver", (2, 4, 2), (12, 10, 8), 60)])
    nifti(tmp_path / "liver.nii.gz", fine.labels[::2, ::2, ::2].astype(np.uint8), coarse)
    found = ByoNifti(tmp_path).segment(VOLUME)
    assert np.array_equal(found.maps[0].mask("liver"), fine.mask("liver"))
    (grid,) = found.provenance.resampled_from
    assert grid.shape == (12, 10, 5)
    assert codes(found) == {"RESAMPLED": "12 × 10 × 5"}


def test_a_grid_that_leans_is_resampled(tmp_path: Path) -> None:
    ball = BODY.tilted(10)
    nifti(tmp_path / "liver.nii", ball.mask("liver").astype(np.uint8), ball.affine)
    found = ByoNifti(tmp_path).segment(VOLUME)
    count = int(found.maps[0].mask("liver").sum())
    assert found.provenance.resampled_from
    assert count == pytest.approx(BODY.count("liver"), rel=0.1)


def test_a_segmentation_between_the_slices_is_resampled() -> None:
    shifted = BODY.placed(origin=(BODY.origin[0], BODY.origin[1], BODY.origin[2] + 1.0))
    found = ByoDicomSeg([seg(shifted, MASKS)]).segment(VOLUME)
    assert found.provenance.resampled_from
    assert np.array_equal(found.maps[0].mask("liver"), MASKS["liver"]), "a quarter of a slice away"


def test_slices_that_are_not_adjacent_stay_apart() -> None:
    mask = np.zeros(BODY.shape, bool)
    mask[3:9, 3:9, [2, 5, 8]] = True
    found = ByoDicomSeg([seg(BODY, {"liver": mask})]).segment(VOLUME)
    assert np.array_equal(found.maps[0].mask("liver"), mask)


# -- segmentations


def test_fractions_from_a_half_on_are_inside() -> None:
    values = np.where(MASKS["liver"], 0.6, 0.4)
    values[3, 4, 3] = 0.5
    found = ByoDicomSeg([seg(BODY, {"liver": values}, kind="FRACTIONAL")]).segment(VOLUME)
    assert np.array_equal(found.maps[0].mask("liver"), MASKS["liver"])
    assert codes(found) == {"THRESHOLD": "0.5"}


def test_what_is_not_about_all_of_the_volume_is_noted(tmp_path: Path) -> None:
    """A crop that lies on its voxels changes none of them; what is beyond it was not looked at."""
    nifti(tmp_path / "liver.nii", MASKS["liver"].astype(np.uint8)[:, :, :-1], BODY.affine)
    found = ByoNifti(tmp_path).segment(VOLUME)
    i, j, k = BODY.shape
    assert codes(found) == {"PART_OF_VOLUME": f"{i} × {j} × {k - 1}"}
    nifti(tmp_path / "liver.nii", np.pad(MASKS["liver"].astype(np.uint8), ((0, 2),) * 3), BODY.affine)
    assert codes(ByoNifti(tmp_path).segment(VOLUME)) == {}

    def beside(ds: Dataset) -> None:
        ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient[2] = 1e5

    frames = codes(ByoDicomSeg([altered(SEG, beside)]).segment(VOLUME))
    assert frames.keys() == {"BESIDE_VOLUME"}
    assert frames["BESIDE_VOLUME"].startswith("1 of ")


def test_another_frame_of_reference_is_noted() -> None:
    """It refers to the series; that its positions are those of the series is not certain."""

    def elsewhere(ds: Dataset) -> None:
        ds.FrameOfReferenceUID = "1.2.3"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.4"

    assert codes(ByoDicomSeg([altered(SEG, elsewhere)]).segment(VOLUME)) == {
        "OTHER_FRAME_OF_REFERENCE": "1.2.4"
    }


def test_hidden_files_and_the_volume_are_no_masks(tmp_path: Path) -> None:
    folder(tmp_path, BODY, MASKS)
    nifti(tmp_path / "volume.nii.gz", BODY.voxels, BODY.affine)
    (tmp_path / "total" / "._liver.nii.gz").write_bytes(b"of another system")
    assert codes(ByoNifti(tmp_path).segment(VOLUME)) == {}


def test_the_series_counts_before_the_frame_of_reference() -> None:
    def of_other_series(ds: Dataset) -> None:
        ds.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.4"

    other = altered(seg(BODY, {"brain": MASKS["liver"]}), of_other_series)
    both = ByoDicomSeg([other, SEG]).segment(VOLUME)
    assert {one.key for one in both.maps[0].structures.values()} == {"liver", "spleen"}
    alone = ByoDicomSeg([other]).segment(VOLUME)
    assert {one.key for one in alone.maps[0].structures.values()} == {"brain"}
    assert codes(alone) == {"BY_FRAME_OF_REFERENCE": "1.2.4"}
    assert alone.provenance.inputs[0].sop_instance_uid == "1.2.4"
    with pytest.raises(Refused, match="MASKS_NOT_FOUND"):
        ByoDicomSeg([seg(BODY, MASKS, name="another")]).segment(VOLUME)


@pytest.mark.parametrize("size", ["23x38x3", "24x38x3"])
def test_masks_of_dcmqi(size: str, corpus: Path) -> None:
    samples = corpus / "gh_QIICR__dcmqi/data/segmentations"
    volume = read_only_volume(sorted((samples / size / "image").glob("*.dcm")))
    found = ByoDicomSeg([samples / size / "seg/label.seg"]).segment(volume)
    (labels,) = found.maps
    assert [one.key for one in labels.structures.values()] == ["liver"]
    pixels = dcmread(samples / size / "seg/label.seg").pixel_array
    assert labels.mask("liver").sum() == pixels.sum() > 0
    assert not found.provenance.resampled_from


def test_sparse_label_maps_of_dcmqi(corpus: Path) -> None:
    samples = corpus / "gh_QIICR__dcmqi/data/segmentations"
    volume = read_only_volume(sorted((samples / "24x38x3/image").glob("*.dcm")))
    found = [
        ByoDicomSeg([samples / f"sparse-labelmap-{name}.dcm"]).segment(volume).maps[0]
        for name in ("noppv", "ppv5")
    ]
    assert [one.key for one in found[0].structures.values()] == ["liver"], "background is none"
    assert found[0].mask("liver").any()
    assert np.array_equal(found[0].labels, found[1].labels)


@pytest.mark.parametrize(
    "sample",
    [
        "gh_ImagingDataCommons__highdicom/data/test_files/seg_image_ct_binary.dcm",
        "gh_ImagingDataCommons__highdicom/data/test_files/seg_image_ct_binary_overlap.dcm",
        "gh_ImagingDataCommons__highdicom/data/test_files/seg_image_ct_true_fractional.dcm",
        "gh_QIICR__dcmqi/data/sr-example/seg.dcm",
    ],
)
def test_frames_lie_where_highdicom_puts_them(sample: str, corpus: Path) -> None:
    theirs = highdicom.seg.segread(corpus / sample)
    own = theirs.get_volume()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ own.affine[:, [2, 1, 0, 3]]
    volume = replace(
        VOLUME,
        voxels=np.zeros(own.spatial_shape[::-1], np.int16),
        affine=affine,
        study_instance_uid=theirs.StudyInstanceUID,
        series_instance_uid=theirs.ReferencedSeriesSequence[0].SeriesInstanceUID,
    )
    found = ByoDicomSeg([corpus / sample]).segment(volume)
    assert not found.provenance.resampled_from
    structures = [(one, label) for one in found.maps for label in one.structures]
    masks = sorted((one.labels == label).tobytes() for one, label in structures)
    inside = own.array >= 0.5 if theirs.segmentation_type.value == "FRACTIONAL" else own.array == 1
    expected = [inside[..., n].transpose(2, 1, 0).tobytes() for n in range(own.array.shape[3])]
    assert masks == sorted(expected)
