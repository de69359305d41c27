"""Text decoded by Specific Character Set: the standard's examples, pydicom as oracle, and damaged text."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from heltig.dicom.cell import Fault
from heltig.dicom.charset import DEFINED_TERMS, decode_text, split_values

charsets = st.lists(st.sampled_from(["", *DEFINED_TERMS, "UTF-8", "nonsense"]), max_size=4).map(tuple)
text_vrs = st.sampled_from(["LO", "LT", "PN", "SH", "ST", "UC", "UT", "CS", "UI"])


def by_pydicom(data: bytes, charset: tuple[str, ...]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return decode_bytes(data, convert_encodings(list(charset)), TEXT_VR_DELIMS)


# -- what the standard shows (PS3.5 annexes H to K) and what all sets have


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ((), b"Smith^John", "Smith^John"),
        (("ISO_IR 100",), b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (("ISO_IR 101",), b"W\xb3odarczyk", "Włodarczyk"),
        (("ISO_IR 109",), b"\xc6i\xb6", "Ĉiĥ"),
        (("ISO_IR 110",), b"K\xe0rli\xf2\xb9", "Kārliōš"),
        (("ISO_IR 144",), b"\xbb\xee\xdace\xdc\xd1yp\xd3", "Люкceмбypг"),
        (("ISO_IR 127",), b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
        (("ISO_IR 126",), b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
        (("ISO_IR 138",), b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
        (("ISO_IR 148",), b"\xc7avu\xfeo\xf0lu", "Çavuşoğlu"),
        (("ISO_IR 203",), b"\xa4 \xbduvre", "€ œuvre"),
        (("ISO_IR 166",), b"\xb9\xd2\xc1\xca\xa1\xd8\xc5", "นามสกุล"),
        (("ISO_IR 13",), b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        (("ISO_IR 192",), "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
        (("GB18030",), b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
        (("GBK",), b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\x96|", "Wang^XiaoDong=王^小東"),
        (
            ("", "ISO 2022 IR 87"),
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            ("ISO 2022 IR 13", "ISO 2022 IR 87"),
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (("", "ISO 2022 IR 159"), b"\x1b$(D0!\x1b(B.", "丂."),
        (
            ("", "ISO 2022 IR 149"),
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (
            ("", "ISO 2022 IR 58"),
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        (
            ("ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 126"),
            b"Dionysios is \x1b-F\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2 or \x1b-L\xbb\xee\xda or \x1b-A\xe9",
            "Dionysios is Διονυσιος or Люк or é",
        ),
    ],
)
def test_every_defined_term_reads_its_text(charset: tuple[str, ...], data: bytes, text: str) -> None:
    assert decode_text(data, charset, vr="PN") == (text, ())


@pytest.mark.parametrize("term", sorted(set(DEFINED_TERMS) & set(python_encoding) - {"ISO 2022 IR 87"}))
def test_each_byte_is_the_character_that_pydicom_reads(term: str) -> None:
    for byte in range(256):
        if byte != 0x1B:
            data = bytes([byte, byte])
            assert decode_text(data, (term,), vr="LO")[0] == by_pydicom(data, (term,))


ESCAPES = {
    "ISO 2022 IR 100": (b"\x1b-A", "ÄéÉ"),
    "ISO 2022 IR 101": (b"\x1b-B", "ŁĄž"),
    "ISO 2022 IR 109": (b"\x1b-C", "ĈĦş"),
    "ISO 2022 IR 110": (b"\x1b-D", "ĀĸŊ"),
    "ISO 2022 IR 144": (b"\x1b-L", "Люк"),
    "ISO 2022 IR 127": (b"\x1b-G", "قبا"),
    "ISO 2022 IR 126": (b"\x1b-F", "Διο"),
    "ISO 2022 IR 138": (b"\x1b-H", "שרו"),
    "ISO 2022 IR 148": (b"\x1b-M", "Çşğ"),
    "ISO 2022 IR 203": (b"\x1b-b", "€œŽ"),
    "ISO 2022 IR 166": (b"\x1b-T", "นาม"),
    "ISO 2022 IR 13": (b"\x1b)I", "ﾔﾏﾀ"),
    "ISO 2022 IR 149": (b"\x1b$)C", "洪홍길"),
    "ISO 2022 IR 58": (b"\x1b$)A", "张小东"),
    "ISO 2022 IR 87": (b"\x1b$B", "山田太"),
    "ISO 2022 IR 159": (b"\x1b$(D", "丂丄丅"),
}
PAIRS = {"ISO 2022 IR 87": "iso2022_jp", "ISO 2022 IR 159": "iso2022_jp_2"}
PYDICOM_CANNOT = {"ISO 2022 IR 58", "ISO 2022 IR 203"}  # keeps the escape sequences; does not know the term


@st.composite
def extended_texts(draw: st.DrawFn) -> tuple[tuple[str, ...], bytes, str]:
    """Values in several sets: the terms, the bytes as PS3.5 6.1.2.5 has them written, and the text."""
    terms = draw(st.lists(st.sampled_from(sorted(ESCAPES)), min_size=1, max_size=4, unique=True))
    written, text = [], []
    for term in draw(st.lists(st.sampled_from(terms), max_size=6)):
        escape, alphabet = ESCAPES[term]
        word = draw(st.text(st.sampled_from(alphabet), min_size=1))
        text.append(f"a{word}b")
        if term in PAIRS:  # these codecs write the escape sequences, there and back
            written.append(b"a" + word.encode(PAIRS[term]) + b"b")
        else:
            written.append(b"a" + escape + word.encode(DEFINED_TERMS[term]) + b"b")
    return ("", *terms), b"\\".join(written), "\\".join(text)


@given(extended_texts())
def test_every_set_can_be_switched_to(written: tuple[tuple[str, ...], bytes, str]) -> None:
    charset, data, text = written
    assert decode_text(data, charset, vr="LO") == (text, ())
    if not PYDICOM_CANNOT & set(charset):
        assert by_pydicom(data, charset) == text


# -- code extensions


@pytest.mark.parametrize(
    ("vr", "data", "text"),
    [
        ("PN", b"\x1b-F\xc4^\xc4", "Δ^Ä"),
        ("PN", b"\x1b-F\xc4=\xc4", "Δ=Ä"),
        ("PN", b"\x1b-F\xc4\\\xc4", "Δ\\Ä"),
        ("LO", b"\x1b-F\xc4\\\xc4", "Δ\\Ä"),
        ("LO", b"\x1b-F\xc4^\xc4=\xc4", "Δ^Δ=Δ"),
        ("LT", b"\x1b-F\xc4\\\xc4", "Δ\\Δ"),
        ("LT", b"\x1b-F\xc4\r\n\xc4", "Δ\r\nÄ"),
        ("UT", b"\x1b-F\xc4\f\xc4\x1b-F\xc4\t\xc4", "Δ\fÄΔ\tÄ"),
        ("LO", b"\x1b$)C\xb1\xe8\\\xb1", "김\\±"),
        ("LT", b"\x1b$B;3\n;3", "山\n;3"),
    ],
)
def test_delimiters_bring_the_first_set_back(vr: str, data: bytes, text: str) -> None:
    charset = ("ISO 2022 IR 100", "ISO 2022 IR 126", "ISO 2022 IR 149", "ISO 2022 IR 87")
    assert decode_text(data, charset, vr=vr) == (text, ())


def test_a_kanji_made_of_delimiter_codes_is_no_delimiter() -> None:
    data = b"\x1b$B\\\\^==^\x1b(B\\B"
    text, faults = decode_text(data, ("", "ISO 2022 IR 87"), vr="PN")
    assert split_values(text, vr="PN") == ("樛渊殉", "B")
    assert faults == ()


def test_a_katakana_set_stays_while_kanji_are_switched_in() -> None:
    charset = ("ISO 2022 IR 13", "ISO 2022 IR 87")
    assert decode_text(b"\x1b$B;3 \xd4 ;3\x1b(J\xd4", charset, vr="LO") == ("山 ﾔ 山ﾔ", ())


def test_a_set_that_is_not_declared_is_read_with_a_fault() -> None:
    for charset in ((), ("ISO_IR 100",), ("ISO_IR 192",), ("", "ISO 2022 IR 149")):
        text, faults = decode_text(b"Yamada=\x1b$B;3ED\x1b(B.", charset, vr="PN")
        assert text == "Yamada=山田."
        assert faults == (
            Fault(
                "charset-escape",
                "the escape sequence at offset 7 is of ISO 2022 IR 87, which is not declared",
            ),
        )


@pytest.mark.parametrize(
    "escape", [b"\x1b$@", b"\x1b(", b"\x1b", b"\x1bN", b"\x1b\x1b", b"\x1b-Z", b"\x1b \xe4"]
)
def test_an_unknown_escape_sequence_stays_in_the_text(escape: bytes) -> None:
    text, faults = decode_text(b"A" + escape, ("ISO 2022 IR 100", "ISO 2022 IR 87"), vr="LO")
    assert text == "A" + escape.decode("latin_1")
    assert faults == (Fault("charset-escape", "the escape sequence at offset 1 is none that DICOM has"),)


# -- damage


def test_bytes_that_the_set_does_not_have_are_replaced_and_named() -> None:
    text, faults = decode_text(b"M\xfcller^J\xfcrgen", ("ISO_IR 192",), vr="PN")
    assert text == "M\ufffdller^J\ufffdrgen"
    assert faults == (Fault("charset-undecodable", "byte 0xFC at offset 1 is not in ISO_IR 192"),)


def test_an_offset_counts_from_the_start_of_the_value_field() -> None:
    data = b"ab\x1b$B;3\x21\x7e\x7e\x7e;3"
    text, faults = decode_text(data, ("", "ISO 2022 IR 87"), vr="LO")
    assert text.startswith("ab山◇\ufffd")
    assert faults == (Fault("charset-undecodable", "byte 0x7E at offset 9 is not in ISO 2022 IR 87"),)


def test_text_without_a_declared_set_shows_its_bytes() -> None:
    for vr, charset in (("LO", ()), ("LO", ("",)), ("LO", ("ISO_IR 6",)), ("CS", ("ISO_IR 192",))):
        text, faults = decode_text("Ä".encode(), charset, vr=vr)
        assert text.encode("latin_1") == "Ä".encode()
        detail = "byte 0xC3 at offset 0 is not in the default repertoire, read as ISO 8859-1"
        assert faults == (Fault("charset-undecodable", detail),)


def test_a_delimiter_s_byte_inside_a_character_of_the_first_set_resets_nothing() -> None:
    text, faults = decode_text(b"\x81\\\x1b-F\xc4\\\x81\\", ("GB18030",), vr="LO")
    assert split_values(text, vr="LO") == ("乗Δ", "乗")
    assert [fault.kind for fault in faults] == ["charset-escape"]


def test_shift_jis_in_the_name_of_jis_x_0201_is_read_with_a_fault() -> None:
    text, faults = decode_text("山田".encode("shift_jis"), ("ISO_IR 13",), vr="PN")
    assert text == "山田"
    assert faults == (
        Fault("charset-undecodable", "byte 0x8E at offset 0 is not in ISO_IR 13, read as Shift JIS"),
    )


@given(st.binary(max_size=40), charsets, text_vrs)
def test_no_bytes_raise_and_no_fault_quotes_them(data: bytes, charset: tuple[str, ...], vr: str) -> None:
    text, faults = decode_text(data, charset, vr=vr)
    assert isinstance(text, str)
    assert len({fault.kind for fault in faults}) == len(faults)
    assert all(fault.kind in ("charset-undecodable", "charset-escape") for fault in faults)
    assert all(fault.detail.isascii() for fault in faults)
    if "\ufffd" in text and not faults:
        assert "\ufffd".encode() in data or "\ufffd".encode("gb18030") in data


@given(st.text(st.characters(max_codepoint=127, exclude_characters="\x1b")), charsets, text_vrs)
def test_ascii_is_ascii_in_every_set(text: str, charset: tuple[str, ...], vr: str) -> None:
    assert decode_text(text.encode("ascii"), charset, vr=vr) == (text, ())


# -- splitting


@pytest.mark.parametrize("term", ["GB18030", "GBK"])
def test_a_backslash_byte_inside_a_character_does_not_split(term: str) -> None:
    data = b"\x81\\\\B"
    assert split_values(decode_text(data, (term,), vr="LO")[0], vr="LO") == (b"\x81\\".decode("gbk"), "B")


def test_only_vrs_of_several_values_are_split() -> None:
    assert split_values("a\\b", vr="LO") == ("a", "b")
    assert [split_values("a\\b", vr=vr) for vr in ("LT", "ST", "UT", "UR")] == [("a\\b",)] * 4
