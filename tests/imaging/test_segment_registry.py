"""Backends by their ids, and what is said of options that are wrong."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from imaging.phantom import Box, Phantom, series, write
from imaging.segmentations import masks_of, nifti_with_table, seg

from heltig.errors import UsageError
from heltig.imaging.order import SegmenterOrder
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.options import SEGMENTERS
from heltig.imaging.segment.registry import segmenter

PHANTOM = Phantom.of((20, 16, 8), (1, 1, 2), [Box("liver", (2, 2, 1), (9, 9, 6), 60)])

COMPLETE = {
    "byo-nifti": {"path": "/masks/total"},
    "replay": {"path": "/recording"},
    "deepbet": {"python": "/env/bin/python"},
    "command": {"program": "segment --all"},
}


def ordered(name: str, **options: str) -> Any:
    return segmenter(SegmenterOrder(id=name, options=options), objects=(), workdir=Path("unused"))


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_backend_can_be_ordered_and_says_what_it_can_do(name: str) -> None:
    backend = ordered(name, **COMPLETE.get(name, {}))
    assert backend.id == name
    assert backend.version
    assert backend.capabilities().modalities <= {"CT", "MR"}
    assert backend.capabilities().research_only
    assert backend.available().condition


def test_options_reach_the_backend(tmp_path: Path) -> None:
    file = nifti_with_table(tmp_path / "masks.nii.gz", PHANTOM)
    found = ordered("byo-nifti", path=str(file))
    assert found == ByoNifti(file)
    assert found.segment(PHANTOM.volume()).maps[0].mask("liver").sum() == PHANTOM.count("liver")


def test_segmentations_are_found_among_the_objects(tmp_path: Path) -> None:
    objects = write(series(PHANTOM), tmp_path)
    (tmp_path / "mask").write_bytes(seg(PHANTOM, masks_of(PHANTOM)))
    (tmp_path / "other.txt").write_text("no DICOM object")
    order = SegmenterOrder(id="byo-dicom-seg")
    assert segmenter(order, objects=objects, workdir=tmp_path).available().condition == "no_input"
    objects += [tmp_path / "mask", tmp_path / "other.txt"]
    result = segmenter(order, objects=objects, workdir=tmp_path).segment(PHANTOM.volume())
    assert result.maps[0].mask("liver").sum() == PHANTOM.count("liver")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("nnunet", {}, "Segmenter 'nnunet' is not known: there are byo-nifti, "),
        ("byo-nifti", {"pth": "/x"}, "has no option 'pth': it takes path, table, task"),
        ("byo-nifti", {}, "needs the option path: a file of labels"),
        ("byo-nifti", {"path": "masks"}, "option path is an absolute path"),
        ("byo-dicom-seg", {"path": "/x"}, "has no option 'path': it takes none"),
        ("totalsegmentator", {"tasks": "total,lung_vessels"}, "option tasks names one or several of total, "),
        ("totalsegmentator", {"tasks": ""}, "option tasks names"),
        ("totalsegmentator", {"fast": "1"}, "option fast is yes or no"),
        ("totalsegmentator", {"device": "gpu:x"}, "option device is cpu, gpu or gpu:N"),
        ("totalsegmentator", {"seconds": "0"}, "option seconds is a number from 1 to 86400"),
        ("totalsegmentator", {"memory_gib": "much"}, "option memory_gib is a number from 0.25 to 1024"),
        ("command", {"program": "'open"}, "option program is a program and its arguments"),
        ("command", {"program": "x", "settings": "[1]"}, "option settings is a JSON object"),
        ("deepbet", {"python": "/p", "threshold": "nan"}, "option threshold is a number from 0 to 1"),
    ],
)
def test_options_that_are_wrong(name: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as problem:
        ordered(name, **options)
    assert words in problem.value.detail


def test_the_options_need_no_extra() -> None:
    show = "import sys, heltig.imaging.segment.options; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True).stdout
    assert not {"numpy", "highdicom", "nibabel", "pydicom"} & set(shown.split())
