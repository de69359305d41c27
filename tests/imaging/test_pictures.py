"""Pictures: what is on which side, what is drawn, and that it is what was measured."""

from dataclasses import replace
from functools import cache, partial
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays
from imaging.analyses import analysis_of
from imaging.bodies import rotation, summary
from imaging.phantom import Box, Phantom, series, structure
from imaging.small_bodies import head, trunk
from PIL import Image, ImageDraw

from heltig.imaging.analysis import Analysis
from heltig.imaging.pictures.canvas import plain
from heltig.imaging.pictures.contours import contours
from heltig.imaging.pictures.layer import ORANGE, PALETTE, SKY
from heltig.imaging.pictures.overlays import Picture, pictures
from heltig.imaging.pictures.windows import ABDOMEN, BRAIN, LUNG, window_for
from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.imaging.volume import LabelMap

F_MARK = [
    Box("", (18, 16, 36), (21, 32, 56), 400),
    Box("", (21, 16, 36), (32, 19, 56), 400),
    Box("", (21, 23, 36), (28, 26, 56), 400),
]
"""An F in the liver as it is read from the feet: its stem to the right of the patient, its bars in front."""

ENCODINGS: dict[str, Any] = {
    "as acquired": lambda body: body,
    "slices reversed": lambda body: body.turned("L", "A"),
    "rows to the right": lambda body: body.turned("R", "P"),
    "feet first": lambda body: body.turned("R", "A"),
    "prone": lambda body: body.turned("R", "A").turned("R", "A"),
    "sagittal": lambda body: body.turned("P", "I"),
    "sagittal, from the right": lambda body: body.turned("A", "I"),
    "coronal": lambda body: body.turned("L", "I"),
    "coronal, from behind": lambda body: body.turned("R", "I"),
    "transposed": lambda body: body.turned("P", "L"),
    "oblique": lambda body: body.placed(rotation(0, 10)),
}


@pytest.fixture(scope="module")
def of_trunk() -> Analysis:
    return analysis_of(trunk())


@cache
def _encoded(encoding: str) -> tuple[Picture, ...]:
    return pictures(analysis_of(ENCODINGS[encoding](trunk(more=F_MARK))))


def _named(found: Any, name: str) -> Picture:
    return next(one for one in found if one.name == name)


def _panel(picture: Picture) -> Any:
    panel = picture.panel
    return picture.pixels[panel.top : panel.top + panel.rows, panel.left : panel.left + panel.columns]


def _centre(mask: Any) -> tuple[float, float]:
    """Row and column of the middle of a mask, as parts of the whole."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean() / mask.shape[0]), float(columns.mean() / mask.shape[1])


def _edges(mask: Any) -> list[float]:
    """First and last row and column of a mask, as parts of the whole."""
    return [
        edge / size
        for places, size in zip(np.nonzero(mask), mask.shape, strict=True)
        for edge in (places.min(), places.max() + 1)
    ]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_whatever_way_slices_were_stored_the_patients_right_is_on_the_left(encoding: str) -> None:
    found = _encoded(encoding)
    axial = _named(found, "L3_overlay")
    assert axial.view.letters == ("R", "L", "A", "P")
    organs = [one for one in found if one.name.startswith("organs")]
    by_name = {layer.name: (one, layer) for one in organs for layer in one.layers}
    where = {name: _centre(layer.mask) for name, (_, layer) in by_name.items()}
    plane = organs[0].view.plane
    assert plane == encoding.split(",")[0] or plane == "axial"
    if plane == "sagittal":
        assert organs[0].view.letters == ("A", "P", "H", "F")
        assert where["liver"][1] < where["spleen"][1]
    else:
        assert organs[0].view.letters == (
            ("R", "L", "H", "F") if plane == "coronal" else ("R", "L", "A", "P")
        )
        assert where["liver"][1] < 0.5 < where["spleen"][1]
    if plane != "axial":
        assert where["liver"][0] < 0.5  # the head is above
    drawn = _panel(by_name["liver"][0])
    coloured = np.isclose(drawn.astype(int), by_name["liver"][1].colour, atol=3).all(axis=2)
    assert np.allclose(_edges(coloured), _edges(by_name["liver"][1].mask), atol=0.01), (
        "the line is at its edge"
    )


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if not name.startswith(("sag", "cor"))])
def test_a_letter_in_the_body_is_read_as_one(encoding: str) -> None:
    found = _encoded(encoding)
    picture = next(
        one for one in found if {"liver", "spleen"} <= {layer.name for layer in one.layers}
    )  # the slices of both have the F
    panel = _panel(picture)
    rows, columns = np.nonzero(panel[:, : panel.shape[1] * 2 // 5].min(axis=2) == 255)  # without the spine
    height, width = np.ptp(rows), np.ptp(columns)
    stem = columns < columns.min() + width * 0.25
    assert np.ptp(rows[stem]) > 0.95 * height, "the stem is on the left, and as high as the letter"
    bar = columns > columns.min() + width * 0.9
    assert rows[bar].max() < rows.min() + height * 0.35, "the longest bar is above"


def test_the_letters_stand_at_their_edges(of_trunk: Analysis) -> None:
    picture = _named(pictures(of_trunk), "L3_overlay")
    panel = picture.panel
    ground = picture.pixels[0, 0]
    middle = panel.top + panel.rows // 2
    for left, letter in ((0, "R"), (panel.left + panel.columns + 2, "L")):
        corner = picture.pixels[middle - 14 : middle + 14, left : left + 34]
        assert _same_shape(np.any(corner != ground, axis=2), letter)


def _same_shape(seen: Any, letter: str) -> bool:
    from heltig.imaging.pictures.canvas import _font

    image = Image.new("L", (40, 40))
    ImageDraw.Draw(image).text((20, 20), letter, 255, _font(20), anchor="mm")
    return bool(np.array_equal(_cut(seen), _cut(np.asarray(image) > 0)))


def _cut(mask: Any) -> Any:
    rows, columns = np.nonzero(mask)
    return mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_what_is_drawn_on_l3_is_what_was_measured(of_trunk: Analysis) -> None:
    picture = _named(pictures(of_trunk), "L3_overlay")
    row_mm, column_mm = picture.view.spacing
    areas = {layer.name: layer.mask.sum() * row_mm * column_mm / 100 for layer in picture.layers}
    for name, measured in (("muscle", "SMA"), ("subcutaneous fat", "SAT"), ("visceral fat", "VAT")):
        found = next(one for one in of_trunk.results.measurements if one.name == measured)
        assert found.value == pytest.approx(areas[name])
        assert next(one for one in picture.layers if one.name == name).told == f"{found.value:.1f} cm2"


def test_pictures_change_no_measurement() -> None:
    found = analysis_of(trunk())
    before, voxels = summary(found.results), found.volume.voxels.copy()
    pictures(found)
    assert summary(found.results) == before
    assert np.array_equal(found.volume.voxels, voxels)


def test_the_same_analysis_makes_the_same_bytes(of_trunk: Analysis) -> None:
    assert [one.png for one in pictures(of_trunk)] == [one.png for one in pictures(of_trunk)]


def test_a_file_says_what_it_is_for(of_trunk: Analysis) -> None:
    for picture in pictures(of_trunk):
        file = Image.open(BytesIO(picture.png))
        assert file.text == {"Description": RESEARCH_USE, "Comment": GATE_USE}  # type: ignore[attr-defined]
        assert file.size == (picture.pixels.shape[1], picture.pixels.shape[0])


def test_a_hemorrhage_mask_is_shown_on_the_slices_of_the_measurement() -> None:
    found = analysis_of(head())
    shown = [one for one in pictures(found) if one.name.startswith("bleed")]
    expected = [
        one.place.z
        for one in found.results.measurements
        if one.name.startswith("hemorrhage_slice") and one.place
    ]
    assert [one.view.place for one in shown] == expected
    assert len(shown) == 3
    for one in shown:
        assert [layer.name for layer in one.layers] == ["brain mask", "hemorrhage mask"]
        assert _centre(one.layers[1].mask)[1] < 0.5  # it is on the right


def test_every_organ_is_on_a_picture(of_trunk: Analysis) -> None:
    shown = {
        layer.name for one in pictures(of_trunk) for layer in one.layers if one.name.startswith("organs")
    }
    assert shown == {"liver", "spleen", "kidney left", "kidney right"}


def test_physical_sizes_are_kept() -> None:
    picture = _named(pictures(analysis_of(trunk(spacing=(4.0, 2.0, 5.0)))), "L3_overlay")
    assert picture.panel.columns / picture.panel.rows == pytest.approx(80 * 4 / (60 * 2), rel=0.01)
    assert picture.panel.spacing == pytest.approx((80 * 4 / 760,) * 2, rel=0.01)


def test_a_point_of_the_view_is_the_same_point_of_the_image() -> None:
    """The place of a pixel by the picture, and by the plane of the image that it shows."""
    for encoding in ENCODINGS:
        for one in _encoded(encoding):
            view = one.view
            if view.source is None:
                continue
            points = np.array([[3.5, 7.5], [10.5, 1.5], [0.5, 0.5]])
            stored = view.in_source(points)
            for (column, row), (i, j) in zip(points, stored, strict=True):
                index = [i - 0.5, j - 0.5, view.index, 1]
                place = (np.diag([-1, -1, 1, 1]) @ view.segmentation.volume.affine @ index)[:3]
                assert np.allclose(view.position(row - 0.5, column - 0.5), place)


def test_windows_follow_what_is_shown(of_trunk: Analysis) -> None:
    found = of_trunk.segmentation
    assert window_for(found, ["liver", "lung_left"]) == ABDOMEN
    assert window_for(found, ["lung_upper_lobe_left"]) == LUNG
    assert window_for(found, ["brain"]) == BRAIN
    by_percentiles = window_for(
        analysis_of(trunk(), images=partial(series, modality="MR", signed=True)).segmentation, ["liver"]
    )
    assert (by_percentiles.low, by_percentiles.unit) != (ABDOMEN.low, ABDOMEN.unit)
    assert ABDOMEN.grey(np.array([-200, -160, 40, 240, 900])).tolist() == [0, 0, 128, 255, 255]


def test_windows_take_values_that_are_no_numbers(of_trunk: Analysis) -> None:
    assert ABDOMEN.grey(np.array([np.nan, np.inf, -np.inf])).tolist() == [102, 255, 0]


@given(arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_contours_enclose_the_mask(mask: Any) -> None:
    """Filled by even and odd, they give the mask back; all of them are closed."""
    filled = np.zeros(mask.shape, np.bool_)
    for line in contours(mask):
        assert np.array_equal(line[0], line[-1])
        for row, column in np.ndindex(mask.shape):
            filled[row, column] ^= _inside(line, column + 0.5, row + 0.5)
    assert np.array_equal(filled, mask)


def _inside(line: Any, x: float, y: float) -> bool:
    """A ray to the right, a little below the middle, so that it meets no corner."""
    y += 1e-3
    crossed = False
    for (ax, ay), (bx, by) in pairwise(line.tolist()):
        if (ay > y) != (by > y) and ax + (y - ay) / (by - ay) * (bx - ax) > x:
            crossed = not crossed
    return crossed


def test_colours_are_told_apart_without_red_or_without_green() -> None:
    """As protanopes and deuteranopes see them (Viénot, Brettel and Mollon 1999), on linear light."""
    to_lms = np.array([[17.8824, 43.5161, 4.1194], [3.4557, 27.1554, 3.8671], [0.02996, 0.18431, 1.4670]])
    without = (
        np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    )
    linear = (np.array(PALETTE) / 255) ** 2.2
    for seen in without:
        colours = (linear @ (np.linalg.inv(to_lms) @ seen @ to_lms).T).clip(0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(colours[:, None] - colours[None], axis=2) + np.eye(len(PALETTE))
        assert apart.min() > 0.15
    assert {SKY, ORANGE} <= set(PALETTE)


# -- what nobody expects


def test_two_slices_make_pictures() -> None:
    body = Phantom.of((30, 30, 2), (2.0, 2.0, 5.0), [Box("liver", (5, 5, 0), (20, 20, 2), 60)])
    (picture,) = pictures(analysis_of(body))
    assert picture.name == "organs_overlay_1"


def test_masks_without_voxels_make_none() -> None:
    body = Phantom.of((20, 20, 4), (2.0, 2.0, 5.0), [Box("liver", (5, 5, 1), (5, 5, 1), 60)])
    assert pictures(analysis_of(body)) == ()


@pytest.mark.parametrize("shape", [(1200, 2, 3), (2, 1200, 3), (8, 8, 1500)])
def test_long_and_narrow_volumes_make_pictures(shape: tuple[int, int, int]) -> None:
    body = Phantom.of(shape, (1.0, 1.0, 1.0), [Box("liver", (0, 0, 0), shape, 60)])
    for turned in (body, body.turned("L", "I")):
        if min(turned.shape[2], 3) > 1:
            (picture,) = pictures(analysis_of(turned))
            assert min(picture.pixels.shape[:2]) > 200
            assert max(picture.pixels.shape[:2]) < 1300


def test_names_from_files_are_written_in_letters_of_the_font() -> None:
    assert plain("Läsion\n肝\x00") == "L?sion???"
    odd = trunk(more=[Box("../肝\n<b>", (50, 14, 40), (60, 24, 50), 10)])
    found = pictures(analysis_of(odd))
    assert "../肝\n<b>" in {layer.name for one in found for layer in one.layers}


def test_no_name_leaves_the_legend() -> None:
    """Of a name in letters that the font does not have the key is shown."""
    body = Phantom.of((20, 20, 4), (2.0, 2.0, 5.0), [Box("a_key", (5, 5, 1), (9, 9, 3), 60)])

    def picture_of(name: str) -> Any:
        named = {1: replace(structure("a_key"), name=name)}
        (found,) = pictures(analysis_of(body, maps=lambda _: [LabelMap(body.labels, named)]))
        return found.pixels

    long = picture_of("W" * 64)
    assert (long[:600, -10:] == long[0, 0]).all()
    assert np.array_equal(picture_of("肝臓"), picture_of("a_key"))


def test_many_structures_are_all_shown_and_named() -> None:
    """Of 40 on the same slices, each picture has at most 30, and none is left out."""
    boxes = [
        Box(f"part_{number}", (2 + number * 4, 2, 1), (5 + number * 4, 8, 4), 50) for number in range(40)
    ]
    found = pictures(analysis_of(Phantom.of((170, 40, 5), (2.0, 2.0, 5.0), boxes)))
    assert [len(one.layers) for one in found] == [30, 30]
    assert {layer.name for one in found for layer in one.layers} == {box.key for box in boxes}
    legend = found[0].pixels[80:-80, -250:]
    text = (legend.max(axis=2) > 200).any(axis=1)
    assert np.count_nonzero(text[1:] & ~text[:-1]) >= 30, "a row each"


def test_without_organs_whatever_there_is_is_shown() -> None:
    fat = Box("subcutaneous_fat", (5, 5, 1), (20, 20, 4), -100)
    bone = Box("sternum", (22, 5, 1), (28, 20, 4), 300)
    for parts, expected in (([fat], {"subcutaneous fat"}), ([fat, bone], {"sternum"})):
        (picture,) = pictures(analysis_of(Phantom.of((30, 30, 5), (2.0, 2.0, 5.0), parts)))
        assert {layer.name for layer in picture.layers} == expected
