"""Pages of archives that cap them, ignore `offset`, refuse many rows, or never end."""

import json
from collections.abc import Callable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Page
from connectors.paging import Pager
from heltig.errors import ArchiveAnswerError


def row(number: int, **more: str) -> bytes:
    return json.dumps({"0020000D": {"vr": "UI", "Value": [f"1.{number}"]}, **more}).encode()


class Pages:
    """A search whose pages have a cap, and what was asked of it."""

    def __init__(self, rows: int, *, cap: int = 10**9, refuses_above: int = 10**9) -> None:
        self.rows = [row(n) for n in range(rows)]
        self.cap = cap
        self.refuses_above = refuses_above
        self.asked: list[tuple[int, int]] = []

    async def __call__(self, limit: int, offset: int) -> list[bytes]:
        self.asked.append((limit, offset))
        if limit > self.refuses_above:
            raise ArchiveAnswerError("too many", answer_status=413)
        return self.rows[offset : offset + min(limit, self.cap)]


async def test_all_pages_are_read_until_one_is_not_full() -> None:
    pages = Pages(25)
    found = await Pager(page_rows=10, most_pages=100).all(pages)
    assert found.rows == tuple(pages.rows)
    assert (found.pages, found.more, found.notes) == (3, "", ())
    assert pages.asked == [(10, 0), (10, 9), (10, 18)]


async def test_a_capped_page_is_not_taken_for_the_last() -> None:
    pages = Pages(25, cap=4)
    found = await Pager(page_rows=10, most_pages=100).all(pages)
    assert found.rows == tuple(pages.rows)
    assert [offset for _, offset in pages.asked] == [0, 3, 6, 9, 12, 15, 18, 21, 24]


async def test_the_first_page_may_be_capped_where_the_next_is_empty() -> None:
    pages = Pages(4, cap=4)
    assert len((await Pager(page_rows=10, most_pages=100).all(pages)).rows) == 4
    assert pages.asked == [(10, 0), (10, 3)]


async def test_an_archive_is_not_asked_again_for_what_it_would_have_given() -> None:
    pager = Pager(page_rows=10, most_pages=100)
    await pager.all(Pages(7))
    pages = Pages(6)
    assert len((await pager.all(pages)).rows) == 6
    assert pages.asked == [(10, 0)]


async def test_an_archive_that_ignores_offset_is_found_out() -> None:
    async def ask(limit: int, offset: int) -> list[bytes]:
        return [row(n) for n in range(limit)]

    found = await Pager(page_rows=5, most_pages=100).all(ask)
    assert (len(found.rows), found.more) == (5, "repeats")
    assert "offset" in found.notes[0]


async def test_an_archive_that_ignores_the_limit_has_given_everything() -> None:
    asked = []

    async def ask(limit: int, offset: int) -> list[bytes]:
        asked.append(offset)
        return [row(n) for n in range(12)]

    found = await Pager(page_rows=5, most_pages=100).all(ask)
    assert (len(found.rows), found.notes, asked) == (12, (), [0])


async def test_a_search_without_end_is_given_up() -> None:
    async def ask(limit: int, offset: int) -> list[bytes]:
        return [row(offset + n) for n in range(limit)]

    found = await Pager(page_rows=5, most_pages=3).all(ask)
    assert len(found.rows) == 5 + 4 + 4
    assert found.more == "endless"
    assert "3 pages" in found.notes[0]


async def test_rows_that_shift_into_the_next_page_are_listed_once_as_they_last_were() -> None:
    answers = [[row(1), row(2, count="3")], [row(2, count="4"), row(3)], [row(3)]]

    async def ask(limit: int, offset: int) -> list[bytes]:
        return answers.pop(0)

    found = await Pager(page_rows=2, most_pages=100).all(ask)
    assert found.rows == (row(1), row(2, count="4"), row(3))


async def test_one_study_under_two_patients_is_two_rows() -> None:
    async def ask(limit: int, offset: int) -> list[bytes]:
        patients = [{"00100020": {"vr": "LO", "Value": [patient]}} for patient in "AB"]
        return [json.dumps({"0020000D": {"vr": "UI", "Value": ["1"]}} | p).encode() for p in patients][
            offset:
        ]

    assert len((await Pager(page_rows=5, most_pages=9).all(ask)).rows) == 2


async def test_an_archive_that_refuses_so_many_rows_is_asked_for_fewer() -> None:
    pages = Pages(25, refuses_above=20)
    found = await Pager(page_rows=200, most_pages=100).all(pages)
    assert found.rows == tuple(pages.rows)
    assert [limit for limit, _ in pages.asked] == [200, 50, 12, 12, 12]


async def test_other_refusals_are_passed_on() -> None:
    async def ask(limit: int, offset: int) -> list[bytes]:
        raise ArchiveAnswerError("no", answer_status=500)

    with pytest.raises(ArchiveAnswerError):
        await Pager(page_rows=200, most_pages=100).all(ask)


async def test_damaged_rows_count_too() -> None:
    rows = [b'{"0020000D": NaN}', b'{"0020000D": nope}']

    async def ask(limit: int, offset: int) -> list[bytes]:
        return rows[offset:]

    assert (await Pager(page_rows=5, most_pages=9).all(ask)).rows == tuple(rows)


class Changing(Pages):
    """An archive in which something happens before some of its pages are given."""

    def __init__(self, rows: int, **happens: Callable[[list[bytes]], None]) -> None:
        super().__init__(rows)
        self.happens = {int(page.removeprefix("page")): change for page, change in happens.items()}

    async def __call__(self, limit: int, offset: int) -> list[bytes]:
        if change := self.happens.get(len(self.asked)):
            change(self.rows)
        return await super().__call__(limit, offset)


def delete(*numbers: int) -> Callable[[list[bytes]], None]:
    def change(rows: list[bytes]) -> None:
        rows[:] = [one for one in rows if one not in {row(number) for number in numbers}]

    return change


@pytest.mark.parametrize(
    "deleted",
    [(0,), (5,), (9,), (7, 8, 9), tuple(range(10)), tuple(range(5, 15)), tuple(range(19))],
)
@pytest.mark.parametrize("page", [1, 2])
async def test_rows_that_a_deletion_moves_past_our_place_are_found(
    deleted: tuple[int, ...], page: int
) -> None:
    pages = Changing(45, **{f"page{page}": delete(*deleted)})
    found = await Pager(page_rows=10, most_pages=100).all(pages)
    assert set(found.rows) >= {row(number) for number in range(45)} - {row(number) for number in deleted}
    assert found.more == ""


async def test_rows_that_arrive_in_front_are_no_repetition() -> None:
    def arrive(rows: list[bytes]) -> None:
        rows[:0] = [row(number) for number in range(100, 130)]

    found = await Pager(page_rows=10, most_pages=100).all(Changing(45, page2=arrive))
    assert set(found.rows) >= {row(number) for number in range(45)}
    assert found.more == ""


@given(
    rows=st.integers(0, 60),
    cap=st.integers(1, 12),
    events=st.dictionaries(st.integers(1, 8), st.sets(st.integers(0, 59), max_size=25), max_size=3),
)
async def test_nothing_is_missed_that_was_there_throughout(
    rows: int, cap: int, events: dict[int, set[int]]
) -> None:
    if cap == 1:
        events = {}  # a page of one row has no room for the one before
    pages = Changing(rows, **{f"page{page}": delete(*numbers) for page, numbers in events.items()})
    pages.cap = cap
    found = await Pager(page_rows=10, most_pages=1000).all(pages)
    assert set(found.rows) >= set(pages.rows)


async def test_a_page_is_gone_on_from_where_somebody_else_left() -> None:
    pages = Pages(45)
    pager = Pager(page_rows=10, most_pages=100)
    async with aclosing(pager.parts(pages)) as parts:
        first = [await anext(parts), await anext(parts)]
    del pages.rows[3:9]
    rest = [part async for part in Pager(page_rows=10, most_pages=100).parts(pages, first[-1].position)]
    listed = {one for part in (*first, *rest) for one in part.rows}
    assert listed == {row(number) for number in range(45)}
    assert sum(len(part.rows) for part in rest) < 45


async def test_an_archive_that_says_that_it_has_more_than_it_gives_is_believed() -> None:
    rows = [row(number) for number in range(7)]

    async def ask(limit: int, offset: int) -> Page:
        return Page(rows[offset : offset + limit], has_more=True)

    found = await Pager(page_rows=5, most_pages=100).all(ask)
    assert (set(found.rows), found.more) == (set(rows), "capped")
    assert found.notes


@pytest.mark.parametrize(("rows", "more"), [(99, ""), (100, "round"), (150, ""), (200, "round")])
async def test_a_round_number_of_rows_may_be_a_limit(rows: int, more: str) -> None:
    assert (await Pager(page_rows=50, most_pages=100).all(Pages(rows))).more == more


async def test_after_a_search_that_is_refused_altogether_the_next_is_asked_for_as_before() -> None:
    pages = Pages(25, refuses_above=0)
    pager = Pager(page_rows=10, most_pages=100)
    with pytest.raises(ArchiveAnswerError):
        await pager.all(pages)
    again = Pages(25)
    await pager.all(again)
    assert again.asked[0] == (10, 0)
