"""Part 10 values that were not kept, that are padded wrongly, cut off, or no values at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary
from unit.dicom.raw_cells import ITEM, PATIENT_ID, PRIVATE, SEQUENCE_END, explicit, implicit

from heltig.dicom.cell import UNDEFINED_LENGTH, Cell, Encoding, Fault, Value
from heltig.dicom.values import decode_element
from heltig.standard.value_representations import VRS

EXPLICIT = Encoding("explicit", ("ISO_IR 192",))
IMPLICIT = Encoding("implicit", ("ISO_IR 192",))


@pytest.mark.parametrize("length", [70_000, UNDEFINED_LENGTH])
def test_a_cell_that_ends_after_its_length_is_bulk(length: int) -> None:
    pixels = decode_element("7FE00010", explicit("OW", b"", length=length), EXPLICIT)
    assert pixels == Cell("OW", (), (), length, bulk=True)
    assert decode_element("7FE00010", implicit(b"", length=length), IMPLICIT) == pixels
    assert not pixels.empty
    sequence = decode_element("00081140", explicit("SQ", b"", length=length), EXPLICIT)
    assert sequence == Cell("SQ", (), (), length, bulk=True)


def read(raw: bytes, tag: str = PRIVATE) -> tuple[tuple[Value, ...], tuple[Fault, ...]]:
    cell = decode_element(tag, raw, EXPLICIT)
    return cell.values, cell.faults


def test_an_odd_length_is_a_fault_of_any_value() -> None:
    odd = (Fault("odd-length", "3 bytes"),)
    assert read(explicit("LO", b"abc")) == (("abc",), odd)
    assert read(explicit("OB", b"abc")) == ((b"abc",), odd)
    assert read(explicit("OB", b"", length=70_001)) == ((), (Fault("odd-length", "70001 bytes"),))
    assert decode_element("00100020", implicit(b"abc"), IMPLICIT).faults == odd


def test_bytes_that_are_no_whole_number_of_values_stay_bytes() -> None:
    for vr in ("UL", "FD", "AT"):
        values, faults = read(explicit(vr, b"abcdef"))
        assert values == (b"abcdef",)
        assert [fault.kind for fault in faults] == ["number"]
    assert decode_element(PRIVATE, explicit("UL", b"abcdef"), EXPLICIT).numbers == (None,)


@pytest.mark.parametrize(
    ("vr", "value", "values", "detail"),
    [
        ("LO", b"A\0", ("A",), "NULL where a space belongs"),
        ("LO", b"A \0\\B ", ("A", "B"), "NULL where a space belongs"),
        ("LO", b"\0\0", (), "NULL where a space belongs"),
        ("UT", b"A\\ \0", ("A\\",), "NULL where a space belongs"),
        ("UI", b"1.2 ", ("1.2",), "a space where NULL belongs"),
        ("UI", b"1.2 \\1.30", ("1.2", "1.30"), "a space where NULL belongs"),
        ("UI", b"1.2\0\\1.30", ("1.2", "1.30"), "1 NULL, where at most one belongs at the very end"),
        ("UI", b"1.20\0\0", ("1.20",), "2 NULL, where at most one belongs at the very end"),
        ("UI", b"\0\0", (), "2 NULL, where at most one belongs at the very end"),
        ("UI", b"  ", (), "a space where NULL belongs"),
    ],
)
def test_padding_that_is_not_the_vr_s_own_is_taken_off_with_a_fault(
    vr: str, value: bytes, values: tuple[Value, ...], detail: str
) -> None:
    odd = (Fault("odd-length", f"{len(value)} bytes"),) if len(value) % 2 else ()
    assert read(explicit(vr, value)) == (values, (*odd, Fault("padding", detail)))


def test_null_inside_a_value_stays() -> None:
    assert read(explicit("LO", b"A\0B ")) == (("A\0B",), ())
    assert read(explicit("UI", b"1\x00.2")) == (("1\x00.2",), ())


def test_a_value_shorter_or_longer_than_its_length_is_read_as_far_as_it_goes() -> None:
    assert read(explicit("LO", b"abc", length=8)) == (
        ("abc",),
        (Fault("truncated", "3 of 8 bytes are there"),),
    )
    assert read(explicit("LO", b"abcdef", length=4)) == (
        ("abcd",),
        (Fault("trailing", "2 bytes after the value"),),
    )


def test_a_value_of_undefined_length_ends_before_its_delimiter() -> None:
    raw = explicit("UT", b"text" + SEQUENCE_END, length=UNDEFINED_LENGTH)
    assert decode_element(PRIVATE, raw, EXPLICIT) == Cell("UT", ("text",), (), UNDEFINED_LENGTH)


@pytest.mark.parametrize(
    ("raw", "vr", "values", "length"),
    [
        (b"ZZ\x04\x00abcd", "ZZ", (b"abcd",), 4),
        (b"ZZ\x00\x00\x04\x00\x00\x00abcd", "ZZ", (b"abcd",), 4),
        (b"ZZ\x00\x00", "ZZ", (), 0),
        (b"??\x02\x00ab", "", (b"ab",), 2),
        (b"\x00\x00\x02\x00ab", "", (b"ab",), 2),
    ],
)
def test_an_unknown_vr_keeps_its_bytes(raw: bytes, vr: str, values: tuple[Value, ...], length: int) -> None:
    cell = decode_element(PRIVATE, raw, EXPLICIT)
    assert (cell.vr, cell.values, cell.length, cell.bulk) == (vr, values, length, False)
    assert cell.faults == (Fault("vr-unknown", f"VR bytes {raw[:2].hex(' ').upper()}"),)


def test_a_header_that_is_cut_off_is_a_fault() -> None:
    for raw in (b"", b"A", b"ZZ\x01", b"LO", b"LO\x00", b"OB\x00\x00\x00"):
        cell = decode_element(PRIVATE, raw, EXPLICIT)
        detail = f"the cell ends after {len(raw)} bytes, inside its header"
        assert (cell.values, cell.faults) == ((), (Fault("truncated", detail),))
    assert [f.kind for f in decode_element("00100010", b"\x00", IMPLICIT).faults] == ["truncated"]


TAGS = [f"{tag:08X}" for tag in DicomDictionary] + [PRIVATE, "00090010", "60023000", "00020010", "0018FFFF"]
raws = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda vr, value, cut: explicit(vr, value)[: cut or None],
        st.sampled_from(sorted(VRS)),
        st.binary(max_size=40),
        st.integers(-6, 0),
    ),
    st.builds(
        lambda vr, value: explicit(vr, value, length=UNDEFINED_LENGTH),
        st.sampled_from(["SQ", "UN", "OB", "UT"]),
        st.lists(st.sampled_from([ITEM, SEQUENCE_END, PATIENT_ID, b"\0\0\0\0", b"LO\x02\x00ab"])).map(
            b"".join
        ),
    ),
)
encodings = st.builds(
    Encoding,
    st.sampled_from(["explicit", "implicit"]),
    st.sampled_from([(), ("ISO_IR 192",), ("", "ISO 2022 IR 87"), ("nonsense",)]),
    st.booleans(),
)


@given(st.sampled_from(TAGS), raws, encodings)
def test_no_bytes_raise(tag: str, raw: bytes, encoding: Encoding) -> None:
    cell = decode_element(tag, raw, encoding)
    assert len(cell.vr) in (0, 2)
    assert cell.empty or cell.values or cell.items or cell.bulk
    assert all(fault.detail.isascii() for fault in cell.faults)
