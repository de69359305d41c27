"""Pixel data: the stored values of single images and frames (PS3.5 8), native or compressed.

Native pixel data whose place is known are read straight into the volume. Everything else goes through
pydicom and its decoders: compressed pixel data, big endian and deflated objects, headers with surprises.
"""

import os
from io import BytesIO, FileIO
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.objects import ImageObject, PixelPlace, Source
from heltig.imaging.refusal import Refused

_MONOCHROME: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
"""MONOCHROME1 says that the smallest value is shown white; values mean the same (PS3.3 C.7.6.3.1.2)."""

_FASTEST: Final = ("pylibjpeg", "pyjpegls")
"""Plugins of pydicom that are taken where they can decode; otherwise all that it has are tried in turn."""

_BLOCK: Final = 1 << 20

_NATIVE: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})


class PixelForm(NamedTuple):
    """How the pixels of one object are stored (PS3.3 C.7.6.3).

    Attributes:
        transfer_syntax: Transfer Syntax UID (0002,0010); empty where the file does not say it.
        rows: Rows (0028,0010).
        columns: Columns (0028,0011).
        allocated: Bits Allocated (0028,0100).
        stored: Bits Stored (0028,0101).
        high: High Bit (0028,0102).
        signed: Pixel Representation (0028,0103) is 1.
        samples: Samples per Pixel (0028,0002).
        photometric: Photometric Interpretation (0028,0004).
        frames: Number of Frames (0028,0008).
    """

    transfer_syntax: str
    rows: int
    columns: int
    allocated: int
    stored: int
    high: int
    signed: bool
    samples: int
    photometric: str
    frames: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the stored values, in memory and native pixel data."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.allocated // 8}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one native frame."""
        return self.rows * self.columns * self.allocated // 8

    def check(self) -> None:
        """Check that pixels are single numbers of 8 or 16 bits.

        Raises:
            Refused: They are not.
        """
        is_plain = (
            self.samples == 1
            and self.photometric in _MONOCHROME
            and self.allocated in (8, 16)
            and 0 < self.stored <= self.allocated
            and self.stored - 1 <= self.high < self.allocated
        )
        if not is_plain:
            observed = f"{self.samples} × {self.stored} of {self.allocated} bits, {self.photometric[:16]}"
            raise Refused("PIXELS_FORMAT", observed)


class PixelReader:
    """Reads frames of objects, one after the other; keeps the last object that pydicom had to read."""

    def __init__(self) -> None:
        self._read: tuple[ImageObject, Any] | None = None

    def stored_values(
        self, image: ImageObject, form: PixelForm, frame: int, out: NDArray[np.int16]
    ) -> NDArray[Any]:
        """The stored values of one frame, rows × columns.

        Args:
            image: The object.
            form: How it stores its pixels; checked.
            frame: Counted from 1.
            out: Memory of rows × columns that may be taken for the values of 16 bits.

        Raises:
            Refused: Pixel data are too short, or no decoder can read them.
        """
        if frame > form.frames:
            raise Refused("PIXELS_LENGTH", f"frame {frame} of {form.frames}")
        memory = out.view(form.dtype) if form.allocated == 16 else np.empty(out.shape, form.dtype)
        place = image.pixels
        if place is not None and form.transfer_syntax in _NATIVE:
            if place.length < form.frames * form.frame_bytes:
                raise Refused("PIXELS_LENGTH", f"{place.length} bytes for {form.frames} frames")
            if _read_native(image.source, place, (frame - 1) * form.frame_bytes, memory):
                return _bits(memory, form, memory)
        return self._decoded(image, form, frame, memory)

    def _decoded(self, image: ImageObject, form: PixelForm, frame: int, memory: NDArray[Any]) -> NDArray[Any]:
        """The stored values of a frame by pydicom and its decoders."""
        from pydicom.pixels.decoders.base import get_decoder  # here: native pixel data need none

        data_set = self._data_set(image)
        try:
            decoder = get_decoder(data_set.file_meta.TransferSyntaxUID)
            plugin = next((name for name in _FASTEST if name in decoder.available_plugins), "")
            values, _ = decoder.as_array(data_set, index=frame - 1, raw=True, decoding_plugin=plugin)
        except MemoryError:
            raise
        except Exception as problem:  # each decoder has errors of its own, down to those of its C library
            raise Refused("PIXELS_UNDECODABLE", f"{form.transfer_syntax}: {type(problem).__name__}") from None
        if values.shape != (form.rows, form.columns):
            raise Refused("PIXELS_LENGTH", f"{values.shape} decoded")
        if decoder.is_encapsulated:  # decoders give the values without the bits beside them
            form = form._replace(high=form.stored - 1)
        return _bits(values.astype(form.dtype, copy=False), form, memory)

    def _data_set(self, image: ImageObject) -> Any:
        if self._read is None or self._read[0] is not image:
            self._read = (image, _read_slowly(image.source))
        return self._read[1]


def same_pixels(one: ImageObject, other: ImageObject) -> bool:
    """Whether two objects have the same pixels, in whatever transfer syntax; False where nobody can tell."""
    if _same_bytes(one.source, other.source):
        return True
    try:
        found = [_read_slowly(image.source) for image in (one, other)]
        syntaxes = {str(data_set.file_meta.TransferSyntaxUID) for data_set in found}
        if len(syntaxes) == 1:
            return bool(found[0].PixelData == found[1].PixelData)
        return bool(np.array_equal(*[data_set.pixel_array for data_set in found]))
    except MemoryError:
        raise
    except Exception:  # of pydicom and its decoders, as above
        return False


def _same_bytes(one: Source, other: Source) -> bool:
    with _opened(one) as first, _opened(other) as second:
        while part := first.read(_BLOCK):
            if part != second.read(_BLOCK):
                return False
        return not second.read(1)


def _read_slowly(source: Source) -> Any:
    """An object by pydicom, with its file meta filled in where there is none."""
    import pydicom  # here: most objects have no surprise
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        data_set = pydicom.dcmread(BytesIO(source) if isinstance(source, bytes) else source, force=True)
    except Exception as problem:  # pydicom raises what it meets on the way
        raise Refused("PIXELS_UNDECODABLE", type(problem).__name__) from None
    if "TransferSyntaxUID" not in data_set.file_meta:
        implicit = data_set.original_encoding[0]
        data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return data_set


def _read_native(source: Source, place: PixelPlace, offset: int, out: NDArray[Any]) -> bool:
    """Read native values into memory.

    Args:
        source: The object.
        place: Where its pixel data should stand.
        offset: Of the frame within them.
        out: Where to.

    Returns:
        False where the pixel data do not stand there.

    Raises:
        Refused: The object ends too early.
    """
    memory = out.data.cast("B")
    with _opened(source) as file:
        file.seek(place.place - len(place.header))
        if file.read(len(place.header)) != place.header:
            return False
        if offset:
            file.seek(offset, os.SEEK_CUR)
        count = 0
        while count < len(memory):
            more = file.readinto(memory[count:])
            if not more:
                raise Refused("PIXELS_LENGTH", f"{count} of {len(memory)} bytes")
            count += more
    return True


def _opened(source: Source) -> FileIO | BytesIO:
    return BytesIO(source) if isinstance(source, bytes) else FileIO(source)


def _bits(values: NDArray[Any], form: PixelForm, memory: NDArray[Any]) -> NDArray[Any]:
    """Cut values to Bits Stored, into some memory: other bits may hold overlays (PS3.5 8.1.1)."""
    if form.stored == form.allocated:
        return values
    np.left_shift(values, form.allocated - 1 - form.high, out=memory)
    # Of signed values this keeps the sign.
    np.right_shift(memory, form.allocated - form.stored, out=memory)
    return memory
