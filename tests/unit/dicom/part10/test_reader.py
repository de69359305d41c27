"""Headers one after the other: `HeaderReader` must say what the walk says, whatever came before."""

import io
import struct
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.dicom.part10.building import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    JPEG_STREAM,
    SEQUENCE_END,
    UNDEFINED,
    CountedSource,
    even,
    explicit,
    fragments,
    implicit,
    item,
    open_items,
    part10,
)

from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import HeaderReader, HeaderSource, SeekableSource, UnreadableFile, read_header
from heltig.dicom.stencil import Filled

Value = bytes | None
Element = tuple[str, str, Value]


def part10_of(uid: bytes, data_set: bytes, syntax: str, preamble: bytes) -> bytes:
    """A file whose meta names its instance."""
    named = explicit("00020003", "UI", even(uid, b"\0"))
    start, rest = part10(b"", syntax, preamble=preamble), part10(data_set, syntax, preamble=preamble)
    length = struct.unpack_from("<I", start, 140)[0] + len(named)
    place = start.index(b"\x02\x00\x10\x00")
    return rest[:140] + struct.pack("<I", length) + rest[144:place] + named + rest[place:]


def image(
    number: int,
    *,
    series: bytes = b"1.2",
    before: bytes = b"",
    more: bytes = b"",
    pixels: bytes | None = None,
    charset: bytes = b"ISO_IR 100",
    syntax: str = EXPLICIT,
    preamble: bytes = b"",
) -> bytes:
    """An image of a series, explicit VR: UIDs and number are its own."""
    uid = b"%s.%d" % (series, number)
    data_set = (
        explicit("00080005", "CS", charset)
        + before
        + explicit("00080018", "UI", even(uid, b"\0"))
        + explicit("00080060", "CS", b"CT")
    )
    data_set += explicit("00100010", "PN", b"Muster^Max") + explicit("00100020", "LO", b"ID01")
    data_set += explicit("0020000D", "UI", b"1.20") + explicit("0020000E", "UI", even(series, b"\0"))
    data_set += (
        explicit("00200013", "IS", even(b"%d" % number)) + explicit("00280010", "US", b"\x08\0") + more
    )
    pixels = explicit("7FE00010", "OW", bytes(128)) if pixels is None else pixels
    return part10_of(uid, data_set + pixels, syntax, preamble)


def implicit_image(number: int, *, first: bytes = b"ORIGINAL") -> bytes:
    uid = even(b"1.2.%d" % number, b"\0")
    data_set = implicit("00080008", first) + implicit("00080018", uid) + implicit("00080060", b"CT")
    data_set += (
        implicit("00100020", b"ID01") + implicit("0020000E", b"1.20") + implicit("00280010", b"\x08\0")
    )
    data_set += implicit("00400275", open_items(implicit("00080018", uid)), length=UNDEFINED)
    return part10_of(uid, data_set + implicit("7FE00010", bytes(64)), IMPLICIT, b"")


def swapped_image(number: int, order: str) -> bytes:
    """An image that says it is big endian, in this order of bytes."""
    uid = even(b"1.2.%d" % number, b"\0")
    elements = [("00080018", "UI", uid), ("00080060", "CS", b"CT"), ("00100020", "LO", b"ID01")]
    elements += [("0020000D", "UI", b"1.20"), ("0020000E", "UI", b"1.21"), ("7FE00010", "OB", bytes(64))]
    data_set = b"".join(explicit(tag, vr, value, order=order) for tag, vr, value in elements)
    return part10_of(uid, data_set, BIG_ENDIAN, b"")


def series(count: int) -> list[bytes]:
    return [image(number) for number in range(1, count + 1)]


def outcome(read: Callable[[], DataSet]) -> tuple[object, ...]:
    """Everything that reading a header comes to."""
    try:
        header = read()
    except UnreadableFile as refusal:
        return type(refusal), refusal.reason, refusal.faults
    return header.tags, [bytes(raw) for raw in header.raws], header.encoding, header.faults, header.origin


def read_alike(files: Sequence[bytes]) -> list[bool]:
    """Read files one after the other and hold each against the walk; tells which of them a stencil fitted."""
    return _read_alike(files, CountedSource) and _read_alike(files, _seekable)


def _seekable(data: bytes) -> HeaderSource:
    return SeekableSource(io.BytesIO(data))


def _read_alike(files: Sequence[bytes], source: Callable[[bytes], HeaderSource]) -> list[bool]:
    reader = HeaderReader()
    fitted = []
    for data in files:
        read: list[DataSet] = []

        def stencilled(data: bytes = data, read: list[DataSet] = read) -> DataSet:
            read.append(reader.read(source(data), origin="a.dcm"))
            return read[0]

        def walked(data: bytes = data) -> DataSet:
            return read_header(source(data), origin="a.dcm")

        assert outcome(stencilled) == outcome(walked)
        fitted.append(bool(read) and isinstance(read[0].raws, Filled))
    return fitted


# -- where a stencil is used


def test_a_series_is_walked_until_it_is_known_where_its_headers_differ() -> None:
    assert read_alike(series(30)) == [False] * 5 + [True] * 25


def test_values_may_become_longer_and_shorter() -> None:
    assert all(read_alike([image(number) for number in (5, 6, 7, 8, 9, 10, 99, 100, 1000, 7)])[5:])


def test_the_first_header_of_another_series_is_walked() -> None:
    files = [image(number, series=uid) for uid in (b"1.2", b"1.33", b"1.4") for number in range(1, 9)]

    assert read_alike(files).count(False) == 5 + 1 + 1


def test_series_may_lie_side_by_side() -> None:
    extra = explicit("00281050", "DS", b"40")
    files = [image(number, more=extra * (number % 2)) for number in range(1, 31)]

    assert read_alike(files).count(False) == 10


def test_a_value_that_changes_now_and_then_gets_a_hole() -> None:
    files = [
        image(number, before=explicit("00080008", "CS", b"A" * (number // 10))) for number in range(1, 60)
    ]

    assert read_alike(files).count(False) == 5 + 1


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG, "1.2.3.4"])
def test_encapsulated_pixel_data(syntax: str) -> None:
    pixels = fragments(JPEG_STREAM)

    assert all(read_alike([image(n, syntax=syntax, pixels=pixels) for n in range(1, 12)])[5:])


def test_implicit_vr() -> None:
    assert all(read_alike([implicit_image(number) for number in range(5, 12)])[5:])


@pytest.mark.parametrize("vr", ["SQ", "UN"])
def test_a_sequence_of_undefined_length_that_differs(vr: str) -> None:
    files = []
    for number in range(1, 10):
        inner = implicit if vr == "UN" else lambda tag, value: explicit(tag, "LO", value)
        items = open_items(*[inner("00080104", b"AB")] * number)
        files.append(image(number, more=explicit("00400275", vr, items, length=UNDEFINED)))

    assert all(read_alike(files)[5:])


def test_a_header_longer_than_the_first_read() -> None:
    long = explicit("00291010", "OB", bytes(9_000))

    assert all(read_alike([image(number, more=long) for number in range(5, 12)])[5:])


def test_no_more_is_read_than_the_header() -> None:
    reader = HeaderReader()
    for number in range(1, 10):
        source = CountedSource(image(number, pixels=explicit("7FE00010", "OW", bytes(100_000))))
        reader.read(source)

    assert source.asked <= 8192


# -- where it must not be


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(image(9, charset=b"ISO_IR 192"), id="character set"),
        pytest.param(image(9, before=explicit("00080008", "CS", b"AX")), id="element more"),
        pytest.param(image(9, pixels=explicit("7FE00010", "OW", bytes(130))), id="longer pixel data"),
        pytest.param(image(9, more=explicit("00280103", "US", b"\1\0")), id="pixel representation"),
        pytest.param(image(9, syntax=IMPLICIT), id="transfer syntax"),
        pytest.param(image(9, syntax=BIG_ENDIAN), id="byte order"),
        pytest.param(image(9, syntax=DEFLATED), id="deflated"),
        pytest.param(image(9, preamble=b"II*\0"), id="preamble"),
        pytest.param(image(9, pixels=b""), id="no pixel data"),
        pytest.param(
            image(9, pixels=explicit("7FE00010", "OW", bytes(9), length=128)), id="short pixel data"
        ),
        pytest.param(image(9) + b"more", id="trailing"),
        pytest.param(image(9).replace(b"PN", b"LO"), id="VR"),
        pytest.param(image(9).replace(b"PN", b"ZZ"), id="undefined VR"),
        pytest.param(image(9)[:300], id="cut"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no DICOM at all", id="no DICOM"),
    ],
)
def test_a_stranger_among_neighbours(other: bytes) -> None:
    read_alike([*series(7), other, other, other, *series(3)])


@pytest.mark.parametrize("wrong", [-1, 1, 300])
def test_a_wrong_group_length_of_the_meta_is_seen(wrong: int) -> None:
    data = image(10)
    (length,) = struct.unpack_from("<I", data, 140)
    header = data[:140] + struct.pack("<I", length + wrong) + data[144:]

    assert read_alike([*series(8), image(10), header])[-2:] == [True, False]


@pytest.mark.parametrize(
    "more",
    [
        explicit("00291010", "OB", bytes(70_000)),
        explicit("00291010", "OB", item(bytes(4)) + SEQUENCE_END, length=UNDEFINED),
        explicit("00189999", "UT", b"x" * 70_000),
        explicit("00400275", "SQ", item(b"") + SEQUENCE_END[:4], length=UNDEFINED),
    ],
    ids=["long", "fragments", "text", "damaged sequence"],
)
def test_values_that_are_not_kept_or_need_thought(more: bytes) -> None:
    short = more[:4] + more[4:8] + b"\2\0\0\0ab"

    read_alike([image(n, more=short[:-1] + b"%d" % n if n < 8 else more) for n in range(1, 12)])


def nested(depth: int) -> bytes:
    return open_items(explicit("00400275", "SQ", nested(depth - 1), length=UNDEFINED) if depth > 1 else b"")


def test_a_sequence_nested_too_deeply_to_be_kept() -> None:
    depths = [*range(1, 9), 64, 65]
    files = [image(n, more=explicit("00400275", "SQ", nested(n), length=UNDEFINED)) for n in depths]

    assert read_alike(files)[-2:] == [True, False]


def test_a_transfer_syntax_that_the_data_set_belies() -> None:
    others = [image(number, syntax=JPEG) for number in range(8, 12)]

    read_alike([*series(7), *others, image(9, syntax=IMPLICIT)])


def test_a_byte_order_that_the_data_set_belies() -> None:
    read_alike([*(swapped_image(number, ">") for number in range(1, 9)), swapped_image(9, "<")])


def test_a_first_element_that_looks_like_big_endian() -> None:
    def strange(number: int, value: bytes) -> bytes:
        first = explicit("09000010", "LO", value.ljust(1024))
        return part10_of(b"1.%d" % number, first + explicit("7FE00010", "OW", bytes(64)), EXPLICIT, b"")

    files = [strange(number, b"%d" % number) for number in range(1, 9)]

    read_alike([*files, strange(9, b"1234\0\x10\0\x10LO\xff\xff")])


def test_a_first_length_that_looks_like_a_vr() -> None:
    cs = int.from_bytes(b"CS", "little")
    looks_explicit = b"".join(explicit(f"0010{n:04X}", "LO", b"AB") for n in range(32, 40))
    files = [implicit_image(number, first=b"%d" % number * (cs - number)) for number in range(1, 9)]

    read_alike([*files, implicit_image(9, first=looks_explicit.ljust(cs))])


# -- headers longer than the first read


def test_the_first_read_may_end_anywhere() -> None:
    start = len(image(1, before=explicit("00080006", "LO"))) - 128
    for size in range(8_192 - start, 8_192, 7):
        long = explicit("00080006", "LO", bytes(size))
        items = explicit("00400275", "SQ", open_items(b""), length=UNDEFINED)
        files = [image(n, before=long, more=items * (n % 2)) for n in range(1, 9)]
        other = image(9, before=long, more=items)

        assert read_alike([*files[::2], *files, other, other + b"more", other[:-1]])[-3:] == [True] * 3


@pytest.mark.parametrize(
    "other",
    [
        image(9, before=explicit("00080006", "LO", bytes(9_000))).replace(b"PN", b"LO"),
        image(
            9, before=explicit("00080006", "LO", bytes(9_000)), more=explicit("00291010", "OB", bytes(70_000))
        ),
        image(
            9,
            before=explicit("00080006", "LO", bytes(9_000)),
            pixels=explicit("7FE00010", "OB", item(bytes(9)) + SEQUENCE_END, length=UNDEFINED),
        ).replace(b"PN", b"LO"),
        image(
            9,
            before=explicit("00080006", "LO", bytes(9_000)),
            pixels=explicit("7FE00010", "OB", item(bytes(9)) + SEQUENCE_END, length=UNDEFINED) + b"more",
        ),
        image(9, before=explicit("00080006", "LO", bytes(9_000)), pixels=b"")[:-20],
    ],
    ids=["VR", "long value", "fragments", "trailing", "cut"],
)
def test_a_stranger_that_starts_alike(other: bytes) -> None:
    long = explicit("00080006", "LO", bytes(9_000))
    encapsulated = explicit("7FE00010", "OB", item(bytes(9)) + SEQUENCE_END, length=UNDEFINED)
    for pixels in (None, encapsulated):
        read_alike([*(image(n, before=long, pixels=pixels) for n in range(1, 9)), other, other])


def test_no_more_is_read_ahead_than_the_walk_reads() -> None:
    long = [explicit("00080006", "LO", bytes(9_000)), explicit("00404009", "UT", bytes(40_000))]
    reader = HeaderReader()
    for number in range(1, 9):
        reader.read(CountedSource(image(number, before=long[0], more=long[1])))
    other = image(9, before=long[0]) + bytes(60_000)
    source, walked = CountedSource(other), CountedSource(other)

    assert reader.read(source).tags == read_header(walked).tags
    assert source.given == walked.given


def test_retired_group_lengths_are_counted_in_each_header() -> None:
    charset = explicit("00080005", "CS", b"ISO_IR 100")
    files = []
    for number in (1, 2, 3, 4, 5, 10, 11, 99):
        uid = explicit("00080018", "UI", even(b"1.2.%d" % number, b"\0"))
        size = len(charset) + len(uid) + len(explicit("00080060", "CS", b"CT")) + 2 * (number == 11)
        length = explicit("00080000", "UL", struct.pack("<I", size))
        files.append(image(number).replace(charset, length + charset))

    assert read_alike(files) == [False] * 5 + [True] * 3


def test_a_preamble_that_all_have() -> None:
    assert all(read_alike([image(number, preamble=b"II*\0") for number in range(1, 9)])[5:])


# -- whatever the bytes


values = st.sampled_from([b"", b"ab", b"abcd", b"1.2.34", b"x" * 30, b"\xff\xff", b"PNLO\0\0"])
edits = st.lists(
    st.tuples(st.integers(100, 420), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=2
)


@st.composite
def neighbours(draw: st.DrawFn) -> list[bytes]:
    """Files with the same elements most of the time, in which some values and some bytes differ."""
    is_explicit = draw(st.booleans())
    long = draw(st.sampled_from([0, 0, 9_000]))

    def element(tag: str, vr: str, value: bytes, *, length: int | None = None) -> bytes:
        return explicit(tag, vr, value, length=length) if is_explicit else implicit(tag, value, length=length)

    files = []
    for _ in range(draw(st.integers(6, 10))):
        items = [element("00080104", "LO", value) for value in draw(st.lists(values, max_size=2))]
        data_set = element("00080008", "CS", draw(values)) + element("00080018", "UI", draw(values))
        data_set += element("0008103E", "LO", b"the same") + element("00100010", "PN", draw(values))
        data_set += element("00180050", "DS", b"1.25") + element("00200013", "IS", b"12")
        data_set += element("00280103", "US", draw(st.sampled_from([b"\0\0", b"\0\0", b"\1\0"])))
        data_set += element("00291010", "OB", bytes(long)) + element("00400002", "DA", b"20240101")
        if draw(st.booleans()):
            data_set += element("00400275", "SQ", open_items(*items), length=UNDEFINED)
        else:
            data_set += element("00400275", "SQ", b"".join(map(item, items)))
        data_set += element("7FE00010", "OW", bytes(40))
        data = part10_of(draw(values), data_set, EXPLICIT if is_explicit else IMPLICIT, b"")
        if draw(st.integers(0, 3)) == 0:
            for position, inserted, removed in draw(edits):
                data = data[:position] + inserted + data[position + removed :]
        files.append(data)
    return files


@given(neighbours())
@settings(max_examples=300, deadline=None)
def test_any_neighbours_are_read_as_if_alone(files: list[bytes]) -> None:
    read_alike(files)
