"""Series of which no volume may be made in silence, each with its code; and what is no fault."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from imaging.phantom import Box, Phantom, checkerboard, encode, series
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless

from heltig.imaging.reading import read_only_volume, survey
from heltig.imaging.refusal import CODES, Refused
from heltig.imaging.segment.segmenter import NOTES, NoteCode
from heltig.imaging.selection.codes import REJECTIONS

BODY = Phantom.of((16, 12, 20), (0.8, 0.8, 2.5), [Box("a", (3, 3, 2), (9, 9, 12), checkerboard(40, 80))])


def codes_of(data_sets: list[Dataset]) -> list[str]:
    found = survey([encode(ds) for ds in data_sets])
    return [reason.code for one in found.series for reason in one.refused]


def moved(ds: Dataset, *, x: float = 0.0, z: float = 0.0) -> None:
    position = ds.ImagePositionPatient
    ds.ImagePositionPatient = [position[0] + x, position[1], position[2] + z]


def jitter(millimetres: float) -> Callable[[list[Dataset]], None]:
    def spoil(images: list[Dataset]) -> None:
        for k, ds in enumerate(images):
            moved(ds, z=millimetres * (-1) ** k if k % 3 else 0.0)

    return spoil


def again(*, acquisition: int | None = None, image: int | None = None) -> Callable[[list[Dataset]], None]:
    def spoil(images: list[Dataset]) -> None:
        for ds in list(images) if image is None else [images[image]]:
            copy = deepcopy(ds)
            copy.SOPInstanceUID = f"{ds.SOPInstanceUID[:50]}.9"
            copy.AcquisitionNumber = acquisition or ds.AcquisitionNumber
            images.append(copy)

    return spoil


def set_of(image: int | None, **attributes: object) -> Callable[[list[Dataset]], None]:
    def spoil(images: list[Dataset]) -> None:
        for ds in images if image is None else [images[image]]:
            for keyword, value in attributes.items():
                setattr(ds, keyword, value)

    return spoil


def without(image: int, keyword: str) -> Callable[[list[Dataset]], None]:
    return lambda images: delattr(images[image], keyword)


def copied(**attributes: object) -> Callable[[list[Dataset]], None]:
    def spoil(images: list[Dataset]) -> None:
        images.append(deepcopy(images[7]))
        for keyword, value in attributes.items():
            setattr(images[-1], keyword, value)

    return spoil


def turned_more_and_more(images: list[Dataset]) -> None:
    for k, ds in enumerate(images):
        angle = np.radians(k)
        ds.ImageOrientationPatient = [1, 0, 0, 0, round(np.cos(angle), 8), round(np.sin(angle), 8)]


def short(images: list[Dataset]) -> None:
    images[7].PixelData = images[7].PixelData[:-2]


def bent(images: list[Dataset]) -> None:
    for k, ds in enumerate(images):
        moved(ds, x=0.01 * k * k)


REFUSED = {
    "a slice missing": (lambda images: images.pop(7), "GEOMETRY_MISSING_SLICE"),
    "every second slice missing in a part": (
        lambda images: [images.pop(k) for k in (15, 13, 11)],
        "GEOMETRY_MISSING_SLICE",
    ),
    "one image twice": (again(image=5), "GEOMETRY_DUPLICATE_POSITION"),
    "all images twice, and nothing tells them apart": (again(), "GEOMETRY_DUPLICATE_POSITION"),
    "distances that differ": (jitter(0.2), "GEOMETRY_UNEVEN_SPACING"),
    "one slice shifted sideways": (lambda images: moved(images[7], x=5), "GEOMETRY_SHIFTED_SLICE"),
    "a stack that bends": (bent, "GEOMETRY_SHIFTED_SLICE"),
    "one image turned": (
        set_of(7, ImageOrientationPatient=[1, 0, 0, 0, 0.9998477, 0.0174524]),
        "GEOMETRY_MIXED_ORIENTATION",
    ),
    "images turned more and more": (turned_more_and_more, "GEOMETRY_MIXED_ORIENTATION"),
    "one image of another plane": (
        set_of(7, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
        "GEOMETRY_MIXED_ORIENTATION",
    ),
    "directions that are not at a right angle": (
        set_of(None, ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0]),
        "GEOMETRY_ORIENTATION",
    ),
    "directions of no length": (
        set_of(None, ImageOrientationPatient=[0, 0, 0, 0, 0, 0]),
        "GEOMETRY_ORIENTATION",
    ),
    "one UID for all": (set_of(None, SOPInstanceUID="1.2.3"), "INSTANCE_CONFLICT"),
    "a copy of other pixels": (copied(PixelData=bytes(2 * 16 * 12)), "INSTANCE_CONFLICT"),
    "a copy of fewer bits": (copied(BitsStored=10, HighBit=9), "INSTANCE_CONFLICT"),
    "a copy with another intercept": (copied(RescaleIntercept="0"), "INSTANCE_CONFLICT"),
    "no position": (without(7, "ImagePositionPatient"), "GEOMETRY_NOT_GIVEN"),
    "no spacing": (without(7, "PixelSpacing"), "GEOMETRY_NOT_GIVEN"),
    "a spacing of zero": (set_of(None, PixelSpacing=[0, 0.8]), "GEOMETRY_NOT_GIVEN"),
    "a position that is no place": (set_of(7, ImagePositionPatient=[0, 0, 1e9]), "GEOMETRY_NOT_GIVEN"),
    "another frame of reference": (
        set_of(7, FrameOfReferenceUID="1.2.3"),
        "GEOMETRY_MIXED_FRAME_OF_REFERENCE",
    ),
    "one image": (lambda images: images.__delitem__(slice(1, None)), "GEOMETRY_TOO_FEW_SLICES"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_geometry_that_makes_no_volume(case: str) -> None:
    spoil, code = REFUSED[case]
    images = series(BODY)
    spoil(images)
    assert codes_of(images) == [code]
    with pytest.raises(Refused) as refusal:
        read_only_volume([encode(ds) for ds in images])
    assert refusal.value.code == code
    assert str(refusal.value).startswith(f"{code}: {CODES[code]}")


PIXELS = {
    "pixel data too short": (short, "PIXELS_LENGTH"),
    "colour": (set_of(7, SamplesPerPixel=3, PhotometricInterpretation="RGB"), "PIXELS_FORMAT"),
    "a palette": (set_of(7, PhotometricInterpretation="PALETTE COLOR"), "PIXELS_FORMAT"),
    "more bits stored than allocated": (set_of(7, BitsStored=20), "PIXELS_FORMAT"),
    "32 bits": (set_of(7, BitsAllocated=32), "PIXELS_FORMAT"),
    "a slope of zero": (set_of(7, RescaleSlope=0), "RESCALE_NOT_LINEAR"),
    "a slope beyond all floats": (set_of(7, RescaleSlope="1E38"), "RESCALE_NOT_LINEAR"),
    "a table instead of a slope": (set_of(7, ModalityLUTSequence=[Dataset()]), "RESCALE_NOT_LINEAR"),
}


@pytest.mark.parametrize("case", PIXELS)
def test_pixels_that_make_no_volume(case: str) -> None:
    spoil, code = PIXELS[case]
    images = series(BODY)
    spoil(images)
    assert codes_of(images) == []
    with pytest.raises(Refused) as refusal:
        read_only_volume([encode(ds) for ds in images])
    assert refusal.value.code == code


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    files = [encode(ds) for ds in series(BODY)]
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(files[7][:-100])
    for source in (cut, cut.read_bytes()):
        with pytest.raises(Refused, match="PIXELS_LENGTH"):
            read_only_volume([*files[:7], source, *files[8:]])


def test_compressed_pixels_that_no_decoder_reads() -> None:
    images = series(BODY)
    images[7].compress(JPEGLSLossless, generate_instance_uid=False)
    stream = bytearray(encode(images[7]))
    start = stream.rindex(b"\xff\xd8\xff")
    stream[start + 4 : start + 60] = bytes(56)
    with pytest.raises(Refused, match="PIXELS_UNDECODABLE"):
        read_only_volume([encode(ds) for ds in images if ds is not images[7]] + [bytes(stream)])


def test_compressed_pixels_that_are_said_not_to_be() -> None:
    images = series(BODY)
    images[7].compress(JPEGLSLossless, generate_instance_uid=False)
    compressed = encode(images[7]).replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.1" + bytes(3))
    with pytest.raises(Refused, match="PIXELS_UNDECODABLE"):
        read_only_volume([encode(ds) for ds in images if ds is not images[7]] + [compressed])


def test_a_little_jitter_is_none() -> None:
    images = series(BODY)
    jitter(0.005)(images)
    volume = read_only_volume([encode(ds) for ds in images])
    assert np.array_equal(volume.voxels, BODY.voxels)
    assert volume.spacing[2] == pytest.approx(2.5, abs=0.001)


def test_a_tilted_gantry_gives_a_sheared_volume() -> None:
    tilted = BODY.tilted(15)
    volume = read_only_volume([encode(ds) for ds in series(tilted)])
    assert volume.tilted
    assert np.array_equal(volume.voxels, tilted.voxels)
    assert np.allclose(volume.affine, tilted.affine, atol=1e-6)
    assert volume.voxel_volume_mm3 == pytest.approx(0.8 * 0.8 * 2.5)
    assert volume.spacing[2] == pytest.approx(2.5 / np.cos(np.radians(15)))


def test_two_acquisitions_are_two_volumes() -> None:
    images = series(BODY)
    again(acquisition=2)(images)
    (found,) = survey([encode(ds) for ds in images]).series
    assert not found.refused
    assert [(stack.shape, stack.volumes) for stack in found.stacks] == [((16, 12, 20), 2)] * 2
    with pytest.raises(Refused, match="SEVERAL_VOLUMES"):
        read_only_volume([encode(ds) for ds in images])


def test_acquisitions_one_after_the_other_are_one_volume() -> None:
    images = series(BODY)
    for k, ds in enumerate(images):
        ds.AcquisitionNumber = k // 4
    assert np.array_equal(read_only_volume([encode(ds) for ds in images]).voxels, BODY.voxels)


def test_echoes_at_times_are_as_many_volumes() -> None:
    images = []
    for echo in (1, 2):
        for time in (1, 2, 3):
            more = series(
                BODY, modality="MR", intercept=-1000.0, EchoTime=10 * echo, TemporalPositionIdentifier=time
            )
            for ds in more:
                ds.SOPInstanceUID = f"{ds.SOPInstanceUID[:50]}.{echo}{time}"
            images += more
    (found,) = survey([encode(ds) for ds in images]).series
    assert not found.refused
    assert [stack.volumes for stack in found.stacks] == [2, 2, 2, 2, 2, 2] or len(found.stacks) == 6


def test_planes_of_three_directions_are_three_volumes() -> None:
    images = []
    for name, directions in {"axial": ("L", "P"), "coronal": ("L", "I"), "sagittal": ("P", "I")}.items():
        for ds in series(BODY.turned(*directions)):
            ds.SOPInstanceUID = f"{ds.SOPInstanceUID[:50]}.{len(name)}"
            images.append(ds)
    (found,) = survey([encode(ds) for ds in images]).series
    assert not found.refused
    assert sorted(stack.shape for stack in found.stacks) == [(12, 20, 16), (16, 12, 20), (16, 20, 12)]


def test_refusals_name_no_patient() -> None:
    images = series(BODY, PatientName="Very^Secret", PatientID="SECRET-7")
    images.pop(7)
    (found,) = survey([encode(ds) for ds in images]).series
    assert "ecret" not in "".join(map(str, found.refused)).casefold()
    assert found.refused[0].observed == "1 missing in 1 gaps, step 2.500 mm"


def test_every_code_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs/imaging.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", page, re.MULTILINE)
    explained = {code for row in rows for code in re.findall(r"`([A-Z_]+)`", row)}
    assert explained == {*REJECTIONS, *get_args(NoteCode)}
    assert set(NOTES) == set(get_args(NoteCode))
    for rule in set(re.findall(r"\b(?:GEO|INS|PIX)-[A-Z-]+\b", page)):
        assert (Path(__file__).parents[1] / f"rules/{rule}.yml").exists(), rule
