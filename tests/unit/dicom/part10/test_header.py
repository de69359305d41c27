"""Headers as they should be and as they are: cells, encodings, preambles, file meta, transfer syntaxes."""

import io
import re
import struct
import zlib
from pathlib import Path
from random import Random

import pytest
from unit.dicom.part10.building import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    FIRST,
    FIRST_IMPLICIT,
    IMPLICIT,
    JPEG,
    JPEG_STREAM,
    MPEG_4,
    PATIENT,
    RLE,
    SEQUENCE_END,
    UNDEFINED,
    CountedSource,
    cells,
    details,
    even,
    explicit,
    fragments,
    implicit,
    item,
    kinds,
    meta,
    open_items,
    part10,
    read,
    tag_bytes,
)

from heltig.dicom.cell import Encoding
from heltig.dicom.part10 import ForwardSource, NotDicom, SeekableSource, UnreadableFile, read_header

PIXELS = explicit("7FE00010", "OW", bytes(1000))


def test_explicit_cells_are_the_bytes_from_the_vr_on() -> None:
    data_set = read(part10(FIRST + explicit("00189999", "UT", b"text") + PIXELS))

    assert cells(data_set) == {
        "00080060": b"CS\x02\x00CT",
        "00100020": b"LO\x04\x00ID01",
        "00189999": b"UT\x00\x00\x04\x00\x00\x00text",
        "7FE00010": b"OW\x00\x00\xe8\x03\x00\x00",
    }
    assert data_set.tags[:3] == ("00020000", "00020001", "00020002")
    assert data_set.encoding == Encoding("explicit")
    assert data_set.faults == ()


def test_implicit_cells_are_the_bytes_from_the_length_on() -> None:
    data_set = read(part10(FIRST_IMPLICIT + implicit("7FE00010", bytes(10)), IMPLICIT))

    assert cells(data_set) == {
        "00080060": b"\x02\x00\x00\x00CT",
        "00100020": b"\x04\x00\x00\x00ID01",
        "0020000D": b"\x04\x00\x00\x001.20",
        "7FE00010": b"\x0a\x00\x00\x00",
    }
    assert data_set.encoding == Encoding("implicit")
    assert data_set.faults == ()


def test_the_encoding_is_that_of_the_data_set_itself() -> None:
    charset = explicit("00080005", "CS", b"\\ISO 2022 IR 87 ")
    signed = explicit("00280103", "US", b"\1\0")

    assert read(part10(charset + PATIENT + signed)).encoding == Encoding(
        "explicit", ("", "ISO 2022 IR 87"), signed=True
    )
    assert read(part10(explicit("00080005", "CS") + PATIENT)).encoding == Encoding("explicit")


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "OV"])
def test_a_long_binary_value_is_kept_as_its_header_and_passed_over(vr: str) -> None:
    long = explicit("00291010", vr, bytes(70_000))
    data_set = read(part10(FIRST + long + explicit("00400254", "LO", b"MR")))

    assert cells(data_set)["00291010"] == long[4:12]
    assert cells(data_set)["00400254"] == b"LO\x02\x00MR"
    assert data_set.faults == ()


def test_a_long_text_and_a_long_sequence_are_kept() -> None:
    text = explicit("00189999", "UT", b"x" * 100_000)
    sequence = explicit("00400275", "SQ", item(explicit("00400007", "LO", b"y" * 60_000)) * 3)

    kept = cells(read(part10(FIRST + text + sequence + PIXELS)))

    assert kept["00189999"] == text[4:]
    assert kept["00400275"] == sequence[4:]


def test_long_implicit_values_are_kept_where_they_are_text_or_items() -> None:
    text = implicit("00204000", b"z" * 100_000)
    items = implicit("00400275", item(implicit("00400007", b"y" * 90_000)))
    binary = implicit("00291010", bytes(100_000))

    kept = cells(read(part10(FIRST_IMPLICIT + text + binary + items, IMPLICIT)))

    assert kept["00204000"] == text[4:]
    assert kept["00400275"] == items[4:]
    assert kept["00291010"] == binary[4:8]


def test_a_sequence_of_undefined_length_is_one_slice_to_its_delimiter() -> None:
    inner = explicit("00081140", "SQ", open_items(FIRST, b""), length=UNDEFINED)
    outer = explicit("00400275", "SQ", open_items(inner + PATIENT, FIRST), length=UNDEFINED)

    data_set = read(part10(FIRST + outer + PIXELS))

    assert cells(data_set)["00400275"] == outer[4:]
    assert data_set.tags[-1] == "7FE00010"
    assert data_set.faults == ()


def test_un_of_undefined_length_is_implicit_inside() -> None:
    content = implicit("00091001", open_items(FIRST_IMPLICIT), length=UNDEFINED)
    unknown = explicit("00091010", "UN", open_items(content), length=UNDEFINED)

    data_set = read(part10(explicit("00080060", "CS", b"CT") + unknown + PATIENT))

    assert cells(data_set)["00091010"] == unknown[4:]
    assert cells(data_set)["00100020"] == PATIENT[4:]


def test_fragments_outside_pixel_data_are_passed_over() -> None:
    fragments = explicit("00420011", "OB", item(bytes(10)) * 2 + SEQUENCE_END, length=UNDEFINED)

    data_set = read(part10(FIRST + fragments + explicit("00420012", "LO", b"AB")))

    assert cells(data_set)["00420011"] == fragments[4:12]
    assert cells(data_set)["00420012"] == b"LO\x02\x00AB"


@pytest.mark.parametrize("tag", ["7FE00008", "7FE00009", "7FE00010"])
def test_pixel_data_are_not_read(tag: str) -> None:
    source = CountedSource(part10(FIRST + explicit(tag, "OW", bytes(1_000_000))))

    data_set = read_header(source)

    assert data_set.tags[-1] == tag
    assert source.asked <= 8192


def test_a_header_longer_than_the_first_read_is_read_on() -> None:
    elements = b"".join(explicit(f"0019{n:04X}", "LO", b"value " * 8) for n in range(0x1000, 0x1400))
    source = CountedSource(part10(FIRST + elements + PIXELS * 1000))

    data_set = read_header(source)

    assert len(cells(data_set)) == 2 + 1024 + 1
    assert source.given < 4 * len(elements)


def test_a_file_and_a_stream_read_alike(tmp_path: Path) -> None:
    data = part10(FIRST + explicit("00291010", "OB", bytes(200_000)) + PIXELS)
    path = tmp_path / "a.dcm"
    path.write_bytes(data)

    with path.open("rb", buffering=0) as file:
        from_file = read_header(SeekableSource(file), origin="a.dcm")
    from_stream = read_header(ForwardSource(io.BytesIO(data), size=len(data)), origin="a.dcm")

    assert from_file == from_stream
    assert from_file.origin == "a.dcm"


# -- preamble and file meta


@pytest.mark.parametrize(
    ("preamble", "said"),
    [
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"II+\0", "BigTIFF"),
        (b"MZ", "executable"),
        (b"\x7fELF", "executable"),
        (b"#!", "script"),
        (b"anything", "not zero"),
    ],
)
def test_a_preamble_that_is_not_zero_is_named(preamble: bytes, said: str) -> None:
    data_set = read(part10(FIRST, preamble=preamble))

    assert kinds(data_set) == ["preamble"]
    assert said in details(data_set)[0]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "preamble and prefix are absent"),
        (b"DICM", "the preamble is absent"),
        (bytes(128), "the DICM prefix is absent"),
        (bytes(132), "the DICM prefix is absent"),
    ],
)
def test_a_missing_preamble_or_prefix_is_a_fault(start: bytes, said: str) -> None:
    data_set = read(start + meta() + FIRST)

    assert details(data_set) == [said]
    assert cells(data_set)["00100020"] == PATIENT[4:]


@pytest.mark.parametrize(("data", "syntax"), [(FIRST + PIXELS, "explicit"), (FIRST_IMPLICIT, "implicit")])
def test_a_bare_data_set_is_read(data: bytes, syntax: str) -> None:
    data_set = read(data)

    assert kinds(data_set) == ["preamble", "file-meta"]
    assert data_set.encoding.syntax == syntax
    assert cells(data_set)["00100020"].endswith(b"ID01")


@pytest.mark.parametrize(
    ("file_meta", "said"),
    [
        (b"", "group 0002 is absent"),
        (meta(None), "00020010 (Transfer Syntax UID) is absent"),
        (meta(version=False), "00020001 (File Meta Information Version) is absent"),
        (meta(length=999), "00020000 declares 999 bytes, group 0002 has 76"),
        (meta(length=14), "00020000 declares 14 bytes, group 0002 has 76"),
        (meta(length=15), "00020000 declares 15 bytes, group 0002 has 76"),
        (meta()[12:], "00020000 (File Meta Information Group Length) is absent"),
    ],
)
def test_file_meta_that_is_absent_or_wrong_is_a_fault(file_meta: bytes, said: str) -> None:
    data_set = read(bytes(128) + b"DICM" + file_meta + FIRST + PIXELS)

    assert details(data_set) == [said]
    assert kinds(data_set) == ["file-meta"]
    assert list(cells(data_set)) == ["00080060", "00100020", "7FE00010"]


def test_file_meta_without_vrs_is_read_and_said() -> None:
    file_meta = implicit("00020000", struct.pack("<I", 28)) + implicit("00020010", EXPLICIT.encode() + b"\0")

    data_set = read(bytes(128) + b"DICM" + file_meta + FIRST)

    assert data_set.raws[1] == b"UI\x14\x00" + EXPLICIT.encode() + b"\0"
    assert cells(data_set)["00100020"] == PATIENT[4:]
    assert "implicit-in-explicit" in kinds(data_set)


# -- how the data set is written


def test_explicit_vr_where_implicit_is_declared() -> None:
    data_set = read(part10(FIRST + PIXELS, IMPLICIT))

    assert kinds(data_set) == ["explicit-in-implicit"]
    assert cells(data_set)["00100020"] == PATIENT[4:]


def test_implicit_vr_where_explicit_is_declared() -> None:
    data_set = read(part10(FIRST_IMPLICIT, EXPLICIT))

    assert kinds(data_set) == ["implicit-in-explicit"]
    assert cells(data_set)["00100020"] == b"\x04\x00\x00\x00ID01"
    assert data_set.encoding.syntax == "implicit"


@pytest.mark.parametrize(("data", "syntax"), [(FIRST, "explicit"), (FIRST_IMPLICIT, "implicit")])
def test_a_private_transfer_syntax_is_guessed_without_a_fault(data: bytes, syntax: str) -> None:
    data_set = read(part10(data, "1.2.826.0.1.3680043.99.1"))

    assert data_set.encoding.syntax == syntax
    assert data_set.faults == ()


def test_one_element_without_vr_is_read_by_the_dictionary() -> None:
    data_set = read(part10(FIRST + implicit("00100030", b"19700101") + explicit("00100040", "CS", b"O ")))

    assert kinds(data_set) == ["implicit-in-explicit"]
    assert cells(data_set)["00100030"] == b"DA\x08\x0019700101"
    assert cells(data_set)["00100040"] == b"CS\x02\x00O "


def test_a_deflated_data_set_is_inflated() -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = (
        deflater.compress(FIRST + explicit("00189999", "UT", b"x" * 90_000) + PIXELS) + deflater.flush()
    )

    data_set = read(part10(deflated, DEFLATED))

    assert cells(data_set)["00100020"] == PATIENT[4:]
    assert len(cells(data_set)["00189999"]) == 90_008
    assert data_set.tags[-1] == "7FE00010"
    assert data_set.faults == ()


def test_what_was_inflated_before_damage_is_kept() -> None:
    deflater = zlib.compressobj(level=0, wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(FIRST + explicit("00189999", "UT", b"x" * 90_000)) + deflater.flush()

    data_set = read(part10(deflated[:50_000], DEFLATED))

    assert cells(data_set)["00100020"] == PATIENT[4:]
    assert kinds(data_set) == ["truncated", "truncated"]


def _deflated(data_set: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data_set) + deflater.flush()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("seekable", [True, False])
def test_a_deflated_file_that_is_cut_in_its_pixel_data_is_truncated(share: float, seekable: bool) -> None:
    noise = Random(7).randbytes(300_000)
    whole = part10(_deflated(FIRST + explicit("7FE00010", "OW", noise)), DEFLATED)
    data = whole[: int(len(whole) * share)]

    data_set = read(data) if seekable else read_header(ForwardSource(io.BytesIO(data), size=len(data)))

    assert kinds(data_set) == ["truncated", "truncated"]
    there = re.fullmatch(r"7FE00010 declares 300000 bytes, ([0-9]+) are there", details(data_set)[1])
    assert there
    assert int(there[1]) < 300_000
    assert re.fullmatch(r"the deflated data have no end, [0-9]+ bytes were inflated", details(data_set)[0])
    assert read(whole).faults == ()


def test_deflated_pixel_data_may_be_shorter_than_they_say() -> None:
    data_set = read(part10(_deflated(FIRST + explicit("7FE00010", "OW", bytes(900), length=1000)), DEFLATED))

    assert details(data_set) == ["7FE00010 declares 1000 bytes, 900 are there"]


def test_deflated_pixel_data_may_be_damaged() -> None:
    deflated = bytearray(_deflated(FIRST + explicit("7FE00010", "OW", Random(7).randbytes(300_000))))
    middle = slice(150_000, 230_000)
    deflated[middle] = b"\xff" * len(deflated[middle])

    assert kinds(read(part10(bytes(deflated), DEFLATED))) == ["unreadable", "truncated"]


def test_pixels_that_inflate_beyond_measure_are_not_inflated_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heltig.dicom.part10.transfer.HEADER_LIMIT", 1_000_000)
    pixels = explicit("7FE00010", "OW", bytes(5_000_000))

    data_set = read(part10(_deflated(FIRST + pixels), DEFLATED))

    assert kinds(data_set) == ["unreadable"]
    (detail,) = details(data_set)
    assert re.fullmatch(r"the data set passes the [0-9]{7} bytes that are inflated", detail)


@pytest.mark.parametrize(("data", "syntax"), [(FIRST, DEFLATED), (FIRST, BIG_ENDIAN)])
def test_a_data_set_that_is_neither_deflated_nor_big_endian_is_read_as_it_is(
    data: bytes, syntax: str
) -> None:
    data_set = read(part10(data, syntax))

    assert kinds(data_set) == ["transfer-syntax"]
    assert cells(data_set)["00100020"] == PATIENT[4:]


def big(tag: str, vr: str, value: bytes) -> bytes:
    return explicit(tag, vr, value, order=">")


def big_item(content: bytes) -> bytes:
    return tag_bytes("FFFEE000", ">") + struct.pack(">I", len(content)) + content


BIG_DATA = (
    big("00080060", "CS", b"CT")
    + big("00081140", "SQ", big_item(big("00081150", "UI", b"1.20") + big("00280010", "US", b"\1\0")))
    + big("00189073", "FD", struct.pack(">d", 1.5))
    + big("00280010", "US", b"\2\0")
    + big("00280009", "AT", b"\x00\x18\x10\x63")
    + big("00281201", "OW", b"\1\2\3\4")
    + big("7FE00010", "OW", bytes(1000))
)
LITTLE_CELLS = {
    "00080060": b"CS\x02\x00CT",
    "00081140": explicit(
        "00081140", "SQ", item(explicit("00081150", "UI", b"1.20") + explicit("00280010", "US", b"\0\1"))
    )[4:],
    "00189073": b"FD\x08\x00" + struct.pack("<d", 1.5),
    "00280010": b"US\x02\x00\x00\x02",
    "00280009": b"AT\x04\x00\x18\x00\x63\x10",
    "00281201": b"OW\x00\x00\x04\x00\x00\x00\2\1\4\3",
    "7FE00010": b"OW\x00\x00\xe8\x03\x00\x00",
}


@pytest.mark.parametrize("start", [bytes(128) + b"DICM" + meta(BIG_ENDIAN), b""])
def test_big_endian_comes_out_little_endian(start: bytes) -> None:
    data_set = read(start + BIG_DATA)

    assert cells(data_set) == LITTLE_CELLS
    assert data_set.encoding.syntax == "explicit"


def test_damage_inside_a_big_endian_sequence_stays_inside() -> None:
    damaged = BIG_DATA.replace(b"UI", b"\x07\x07")

    assert cells(read(part10(damaged, BIG_ENDIAN)))["00280010"] == LITTLE_CELLS["00280010"]


# -- order, group lengths, lengths


def test_elements_out_of_order_and_twice_are_named_and_kept() -> None:
    data_set = read(part10(FIRST + explicit("00080070", "LO", b"AB") + PATIENT))

    assert data_set.tags[-4:] == ("00080060", "00100020", "00080070", "00100020")
    assert [(f.kind, f.detail) for f in data_set.faults] == [
        ("tag-order", "00080070 stands after 00100020"),
        ("tag-duplicate", "00100020 stands twice"),
    ]


@pytest.mark.parametrize(
    ("declared", "said"), [(22, "is present"), (30, "declares 30 bytes, the group has 22")]
)
def test_group_lengths_are_retired(declared: int, said: str) -> None:
    group = (
        explicit("00100000", "UL", struct.pack("<I", declared)) + PATIENT + explicit("00100040", "CS", b"O ")
    )
    data_set = read(part10(explicit("00080060", "CS", b"CT") + group + explicit("0020000D", "UI", b"1.20")))

    assert kinds(data_set) == ["group-length"]
    assert details(data_set) == [f"00100000 {said}"]


def test_the_group_lengths_of_a_directory_are_not_retired() -> None:
    data = explicit("00040000", "UL", b"\x0a\0\0\0") + explicit("00041130", "CS", b"AB")

    assert read(part10(data + FIRST)).faults == ()


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (explicit("7FE00010", "OW", bytes(90), length=100), "7FE00010 declares 100 bytes, 90 are there"),
        (explicit("7FE00010", "OW", length=100), "7FE00010 declares 100 bytes, 0 are there"),
    ],
)
def test_pixel_data_shorter_than_declared_are_truncated(pixels: bytes, said: str) -> None:
    data_set = read_header(CountedSource(part10(FIRST + pixels)))

    assert kinds(data_set) == ["truncated"]
    assert details(data_set) == [said]


_PADDING = explicit("FFFCFFFC", "OB", bytes(200))


@pytest.mark.parametrize("there", [8, 11, 12, 100, 211])
@pytest.mark.parametrize("before", [b"", explicit("FFF10010", "LO", b"PADDERS ")])
@pytest.mark.parametrize(
    ("pixels", "syntax"),
    [
        (PIXELS, EXPLICIT),
        (fragments(JPEG_STREAM), JPEG),
    ],
)
def test_padding_that_is_cut_is_truncated(pixels: bytes, syntax: str, before: bytes, there: int) -> None:
    data_set = read(part10(FIRST + pixels + before + _PADDING[:there], syntax))

    assert kinds(data_set) == ["truncated"]
    assert "FFFCFFFC" in details(data_set)[0]


@pytest.mark.parametrize("there", [9, 16_975, 16_982])
def test_padding_of_implicit_vr_that_is_cut_is_truncated(there: int) -> None:
    padding = implicit("FFFCFFFC", bytes(int.from_bytes(b"OB", "little")))  # its length looks like a VR
    data = FIRST_IMPLICIT + implicit("7FE00010", bytes(100))

    assert kinds(read(part10(data + padding[:there], IMPLICIT))) == ["truncated"]
    assert read(part10(data + padding, IMPLICIT)).faults == ()


FRAGMENTS = fragments(JPEG_STREAM, bytes(300)).removesuffix(SEQUENCE_END)


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (SEQUENCE_END, []),
        (SEQUENCE_END + explicit("FFFCFFFC", "OB", bytes(20)), []),
        (SEQUENCE_END + b"rubbish and more", ["trailing"]),
        (b"", ["truncated"]),
        (item(b"")[:-4] + b"\x64\0\0\0" + bytes(20), ["truncated"]),
        (b"no fragment", ["unreadable"]),
    ],
)
def test_encapsulated_pixel_data_end_with_a_delimiter(after: bytes, found: list[str]) -> None:
    assert kinds(read(part10(FIRST + FRAGMENTS + after, JPEG))) == found


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (explicit("FFFCFFFC", "OB", bytes(20)), []),
        (explicit("FFFAFFFA", "SQ"), []),
        (PIXELS, ["tag-duplicate"]),
        (explicit("FFFCFFFC", "OB") + explicit("FFFAFFFA", "SQ"), ["tag-order"]),
        (bytes(20), ["trailing"]),
        (b"x", ["trailing"]),
    ],
)
def test_what_follows_pixel_data(after: bytes, found: list[str]) -> None:
    assert kinds(read(part10(FIRST + PIXELS + after))) == found


RLE_STREAM = b"\1\0\0\0\x40\0\0\0" + bytes(60)


def frames(number: str) -> bytes:
    return FIRST + explicit("00280008", "IS", even(number.encode()))


@pytest.mark.parametrize(
    ("number", "pixels", "syntax", "found"),
    [
        ("2", fragments(JPEG_STREAM, JPEG_STREAM), JPEG, []),
        ("2", fragments(JPEG_STREAM, bytes(10), JPEG_STREAM, offsets=2), JPEG, []),
        ("2", fragments(JPEG_STREAM, b"", bytes(10), JPEG_STREAM), JPEG, []),
        ("many", fragments(JPEG_STREAM), JPEG, []),
        ("3", fragments(JPEG_STREAM, JPEG_STREAM), JPEG, ["2 fragments for 3 frames"]),
        ("3", fragments(JPEG_STREAM, JPEG_STREAM, b""), JPEG, ["2 fragments for 3 frames"]),
        ("2", fragments(JPEG_STREAM, JPEG_STREAM, bytes(9), offsets=3), JPEG, ["3 offsets for 2 frames"]),
        ("1", fragments(JPEG_STREAM, offsets=2), JPEG, ["2 offsets for 1 frame"]),
        ("2", fragments(), JPEG, ["no fragment has anything in it"]),
        ("2", fragments(b""), MPEG_4, ["no fragment has anything in it"]),
        ("20", fragments(bytes(50)), MPEG_4, []),
        ("1", fragments(RLE_STREAM), RLE, []),
        ("1", fragments(JPEG_STREAM), RLE, ["JPEG where RLE is declared"]),
        ("1", fragments(b"\xff\xd8\xff\xe0" + bytes(9)), JPEG, []),
        ("1", fragments(b"\xff\xff" + JPEG_STREAM), JPEG, []),
        ("1", fragments(b"\xff\x4f\xff\x51" + bytes(9)), JPEG, ["JPEG 2000 where JPEG is declared"]),
        ("1", fragments(bytes(20)), JPEG, ["no known kind where JPEG is declared"]),
    ],
)
def test_fragments_are_those_of_the_frames_and_of_the_transfer_syntax(
    number: str, pixels: bytes, syntax: str, found: list[str]
) -> None:
    assert details(read(part10(frames(number) + pixels, syntax))) == found


def test_of_a_stream_read_forward_the_first_fragment_is_looked_at() -> None:
    data = part10(frames("9") + fragments(bytes(40_000), bytes(40_000)), JPEG)
    source = CountedSource(data)

    assert details(read_header(source)) == ["no known kind where JPEG is declared"]
    assert source.given < 20_000


@pytest.mark.parametrize(("offsets", "found"), [(0, []), (9, ["9 offsets for 5000 frames"])])
def test_the_fragments_of_a_slide_are_not_counted(offsets: int, found: list[str]) -> None:
    pixels = fragments(JPEG_STREAM, JPEG_STREAM, offsets=offsets)
    assert details(read(part10(frames("5000") + pixels, JPEG))) == found


@pytest.mark.parametrize("zeros", [1, 8, 20, 100_000])
def test_zeros_after_the_data_set_are_trailing(zeros: int) -> None:
    for data, syntax in ((FIRST, EXPLICIT), (FIRST_IMPLICIT, IMPLICIT)):
        data_set = read(part10(data + bytes(zeros), syntax))
        assert kinds(data_set) == ["trailing"]
        assert cells(data_set)["00100020"].endswith(b"ID01")


def test_a_delimiter_that_ends_nothing_is_said_and_passed() -> None:
    data_set = read(part10(FIRST + SEQUENCE_END + explicit("00100040", "CS", b"O ")))

    assert kinds(data_set) == ["trailing"]
    assert cells(data_set)["00100040"] == b"CS\x02\x00O "


# -- damage


@pytest.mark.parametrize("vr", ["ZZ", "c?", "\0\1"])
def test_vr_bytes_that_are_none_cost_one_element(vr: str) -> None:
    data_set = read(part10(FIRST + explicit("00101010", vr, b"045Y") + explicit("00101020", "DS", b"1.70")))

    assert kinds(data_set) == ["vr-unknown"]
    assert vr.encode("latin-1").hex(" ").upper() in details(data_set)[0]
    assert cells(data_set)["00101010"] == vr.encode("latin-1") + b"\x04\x00045Y"
    assert cells(data_set)["00101020"] == b"DS\x04\x001.70"


def test_an_undefined_vr_with_a_long_length_is_followed() -> None:
    new = tag_bytes("00101010") + b"ZQ\0\0" + struct.pack("<I", 6) + b"abcdef"

    data_set = read(part10(FIRST + new + explicit("00101020", "DS", b"1.70")))

    assert cells(data_set)["00101010"] == new[4:]
    assert cells(data_set)["00101020"] == b"DS\x04\x001.70"


def test_a_value_that_runs_past_the_end_is_kept_as_its_header() -> None:
    data_set = read(part10(FIRST + explicit("00104000", "LT", b"only this", length=500)))

    assert cells(data_set)["00104000"] == b"LT\xf4\x01"
    assert details(data_set) == ["00104000 declares 500 bytes, 9 are there"]
    assert cells(data_set)["00100020"] == PATIENT[4:]


@pytest.mark.parametrize("undefined", [True, False])
def test_a_sequence_that_is_cut_off_keeps_its_first_items(undefined: bool) -> None:
    length = UNDEFINED if undefined else 500
    sequence = explicit("00400275", "SQ", item(FIRST) + item(FIRST)[:20], length=length)

    data_set = read(part10(FIRST + sequence))

    assert kinds(data_set) == ["truncated"]
    assert cells(data_set)["00400275"] == sequence[4:]


@pytest.mark.parametrize("content", [b"no items at all" * 2, item(FIRST) + b"no item"])
def test_a_damaged_sequence_without_an_end_ends_the_reading(content: bytes) -> None:
    data_set = read(part10(FIRST + explicit("00400275", "SQ", content, length=UNDEFINED) + PIXELS))

    assert kinds(data_set) == ["unreadable"]
    assert data_set.tags[-2:] == ("00100020", "00400275")


@pytest.mark.parametrize(
    "content",
    [
        b"no items at all" + SEQUENCE_END,
        open_items(FIRST)[:-16] + SEQUENCE_END,
        open_items(explicit("00081140", "SQ", b"damage" + SEQUENCE_END, length=UNDEFINED)),
    ],
    ids=["text", "open item", "nested"],
)
def test_damage_in_a_sequence_costs_no_element_after_it(content: bytes) -> None:
    data_set = read(part10(FIRST + explicit("00400275", "SQ", content, length=UNDEFINED) + PIXELS))

    assert kinds(data_set) == ["unreadable"]
    assert details(data_set)[0].startswith("00400275: ")
    assert data_set.tags[-2:] == ("00400275", "7FE00010")


def test_sequences_nested_too_deep_are_kept_as_their_header() -> None:
    content = FIRST
    for _ in range(70):
        content = explicit("00400275", "SQ", open_items(content), length=UNDEFINED)
    data_set = read(part10(FIRST + content + explicit("00400280", "ST", b"AB")))

    assert kinds(data_set) == ["nesting"]
    assert cells(data_set)["00400275"] == b"SQ\0\0\xff\xff\xff\xff"
    assert cells(data_set)["00400280"] == b"ST\x02\x00AB"


def test_bytes_that_are_no_element_end_the_reading_with_what_was_read() -> None:
    data_set = read(part10(FIRST + b"\x99\x88\x77\x66\x05\x04\x03\x02\x01\x00\x11\x12" * 4))

    assert kinds(data_set) == ["vr-unknown", "unreadable"]
    assert list(cells(data_set)) == ["00080060", "00100020"]


def test_a_length_that_leads_astray_is_named() -> None:
    astray = explicit("00104000", "LT", b"short", length=300)

    data_set = read(part10(FIRST + astray + explicit("7FE00010", "OW", bytes(500) + b"x" * 500)))

    assert kinds(data_set) == ["unreadable"]
    assert details(data_set)[0].endswith("after 00104000")


def test_a_file_that_ends_after_its_file_meta() -> None:
    data_set = read(part10(b""))

    assert details(data_set) == ["the file ends after its file meta"]
    assert cells(data_set) == {}


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\xff\xd8\xff\xe0" + b"JFIF" * 100, bytes(4000), b"PK\3\4" * 80]
)
def test_what_is_no_dicom_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotDicom):
        read(data)


def test_a_prefix_without_an_element_is_unreadable() -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(bytes(128) + b"DICM" + b"\xff" * 300)

    assert not isinstance(caught.value, NotDicom)
    assert caught.value.reason == "no element can be read"
    assert [fault.kind for fault in caught.value.faults] == ["file-meta", "unreadable"]


def test_what_is_held_of_a_header_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heltig.dicom.part10.window.HEADER_LIMIT", 100_000)
    source = CountedSource(part10(FIRST + explicit("00189999", "UT", b"x" * 2_000_000)))

    data_set = read_header(source)

    assert kinds(data_set) == ["unreadable"]
    assert cells(data_set)["00189999"] == b"UT\0\0\x80\x84\x1e\0"
    assert source.given < 400_000


def test_what_is_inflated_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heltig.dicom.part10.transfer.HEADER_LIMIT", 100_000)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(FIRST + explicit("00291010", "OB", bytes(50_000_000))) + deflater.flush()

    data_set = read(part10(bomb, DEFLATED))

    assert cells(data_set)["00100020"] == PATIENT[4:]
    assert kinds(data_set) == ["truncated", "unreadable"]


def test_the_number_of_elements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heltig.dicom.part10.walker.ELEMENT_LIMIT", 100)
    elements = b"".join(explicit(f"0019{n:04X}", "LO") for n in range(0x1000, 0x3000))

    data_set = read(part10(FIRST + elements))

    assert kinds(data_set) == ["nesting"]
    assert len(data_set.tags) < 2000


def test_a_long_value_without_vr_is_un_where_its_vr_has_no_room_for_the_length() -> None:
    data_set = read(part10(FIRST + implicit("00104000", b"x" * 70_000) + PIXELS))

    assert cells(data_set)["00104000"] == b"UN\0\0" + struct.pack("<I", 70_000) + b"x" * 70_000
    assert kinds(data_set) == ["implicit-in-explicit"]


def test_a_wrong_group_length_reads_alike_whatever_was_read_before() -> None:
    strange = explicit("00AB1234", "LO", b"never seen before") + explicit("00020013", "SH", b"LATE")
    data = bytes(128) + b"DICM" + meta(length=1_000) + strange + FIRST + PIXELS

    assert read(data) == read(data)
