"""Volumes as NIfTI, and dcm2niix as a second opinion."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from imaging.phantom import Box, Phantom, checkerboard, encode, series, write

from heltig.imaging.agreement import check_agreement, compare
from heltig.imaging.nifti import to_nifti, write_nifti
from heltig.imaging.reading import read_volume, survey
from heltig.imaging.stacking import SliceStack

BODY = Phantom.of(
    (24, 16, 10),
    (0.8, 0.9, 2.5),
    [Box("liver", (3, 3, 2), (12, 9, 8), checkerboard(40, 80)), Box("mark", (16, 2, 1), (18, 12, 5), 700)],
)


def stack_of(phantom: Phantom, folder: Path, **how: object) -> SliceStack:
    return survey(write(series(phantom, **how), folder)).series[0].stacks[0]


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("degrees", [0, 15], ids=["straight", "tilted"])
def test_a_file_has_the_voxels_and_the_affine(name: str, degrees: float, tmp_path: Path) -> None:
    phantom = BODY.tilted(degrees) if degrees else BODY
    write_nifti(phantom.volume(), tmp_path / name)
    image = nibabel.load(tmp_path / name)
    assert np.array_equal(np.asanyarray(image.dataobj), phantom.voxels)
    assert image.get_data_dtype() == np.int16
    assert np.allclose(image.affine, phantom.affine, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert b"research use only" in image.header["descrip"].item()


def test_an_image_in_memory_shares_its_voxels() -> None:
    volume = BODY.volume()
    assert np.shares_memory(to_nifti(volume).dataobj, volume.voxels)


@pytest.mark.parametrize(
    "how",
    [{}, {"signed": True, "intercept": 0.0}, {"modality": "MR", "intercept": -1000.0}, {"slope": 0.25}],
    ids=["CT", "signed", "MR", "a slope"],
)
def test_dcm2niix_agrees(how: dict[str, object], tmp_path: Path) -> None:
    pytest.importorskip("dcm2niix", reason="needs dcm2niix")
    tilted = () if how.get("modality") == "MR" else (BODY.tilted(15),)  # gantries of MR do not tilt
    for number, phantom in enumerate((BODY, BODY.turned("P", "I"), *tilted)):
        folder = tmp_path / str(number)
        stack = stack_of(phantom, folder / "in", **how)
        assert check_agreement(read_volume(stack), stack, folder) == ("agrees", ())


def test_dcm2niix_agrees_on_objects_in_memory_and_on_slopes_that_vary(tmp_path: Path) -> None:
    pytest.importorskip("dcm2niix", reason="needs dcm2niix")
    even = Phantom.of(BODY.shape, BODY.spacing, [Box("liver", (3, 3, 2), (12, 9, 8), 60)])
    data_sets = series(even, slope=[1, 2, 0.5, 1, 0.25, 1, 2, 1, 4, 1])
    stack = survey([encode(ds) for ds in data_sets]).series[0].stacks[0]
    assert check_agreement(read_volume(stack), stack, tmp_path) == ("agrees", ())


def test_whatever_differs_is_said(tmp_path: Path) -> None:
    volume = BODY.volume()
    path = tmp_path / "other.nii"

    def other(voxels: object, affine: object) -> tuple[str, ...]:
        nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
        return compare(volume, path)

    flipped = volume.affine @ np.diag([1.0, -1.0, 1.0, 1.0])
    flipped[:3, 3] = volume.affine[:3, 3] + volume.affine[:3, 1] * 15
    assert other(volume.voxels[:, ::-1], flipped) == (), "the same volume, its rows counted the other way"
    changed = volume.voxels.copy()
    changed[3, 3, 3] += 2
    assert other(changed, volume.affine) == ("values by up to 2",)
    moved = volume.affine.copy()
    moved[2, 3] += 0.5
    assert other(volume.voxels, moved) == ("affine by up to 0.5000 mm",)
    assert other(volume.voxels[:, :, 1:], volume.affine) == ("shape (24, 16, 10), by dcm2niix (24, 16, 9)",)


def test_without_an_answer_nothing_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = stack_of(BODY, tmp_path / "in")
    volume = read_volume(stack)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_agreement(volume, stack, tmp_path).differences == ("dcm2niix is not installed",)
    broken = tmp_path / "dcm2niix"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    assert check_agreement(volume, stack, tmp_path).differences == ("dcm2niix ended with 3",)
