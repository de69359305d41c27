"""Lines: how slices stand above one another, and which of them stand beside the others."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.lines import line_of
from heltig.dicom.stacks import Stack, Tolerance

LEAN = st.floats(-0.6, 0.6)


def line(heights, rows, columns, limit=1.0):
    stack = Stack(range(len(heights)), heights, Tolerance())
    return line_of(stack, [rows, columns], limit)


@given(st.integers(2, 40), LEAN, LEAN, st.sampled_from([0.5, 1.25, 5]))
def test_a_stack_leans_by_the_angle_of_its_line_however_positions_are_rounded(slices, row, column, step):
    heights = [step * number for number in range(slices)]
    found = line(heights, [round(row * z, 1) for z in heights], [round(column * z, 1) for z in heights])
    assert (found.shifted, found.bend) == ((), 0)
    if slices * step > 20:
        assert found.lean == pytest.approx(math.degrees(math.atan(math.hypot(row, column))), abs=0.6)


@given(st.integers(8, 40), LEAN, st.data(), st.floats(5, 80), st.sampled_from([-1, 1]))
def test_shifted_slices_are_told_with_how_far(slices, lean, data, by, way):
    odd = data.draw(st.sets(st.integers(0, slices - 1), min_size=1, max_size=2))
    heights = [2.5 * number for number in range(slices)]
    rows = [lean * z + way * by * (number in odd) for number, z in enumerate(heights)]
    found = line(heights, rows, [0.0] * slices)
    assert [plane for plane, _ in found.shifted] == sorted(odd)
    assert [shift for _, shift in found.shifted] == pytest.approx([by] * len(odd))


@given(st.integers(2, 20), st.floats(5, 80))
def test_half_of_a_stack_is_shifted_as_a_whole(half, by):
    heights = [5.0 * number for number in range(2 * half)]
    found = line(heights, [by * (number >= half) for number in range(2 * half)], [0.0] * (2 * half))
    assert len(found.shifted) == half
    assert {round(shift, 6) for _, shift in found.shifted} == {round(by, 6)}


def test_a_bend_shifts_no_slice():
    heights = [5.0 * number for number in range(16)]
    found = line(heights, [0.02 * number**2 for number in range(16)], [0.0] * 16)
    assert found.shifted == ()
    assert found.bend == pytest.approx(1.12)
