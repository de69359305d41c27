"""Whatever the bytes: a data set or a refusal, in bounded time and memory."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.dicom.part10.building import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    FIRST,
    FIRST_IMPLICIT,
    IMPLICIT,
    PATIENT,
    UNDEFINED,
    CountedSource,
    explicit,
    implicit,
    item,
    meta,
    open_items,
    part10,
    read,
    tag_bytes,
)

from heltig.dicom.cell import FAULT_KINDS, DataSet, Encoding, Fault
from heltig.dicom.part10 import UnreadableFile, read_header, read_items

NESTED = explicit(
    "00400275", "SQ", open_items(FIRST + explicit("00081140", "SQ", item(FIRST))), length=UNDEFINED
)
WHOLE = FIRST + NESTED + explicit("00430010", "UN", open_items(FIRST_IMPLICIT), length=UNDEFINED)
WHOLE_IMPLICIT = FIRST_IMPLICIT + implicit("00400275", open_items(FIRST_IMPLICIT), length=UNDEFINED)
FILES = [
    part10(WHOLE + explicit("7FE00010", "OW", bytes(40))),
    part10(WHOLE_IMPLICIT + implicit("7FE00010", bytes(40)), IMPLICIT),
    part10(
        explicit("00080060", "CS", b"CT", order=">") + explicit("00280010", "US", b"\0\1", order=">"),
        BIG_ENDIAN,
    ),
    WHOLE,
    meta() + WHOLE,
]


def faults_within(data_set: DataSet) -> list[Fault]:
    """The faults of a data set and of the items in it, read to a depth of four."""
    faults = list(data_set.faults)
    level = [(data_set.tags, data_set.raws, data_set.encoding)]
    for _ in range(4):
        deeper = []
        for tags, raws, encoding in level:
            for _, raw in zip(tags, raws, strict=True):
                items, found = read_items(bytes(raw), encoding)
                faults.extend(found)
                for inner in items:
                    faults.extend(inner.faults)
                    deeper.append((inner.tags, inner.raws, inner.encoding))
        level = deeper
    return faults


def survives(data: bytes) -> None:
    try:
        data_set = read_header(CountedSource(data))
    except UnreadableFile:
        return
    assert len(data_set.tags) == len(data_set.raws) > 0
    assert {fault.kind for fault in faults_within(data_set)} <= FAULT_KINDS.keys()
    assert sum(map(len, data_set.raws)) <= len(data)


@given(st.binary(max_size=600))
def test_random_bytes(data: bytes) -> None:
    survives(data)


@given(st.binary(max_size=300), st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, "1.2.3"]))
def test_random_data_sets(data: bytes, syntax: str) -> None:
    survives(part10(data, syntax))


@given(
    st.sampled_from(FILES),
    st.lists(
        st.tuples(st.integers(0, 400), st.binary(max_size=6), st.integers(0, 6)), min_size=1, max_size=4
    ),
)
@settings(max_examples=300)
def test_mutated_files(data: bytes, edits: list[tuple[int, bytes, int]]) -> None:
    for position, inserted, removed in edits:
        data = data[:position] + inserted + data[position + removed :]
    survives(data)


@pytest.mark.parametrize("data", FILES, ids=["explicit", "implicit", "big endian", "bare", "no preamble"])
def test_a_file_cut_anywhere_keeps_the_elements_before_the_cut(data: bytes) -> None:
    whole = read(data)
    for size in range(len(data)):
        try:
            cut = read(data[:size])
        except UnreadableFile:
            assert size < 180  # nothing but preamble and the start of the first elements
            continue
        kept = [raw for raw in cut.raws if raw in whole.raws]
        assert cut.tags == whole.tags[: len(cut.tags)]
        assert len(kept) >= len(cut.raws) - 1
        faults = {fault.kind for fault in faults_within(cut)}
        assert faults & {"truncated"} or len(cut.raws) == len(kept)


@given(st.binary(max_size=200), st.sampled_from(["explicit", "implicit"]))
def test_random_sequences(data: bytes, syntax: str) -> None:
    encoding = Encoding("explicit" if syntax == "explicit" else "implicit")
    for raw in (data, b"SQ\0\0\xff\xff\xff\xff" + data, b"\xff\xff\xff\xff" + data):
        read_items(raw, encoding)


@pytest.mark.parametrize(
    "claim",
    [
        explicit("00189999", "UT", b"ab", length=0xFFFFFFF0),
        explicit("00400275", "SQ", item(b"")[:-4] + b"\xf0\xff\xff\xff", length=0xFFFFFFF0),
        explicit("00400275", "SQ", item(b"")[:-4] + b"\xf0\xff\xff\xff", length=UNDEFINED),
        explicit("00291010", "OB", b"ab", length=0xFFFFFFF0),
    ],
    ids=["text", "sequence", "item", "binary"],
)
def test_a_length_allocates_nothing(claim: bytes) -> None:
    tracemalloc.start()
    read_header(CountedSource(part10(FIRST + claim)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 200_000


@pytest.mark.parametrize(
    "data",
    [
        part10(FIRST + bytes(8) * 40_000),
        part10(FIRST_IMPLICIT + b"\x11\x00\x22\x00\0\0\0\0" * 40_000, IMPLICIT),
        part10(FIRST + (tag_bytes("00110010") + b"ZZ\0\0") * 40_000),
        part10(FIRST + explicit("00100000", "UL", b"\4\0\0\0") * 25_000),
        part10(FIRST + explicit("00400275", "SQ", open_items(*[b""] * 10_000), length=UNDEFINED) * 2),
        part10(FIRST + explicit("00400275", "SQ", item(b""), length=UNDEFINED) * 10_000),
        part10(
            FIRST + b"".join(explicit(f"{n:04X}0010", "OB", length=0x10001) for n in range(0x11, 0x2000, 2))
        ),
    ],
    ids=["zeros", "duplicates", "undefined VRs", "group lengths", "items", "open sequences", "long claims"],
)
def test_many_small_pieces_take_no_long_time(data: bytes) -> None:
    start = time.process_time()
    survives(data)

    assert time.process_time() - start < 3


def test_a_refusal_shows_no_value() -> None:
    secret = b"Lindqvist^Astrid"
    data = bytes(128) + b"DICM" + secret * 40
    with pytest.raises(UnreadableFile) as caught:
        read(data)

    told = str(caught.value) + "".join(fault.detail for fault in caught.value.faults)
    assert "Lindqvist" not in told
    assert secret[:8].hex(" ") not in told
    damaged = read(part10(FIRST + PATIENT[:6] + b"\1" + secret))
    assert not any(secret[:4].hex(" ") in fault.detail.lower() for fault in damaged.faults)
