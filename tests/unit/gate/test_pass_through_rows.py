"""Rows of studies with their verdicts, as they come."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.api.service import Service, running, values
from unit.store.samples import finding

from heltig.errors import ArchiveAnswerError, ArchiveUnavailableError
from heltig.gate.pass_through_named import naming
from heltig.gate.pass_through_rows import MOST_ROW, RowSplitter, StudyRows
from heltig.gate.pass_through_verdict import Verdicts
from heltig.pipeline.publish import CREATOR
from heltig.store.records import Location

ROWS: list[dict[str, Any]] = [
    {"0020000D": {"vr": "UI", "Value": ["1.2"]}, "00081030": {"vr": "LO", "Value": ['a}"]{[\\']}},
    {},
    {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "\u00c4"}]}, "00990001": {"vr": "SQ", "Value": [{}]}},
]
TEXT = b" " + json.dumps(ROWS, indent=1, ensure_ascii=False).encode() + b"\n"


@given(st.lists(st.integers(0, len(TEXT)), max_size=15).map(sorted))
def test_rows_are_the_same_however_an_answer_is_cut(cuts: list[int]) -> None:
    splitter = RowSplitter()
    ends = [*cuts, len(TEXT)]
    pieces = [
        piece for start, end in zip([0, *cuts], ends, strict=True) for piece in splitter.feed(TEXT[start:end])
    ]
    splitter.close()
    assert b"".join(piece.text for piece in pieces) == TEXT
    assert [json.loads(piece.text) for piece in pieces if piece.is_row] == ROWS


@pytest.mark.parametrize(
    ("text", "rows"),
    [(b"[]", 0), (b"", 0), (b" \n", 0), (b'{"a":{}}', 1), (b'[{"a":NaN},{"b":1}]', 2), (b"[[{}],{}]", 1)],
)
def test_answers_of_other_shapes(text: bytes, rows: int) -> None:
    splitter = RowSplitter()
    pieces = splitter.feed(text)
    splitter.close()
    assert sum(piece.is_row for piece in pieces) == rows
    assert b"".join(piece.text for piece in pieces) == text


@pytest.mark.parametrize("text", [b"<html>", b'"studies"', b"null", b"[}", b'{"a":]'])
def test_what_is_no_row_at_all(text: bytes) -> None:
    with pytest.raises(ArchiveAnswerError):
        RowSplitter().feed(text)


@pytest.mark.parametrize("end", range(2, len(TEXT) - 2, 7))
def test_an_answer_that_breaks_off_is_none(end: int) -> None:
    splitter = RowSplitter()
    splitter.feed(TEXT[:end])
    with pytest.raises(ArchiveUnavailableError):
        splitter.close()


def test_a_row_has_its_limit() -> None:
    splitter = RowSplitter()
    with pytest.raises(ArchiveAnswerError):
        splitter.feed(b'[{"00081030":"' + b"x" * (MOST_ROW + 1))


async def annotated(service: Service, *rows: object, with_findings: bool = False) -> list[Any]:
    services = service.services
    verdicts = Verdicts("main", services.store, services.lookups, minute=services.minute)
    made = StudyRows(verdicts, with_findings=with_findings)
    answer = await made.feed(json.dumps(rows).encode())
    made.close()
    decoded: list[Any] = json.loads(answer)
    return decoded


def row(study: str, **more: Any) -> dict[str, Any]:
    return {"0020000D": {"vr": "UI", "Value": [study]}, **more}


async def test_each_study_has_the_block_that_a_look_up_gives(tmp_path: Path) -> None:
    async with running(tmp_path / "home") as service:
        await service.judged(
            "1.2", finding("PAT-ID-CONFLICT"), readiness="BLOCKED", location=Location("archive", "main")
        )
        await service.judged("1.3", location=Location("archive", "other"))
        told = (await service.get("/dicom-web/studies/1.2/readiness")).json()
        blocked, unknown, without = await annotated(
            service, row("1.2"), row("1.3"), {"00100020": {"vr": "LO"}}
        )
        assert blocked == {tag: told[tag] for tag in told if tag not in ("00080005", "00991010")}
        assert values(unknown, "00991009") == ["UNKNOWN"]
        assert unknown["00991001"] == {"vr": "CS"}
        assert values(without, "00991009") == ["UNKNOWN"]
        [with_findings] = await annotated(service, row("1.2"), with_findings=True)
        assert with_findings["00991010"] == told["00991010"]
        for one in (blocked, unknown, without):
            assert list(one) == sorted(one)


async def test_the_worst_of_what_was_pulled_and_what_went_through_the_gate(tmp_path: Path) -> None:
    async with running(tmp_path / "home") as service:
        await service.judged("1.2", location=Location("archive", "main"))
        await service.judged("1.2", finding(), readiness="BLOCKED", location=Location("gate", "main"))
        [found] = await annotated(service, row("1.2"))
        assert values(found, "00991001") == ["BLOCKED"]
        assert values(found, "00991012") == [2]


async def test_a_verdict_that_the_archive_brings_along_is_not_ours(tmp_path: Path) -> None:
    forged = {
        "00990010": {"vr": "LO", "Value": ["SOMEBODY ELSE"]},
        "00990011": {"vr": "LO", "Value": [CREATOR]},
        "00991001": {"vr": "LO", "Value": ["theirs"]},
        "00991101": {"vr": "CS", "Value": ["READY"]},
    }
    async with running(tmp_path / "home") as service:
        await service.judged("1.2", finding(), readiness="BLOCKED", location=Location("archive", "main"))
        [found] = await annotated(service, row("1.2", **forged))
    assert values(found, "00990010") == ["SOMEBODY ELSE"]
    assert values(found, "00991001") == ["theirs"]
    assert values(found, "00990011") == [CREATOR]
    assert values(found, "00991101") == ["BLOCKED"]
    assert values(found, "00991109") == ["JUDGED"]


async def test_a_row_that_is_broken_is_passed_on_as_it_is(tmp_path: Path) -> None:
    async with running(tmp_path / "home") as service:
        services = service.services
        verdicts = Verdicts("main", services.store, services.lookups, minute=services.minute)
        text = b'[{"0020000D":{"vr":"UI","Value":["1.2"]},"x":NaN}]'
        assert await StudyRows(verdicts, with_findings=False).feed(text) == text


@given(st.lists(st.integers(1, 200), max_size=20))
async def test_the_studies_of_rows_are_told_however_an_answer_is_cut(cuts: list[int]) -> None:
    text = json.dumps([row(f"1.2.{number}") for number in range(9)], indent=1).encode()
    told: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        rest = text
        for cut in cuts:
            yield rest[:cut]
            rest = rest[cut:]
        yield rest

    assert b"".join([piece async for piece in naming(pieces(), told.extend)]) == text
    assert told == [f"1.2.{number}" for number in range(9)]
