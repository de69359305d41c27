"""Orientations and directions."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heltig.dicom.geometry import Orientation, along, as_orientation, as_position

AXIAL = Orientation((1, 0, 0), (0, 1, 0))
COSINES = st.tuples(*[st.floats(-1, 1)] * 3)


@pytest.mark.parametrize(
    ("numbers", "position"),
    [((1, 2, 3), (1, 2, 3)), ((1, 2), None), ((1, 2, None), None), ((1, 2, 3, 4), None), ((), None)],
)
def test_a_position_is_three_numbers(numbers, position):
    assert as_position(numbers) == position


def test_an_orientation_is_six_numbers():
    assert as_orientation((1, 0, 0, 0, 1, 0)) == AXIAL
    assert as_orientation((1, 0, 0, 0, 1)) is None
    assert as_orientation((1, 0, 0, 0, 1, None)) is None


@given(COSINES, COSINES)
@example((0.0, 5e-324, 5e-324), (1.0, 0.0, 0.0))
def test_the_normal_is_at_a_right_angle_to_both_or_nothing(row, column):
    normal = Orientation(row, column).normal
    length = math.hypot(*normal)
    assert length == 0 or length == pytest.approx(1)
    for direction in (row, column):
        assert sum(a * b for a, b in zip(normal, direction, strict=True)) == pytest.approx(0, abs=1e-6)


def test_what_is_wrong_with_a_direction():
    assert AXIAL.length_error == 0
    assert AXIAL.skew == 0
    assert Orientation((2, 0, 0), (0, 0.5, 0)).length_error == 1
    assert Orientation((1, 0, 0), (3, 4, 0)).skew == pytest.approx(0.6)
    assert Orientation((0, 0, 0), (0, 1, 0)).skew == 0


def test_directions_nearly_equal_are_alike():
    assert AXIAL.is_like(Orientation((0.995, 0.005, 0), (0, 1, 0)), 0.01)
    assert not AXIAL.is_like(Orientation((0.995, 0.02, 0), (0, 1, 0)), 0.01)


def test_places_along_a_direction():
    assert along((0, 0.6, 0.8), [(9, 0, 0), (0, 10, 5)]) == [0, 10]
