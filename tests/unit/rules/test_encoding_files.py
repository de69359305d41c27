"""The rules about encoding and pixels on whole files, from the first byte to the finding."""

import struct
from datetime import date

import pytest
from unit.dicom.part10.building import (
    BIG_ENDIAN,
    EXPLICIT,
    FIRST,
    FIRST_IMPLICIT,
    IMPLICIT,
    JPEG,
    UNDEFINED,
    explicit,
    implicit,
    item,
    open_items,
    part10,
    read,
    tag_bytes,
)

from heltig.dicom.study import StudyTable
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context

RULESET = Ruleset((r for r in catalogue().values() if r.id.startswith(("ENC-", "PIX-"))), Profile())
CONTEXT = Context(date(2026, 1, 1), Parameters())
CT = "1.2.840.10008.5.1.4.1.1.2"


def found(*files):
    """The rules with their observed values that come of files."""
    table = StudyTable("1.2", "1.2")
    for data in files:
        table.add(read(data))
    table.arrange()
    evaluation = evaluate(RULESET, table, CONTEXT)
    assert evaluation.errors == ()
    return {(finding.rule, finding.observed) for finding in evaluation.findings}


def rules(*files):
    return {rule for rule, _ in found(*files)}


def image(pixels=None, *, syntax=EXPLICIT, frames="", rows=2, length=None):
    """A CT image of two columns, eight bits a pixel, without file meta that these tests do not look at."""
    numbers = (("00280002", 1), ("00280010", rows), ("00280011", 2), ("00280100", 8), ("00280101", 8))
    elements = [
        explicit("00080016", "UI", CT.encode() + b"\0"),
        explicit("00080018", "UI", b"1.2.3\0"),
        *([explicit("00280008", "IS", frames.encode())] if frames else []),
        explicit("00280004", "CS", b"MONOCHROME2 "),
        *(explicit(tag, "US", struct.pack("<H", number)) for tag, number in numbers),
        explicit("00280102", "US", b"\x07\0"),
        explicit("00280103", "US", b"\0\0"),
        explicit("00281052", "DS", b"0 "),
        explicit("00281053", "DS", b"1 "),
    ]
    if pixels is not None:
        elements.append(explicit("7FE00010", "OB", pixels, length=length))
    return part10(b"".join(sorted(elements, key=_tag)), syntax)


def _tag(element):
    group, number = struct.unpack("<HH", element[:4])
    return group << 16 | number


def beyond_meta(*files):
    """What is found apart from the UID that these files leave out of group 0002."""
    return {(rule, observed) for rule, observed in found(*files) if rule != "ENC-META-INCOMPLETE"}


def test_an_image_as_it_should_be():
    assert beyond_meta(image(b"\1\2\3\4")) == set()


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (None, {}, {("PIX-DATA-MISSING", "no pixel data")}),
        (b"", {}, {("PIX-DATA-MISSING", "no pixel data")}),
        (b"\1\2", {}, {("PIX-LENGTH", "2 bytes")}),
        (b"\1\2\3", {}, {("PIX-LENGTH", "3 bytes"), ("ENC-ODD-LENGTH", "3 bytes")}),
        (b"\1\2\3\4", {"frames": "2 "}, {("PIX-FRAMES", "2, in CT Image")}),
        (b"\1\2\3\4\5\6\7\x08", {"frames": "2 "}, {("PIX-FRAMES", "2, in CT Image")}),
        (b"\1\2\3\4", {"rows": 0}, {("PIX-ROWSCOLS-ZERO", "0")}),
        (
            b"\1\2\3\4",
            {"syntax": JPEG},
            {
                ("PIX-LENGTH", "4 bytes in one piece, with JPEG Baseline (Process 1)"),
                ("ENC-TS-LOSSY-FLAG", "absent, with JPEG Baseline (Process 1)"),
            },
        ),
        (
            item(b"") + item(b"\1\2") + bytes.fromhex("FEFFDDE000000000"),
            {"length": UNDEFINED},
            {("PIX-LENGTH", "fragments, with Explicit VR Little Endian")},
        ),
        (b"\1\2", {"length": 4}, {("ENC-TRUNCATED", "7FE00010 declares 4 bytes, 2 are there")}),
    ],
)
def test_pixel_data(pixels, options, expected):
    assert beyond_meta(image(pixels, **options)) == expected


def test_the_same_uid_in_both_places_however_they_are_written():
    uid = explicit("00020003", "UI", b"1.2.3\0")
    meta = bytes(128) + b"DICM" + uid + explicit("00020010", "UI", IMPLICIT.encode() + b"\0")
    same = meta + implicit("00080018", b"1.2.3\0") + FIRST_IMPLICIT
    other = meta + implicit("00080018", b"1.2.4\0") + FIRST_IMPLICIT
    assert "ENC-META-MISMATCH" not in rules(same)
    assert ("ENC-META-MISMATCH", "1.2.3 for 1.2.4") in found(same, other)


@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        (FIRST, IMPLICIT),
        (FIRST_IMPLICIT, EXPLICIT),
        (FIRST, BIG_ENDIAN),
        (FIRST_IMPLICIT, BIG_ENDIAN),
        (FIRST_IMPLICIT, JPEG),
    ],
)
def test_a_data_set_that_is_not_as_its_transfer_syntax_says(data, syntax):
    assert "ENC-IMPLICIT-IN-EXPLICIT" in rules(part10(data, syntax))


def test_a_data_set_without_anything_before_it_is_one_finding():
    assert found(FIRST) == {("ENC-META-MISSING", "group 0002 is absent")}


@pytest.mark.parametrize(
    ("preamble", "expected"),
    [(b"", set()), (b"II*\0", {"ENC-PREAMBLE"}), (b"MZ", {"ENC-PREAMBLE-PROGRAM"}), (b"x", {"ENC-PREAMBLE"})],
)
def test_preambles(preamble, expected):
    assert {rule for rule in rules(part10(FIRST, preamble=preamble)) if "PREAMBLE" in rule} == expected


SQ = "00081140"
UID = explicit("00081155", "UI", b"1.2.3\0")


def nested(levels, *, is_open):
    """A sequence in a sequence, and so on."""
    value = UID
    for _ in range(levels):
        content = open_items(value) if is_open else item(value)
        value = explicit(SQ, "SQ", content, length=UNDEFINED if is_open else None)
    return value


@pytest.mark.parametrize("is_open", [True, False])
def test_sequences_nested_without_end_are_told(is_open):
    told = {"ENC-NESTING", "ENC-ITEM"}
    assert told.isdisjoint(
        rules(part10(explicit("00080018", "UI", b"1.2.3\0") + nested(20, is_open=is_open)))
    )
    deep = part10(explicit("00080018", "UI", b"1.2.3\0") + nested(3000, is_open=is_open))
    assert rules(deep) & told == ({"ENC-NESTING"} if is_open else {"ENC-ITEM"})


def test_a_file_that_ends_in_a_sequence_is_one_finding():
    whole = part10(FIRST + explicit("00321064", "SQ", open_items(UID), length=UNDEFINED))
    assert rules(whole) <= {"ENC-META-INCOMPLETE"}
    for lost in (10, 20, 26):
        assert rules(whole[:-lost]) - {"ENC-META-INCOMPLETE"} == {"ENC-TRUNCATED"}
    defined = part10(FIRST + explicit("00321064", "SQ", item(UID + UID)))
    assert rules(defined[:-10]) - {"ENC-META-INCOMPLETE"} == {"ENC-TRUNCATED"}


def test_an_element_without_vr_among_others():
    data = FIRST + tag_bytes("00100040") + struct.pack("<I", 2) + b"F " + explicit("0020000D", "UI", b"1.20")
    assert "ENC-IMPLICIT-IN-EXPLICIT" in rules(part10(data))
