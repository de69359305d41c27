"""The error tree: every class can leave by every way out."""

import inspect
import re

import pytest

from heltig import errors
from heltig.errors import HeltigError

TREE = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, HeltigError)]
VERDICT_EXIT_CODES = {0, 10, 20}


def test_the_drawing_at_the_top_is_the_tree() -> None:
    drawn = {}
    parents: dict[int, str] = {}
    for branch, name in re.findall(r"^ {4}([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE):
        parents[len(branch)] = name
        drawn[name] = parents.get(len(branch) - 4, "Exception")
    assert drawn == {item.__name__: item.__base__.__name__ for item in TREE if item.__base__}


@pytest.mark.parametrize("error", TREE)
def test_a_class_knows_its_ways_out(error: type[HeltigError]) -> None:
    assert error.exit_code not in VERDICT_EXIT_CODES
    assert 400 <= error.status <= 599
    assert re.fullmatch(r"/problems/[a-z-]+", error.problem_type)
    assert error.title
    assert not error.title.endswith(".")


def test_problem_types_and_titles_are_not_shared() -> None:
    assert len({error.problem_type for error in TREE}) == len(TREE)
    assert len({error.title for error in TREE}) == len(TREE)


def test_only_the_base_exits_like_a_fault_of_our_own() -> None:
    assert [error for error in TREE if error.exit_code == 1] == [HeltigError]


@pytest.mark.parametrize("error", TREE)
def test_one_base_catches_all_and_keeps_the_detail(error: type[HeltigError]) -> None:
    with pytest.raises(HeltigError) as caught:
        raise error("member 3: encrypted; send it without a password")
    assert caught.value.detail == str(caught.value) == "member 3: encrypted; send it without a password"
    assert caught.value.retry_after is None


def test_an_answer_keeps_its_status() -> None:
    assert errors.ArchiveAnswerTooLargeError("too large", answer_status=413).answer_status == 413
