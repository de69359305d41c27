"""Blocks of a stack: what their spaces and numbers say."""

import pytest

from heltig.dicom.blocks import Evidence, blocks_of, is_gap
from heltig.dicom.stacks import Stack, Tolerance


def blocks(places, numbers=None, *attributes):
    """How many planes each block has."""
    stack = Stack(range(len(places)), places, Tolerance())
    evidence = Evidence(numbers or list(range(1, len(places) + 1)), attributes)
    return [len(block.planes) for block in blocks_of(stack, places, evidence)]


@pytest.mark.parametrize(
    ("places", "sizes"),
    [
        ((), [0]),
        ((0, 1, 2, 3, 4), [5]),
        ((0, 1, 2, 3, 4, 9, 14, 19, 24), [5, 4]),  # the slice they share goes to the first
        ((0, 1, 2, 3, 4, 9, 14, 19), [8]),  # too few to be a step
        ((0, 1, 2, 3, 4, 5.3, 9, 14, 19, 24, 29), [5, 6]),  # one odd space between
        ((0, 5, 10, 15, 20, 21, 22, 23, 28, 33, 38, 43), [12]),  # three spaces are too few
        ((0, 5, 10, 15, 20, 21, 22, 23, 24, 29, 34, 39, 44), [5, 4, 4]),
        ((0, 5, 10, 15, 20, 45, 50, 55), [8]),  # a whole number of slices, fewer than there are
        ((0, 5, 10, 57, 62, 67), [3, 3]),
        ((0, 5, 57, 62, 67), [5]),  # two slices are no block
        ((0, 4, 8, 24, 28, 32, 52, 56, 60), [3, 3, 3]),  # equal blocks were planned
        ((0, 4, 8, 24, 28, 32, 52, 56, 60, 64), [10]),
    ],
)
def test_blocks_by_place(places, sizes):
    assert blocks(places) == sizes


def test_numbers_that_leave_out_what_is_missing_make_one_block():
    places = (0, 5, 10, 15, 20, 30, 40, 50, 60)
    assert blocks(places) == [5, 4]
    assert blocks(places, [1, 2, 3, 4, 5, 7, 9, 11, 13]) == [9]
    assert blocks(places, [None] * 9) == [9]


def test_without_numbers_a_space_of_no_whole_number_of_slices_parts_blocks():
    assert blocks((0, 5, 10, 57, 62, 67), [None] * 6) == [3, 3]
    assert blocks((0, 5, 10, 15, 20, 45, 50, 55), [None] * 8) == [8]


def test_an_attribute_that_changes_at_the_space_parts_blocks():
    places = (0, 5, 10, 15, 20, 45, 50, 55)
    assert blocks(places, None, "aaaaabbb") == [5, 3]
    assert blocks(places, None, "aabbbccc") == [8]
    assert blocks(places, [1, 2, 3, 4, 5, 10, 11, 12], "aaaaabbb") == [8]


@pytest.mark.parametrize(
    ("places", "numbers", "gaps"),
    [
        ((0, 5, 10, 20, 25), (1, 2, 3, 4, 5), [True]),
        ((0, 5, 10, 15, 20, 42.5), (1, 2, 3, 4, 5, 6), [False]),  # numbered on, and no number of slices
        ((0, 5, 10, 15, 20, 42.5), (1, 2, 3, 4, 5, 9), [False]),
        ((0, 5, 10, 15, 20, 45.3), (1, 2, 3, 4, 5, 9), [True]),
        ((0, 5, 10, 15, 20, 4002.5), (1, 2, 3, 4, 5, 6), [True]),
        ((0, 1, 3, 10, 15, 22), (1, 2, 3, 4, 5, 6), [False] * 4),
    ],
)
def test_which_spaces_are_gaps(places, numbers, gaps):
    stack = Stack(range(len(places)), places, Tolerance())
    assert [is_gap(space, stack, Evidence(numbers, ())) for space in stack.uneven] == gaps
