"""deepbet, run for real where there is an environment with it, and what is refused without it.

HELTIG_TEST_DEEPBET_PYTHON names the python of such an environment. It holds PyTorch, too much for CI.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from imaging.phantom import Ellipsoid, Phantom, series, write

from heltig.imaging.reading import read_only_volume, read_volume, survey
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.deepbet import Deepbet

CENTRE = (95.0, 110.0, 90.0)
HEAD = Phantom.of(
    (96, 112, 96),
    (2, 2, 2),
    [
        Ellipsoid("", CENTRE, (85, 100, 85), 700),
        Ellipsoid("", CENTRE, (78, 93, 78), 60),
        Ellipsoid(
            "brain", CENTRE, (70, 85, 70), lambda i, j, k: np.where((i % 7 < 3) ^ (j % 9 < 4), 420, 300)
        ),
    ],
    background=60,
    noise_sd=8,
)
"""Scalp, skull, and a brain with two kinds of matter, as T1-weighted images show them."""


@pytest.fixture(scope="module")
def python() -> Path:
    named = os.environ.get("HELTIG_TEST_DEEPBET_PYTHON")
    if not named:
        pytest.skip("HELTIG_TEST_DEEPBET_PYTHON names no python with deepbet (PyTorch, too much for CI)")
    return Path(named)


def test_the_brain_of_a_head(python: Path, tmp_path: Path) -> None:
    volume = read_only_volume(write(series(HEAD, modality="MR", SeriesDescription="T1"), tmp_path / "dicom"))
    one = Deepbet(workdir=tmp_path / "work", python=python)
    assert one.available().condition == "ok"
    result = one.segment(volume)
    found, truth = result.maps[0].mask("brain"), HEAD.mask("brain")
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95
    made = result.provenance
    assert (made.tool, made.version, made.device, made.exit_code) == ("deepbet", one.version, "cpu", 0)
    assert made.models == ("bbox_model", "model")
    assert made.arguments["torch"][0].isdecimal()
    assert not made.resampled_from


def test_a_slab_of_a_head_is_refused(corpus: Path, tmp_path: Path) -> None:
    """24 sagittal slices of a T1-weighted series: deepbet would make a brain of the air beside the ear."""
    paths = sorted((corpus / "gh_FNNDSC__SAG-anon").glob("*.dcm"))
    volume = read_volume(survey(paths).series[0].stacks[0])
    with pytest.raises(Refused) as refusal:
        Deepbet(workdir=tmp_path, python=Path(sys.executable)).segment(volume)
    assert (refusal.value.code, refusal.value.observed) == ("SEGMENTER_COVERAGE", "21.6 mm of 100 mm")


def environment(folder: Path, *distributions: str) -> Path:
    """An environment as far as it is looked at."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    packages = folder / "lib/python3.12/site-packages"
    for name in distributions:
        (packages / f"{name}.dist-info").mkdir(parents=True)
    return folder / "bin/python"


def test_what_is_missing(tmp_path: Path) -> None:
    def one(python: Path) -> Deepbet:
        return Deepbet(workdir=tmp_path / "work", python=python)

    assert one(tmp_path / "none").available().condition == "missing_executable"
    assert (
        one(environment(tmp_path / "a")).available().detail == "Its environment has no deepbet and no torch."
    )
    without_weights = one(environment(tmp_path / "b", "deepbet-1.0.2", "torch-2.13.0+cpu"))
    assert without_weights.available().condition == "missing_weights"
    assert without_weights.version == "1.0.2"
    with pytest.raises(Refused, match=r"SEGMENTER_NOT_READY.*missing_weights"):
        without_weights.segment(HEAD.volume(modality="MR"))


def test_only_magnetic_resonance(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"SEGMENTER_MODALITY.*CT"):
        Deepbet(workdir=tmp_path, python=Path(sys.executable)).segment(HEAD.volume())
