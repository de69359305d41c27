"""Stacks: steps, gaps, levels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.stacks import Stack, Tolerance
from heltig.dicom.volumes import Attribute, part


def stack_of(*places):
    return Stack(range(len(places)), places, Tolerance())


@given(st.permutations(range(20)), st.floats(0.2, 20), st.floats(-500, 500))
def test_a_regular_stack_has_no_flaws_in_any_order(order, step, start):
    stack = stack_of(*(start + step * index for index in order))
    assert stack.flaws == 0
    assert stack.step == pytest.approx(step)
    assert [order[plane] for plane in stack.planes] == list(range(20))


@given(st.integers(4, 30), st.data(), st.floats(0.2, 20))
def test_an_inner_slice_that_is_missing_leaves_one_space(count, data, step):
    missing = data.draw(st.integers(1, count - 2))
    stack = stack_of(*(step * index for index in range(count) if index != missing))
    assert [(space.below, space.missing) for space in stack.uneven] == [(missing - 1, 1)]
    assert stack.has_step


@pytest.mark.parametrize(
    ("places", "step", "missing"),
    [
        ((0, 5, 15, 25), 5, [1, 1]),  # every second one of a part
        ((0, 2, 5, 10, 15, 20), 5, [0, 0]),  # one slice too many
        ((0, 5, 10, 10.2, 15, 20), 5, [0]),
        ((0, 5, 10, 25.1), 5, [2]),
        ((2, 3.1, 6, 8), 2, [0, 0]),  # nearly multiples of the smallest: no slice is missing there
        ((0,), 0, []),
        ((), 0, []),
        ((0, 0, 0), 0, []),
    ],
)
def test_steps_and_spaces(places, step, missing):
    stack = stack_of(*places)
    assert stack.step == step
    assert [space.missing for space in stack.uneven] == missing


def test_nothing_is_a_step_of_a_stack_without_order():
    assert not stack_of(0, 1, 3, 10, 15, 22).has_step


@pytest.mark.parametrize(
    ("places", "usual", "flaws"),
    [
        ((0, 5, 10), 1, 0),
        ((0, 5, 5, 10), 1, 1),
        ((0, 0, 5, 5, 10, 10), 2, 0),
        ((0, 0, 5, 5, 10), 2, 1),
        ((0, 5, 5), 0, 1),  # of one and two nobody knows which is usual
    ],
)
def test_how_many_planes_a_level_usually_has(places, usual, flaws):
    stack = stack_of(*places)
    assert (stack.usual, stack.flaws) == (usual, flaws)


def parted(places, *attributes):
    stack = stack_of(*places)
    return sorted(tuple(sorted(one.planes)) for one in part(stack, attributes, places))


def test_volumes_are_parted_where_that_explains_the_flaws():
    places = (0, 5, 10, 15, 5, 10, 15)
    times = Attribute("volume", (1, 1, 1, 1, 2, 2, 2))
    assert parted(places, times) == [(0, 1, 2, 3), (4, 5, 6)]
    assert parted(places, Attribute("acquisition", times.values)) == [(0, 1, 2, 3), (4, 5, 6)]
    assert parted(places, Attribute("volume", "abcdefg")) == [tuple(range(7))]


def test_acquisitions_that_share_a_single_slice_are_one_stack():
    assert parted((0, 5, 10, 5), Attribute("acquisition", (1, 1, 1, 2))) == [(0, 1, 2, 3)]


def test_slabs_acquired_one_after_the_other_are_one_stack():
    assert parted((0, 5, 10, 20, 25, 30), Attribute("volume", (1, 1, 1, 2, 2, 2))) == [tuple(range(6))]


def test_two_attributes_part_one_after_the_other_what_still_has_flaws():
    places = (0, 5, 10) * 3 + (0, 5)
    echoes = Attribute("volume", (1,) * 6 + (2,) * 5)
    kinds = Attribute("volume", ("M",) * 3 + ("P",) * 3 + ("M",) * 3 + ("P",) * 2)
    assert parted(places, echoes, kinds) == [(0, 1, 2, 3, 4, 5), (6, 7, 8), (9, 10)]


def test_a_volume_that_moved_against_the_others_is_a_stack_of_its_own():
    places = [step * 5 + volume * 0.7 for volume in range(4) for step in range(6)]
    volumes = Attribute("acquisition", [volume for volume in range(4) for _ in range(6)])
    assert [len(one) for one in parted(places, volumes)] == [6, 6, 6, 6]


def test_a_stack_may_change_its_step_with_its_thickness():
    places = (0, 2, 4, 6, 11, 16, 21)
    assert parted(places, Attribute("thickness", (2, 2, 2, 2, 5, 5, 5))) == [(0, 1, 2, 3), (4, 5, 6)]
    assert parted(places, Attribute("thickness", (2, 2, 2, 2, 2, 2, 5))) == [tuple(range(7))]
