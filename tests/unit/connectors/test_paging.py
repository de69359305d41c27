"""Pages of archives that cap them, ignore `offset`, refuse many rows, or never end."""

import json

import pytest

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
    assert (found.pages, found.notes) == (3, ())
    assert pages.asked == [(10, 0), (10, 10), (10, 20)]


async def test_a_capped_page_is_not_taken_for_the_last() -> None:
    pages = Pages(25, cap=4)
    found = await Pager(page_rows=10, most_pages=100).all(pages)
    assert found.rows == tuple(pages.rows)
    assert [offset for _, offset in pages.asked] == [0, 4, 8, 12, 16, 20, 24]


async def test_the_first_page_may_be_capped_where_the_next_is_empty() -> None:
    pages = Pages(4, cap=4)
    assert len((await Pager(page_rows=10, most_pages=100).all(pages)).rows) == 4
    assert pages.asked == [(10, 0), (10, 4)]


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
    assert len(found.rows) == 5
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
    assert len(found.rows) == 15
    assert "3 pages" in found.notes[0]


async def test_rows_that_shift_into_the_next_page_are_listed_once_as_they_last_were() -> None:
    answers = [[row(1), row(2, count="3")], [row(2, count="4"), row(3)], []]

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
