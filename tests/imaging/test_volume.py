"""Volumes from series whose answers are known: values, places, technique, whatever way they are encoded."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from imaging.compression import BY_GDCM, BY_PYDICOM, NATIVE, transcoded
from imaging.phantom import (
    Box,
    Phantom,
    checkerboard,
    encode,
    noise,
    series,
    write,
)

from heltig.imaging.reading import read_only_volume, read_volume, survey
from heltig.imaging.refusal import Refused
from heltig.imaging.volume import HOUNSFIELD, NO_UNIT, LabelMap, Volume

BODY = Phantom.of(
    (64, 48, 8),
    (0.8, 0.9, 2.5),
    [
        Box("body", (4, 4, 0), (60, 44, 8), 30),
        Box("liver", (6, 8, 2), (26, 30, 7), checkerboard(40, 80)),
        Box("spleen", (44, 24, 4), (54, 34, 7), noise(50, 12)),
        Box(
            "mark", (8, 34, 1), (9, 42, 6), 700
        ),  # with the next two an F, so that no turn looks like another
        Box("mark", (8, 34, 5), (14, 35, 6), 700),
        Box("mark", (8, 34, 3), (12, 35, 4), 700),
    ],
)


def volume_of(data_sets: list) -> Volume:
    return read_only_volume([encode(ds) for ds in data_sets])


def is_same(volume: Volume, phantom: Phantom) -> bool:
    return bool(
        np.array_equal(volume.voxels, phantom.voxels)
        and np.allclose(volume.affine, phantom.affine, atol=1e-9)
    )


def test_a_series_is_read_as_it_was_made(tmp_path: Path) -> None:
    files = write(reversed(series(BODY)), tmp_path / "series")
    volume, made = read_only_volume(files), BODY.volume()
    assert is_same(volume, BODY)
    assert volume.voxels.dtype == np.int16
    assert volume.slices == made.slices
    assert volume.spacing == pytest.approx((0.8, 0.9, 2.5))
    assert volume.voxel_volume_mm3 == pytest.approx(0.8 * 0.9 * 2.5)
    assert (volume.unit, volume.tilted, volume.padding) == (HOUNSFIELD, False, None)
    assert volume.study_instance_uid == made.study_instance_uid
    assert volume.series_instance_uid == made.series_instance_uid
    assert volume.frame_of_reference_uid == made.frame_of_reference_uid


def test_what_is_measured_of_a_mask_is_exact() -> None:
    volume = volume_of(series(BODY))
    liver = volume.voxels[BODY.mask("liver")]
    assert liver.size * volume.voxel_volume_mm3 / 1000 == pytest.approx(20 * 22 * 5 * 1.8 / 1000)
    assert (liver.mean(), liver.std(), np.median(liver)) == (60, 20, 60)


def test_a_label_map_says_where_a_structure_is() -> None:
    labels = BODY.label_map()
    assert np.array_equal(labels.mask("liver"), BODY.mask("liver"))
    assert not labels.mask("kidney_left").any()
    both = dict.fromkeys(labels.structures, labels.structures[2])
    assert np.array_equal(LabelMap(labels.labels, both).mask("liver"), BODY.labels > 0)


def test_the_technique_is_that_of_the_series() -> None:
    images = series(BODY, PatientSize="1.75", ContrastBolusAgent="Iohexol", BodyPartExamined="ABDOMEN")
    images[3].KVP = "100"
    technique = volume_of(images).technique
    assert technique.modality == "CT"
    assert technique.kvp is None, "the images do not agree"
    assert (technique.kernel, technique.patient_size_m, technique.slice_thickness) == ("Br40", 1.75, 2.5)
    assert (technique.contrast_agent, technique.body_part) == ("Iohexol", "ABDOMEN")
    assert technique.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")


ENCODINGS = {
    "slices from head to feet": ("L", "A"),
    "rows and columns flipped": ("R", "A"),
    "feet first": ("R", "P"),
    "coronal": ("L", "I"),
    "coronal from behind": ("R", "S"),
    "sagittal": ("P", "I"),
    "sagittal from the right": ("A", "I"),
    "turned by a right angle": ("P", "L"),
}


@pytest.mark.parametrize("directions", ENCODINGS.values(), ids=ENCODINGS)
def test_the_same_body_whatever_way_it_was_acquired(directions: tuple[str, str]) -> None:
    turned = BODY.turned(*directions)
    volume = volume_of(series(turned))
    assert is_same(volume, turned)
    for key in ("liver", "spleen", "mark"):
        where, there = np.argwhere(BODY.mask(key)), np.argwhere(turned.mask(key))
        here = np.c_[where, np.ones(len(where))] @ BODY.affine.T
        found = np.c_[there, np.ones(len(there))] @ volume.affine.T
        assert np.allclose(sorted(here.round(6).tolist()), sorted(found.round(6).tolist()))
        assert volume.voxels[turned.mask(key)].sum() == BODY.voxels[BODY.mask(key)].sum()


def test_an_oblique_stack() -> None:
    angle = np.radians(10)
    rotation = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    oblique = BODY.placed(rotation, origin=(-20.5, 33.3, 812.75))
    volume = volume_of(series(oblique))
    assert np.array_equal(volume.voxels, oblique.voxels)
    assert np.allclose(volume.affine, oblique.affine, atol=1e-6)
    assert not volume.tilted
    assert volume.voxel_volume_mm3 == pytest.approx(1.8)


def test_distances_come_from_positions_and_nothing_else() -> None:
    images = series(BODY, SliceThickness="5", SpacingBetweenSlices="7", SliceLocation="0")
    assert volume_of(images).spacing == pytest.approx((0.8, 0.9, 2.5))


def test_a_slope_of_its_own_for_each_slice() -> None:
    slopes = [1, 2, 0.5, 1, 0.25, 1, 2, 1]
    even = Phantom.of(BODY.shape, BODY.spacing, [Box("liver", (6, 8, 2), (26, 30, 7), 60)])
    volume = volume_of(series(even, slope=slopes))
    assert volume.voxels.dtype == np.float32
    assert np.array_equal(volume.voxels, even.voxels)


def test_whole_slopes_stay_whole() -> None:
    even = Phantom.of(BODY.shape, BODY.spacing, [Box("liver", (6, 8, 2), (26, 30, 7), 60)])
    volume = volume_of(series(even, slope=2, signed=True))
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels, even.voxels)


def test_values_that_no_16_bits_hold_are_floats() -> None:
    images = series(BODY, modality="MR", intercept=-1000.0)
    stored = np.frombuffer(images[4].PixelData, "<u2").copy()
    stored[0] = 65535
    images[4].PixelData = stored.tobytes()
    volume = volume_of(images)
    assert volume.voxels.dtype == np.float32
    assert volume.voxels[0, 0, 4] == 64535
    assert np.array_equal(volume.voxels[1:], BODY.voxels[1:])


def test_bits_beside_the_stored_ones_are_no_values() -> None:
    images = series(BODY, bits_stored=12)
    for ds in images:
        stored = np.frombuffer(ds.PixelData, "<u2")
        ds.PixelData = (stored | (stored % 3 << 14).astype("<u2")).tobytes()  # as overlays of old
    assert is_same(volume_of(images), BODY)
    shifted = series(BODY, bits_stored=12, HighBit=15)
    for ds in shifted:
        ds.PixelData = (np.frombuffer(ds.PixelData, "<u2") << 4).astype("<u2").tobytes()
    assert is_same(volume_of(shifted), BODY)


def test_monochrome1_is_shown_otherwise_and_means_the_same() -> None:
    assert is_same(volume_of(series(BODY, PhotometricInterpretation="MONOCHROME1")), BODY)


@pytest.mark.parametrize("written", [-2000, 63536], ids=["signed", "as if it were unsigned"])
def test_padding_is_marked(written: int) -> None:
    body = Phantom.of((24, 24, 3), (1, 1, 2), [Box("body", (4, 4, 0), (20, 20, 3), 40)], background=-3024)
    images = series(body, signed=True)
    for ds in images:
        ds.add_new("PixelPaddingValue", "SS" if written < 0 else "US", written)
    volume = volume_of(images)
    assert volume.padding is not None
    assert np.array_equal(volume.padding, body.labels == 0)
    assert volume.voxels[0, 0, 0] == -3024


def test_a_range_of_padding_and_one_that_no_pixel_can_have() -> None:
    ranged = volume_of(series(BODY, bits_stored=12, PixelPaddingValue=0, PixelPaddingRangeLimit=24))
    assert ranged.padding is not None
    assert np.array_equal(ranged.padding, BODY.voxels == -1000)
    assert volume_of(series(BODY, bits_stored=12, PixelPaddingValue=63536)).padding is None


def test_mr_has_no_unit() -> None:
    image = Phantom.of((24, 24, 3), (1, 1, 2), [Box("brain", (4, 4, 0), (20, 20, 3), 400)], background=3)
    volume = volume_of(series(image, modality="MR"))
    assert is_same(volume, image)
    assert (volume.unit, volume.technique.modality) == (NO_UNIT, "MR")
    assert volume.voxel_volume_mm3 == 2


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"RescaleType": "HU"}, HOUNSFIELD),
        ({"RescaleType": "US"}, NO_UNIT),
        ({"RescaleType": ""}, HOUNSFIELD),
    ],
    ids=["said", "said to be none", "not said"],
)
def test_hounsfield_units_are_what_the_image_says(attributes: dict[str, str], unit: str) -> None:
    assert volume_of(series(BODY, **attributes)).unit == unit


@pytest.mark.parametrize(("signed", "unit"), [(True, HOUNSFIELD), (False, NO_UNIT)])
def test_ct_without_an_intercept_is_scaled_if_it_has_negative_values(signed: bool, unit: str) -> None:
    body = Phantom.of((24, 24, 3), (1, 1, 2), [], background=-5 if signed else 5)
    images = series(body, signed=signed, intercept=0.0)
    for ds in images:
        del ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType
    assert volume_of(images).unit == unit


SYNTAXES = [*NATIVE, *BY_PYDICOM, *BY_GDCM]
FORMS = {"unsigned": {}, "signed": {"signed": True, "intercept": 0.0}, "12 bits": {"bits_stored": 12}}


@pytest.mark.parametrize(
    ("syntax", "form"),
    # each slice in lossless JPEG starts a program
    [(syntax, form) for syntax in SYNTAXES for form in FORMS if syntax not in BY_GDCM or form == "signed"],
)
def test_the_same_voxels_in_every_transfer_syntax(syntax: str, form: str, tmp_path: Path) -> None:
    few = series(BODY, **FORMS[form])[3:6]
    volume = read_only_volume([transcoded(ds, syntax, tmp_path) for ds in few])
    assert np.array_equal(volume.voxels, BODY.voxels[:, :, 3:6])


def test_transfer_syntaxes_may_differ_in_a_stack(tmp_path: Path) -> None:
    images = series(BODY)
    mixed = [transcoded(ds, SYNTAXES[k % 7], tmp_path) for k, ds in enumerate(images)]
    assert is_same(read_only_volume(mixed), BODY)


def test_pixels_of_8_bits() -> None:
    small = Phantom.of(
        (24, 24, 3), (1, 1, 2), [Box("a", (4, 4, 0), (20, 20, 3), checkerboard(0, 255))], background=9
    )
    images = series(small, modality="MR")
    for ds in images:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype("u1").tobytes()
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    assert is_same(volume_of(images), small)


def test_files_without_preamble_or_with_a_header_beyond_all_stencils(tmp_path: Path) -> None:
    images = series(BODY)
    images[1].add_new(0x00091010, "OB", bytes(100_000))  # longer than what is kept of a value
    images[1].add_new(0x00090010, "LO", "HELTIG TEST")
    files = [encode(ds) for ds in images]
    files[2] = files[2][132:]
    assert is_same(read_only_volume(files), BODY)


def test_an_object_without_a_sop_class_is_taken_by_its_modality() -> None:
    images = series(BODY)
    for ds in images:
        ds.SOPClassUID = ""
        del ds.file_meta.MediaStorageSOPClassUID
    files = []
    for ds in images:
        ds.file_meta.MediaStorageSOPClassUID = "1.2.3"
        files.append(encode(ds))
    assert is_same(read_only_volume(files), BODY)


def test_what_is_no_slice_is_left_out_and_said() -> None:
    images = series(BODY)
    scout, report, copy, bare, packed = (deepcopy(images[0]) for _ in range(5))
    packed.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)  # RLE
    scout.ImageType, scout.SOPInstanceUID = ["ORIGINAL", "PRIMARY", "LOCALIZER"], "1.2.1"
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.2"
    bare.SOPInstanceUID = "1.2.3"
    del bare.PixelData
    sources = [encode(ds) for ds in (*images, scout, report, copy, bare, packed)] + [b"no DICOM object"]
    found = survey(sources)
    (one,) = found.series
    assert (one.images, one.technique and one.technique.kernel) == (8, "Br40")
    codes = dict(one.left_out)
    assert sorted(codes.values()) == [
        "LOCALIZER",
        "NO_PIXEL_DATA",
        "NO_SLICE",
        "SAME_INSTANCE",
        "SAME_INSTANCE",
    ]
    assert (codes[8], codes[9], codes[11]) == ("LOCALIZER", "NO_SLICE", "NO_PIXEL_DATA")
    assert [(number, code) for number, code in found.unreadable] == [(13, "NOT_DICOM")]
    assert is_same(read_volume(one.stacks[0]), BODY)


def test_a_volume_over_the_limit_is_refused() -> None:
    stack = survey([encode(ds) for ds in series(BODY)]).series[0].stacks[0]
    with pytest.raises(Refused, match="TOO_LARGE"):
        read_volume(stack, most_voxels=64 * 48 * 8 - 1)
