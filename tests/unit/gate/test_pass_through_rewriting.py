"""Addresses in answers: the archive's own lead through the gate, and nothing else changes."""

import json
from collections.abc import Callable, Iterable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.gate.pass_through_resource import resource_of
from heltig.gate.rewriting import LONGEST, JsonAddresses, Roots
from heltig.gate.rewriting_parts import PartLocations

QIDO = "https://pacs.example/qido"
WADO = "https://pacs.example:8443/dicom-web"
GATE = "https://heltig.example/gate/main"
BASE = f"{WADO}/studies/1.2/metadata"
INSTANCE = "studies/1.2/series/1.3/instances/1.4"
ROOTS = Roots([QIDO, WADO], GATE)


@pytest.mark.parametrize(
    ("address", "led"),
    [
        (f"{WADO}/{INSTANCE}/bulk/7fe00010", f"{GATE}/{INSTANCE}/bulk/7fe00010"),
        (f"{WADO}/{INSTANCE}/bulk/7fe00010?a=1&b=%20#c", f"{GATE}/{INSTANCE}/bulk/7fe00010?a=1&b=%20"),
        (f"{QIDO}/studies/1.2", f"{GATE}/studies/1.2"),
        ("HTTPS://PACS.EXAMPLE:8443/dicom-web/studies/1.2", f"{GATE}/studies/1.2"),
        ("https://user:word@pacs.example:8443/dicom-web/studies/1.2", f"{GATE}/studies/1.2"),
        ("http://pacs.example:80/qido/studies/1.2", f"{GATE}/studies/1.2"),  # TLS ends before it
        ("bulkdata/a", f"{GATE}/studies/1.2/bulkdata/a"),
        ("../1.2/bulkdata/a?b=1", f"{GATE}/studies/1.2/bulkdata/a?b=1"),
        ("/dicom-web/studies/1.2/bulkdata/a", f"{GATE}/studies/1.2/bulkdata/a"),
        ("//pacs.example:8443/dicom-web/studies/1.2", f"{GATE}/studies/1.2"),
    ],
)
def test_the_archives_own_lead_through_the_gate(address: str, led: str) -> None:
    assert ROOTS.through(address, BASE) == led
    assert ROOTS.is_through(led)


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/dicom-web/studies/1.2",
        "https://pacs.example:9000/dicom-web/studies/1.2",
        "https://pacs.example.evil/qido/studies/1.2",
        "https://pacs.example/qidox/studies/1.2",
        "https://pacs.example/qido@evil/studies/1.2",
        f"{WADO}/servers",
        f"{WADO}/studies/%2e%2e/servers",
        f"{WADO}/studies/1.2/bulkdata/../../../x",
        f"{WADO}/studies/1.2?a b",
        "file:///etc/passwd",
        "s3://bucket/studies/1.2",
        "javascript:alert(1)",
        "http://[::1/studies/1.2",
        "http://pacs.example:port/qido/studies/1.2",
        "",
        "http://\u00e9/x",
        "a\r\nb",
        "x" * (LONGEST + 1),
    ],
)
def test_others_stay_as_they_are(address: str) -> None:
    assert ROOTS.through(address, BASE) == address
    assert not ROOTS.is_through(address)


UIDS = st.text("0123456789.", min_size=1, max_size=80)
BELOW = st.text("abc/.%2e019", max_size=12)


@given(UIDS, UIDS, UIDS, BELOW)
def test_those_that_are_plain_are_led_like_all_others(study: str, series: str, sop: str, below: str) -> None:
    path = f"studies/{study}/series/{series}/instances/{sop}/{below}"
    written_otherwise = f"HTTPS{WADO.removeprefix('https')}/{path}"
    plain = ROOTS.through(f"{WADO}/{path}", BASE)
    if ROOTS.is_through(plain):
        assert ROOTS.through(written_otherwise, BASE) == plain
        assert resource_of(path) is not None
    else:
        assert not ROOTS.is_through(ROOTS.through(written_otherwise, BASE))


def test_a_relative_one_that_leaves_the_archive_means_what_it_meant() -> None:
    assert ROOTS.through("../../../system", BASE) == "https://pacs.example:8443/system"
    assert ROOTS.through("/admin", BASE) == "https://pacs.example:8443/admin"


def test_a_text_that_names_the_archive_names_the_gate() -> None:
    said = f'299 {WADO}: "There are additional results"'
    assert ROOTS.with_gate(said) == f'299 {GATE}: "There are additional results"'


def rewritten(text: bytes, cuts: Iterable[int]) -> bytes:
    addresses = JsonAddresses(partial(ROOTS.through, base=BASE), partial(ROOTS.retrieve, base=BASE))
    return in_pieces(text, cuts, addresses.feed) + addresses.close()


def in_pieces(text: bytes, cuts: Iterable[int], feed: Callable[[bytes], bytes]) -> bytes:
    places = sorted({min(cut, len(text)) for cut in cuts})
    ends = [*places, len(text)]
    return b"".join(feed(text[start:end]) for start, end in zip([0, *places], ends, strict=True))


METADATA = b"""[ {"00081190" : {"vr":"UR", "Value" : ["%(wado)s/studies/1.2", null,
"http:\\/\\/x.example\\/y"]},
"00091001":{"vr":"AT","Value":["00081190"]},
"00091002":{"vr":"LO","Value":["BulkDataURI", "\\"BulkDataURI\\":1"]},
"00101002":{"vr":"SQ","Value":[{"00081190":{"Value":["%(odd)s\\/studies\\/1.2\\/series\\/1.3"],"vr":"UR"}}]},
"00101003":{"vr":"DS","Value":[1.50, 1e-05, 2.0]}, "00101010":{"vr":"UR"}, "00081190":{"vr":"UR"},
"7FE00010": {"vr":"OW","BulkDataURI" :\t"bulkdata/7fe00010?x=1"},
"00420011":{"BulkDataURI":"https://x.example/a","vr":"OB"}}]
""" % {b"wado": WADO.encode(), b"odd": WADO.replace("/", "\\/").encode()}
METADATA_LED = (
    METADATA.replace(b'"%s/studies/1.2"' % WADO.encode(), b'"%s/studies/1.2"' % GATE.encode())
    .replace(
        b'"%s\\/studies\\/1.2\\/series\\/1.3"' % WADO.replace("/", "\\/").encode(),
        b'"%s/studies/1.2/series/1.3"' % GATE.encode(),
    )
    .replace(b'"bulkdata/7fe00010?x=1"', b'"%s/studies/1.2/bulkdata/7fe00010?x=1"' % GATE.encode())
)


@pytest.mark.parametrize(
    "address",
    [f"{WADO}/studies/1.2%5C1.3", f"{QIDO}/studies/1.2\\\\1.3", "../../studies/1.2%2f3", f"{WADO}/servers"],
)
def test_a_retrieve_url_of_the_archive_that_cannot_be_led_is_left_out(address: str) -> None:
    row = b'[{"00081190":{"vr":"UR","Value":["%s"]},"0020000D":{"vr":"UI"}}]' % address.encode()
    assert rewritten(row, [30]) == b'[{"00081190":{"vr":"UR"},"0020000D":{"vr":"UI"}}]'


@given(st.lists(st.integers(0, len(METADATA)), max_size=12))
def test_metadata_changes_in_its_addresses_alone_however_it_is_cut(cuts: list[int]) -> None:
    assert rewritten(METADATA, cuts) == METADATA_LED


def test_metadata_byte_by_byte() -> None:
    assert rewritten(METADATA, range(len(METADATA))) == METADATA_LED
    assert json.loads(METADATA_LED)[0]["00101003"] == {"vr": "DS", "Value": [1.5, 1e-05, 2.0]}


@given(st.binary(max_size=300) | st.text('"BulkDataURI: {}\\/00081190[]vr', max_size=200).map(str.encode))
def test_what_has_no_address_of_the_archive_comes_out_as_it_went_in(text: bytes) -> None:
    for cuts in ([], range(0, len(text), 3)):
        assert rewritten(text, cuts) == text


def test_no_more_is_kept_than_an_address_is_long() -> None:
    addresses = JsonAddresses(partial(ROOTS.through, base=BASE), partial(ROOTS.retrieve, base=BASE))
    endless = b'"BulkDataURI":"' + b"x" * LONGEST
    assert addresses.feed(b"[" + endless) + addresses.feed(b"y" * LONGEST)
    assert addresses.close() in (b"", b"y" * LONGEST)


def parts(text: bytes, cuts: Iterable[int], boundary: str = "b-1") -> tuple[bytes, bool]:
    made = PartLocations(boundary, partial(ROOTS.through, base=BASE))
    return in_pieces(text, cuts, made.feed) + made.close(), made.is_whole


BODY = (
    b"--b-1\r\nContent-Type: text/plain\r\ncontent-location:  %(wado)s/studies/1.2/bulkdata/a \r\n\r\n"
    b"\x00\r\n--b-\r\n--b-2\r\nContent-Location: %(wado)s/studies/1.2/bulkdata/a\r\n\r\n"
    b"\r\n--b-1\r\n\r\nno header\r\n--b-1\r\nContent-Location: https://x.example/a\r\nX: y\r\n\r\n\r"
    b"\r\n--b-1--\r\nContent-Location: %(wado)s/studies/1.2\r\n\r\nepilogue"
) % {b"wado": WADO.encode()}
BODY_LED = BODY.replace(b"content-location:  %s" % WADO.encode(), b"content-location:  %s" % GATE.encode())


@given(st.lists(st.integers(0, len(BODY)), max_size=12), st.sampled_from([b"", b"\r\n", b"preamble\r\n"]))
def test_parts_change_in_their_locations_alone_however_they_are_cut(cuts: list[int], before: bytes) -> None:
    assert parts(before + BODY, cuts) == (before + BODY_LED, True)


def test_parts_byte_by_byte_and_cut_off() -> None:
    assert parts(BODY, range(len(BODY))) == (BODY_LED, True)
    whole = BODY.index(b"--b-1--")
    for end in range(whole + 7):
        text, is_whole = parts(BODY[:end], [end // 2])
        assert BODY_LED.startswith(text) or BODY.startswith(text)
        assert not is_whole


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_a_body_without_our_boundary_comes_out_as_it_went_in(text: bytes, cuts: list[int]) -> None:
    assert parts(text, cuts, "no-such-boundary") == (text, False)


def test_a_header_without_an_end_is_passed_on() -> None:
    text = b"--b-1\r\n" + b"X" * 40_000
    assert parts(text, [7, 20_000]) == (text, False)
