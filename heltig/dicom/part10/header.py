"""The header of a Part 10 file: preamble, file meta, and the data set up to its pixel data (PS3.10 7.1)."""

from typing import Final, Literal, NamedTuple, TypeAlias

from heltig.dicom.cell import DataSet, Encoding, Syntax
from heltig.dicom.part10.common import common_explicit
from heltig.dicom.part10.errors import NotDicom, UnreadableFile
from heltig.dicom.part10.layout import LENGTH_32
from heltig.dicom.part10.pixels import PixelValue
from heltig.dicom.part10.source import HeaderSource, ResumedSource
from heltig.dicom.part10.start import first_element_is_explicit, writing_at
from heltig.dicom.part10.transfer import BigEndianSource, InflatingSource
from heltig.dicom.part10.walker import END, Walk
from heltig.dicom.part10.window import Window
from heltig.standard.uids import transfer_syntax

Transfer: TypeAlias = Literal["implicit", "explicit", "deflated", "big endian"]

_PREAMBLE_BYTES: Final = 128
_NEUTRAL_PREAMBLE: Final = bytes(_PREAMBLE_BYTES)
_PREFIX: Final = b"DICM"
START_BYTES: Final = _PREAMBLE_BYTES + len(_PREFIX)
"""Bytes of preamble and prefix (PS3.10 7.1)."""

_META_GROUP: Final = b"\x02\x00"
_GROUP_LENGTH_BYTES: Final = 12
_GROUP_LENGTH_HEADER: Final = b"\x02\x00\x00\x00UL\x04\x00"
_EXPLICIT: Final = Encoding("explicit")

_TRANSFERS: Final[dict[str, Transfer]] = {
    "1.2.840.10008.1.2": "implicit",
    "1.2.840.10008.1.2.1": "explicit",
    "1.2.840.10008.1.2.1.99": "deflated",
    "1.2.840.10008.1.2.2": "big endian",
}
"""The transfer syntaxes of nearly all files whose pixels are not compressed, and how they are written."""

_PREAMBLES: Final = {
    b"II*\0": "the preamble starts as a TIFF file",
    b"MM\0*": "the preamble starts as a TIFF file",
    b"II+\0": "the preamble starts as a BigTIFF file",
    b"MM\0+": "the preamble starts as a BigTIFF file",
    b"MZ": "the preamble starts as a Windows executable",
    b"\x7fELF": "the preamble starts as an ELF executable",
    b"#!": "the preamble starts as a script",
    b"PK": "the preamble starts as a ZIP file",
    b"%PDF": "the preamble starts as a PDF file",
}


def read_header(source: HeaderSource, *, origin: str = "") -> DataSet:
    """Read the elements of a Part 10 object up to its pixel data.

    Explicit and implicit VR little endian, deflated and big endian data sets are read, with or without
    preamble and file meta; cells come out explicit or implicit little endian. What is written wrongly is a
    fault of the data set; an element whose value is cut off is kept as its header.

    Args:
        source: The object, from its first byte.
        origin: What to call it in findings.

    Raises:
        NotDicom: There is no `DICM` prefix and no data set at the start.
        UnreadableFile: Not one element could be read.
    """
    return walk_header(open_header(source), origin=origin).data_set


class WalkedHeader(NamedTuple):
    """A header that was walked.

    Attributes:
        data_set: Its elements and faults.
        pixels: The pixel data it ends before. `None` where there are none, and where the data set is not
            plainly what its transfer syntax says: deflated, big endian, or written otherwise.
    """

    data_set: DataSet
    pixels: PixelValue | None


def open_header(source: HeaderSource) -> Window:
    """The window at the start of a source, with what a preamble and its prefix would take in memory.

    Raises:
        NotDicom: The source is empty.
    """
    window = Window(source)
    if not window.data:
        raise NotDicom("the file is empty")
    window.reach(0, START_BYTES)
    return window


def walk_header(window: Window, *, origin: str) -> WalkedHeader:
    """Read a header element by element; otherwise as `read_header`."""
    walk = Walk(window, encoding=_EXPLICIT)
    position = _start(window, walk)
    position = _file_meta(window, walk, position)
    written = None if position == END else _data_set(window, walk, position)
    if not walk.tags:
        raise UnreadableFile("no element can be read", tuple(walk.faults))
    syntax: Syntax = "implicit" if written == "implicit" else "explicit"
    walk.check_order(syntax)
    return WalkedHeader(
        DataSet(tuple(walk.tags), tuple(walk.raws), walk.encoding(syntax), tuple(walk.faults), origin),
        walk.pixels if _is_plain(written, walk) else None,
    )


def _start(window: Window, walk: Walk) -> int:
    """Find the first element; a preamble or prefix that is not as it must be is a fault."""
    data = window.data
    if data.startswith(_PREFIX, _PREAMBLE_BYTES):
        if not data.startswith(_NEUTRAL_PREAMBLE):
            walk.fault("preamble", _preamble_content(data))
        return START_BYTES
    if data.startswith(_PREFIX):
        walk.fault("preamble", "the preamble is absent")
        return len(_PREFIX)
    for position in (0, _PREAMBLE_BYTES, START_BYTES):
        if writing_at(data, position):
            walk.fault(
                "preamble", "the DICM prefix is absent" if position else "preamble and prefix are absent"
            )
            return position
    raise NotDicom("no DICM prefix, and no data set at the start")


def _preamble_content(data: bytes) -> str:
    for magic, content in _PREAMBLES.items():
        if data.startswith(magic):
            return content
    return "the preamble is not zero"


def _file_meta(window: Window, walk: Walk, position: int) -> int:
    """Read group 0002, always explicit VR little endian; returns where the data set starts."""
    if not window.data.startswith(_META_GROUP, position):
        walk.fault("file-meta", "group 0002 is absent")
        return position
    start = window.base + position
    position = _common_meta(window.data, walk, position)
    while True:
        position = window.reach(position, len(_META_GROUP))
        if not window.data.startswith(_META_GROUP, position):
            break
        position = walk.element(position, explicit=True)
        if position == END:
            return END
    meta = dict(zip(walk.tags, walk.raws, strict=True))
    if "00020010" not in meta:
        walk.fault("file-meta", "00020010 (Transfer Syntax UID) is absent")
    if "00020001" not in meta:
        walk.fault("file-meta", "00020001 (File Meta Information Version) is absent")
    declared = int.from_bytes(meta.get("00020000", b"")[4:8], "little")
    there = window.base + position - start - _GROUP_LENGTH_BYTES
    if "00020000" not in meta:
        walk.fault("file-meta", "00020000 (File Meta Information Group Length) is absent")
    elif declared != there:
        walk.fault("file-meta", f"00020000 declares {declared} bytes, group 0002 has {there}")
    return position


def _common_meta(data: bytes, walk: Walk, position: int) -> int:
    """Take the elements of group 0002 at one go as far as its group length goes."""
    if not data.startswith(_GROUP_LENGTH_HEADER, position):
        return position
    (length,) = LENGTH_32(data.ljust(position + _GROUP_LENGTH_BYTES, b"\0"), position + 8)
    position = common_explicit(
        data[: position + _GROUP_LENGTH_BYTES + length], position, walk.tags, walk.raws
    )
    for place, tag in enumerate(walk.tags):
        if not tag.startswith("0002"):  # the group length is too long
            position -= sum(4 + len(raw) for raw in walk.raws[place:])
            del walk.tags[place:], walk.raws[place:]
            break
    return position


def _data_set(window: Window, walk: Walk, position: int) -> Transfer | None:
    """Read the data set as it is written, which a transfer syntax may say wrongly, and say how it is."""
    position = window.reach(position, 8)
    ahead = window.data[position:]
    if not ahead:
        walk.fault("truncated", "the file ends after its file meta")
        return None
    written = _written(ahead, walk)
    if written is None:
        walk.fault("unreadable", f"no element can be told from offset {window.base + position} on")
    elif written == "deflated":
        inflating = InflatingSource(ResumedSource(ahead, window.source))
        walk.go_on(Window(inflating))
        walk.elements(0, explicit=True)
        inflating.finish()
        if inflating.damage:
            walk.faults.append(inflating.damage)
        if inflating.left_over > 1:  # one makes the length even (PS3.5 A.5)
            walk.fault("trailing", f"{inflating.left_over} bytes after the deflated data")
    elif written == "big endian":
        swapping = BigEndianSource(ResumedSource(ahead, window.source))
        walk.go_on(Window(swapping, base=window.base + position))
        walk.elements(0, explicit=True)
    else:
        walk.elements(position, explicit=written == "explicit")
    walk.check_pixels()
    return written


def _written(ahead: bytes, walk: Walk) -> Transfer | None:
    """How the data set is written: as its transfer syntax says, unless its first elements say otherwise.

    `None` where nothing says anything.
    """
    declared = _declared(_transfer_syntax(walk))
    has_vr = first_element_is_explicit(ahead)
    if declared == ("explicit" if has_vr else "implicit") and ahead[1:2] == b"\0":
        return declared
    found = writing_at(ahead, 0)
    if declared is None:
        return found or _guessed(walk, has_vr=has_vr)
    if found is None or found == declared:
        return declared
    if {found, declared} == {"explicit", "implicit"}:
        walk.fault(
            f"{found}-in-{declared}", f"the transfer syntax says {declared} VR, the data set is {found} VR"
        )
    else:
        walk.fault("transfer-syntax", f"the transfer syntax says {declared}, the data set is {found} VR")
    return found


def _is_plain(written: Transfer | None, walk: Walk) -> bool:
    return written in ("explicit", "implicit") and written == _TRANSFERS.get(
        _transfer_syntax(walk), "explicit"
    )


def _declared(uid: str) -> Transfer | None:
    """How data sets of a transfer syntax are written; `None` for one that the standard does not have."""
    known = _TRANSFERS.get(uid)
    if known is None:
        syntax = transfer_syntax(uid)
        if syntax is not None and not syntax.deflated:
            return "implicit" if syntax.implicit else "explicit"
    return known


def _guessed(walk: Walk, *, has_vr: bool) -> Transfer | None:
    if has_vr:
        return "explicit"
    return "implicit" if walk.tags else None  # any bytes look like implicit VR


def _transfer_syntax(walk: Walk) -> str:
    if "00020010" not in walk.tags:
        return ""
    raw = walk.raws[walk.tags.index("00020010")]
    return raw[4:].decode("ascii", "replace").strip(" \0")
