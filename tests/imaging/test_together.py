"""Label maps of several backends, put together."""

from pathlib import Path

import numpy as np
from imaging.bodies import summary
from imaging.phantom import Box, Phantom
from imaging.segmentations import folder, masks_of, seg

from heltig.imaging.metrics import measure
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.segmenter import Note
from heltig.imaging.segment.together import together
from heltig.imaging.segmentation import Segmentation

BODY = Phantom.of(
    (40, 30, 12),
    (2.0, 2.0, 5.0),
    [
        Box("spleen", (26, 4, 3), (36, 14, 9), 50),
        Box("liver", (3, 4, 2), (20, 20, 10), 60),
        Box("kidney_left", (26, 18, 4), (34, 26, 9), 30),
    ],
)


def test_parts_give_what_the_whole_gives(tmp_path: Path) -> None:
    volume, masks = BODY.volume(), masks_of(BODY)
    masks["body_trunc"] = np.ones(BODY.shape, bool)
    whole = ByoNifti(folder(tmp_path / "whole", BODY, masks)).segment(volume)
    some = ByoNifti(folder(tmp_path / "some", BODY, {key: masks[key] for key in ("liver", "body_trunc")}))
    others = ByoDicomSeg([seg(BODY, {key: masks[key] for key in ("spleen", "kidney_left")})])
    for backends in ((some, others), (others, some)):
        put = together(volume.shape, [backend.segment(volume) for backend in backends])
        assert len(put.maps) == len(whole.maps) == 2
        for one, other in zip(put.maps, whole.maps, strict=True):
            assert np.array_equal(one.labels, other.labels)
            assert dict(one.structures) == dict(other.structures)
        found = [summary(measure(Segmentation(volume, maps))) for maps in (put.maps, whole.maps)]
        assert found[0] == found[1]


def test_what_two_backends_found_stands_twice() -> None:
    volume = BODY.volume()
    small = {"liver": BODY.mask("liver") & (np.arange(40) < 10)[:, None, None]}
    results = [ByoDicomSeg([seg(BODY, one)]).segment(volume) for one in (masks_of(BODY), small)]
    put = together(volume.shape, results)
    found = Segmentation(volume, put.maps)
    assert found.count("liver") == BODY.count("liver")
    assert found.count("liver_2") == small["liver"].sum()
    assert Note("SAME_STRUCTURE", "liver_2") in put.notes
    assert len(put.maps) == 2, "they overlap"


def test_one_backend_is_left_as_it_is(tmp_path: Path) -> None:
    volume = BODY.volume()
    (result,) = [ByoNifti(folder(tmp_path, BODY, masks_of(BODY))).segment(volume)]
    assert together(volume.shape, [result]).maps is result.maps
