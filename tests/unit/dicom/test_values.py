"""Part 10 values: every VR, in explicit and implicit writing, and sequences."""

import math
import struct

import pytest
from unit.dicom.raw_cells import PATIENT_ID, PRIVATE, SEQUENCE_END, explicit, implicit, item

from heltig.dicom.cell import UNDEFINED_LENGTH, Cell, Encoding, Item, Value
from heltig.dicom.values import BYTE_VRS, NUMBER_VRS, TEXT_VRS, decode_element
from heltig.standard.value_representations import VRS

EXPLICIT = Encoding("explicit", ("ISO_IR 192",))
IMPLICIT = Encoding("implicit", ("ISO_IR 192",))


def values_of(vr: str, value: bytes) -> tuple[Value, ...]:
    cell = decode_element(PRIVATE, explicit(vr, value), EXPLICIT)
    assert (cell.vr, cell.length, cell.bulk) == (vr, len(value), False)
    assert {fault.kind for fault in cell.faults} <= {"odd-length"}
    return cell.values


# -- every VR


@pytest.mark.parametrize(
    ("vr", "value", "values"),
    [
        ("AE", b" ARCHIVE", (" ARCHIVE",)),
        ("AS", b"018M", ("018M",)),
        ("CS", b"ORIGINAL\\PRIMARY ", ("ORIGINAL", "PRIMARY")),
        ("CS", b"DERIVED \\PRIMARY", ("DERIVED", "PRIMARY")),
        ("CS", b"\\AXIAL", (None, "AXIAL")),
        ("CS", b"A\\\\B\\", ("A", None, "B", None)),
        ("CS", b"\\ ", (None, None)),
        ("DA", b"20240101", ("20240101",)),
        ("DS", b" 1.50 \\-2e3", (" 1.50", "-2e3")),
        ("DT", b"2024010110+0100 ", ("2024010110+0100",)),
        ("IS", b"+1 ", ("+1",)),
        ("LO", " Ä\\ö ".encode(), (" Ä", "ö")),
        ("LT", b" a\\b\r\nc \n ", (" a\\b\r\nc \n",)),
        ("PN", "Müller^J=山^田= ".encode(), ("Müller^J=山^田",)),
        ("PN", b"A^^^^==\\B", ("A^^^^", "B")),
        ("PN", b"==", ()),
        ("PN", b"=A^B", ("=A^B",)),
        ("SH", b"a ", ("a",)),
        ("ST", b"a\\b ", ("a\\b",)),
        ("TM", b"101112.5", ("101112.5",)),
        ("UC", b"a\\b ", ("a", "b")),
        ("UI", b"1.2.840\0", ("1.2.840",)),
        ("UI", b"1.2\\1.3\0", ("1.2", "1.3")),
        ("UI", b"1.2.40", ("1.2.40",)),
        ("UR", b"http://a/\\b ", ("http://a/\\b",)),
        ("UT", b"a\\b ", ("a\\b",)),
        ("AT", b"\x10\x00\x20\x00\xe0\x7f\x10\x00", ("00100020", "7FE00010")),
        ("US", b"\xff\xff", (65535,)),
        ("SS", b"\xff\xff\x01\x00", (-1, 1)),
        ("UL", b"\xff\xff\xff\xff", (4294967295,)),
        ("SL", b"\xfe\xff\xff\xff", (-2,)),
        ("UV", b"\xff" * 8, (2**64 - 1,)),
        ("SV", b"\xff" * 8, (-1,)),
        ("FL", b"\x00\x00\xc0\x3f", (1.5,)),
        ("FD", struct.pack("<2d", 0.1, -math.inf), (0.1, -math.inf)),
        *((vr, b"\x01\x02", (b"\x01\x02",)) for vr in sorted(BYTE_VRS)),
    ],
)
def test_the_values_of_a_vr(vr: str, value: bytes, values: tuple[Value, ...]) -> None:
    assert values_of(vr, value) == values


@pytest.mark.parametrize("vr", sorted(set(VRS) - {"SQ"}))
def test_an_empty_value_field_has_no_values(vr: str) -> None:
    cell = decode_element(PRIVATE, explicit(vr, b""), EXPLICIT)
    assert cell == Cell(vr, (), (), 0)
    assert cell.empty


@pytest.mark.parametrize("vr", sorted(TEXT_VRS - {"UI"}))
def test_nothing_but_padding_has_no_values(vr: str) -> None:
    assert values_of(vr, b"  ") == ()


def test_every_vr_is_text_numbers_bytes_or_a_sequence() -> None:
    assert set(VRS) == {*TEXT_VRS, *NUMBER_VRS, *BYTE_VRS, "SQ"}


def test_only_the_vrs_of_the_standard_follow_the_character_set() -> None:
    value = "é".encode()
    for vr in sorted(TEXT_VRS - {"UI"}):
        cell = decode_element(PRIVATE, explicit(vr, value), EXPLICIT)
        extended = vr in ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
        assert cell.values == (("é",) if extended else ("Ã©",))
        assert [fault.kind for fault in cell.faults] == ([] if extended else ["charset-undecodable"])


def test_file_meta_is_explicit_with_the_default_repertoire() -> None:
    cell = decode_element("00020013", explicit("SH", "é".encode()), IMPLICIT)
    assert (cell.vr, cell.values) == ("SH", ("Ã©",))
    assert [fault.kind for fault in cell.faults] == ["charset-undecodable"]


# -- implicit VR and UN


@pytest.mark.parametrize(
    ("tag", "value", "vr", "values"),
    [
        ("00100010", "Ä^B==".encode(), "PN", ("Ä^B",)),
        ("00280010", b"\x00\x02", "US", (512,)),
        ("00080000", b"\x04\x00\x00\x00", "UL", (4,)),
        ("00090000", b"\x04\x00\x00\x00", "UL", (4,)),
        ("00090010", b"ACME", "LO", ("ACME",)),
        (PRIVATE, b"ABCD", "UN", (b"ABCD",)),
        ("00189999", b"ABCD", "UN", (b"ABCD",)),
        ("60003000", b"\x01\x02", "OW", (b"\x01\x02",)),
        ("54001010", b"\x01\x02", "OW", (b"\x01\x02",)),
        ("00281200", b"\x01\x02", "OW", (b"\x01\x02",)),
        ("00283006", b"\x01\x02\x03\x04", "OW", (b"\x01\x02\x03\x04",)),
        ("00283006", b"\x01\x02", "US", (513,)),
        ("00280106", b"\xff\xff", "US", (65535,)),
    ],
)
def test_implicit_vr_takes_the_dictionary_s(
    tag: str, value: bytes, vr: str, values: tuple[Value, ...]
) -> None:
    cell = Cell(vr, values, (), len(value))
    assert decode_element(tag, implicit(value), IMPLICIT) == cell
    assert decode_element(tag, explicit("UN", value), EXPLICIT) == cell


def test_signed_pixels_make_ambiguous_values_signed() -> None:
    signed = Encoding("implicit", signed=True)
    assert decode_element("00280106", implicit(b"\xff\xff"), signed).values == (-1,)
    assert decode_element("00280106", implicit(b"\xff\xff"), signed).vr == "SS"
    assert decode_element("00280010", implicit(b"\xff\xff"), signed).values == (65535,)


def test_the_number_of_lut_entries_is_never_negative() -> None:
    value = struct.pack("<3h", -1, -1024, 16)
    assert decode_element("00283002", explicit("SS", value), EXPLICIT).values == (65535, -1024, 16)
    assert decode_element("00280120", explicit("SS", value), EXPLICIT).values == (-1, -1024, 16)


def test_a_long_un_value_stays_bytes() -> None:
    assert decode_element("00100010", explicit("UN", b"A" * 0xFFFE), EXPLICIT).vr == "PN"
    assert decode_element("00100010", explicit("UN", b"A" * 0xFFFF), EXPLICIT).vr == "UN"


# -- sequences


def test_a_sequence_has_items_and_no_values() -> None:
    content = item(PATIENT_ID + explicit("LO", b"A1"))
    cell = decode_element("00081140", explicit("SQ", content), EXPLICIT)
    assert cell == Cell(
        "SQ", (), (), len(content), items=(Item(("00100020",), (explicit("LO", b"A1"),), EXPLICIT),)
    )
    assert not cell.empty


@pytest.mark.parametrize("tag", ["00081140", PRIVATE])
@pytest.mark.parametrize("encoding", [EXPLICIT, IMPLICIT])
def test_unknown_values_of_undefined_length_are_sequences(tag: str, encoding: Encoding) -> None:
    content = item(PATIENT_ID + implicit(b"A1")) + SEQUENCE_END
    if encoding is EXPLICIT:
        cell = decode_element(tag, explicit("UN", content, length=UNDEFINED_LENGTH), encoding)
    else:
        cell = decode_element(tag, implicit(content, length=UNDEFINED_LENGTH), encoding)
    assert (cell.vr, cell.length, cell.faults) == ("SQ", UNDEFINED_LENGTH, ())
    assert [(i.tags, i.raws, i.encoding.syntax) for i in cell.items] == [
        (("00100020",), (implicit(b"A1"),), "implicit")
    ]


def test_a_known_sequence_written_as_un_has_items() -> None:
    cell = decode_element("00081140", explicit("UN", item(PATIENT_ID + implicit(b"A1"))), EXPLICIT)
    assert [i.raws for i in cell.items] == [(implicit(b"A1"),)]


def test_an_empty_sequence_has_no_items() -> None:
    for length, content in ((0, b""), (UNDEFINED_LENGTH, SEQUENCE_END)):
        cell = decode_element("00081140", explicit("SQ", content, length=length), EXPLICIT)
        assert cell == Cell("SQ", (), (), length)
        assert cell.empty
