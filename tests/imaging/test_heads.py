"""Which volumes may show a face."""

from functools import partial

import pytest
from imaging.analyses import analysis_of
from imaging.phantom import Box, Phantom, series

from heltig.imaging.case.heads import shows_head

SHAPE, SPACING = (12, 12, 8), (10.0, 10.0, 10.0)


def body(*keys: str) -> Phantom:
    """A box of 100 cm³ for each structure; one of no structure is 1 voxel."""
    return Phantom.of(
        SHAPE, SPACING, [Box(key, (1, 1 + n, 1), (11, 2 + n, 7), 40) for n, key in enumerate(keys)]
    )


@pytest.mark.parametrize(
    ("keys", "named", "shows"),
    [
        (("body",), {}, True),
        (("body",), {"BodyPartExamined": "ABDOMEN"}, False),
        (("body",), {"SeriesDescription": "Thorax"}, False),
        (("body",), {"BodyPartExamined": "NECK"}, True),
        (("body",), {"SeriesDescription": "Hals Thorax Abdomen"}, True),
        (("liver",), {}, False),
        (("liver",), {"BodyPartExamined": "HEAD"}, True),
        (("brain",), {"BodyPartExamined": "ABDOMEN"}, True),
        (("thyroid_gland", "trachea"), {}, True),
        (("thyroid_gland", "trachea", "liver"), {}, False),
    ],
)  # fmt: skip
def test_a_face_is_ruled_out_by_what_is_named_or_seen(
    keys: tuple[str, ...], named: dict[str, str], shows: bool
) -> None:
    found = analysis_of(body(*keys), images=partial(series, **named))
    assert shows_head(found) == shows


def test_a_neck_without_what_could_be_found_of_a_head_is_none() -> None:
    """A segmenter that knows the skull found none of it."""
    looked = body("vertebrae_C4", "skull")
    looked.labels[looked.mask("skull")] = 0
    assert not shows_head(analysis_of(looked, images=partial(series, BodyPartExamined="NECK")))
