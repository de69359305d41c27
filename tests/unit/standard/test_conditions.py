"""Conditions: true, false and unknown, and the words for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.standard.conditions import (
    NOT_TOLD,
    OTHER,
    UNKNOWN_TERM,
    Condition,
    Found,
    When,
    condition_from,
    interests,
)
from heltig.standard.dictionary import tag_of

IMAGE_TYPE, MODALITY, FRAMES = "00080008", "00080060", "00280008"
THERE = {
    IMAGE_TYPE: Found(True, values=("ORIGINAL", "PRIMARY", "AXIAL")),
    MODALITY: Found(True, empty=True),
    FRAMES: Found(True, values=("2",)),
}
ABSENT = "00181030"
HIDDEN = "00181050"
PIXEL_DATA = "7FE00010"


def find(tag):
    return NOT_TOLD if tag == HIDDEN else THERE.get(tag, Found(False))


@pytest.mark.parametrize(
    ("row", "truth"),
    [
        (["=", IMAGE_TYPE, 1, ["ORIGINAL", "MIXED"]], True),
        (["=", IMAGE_TYPE, 3, ["LOCALIZER"]], False),
        (["=", IMAGE_TYPE, 4, ["X"]], None),
        (["=", ABSENT, 1, ["X"]], False),
        (["=", MODALITY, 1, ["CT"]], None),
        (["=", HIDDEN, 1, ["X"]], None),
        (["=", IMAGE_TYPE, 0, ["AXIAL"]], True),
        (["=", IMAGE_TYPE, 0, ["LOCALIZER"]], False),
        (["=", MODALITY, 0, ["CT"]], None),
        (["=", ABSENT, 0, ["X"]], False),
        (["!=", IMAGE_TYPE, 0, ["LOCALIZER"]], True),
        (["!=", IMAGE_TYPE, 0, ["AXIAL"]], False),
        (["!=", IMAGE_TYPE, 1, ["DERIVED"]], True),
        (["!=", IMAGE_TYPE, 1, ["ORIGINAL"]], False),
        (["!=", ABSENT, 1, ["NONE"]], None),
        ([">", FRAMES, 1, ["1"]], True),
        ([">", FRAMES, 1, ["2"]], False),
        (["<", FRAMES, 1, ["3"]], True),
        ([">", IMAGE_TYPE, 1, ["1"]], None),
        (["+", IMAGE_TYPE], True),
        (["+", ABSENT], False),
        (["+", MODALITY], None),
        (["+", HIDDEN], None),
        (["+", PIXEL_DATA], None),
        (["++", MODALITY], False),
        (["++", IMAGE_TYPE], True),
        (["-", ABSENT], True),
        (["-", IMAGE_TYPE], False),
        (["-", MODALITY], None),
        (["-", PIXEL_DATA], None),
    ],
)
def test_a_comparison(row, truth):
    assert condition_from(["required", row]).requires(find) is truth


TRUE, FALSE, UNKNOWN = ["+", IMAGE_TYPE], ["+", ABSENT], ["+", HIDDEN]


@pytest.mark.parametrize(
    ("parts", "all_of", "any_of"),
    [
        ([TRUE, TRUE], True, True),
        ([TRUE, FALSE], False, True),
        ([FALSE, FALSE], False, False),
        ([TRUE, UNKNOWN], None, True),
        ([FALSE, UNKNOWN], False, None),
        ([UNKNOWN, UNKNOWN], None, None),
    ],
)
def test_what_is_unknown_decides_only_where_it_matters(parts, all_of, any_of):
    assert condition_from(["required", ["and", *parts]]).requires(find) is all_of
    assert condition_from(["required", ["or", *parts]]).requires(find) is any_of


@pytest.mark.parametrize(
    ("row", "requires", "forbids"),
    [
        (["required", TRUE], True, False),
        (["required", FALSE], False, False),
        (["required", UNKNOWN], None, False),
        (["required else forbidden", TRUE], True, False),
        (["required else forbidden", FALSE], False, True),
        (["required else forbidden", UNKNOWN], None, None),
        (["required else", TRUE, FALSE], True, False),
        (["required else", FALSE, TRUE], False, False),
        (["required else", FALSE, FALSE], False, True),
        (["required else", FALSE, UNKNOWN], False, None),
        (["forbidden", TRUE], False, True),
        (["forbidden", FALSE], False, False),
        (["forbidden", UNKNOWN], False, None),
    ],
)
def test_what_follows(row, requires, forbids):
    condition = condition_from(row)
    assert (condition.requires(find), condition.forbids(find)) == (requires, forbids)


def test_no_condition():
    assert condition_from(0) is None
    assert condition_from([]) is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["=", IMAGE_TYPE, 1, ["ORIGINAL", "MIXED"]], "ImageType is ORIGINAL or MIXED"),
        (["!=", IMAGE_TYPE, 3, ["AXIAL"]], "ImageType value 3 is not AXIAL"),
        ([">", FRAMES, 1, ["1"]], "NumberOfFrames is more than 1"),
        (["=", "00280009", 1, ["00181063"]], "FrameIncrementPointer is FrameTime"),
        (["and", TRUE, ["or", ["-", ABSENT], ["+", MODALITY]]],
         "ImageType is there and (ProtocolName is not there or Modality is there)"),
    ],
)  # fmt: skip
def test_the_words(row, words):
    assert condition_from(["required", row]).when.words == words


def test_the_words_of_what_must_not_be_there():
    assert condition_from(["forbidden", TRUE]).forbidden_words == "if ImageType is there"
    either = condition_from(["required else", TRUE, ["+", MODALITY]])
    assert either.forbidden_words == "unless ImageType is there, or Modality is there"


def test_the_values_that_make_no_difference_are_alike():
    window = interests()["00280008"]  # NumberOfFrames: more than 1?
    assert window.of(["1"]) != window.of(["2"])
    assert window.of(["2"]) == window.of(["300"])
    assert window.of(["many"]) == (OTHER,)
    sop_class = interests()["00080016"]
    assert sop_class.of(["1.2.3"]) == sop_class.of(["1.2.4"]) == (OTHER,)


@given(st.sampled_from(sorted(interests())), st.integers(-1000, 1000).map(str))
def test_a_value_told_as_another_is_compared_like_itself(tag, number):
    interest = interests()[tag]
    conditions = [When("=", tag, 1, (value,)) for value in interest.values]
    conditions += [When(operator, tag, 1, (str(limit),)) for operator in "<>" for limit in interest.limits]
    for value in (*interest.values, number):
        for condition in conditions:
            plain = condition.holds(lambda _, value=value: Found(True, values=(value,)))
            told = condition.holds(lambda _, value=value: Found(True, values=interest.of([value])))
            assert told is (None if interest.of([value]) == (UNKNOWN_TERM,) else plain)


def test_nothing_follows_from_a_term_that_nobody_knows():
    interest = interests()[tag_of("DoseSummationType")]
    condition = Condition("required else forbidden", When("=", interest.tag, 1, ("BEAM",)))
    forbids = {
        value: condition.forbids(lambda _, value=value: Found(True, values=interest.of([value])))
        for value in ("BEAM", "PLAN", "ALL")
    }
    assert forbids == {"BEAM": False, "PLAN": True, "ALL": None}


def test_a_condition_is_a_value():
    assert condition_from(["required", TRUE]) == Condition("required", When("+", IMAGE_TYPE))
