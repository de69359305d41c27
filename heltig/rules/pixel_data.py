"""Pixel data: are there as many pixels and frames as the object says?"""

from collections.abc import Iterable, Iterator
from typing import Final

from heltig.dicom.cell import UNDEFINED_LENGTH, Cell
from heltig.dicom.study import StudyTable
from heltig.rules.pixel_facts import PIXEL_DATA, integer, is_image, rows_without
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import is_private, keyword_of, label, tag_of
from heltig.standard.sop_classes import lookup
from heltig.standard.uids import TransferSyntax, transfer_syntax

_ELSEWHERE: Final = "PixelDataProviderURL"
_SIZE: Final = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
_SHARED_SAMPLES: Final = {"YBR_FULL_422": (2, 1), "YBR_PARTIAL_422": (2, 1), "YBR_PARTIAL_420": (3, 2)}
"""Samples a pixel, as a fraction, where neighbours share their colour (PS3.3 C.7.6.3.1.2)."""


@rule("PIX-DATA-MISSING", level="study", severity="block", reads=("SOPClassUID",), reference="PS3.3 C.7.6.3",
    needs=("metadata", "all_attributes", "bytes", "pixel_length"))  # fmt: skip
def data_missing(study: StudyView) -> Iterator[Hit]:
    """An image has no pixel data.

    Finds: Files of a SOP Class of images without Pixel Data, Float Pixel Data or Double Float Pixel Data, and
        without the address of a pixel data provider. Files that end early are a matter of ENC-TRUNCATED, RT
        Dose may do without. Metadata of an archive leaves pixel data out and shows nothing.
    Why: There is nothing to look at. An archive that takes it counts an image that nobody can open.
    Mend: Send the image again from where it came. If it was meant to be a header only, keep it out of the
        archive.
    Example: The output of a script that removes pixel data to share headers.
    """
    lacking = rows_without(study, PIXEL_DATA[0])
    for keyword in (*PIXEL_DATA[1:], _ELSEWHERE):
        if lacking:
            lacking &= rows_without(study, keyword)
    if lacking:
        lacking.difference_update(*(rows for _, rows in study.faults("truncated", "unreadable")))
    rows = [row for row in sorted(lacking) if is_image(study.table.at(tag_of("SOPClassUID"), row).text)]
    if rows:
        yield Hit(
            tags=("PixelData",), observed="no pixel data", expected="the pixels of the image", rows=rows
        )


@rule("PIX-LENGTH", level="instance", severity="block", reference="PS3.5 8.1.1",
    needs=("metadata", "pixel_length"), when=lambda at: any(at[keyword].vr for keyword in PIXEL_DATA),
    reads=(*PIXEL_DATA, *_SIZE, "NumberOfFrames", "PhotometricInterpretation", "SOPClassUID",
           "TransferSyntaxUID"))  # fmt: skip
def length(at: Values) -> Iterator[Hit]:
    """The pixel data are not as long as the image is large.

    Finds: Uncompressed pixel data whose length is not rows by columns by samples by bits by frames, filled up
        to an even number of bytes; fragments under an uncompressed transfer syntax, and none under a
        compressed one. The length of compressed pixels says nothing, and is not judged. A value that the file
        ends in is a matter of ENC-TRUNCATED.
    Why: Rows or frames are missing, or the header describes another image: viewers show it torn, refuse it or
        crash.
    Mend: Export the image again from where it came. Compare with another image of the series which of the two
        is wrong, the pixels or their description.
    Example: An image made smaller by a script that left Rows and Columns as they were.
    """
    keyword = next(keyword for keyword in PIXEL_DATA if at[keyword].vr)
    declared, syntax = at[keyword].length, transfer_syntax(at["TransferSyntaxUID"].text)
    if not declared:
        return  # unknown; or none at all, which PIX-DATA-MISSING tells
    is_fragmented = declared == UNDEFINED_LENGTH
    if syntax is not None and syntax.encapsulated != is_fragmented:
        yield _not_as_declared(keyword, declared, syntax)
    elif not is_fragmented:
        wanted = _lengths(at)
        if wanted and declared not in wanted:
            yield Hit(
                tags=(keyword,),
                observed=f"{declared} bytes",
                expected=cut(f"{wanted[-1]} bytes: {_size(at)}", 160),
            )


@rule("PIX-VR", level="instance", severity="note", reference="PS3.5 8.2",
    needs=("metadata", "file_meta", "pixel_length"), when=lambda at: bool(at["PixelData"].vr),
    reads=("PixelData", "BitsAllocated", "TransferSyntaxUID"))  # fmt: skip
def pixel_vr(at: Values) -> Iterator[Hit]:
    """The pixel data have another VR than the transfer syntax wants.

    Finds: Files with Pixel Data (7FE0,0010) of VR OB that have more than 8 bits allocated and are not
        compressed, and of another VR than OB in a compressed transfer syntax. Implicit VR writes no VR, and
        gives nothing to object to.
    Why: The VR tells how bytes are ordered. Most readers go by BitsAllocated and the transfer syntax; some
        refuse the file, or swap bytes when they convert it to another byte order.
    Mend: Nothing needs to be done before the study is moved. Have the sender write OW where more than 8 bits
        are allocated, OB where pixels are compressed.
    Example: 16-bit pixels written as OB by a converter.
    """
    syntax, vr = transfer_syntax(at["TransferSyntaxUID"].text), at["PixelData"].vr
    if syntax is None or syntax.implicit:
        return
    if syntax.encapsulated and vr != "OB":
        yield Hit(tags=("PixelData",), observed=f"{cut(vr)}, compressed", expected="OB")
    elif not syntax.encapsulated and vr == "OB" and (integer(at["BitsAllocated"]) or 0) > 8:
        observed = f"OB, with {integer(at['BitsAllocated'])} bits"
        yield Hit(tags=("PixelData",), observed=cut(observed), expected="OW")


def _not_as_declared(keyword: str, declared: int, syntax: TransferSyntax) -> Hit:
    if syntax.encapsulated:
        observed = f"{declared} bytes in one piece, with {syntax.name}"
        return Hit(tags=(keyword,), observed=observed, expected="fragments of undefined length")
    return Hit(tags=(keyword,), observed=f"fragments, with {syntax.name}", expected="pixels in one piece")


def _lengths(at: Values) -> tuple[int, ...]:
    """The lengths that pixel data may have, the most likely last; `()` where the description lacks something.

    An image of a single-frame class that says it has more frames is a matter of PIX-FRAMES: it may have the
    length of one.
    """
    rows, columns, samples, bits = (integer(at[name]) for name in _SIZE)
    if not (rows and columns and samples and bits) or min(rows, columns, samples, bits) < 0:
        return ()
    frames = 1 if at["NumberOfFrames"].empty else integer(at["NumberOfFrames"])
    if frames is None or frames < 1:
        return ()
    numerator, denominator = _SHARED_SAMPLES.get(at["PhotometricInterpretation"].text, (samples, 1))
    frame = rows * columns * numerator * bits
    counts = (1, frames) if frames > 1 and _is_single_frame(at["SOPClassUID"]) else (frames,)
    whole = [-(-frame * count // (8 * denominator)) for count in counts]
    return tuple([size for count in whole for size in (count, count + count % 2)])


def _size(at: Values) -> str:
    rows, columns, samples, bits = (at[name].text for name in _SIZE)
    frames = at["NumberOfFrames"].text or "1"
    shared = at["PhotometricInterpretation"].text
    sharing = f" ({shared})" if shared in _SHARED_SAMPLES else ""
    return f"{rows} rows, {columns} columns, {samples} samples{sharing}, {bits} bits, {frames} frames"


def _is_single_frame(cell: Cell) -> bool:
    sop_class = lookup(cell.text)
    return sop_class is not None and sop_class.image and not sop_class.multi_frame


@rule("PIX-FRAMES", level="instance", severity="review", reads=("NumberOfFrames", "SOPClassUID"),
    when=lambda at: at.has("NumberOfFrames"), reference="PS3.3 C.7.6.6")  # fmt: skip
def frames(at: Values) -> Iterator[Hit]:
    """The number of frames is impossible.

    Finds: NumberOfFrames (0028,0008) below one, and above one in a SOP Class whose images have one frame.
        Text that is no number is a matter of VAL-IS-DS, a length that does not fit one of PIX-LENGTH.
    Why: Viewers show nothing, only the first frame, or refuse the object.
    Mend: Have the sender leave NumberOfFrames out of single-frame images. What really has several frames
        belongs into a multi-frame SOP Class.
    Example: A clip of an ultrasound stored as a single-frame Secondary Capture.
    """
    number = integer(at["NumberOfFrames"])
    if number is None:
        return
    if number < 1:
        yield Hit(tags=("NumberOfFrames",), observed=cut(str(number)), expected="one or more")
    elif number > 1 and _is_single_frame(at["SOPClassUID"]):
        sop_class = lookup(at["SOPClassUID"].text)
        name = sop_class.name.removesuffix(" Storage") if sop_class else ""
        yield Hit(tags=("NumberOfFrames",), observed=cut(f"{number}, in {name}", 120), expected="1, or none")


@rule("PIX-FRAME-POINTER", level="study", severity="review", reads=("FrameIncrementPointer",),
    needs=("metadata", "all_attributes"), reference="PS3.3 C.7.6.6.1.1")  # fmt: skip
def frame_pointer(study: StudyView) -> Iterator[Hit]:
    """What orders the frames is not there, or not for every frame.

    Finds: A FrameIncrementPointer (0028,0009) to an attribute that the object does not have, and a vector it
        points to, such as FrameTimeVector or GridFrameOffsetVector, with more or fewer values than there are
        frames. Private attributes are left alone.
    Why: Nobody knows when or where a frame was taken: a clip runs at the wrong speed, the planes of a dose
        stand in wrong places.
    Mend: Have the sender write the attribute, one value a frame, or point to the one that it does write.
    Example: FrameTime dropped by a system that cut a clip.
    """
    for group in study.groups("FrameIncrementPointer"):
        targets = [value for value in group.cell.values if isinstance(value, str) and len(value) == 8]
        for target in (target for target in targets if not is_private(target)):
            for observed, rows in _wrong_targets(study.table, target, group.rows).items():
                yield Hit(
                    tags=("FrameIncrementPointer",),
                    observed=cut(observed, 120),
                    expected="the attribute pointed to, for every frame",
                    rows=rows,
                )


def _wrong_targets(table: StudyTable, target: str, rows: Iterable[int]) -> dict[str, list[int]]:
    """What is wrong with an attribute that orders frames, and in which rows."""
    wrong: dict[str, list[int]] = {}
    for row in rows:
        cell = table.at(target, row)
        if cell.empty:
            wrong.setdefault(f"{label(target)} is {'empty' if cell.vr else 'absent'}", []).append(row)
        elif keyword_of(target).endswith("Vector") and not cell.bulk:
            number = integer(table.at(tag_of("NumberOfFrames"), row)) or 1
            if len(cell.values) != number:
                found = f"{label(target)} has {len(cell.values)} values for {number} frames"
                wrong.setdefault(found, []).append(row)
    return wrong


@rule("PIX-FRAGMENTS", level="study", severity="block", needs=("metadata", "bytes", "pixel_length"),
    reference="PS3.5 A.4")  # fmt: skip
def fragments(study: StudyView) -> Iterator[Hit]:
    """Compressed pixel data do not hold the frames that the image says.

    Finds: Compressed pixel data without a fragment that has anything in it; with fewer fragments than
        NumberOfFrames (0028,0008), though each frame has one or more of its own; and with a Basic Offset
        Table of another number of frames. Video, which has all frames in one stream, is left alone. The
        fragments of more than 1,000 frames, and those of a packed member of a ZIP, are not counted: that
        would take reading it whole.
    Why: Frames are missing, or the header describes another image. Archives that cut the pixel data into
        frames refuse it; viewers show less than there was, or crash.
    Mend: Export the image again from where it came. Where the frames are all there, have the sender mend
        NumberOfFrames or the offset table.
    Example: A clip of sixty frames of which a broken transfer left forty.
    """
    for fault, rows in study.faults("fragments"):
        yield Hit(
            tags=("PixelData", "NumberOfFrames"),
            observed=fault.detail,
            expected="one or more fragments for each frame",
            rows=rows,
        )
