"""Items of raw sequence cells."""

import pytest
from unit.dicom.part10.building import (
    FIRST,
    FIRST_IMPLICIT,
    PATIENT,
    SEQUENCE_END,
    UNDEFINED,
    explicit,
    implicit,
    item,
    open_item,
    open_items,
)

from heltig.dicom.cell import Encoding, Item
from heltig.dicom.part10 import read_items

EXPLICIT = Encoding("explicit", ("ISO_IR 100",))
IMPLICIT = Encoding("implicit", ("ISO_IR 100",))
READ = Item(("00080060", "00100020"), (b"CS\x02\x00CT", b"LO\x04\x00ID01"), EXPLICIT)
READ_IMPLICIT = Item(
    ("00080060", "00100020", "0020000D"),
    (b"\x02\0\0\0CT", b"\x04\0\0\0ID01", b"\x04\0\0\x001.20"),
    IMPLICIT,
)


def sequence(content: bytes, *, vr: str = "SQ", length: int | None = None) -> bytes:
    return explicit("00400275", vr, content, length=length)[4:]


@pytest.mark.parametrize(
    "raw",
    [
        sequence(item(FIRST) * 2),
        sequence(open_item(FIRST) + item(FIRST)),
        sequence(item(FIRST) * 2 + SEQUENCE_END, length=UNDEFINED),
        sequence(open_items(FIRST, FIRST), length=UNDEFINED),
    ],
    ids=["defined", "open item", "open sequence", "all open"],
)
def test_items_of_defined_and_undefined_length(raw: bytes) -> None:
    assert read_items(raw, EXPLICIT) == ((READ, READ), ())


@pytest.mark.parametrize("raw", [implicit("00400275", item(FIRST_IMPLICIT))[4:]])
def test_items_without_vrs(raw: bytes) -> None:
    assert read_items(raw, IMPLICIT) == ((READ_IMPLICIT,), ())


@pytest.mark.parametrize(("content", "items"), [(b"", 0), (SEQUENCE_END, 0), (open_items(b""), 1)])
def test_empty_sequences_and_items(content: bytes, items: int) -> None:
    read, faults = read_items(sequence(content, length=UNDEFINED if content else 0), EXPLICIT)

    assert len(read) == items
    assert faults == ()
    assert all(found == Item((), (), EXPLICIT) for found in read)


def test_what_is_nested_stays_raw() -> None:
    inner = explicit("00081140", "SQ", open_items(FIRST, FIRST), length=UNDEFINED)
    icon = explicit("7FE00010", "OB", open_items(b"", b""), length=UNDEFINED)

    ((read,), faults) = read_items(sequence(item(inner + icon + explicit("FFFCFFFC", "OB"))), EXPLICIT)

    assert read.tags == ("00081140", "7FE00010", "FFFCFFFC")
    assert read.raws == (inner[4:], icon[4:12], b"OB\0\0\0\0\0\0")
    assert read.faults == faults == ()


def test_an_item_may_have_an_encoding_of_its_own() -> None:
    own = explicit("00080005", "CS", b"ISO_IR 192") + explicit("00280103", "US", b"\1\0")

    items, _ = read_items(sequence(item(own) + item(FIRST)), EXPLICIT)

    assert [found.encoding for found in items] == [
        Encoding("explicit", ("ISO_IR 192",), signed=True),
        EXPLICIT,
    ]


def test_items_of_un_have_no_vrs() -> None:
    raw = sequence(open_items(FIRST_IMPLICIT), vr="UN", length=UNDEFINED)

    assert read_items(raw, EXPLICIT) == ((READ_IMPLICIT,), ())


def test_items_of_un_with_vrs_are_read_and_said() -> None:
    items, _ = read_items(sequence(open_items(FIRST), vr="UN", length=UNDEFINED), EXPLICIT)

    assert items[0].raws == READ.raws
    assert [fault.kind for fault in items[0].faults] == ["explicit-in-implicit"]


def test_items_with_vrs_in_an_implicit_sequence_are_read_and_said() -> None:
    items, _ = read_items(implicit("00400275", item(FIRST) + item(FIRST_IMPLICIT))[4:], IMPLICIT)

    assert items[0].raws == READ.raws
    assert items[0].encoding == EXPLICIT
    assert [fault.kind for fault in items[0].faults] == ["explicit-in-implicit"]
    assert items[1] == READ_IMPLICIT


def test_items_without_vrs_in_an_explicit_sequence_are_read_and_said() -> None:
    items, _ = read_items(sequence(item(FIRST_IMPLICIT) + item(FIRST)), EXPLICIT)

    assert items[0].raws == READ_IMPLICIT.raws
    assert items[0].encoding == IMPLICIT
    assert [fault.kind for fault in items[0].faults] == ["implicit-in-explicit"]
    assert items[1] == READ


def test_order_is_a_fault_of_the_item() -> None:
    ((read,), faults) = read_items(sequence(item(PATIENT + FIRST)), EXPLICIT)

    assert [fault.kind for fault in read.faults] == ["tag-order", "tag-duplicate"]
    assert faults == ()


@pytest.mark.parametrize(
    ("content", "length", "items", "kinds", "item_kinds"),
    [
        (item(FIRST) + b"\1\2\3\4\5\6\7\x08\x09", None, 1, ["unreadable"], []),
        (item(FIRST) + b"\xfe\xff", None, 1, ["truncated"], []),
        (item(FIRST) + item(FIRST)[:-3], None, 2, [], ["truncated", "truncated"]),
        (item(FIRST), UNDEFINED, 1, ["truncated"], []),
        (open_item(FIRST)[:-8], UNDEFINED, 1, ["truncated"], ["truncated"]),
        (open_item(FIRST)[:-10], UNDEFINED, 1, ["truncated"], ["truncated"]),
        (item(FIRST) + SEQUENCE_END + bytes(8), None, 1, ["trailing"], []),
    ],
)
def test_damage_ends_the_reading_with_what_was_read(
    content: bytes, length: int | None, items: int, kinds: list[str], item_kinds: list[str]
) -> None:
    read, faults = read_items(sequence(content, length=length), EXPLICIT)

    assert len(read) == items
    assert read[0].raws[0] == READ.raws[0]
    assert [fault.kind for fault in faults] == kinds
    assert [fault.kind for fault in read[-1].faults] == item_kinds


@pytest.mark.parametrize("raw", [b"", b"SQ", b"SQ\0\0\1\0"])
def test_a_cell_cut_inside_its_length_is_truncated(raw: bytes) -> None:
    items, faults = read_items(raw, EXPLICIT)

    assert items == ()
    assert [fault.kind for fault in faults] == ["truncated"]


def test_the_number_of_items_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heltig.dicom.part10.items.ITEM_LIMIT", 100)

    items, faults = read_items(sequence(item(b"") * 1000), EXPLICIT)

    assert len(items) == 100
    assert [fault.kind for fault in faults] == ["nesting"]
