"""A DICOM JSON body (PS3.18 F.2), an array of instances, split into data sets while it arrives.

An instance starts with the same text as the one before it. The body is cut where that text stands, and a
strict decoder proves the cut: braces balance, so what decodes was the whole instance and nothing else. Where
it does not decode, the text stood inside a sequence, or the instance is damaged: then the braces are counted,
and only a damaged instance goes to the tolerant reader.
"""

from typing import Literal

from msgspec import structs

from heltig.dicom.cell import DataSet, Fault
from heltig.dicom.json_boundaries import (
    HEAD_BYTES,
    Marker,
    damaged_end,
    end_at_marker,
    fault_between,
    marker_ahead,
    marker_at,
    may_end,
    next_start,
    object_end,
    start_near,
)
from heltig.dicom.json_members import (
    JSON,
    Elements,
    is_unfinished,
    pieces_of,
    read_elements,
    read_elements_strictly,
)
from heltig.dicom.stencil import StencilCutter

MAX_INSTANCE_BYTES = 64 * 2**20

ARRAY_CUT = Fault("truncated", "the body ends before the end of its array")
"""Stands in the last data set of a body that ends too early; by itself where that data set is complete."""

_SPACE = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIRST_LOOK = 64
_NEXT_LOOK = 1024
_WINDOW = 256 * 1024
_MOST_SPACE = 4096
"""White space in a row that is kept between instances; nobody indents by more."""


class NotDicomJson(ValueError):
    """The body holds no DICOM JSON at all: another format, or an error message."""


class InstanceSplitter:
    """Splits a body into data sets as it arrives.

    The data sets are the same however the body is cut into chunks. What is held is the last chunk and an
    instance or 256 KiB, whichever is more; up to `max_instance_bytes` while the end of a damaged instance is
    looked for. White space between instances is not held, however much of it comes.

    What is wrong with one instance stands in the faults of its data set, with byte offsets into the instance.
    What is wrong between instances, or after the last one, stands in the faults of the instance before.
    """

    def __init__(self, *, max_instance_bytes: int = MAX_INSTANCE_BYTES) -> None:
        """Start a body.

        Args:
            max_instance_bytes: Where an instance is longer, a data set without elements says so and the rest
                of the body is not read.
        """
        self._max = max_instance_bytes
        self._state: Literal["start", "array", "object", "end", "stopped"] = "start"
        self._buffer = bytearray()
        self._look_at = _FIRST_LOOK
        self._marker: Marker | None = None
        self._cutter = StencilCutter()
        self._longest = 0
        self._window = min(_WINDOW, max_instance_bytes)
        self._unclosed = False
        self._carried: tuple[Fault, ...] = ()
        self._last: DataSet | None = None
        self._trailing = False
        self._in_space = False

    def feed(self, chunk: bytes) -> list[DataSet]:
        """Take the next bytes of the body and return the instances that are complete with them.

        Raises:
            NotDicomJson: The body is something else.
        """
        if self._state in ("end", "stopped"):
            self._trailing = self._trailing or (self._state == "end" and bool(chunk.strip(_SPACE)))
            return []
        if self._in_space:
            chunk = chunk.lstrip(_SPACE)
            self._in_space = not chunk
        if len(self._buffer) + len(chunk) >= self._look_at:
            return self._read(chunk, final=False)
        self._buffer += chunk
        return []

    def close(self) -> list[DataSet]:
        """Say that the body has ended and return the instances not yet returned.

        A body that ends too early keeps its complete instances; the last has the elements before the end and
        a fault `truncated`. An empty body is one without instances.

        Raises:
            NotDicomJson: The body is something else.
        """
        found = self._read(b"", final=True) if self._state not in ("end", "stopped") else []
        if self._trailing and self._last is None:
            raise NotDicomJson("the body goes on after the end of its JSON, which holds no instance")
        if self._last:
            trailing = (Fault("trailing", "text after the end of the body's JSON"),) if self._trailing else ()
            found.append(structs.replace(self._last, faults=self._last.faults + trailing))
            self._last = None
        return found

    def _read(self, chunk: bytes, *, final: bool) -> list[DataSet]:
        data = b"".join((self._buffer, chunk))
        self._buffer = bytearray()  # an instance may be long: it is not held twice
        found: list[DataSet] = []
        position = self._start(data, final=final) if self._state == "start" else 0
        if self._state in ("array", "object"):
            position = self._split(data, position, found, final=final)
        if self._state == "end":
            self._trailing = bool(data[position:].strip(_SPACE))
            position = len(data)
        self._buffer = self._held(data, position)
        # To look again at every byte would be quadratic: wait until there is twice as much.
        rest = len(self._buffer)
        self._look_at = max(rest + _NEXT_LOOK, min(2 * rest, self._max))
        return found

    def _held(self, data: bytes, position: int) -> bytearray:
        """What waits for more to come: all from a place on, but for white space that may go on for ever."""
        if not data[max(len(data) - _MOST_SPACE, position) :].strip(_SPACE):
            text = data[position:].rstrip(_SPACE)
            if self._state == "start" or (self._state == "array" and _is_instance_done(text)):
                self._in_space = len(data) - position - len(text) >= _MOST_SPACE
                return bytearray(data[position : position + len(text) + _MOST_SPACE])
        return bytearray(memoryview(data)[position:])

    def _start(self, data: bytes, *, final: bool) -> int:
        """Find the first instance, or that there is none; return where it starts, or where the JSON ends."""
        begin = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
        begin += len(data) - begin - len(data[begin:].lstrip(_SPACE))
        first = data[begin : begin + 1]
        if first == b"{":
            self._state = "object"
            self._carried = (Fault("json-model", "the body is one object, not an array of instances"),)
            return begin
        if first == b"[":
            return self._start_array(data, begin + 1, final=final)
        if not first and not final:
            return 0
        self._state = "end"
        if first:
            form = "HTML or XML" if first == b"<" else "no JSON array"
            raise NotDicomJson(f"the body is {form}: it starts with byte 0x{first[0]:02X}, not with '['")
        return begin

    def _start_array(self, data: bytes, begin: int, *, final: bool) -> int:
        limit = begin + self._max
        start = next_start(data, begin, limit)
        if start == len(data) < limit and not final:
            return 0
        between = data[begin:start].strip(_SPACE)
        if data.startswith(b"{", start):
            if not final and len(data) - start < HEAD_BYTES:
                return 0
            self._state = "array"
            self._marker = marker_at(data, start, separator=b",")  # a first guess: JSON without spaces
            if between:
                self._carried = (Fault("json-model", "the array holds something else before this instance"),)
            return start
        self._state = "end"
        if between or not data.startswith(b"]", start):
            raise NotDicomJson("the body is an array, but there is no object in it")
        return start + 1

    def _split(self, data: bytes, start: int, found: list[DataSet], *, final: bool) -> int:
        """Give out every instance that is there; return where the first that is not starts."""
        while True:
            start, refused = self._cut_at_markers(data, start, found)
            if not refused and self._marker and self._longest == 0:  # none read yet: a bad guess
                ahead = marker_ahead(data, start, start + self._window, like=self._marker)
                if ahead:
                    self._marker = ahead
                    continue
            rest = len(data) - start
            if not (final or (refused and rest >= self._longest) or rest >= self._window):
                return start  # the next marker, or the rest of the instance, may still come
            instance = self._instance(data, start, final=final)
            if instance is None:
                return start
            end, elements = instance
            if self._state == "object" and not elements[0]:
                raise NotDicomJson("the body is an object without DICOM attributes: perhaps an error message")
            following = self._following(data, end, final=final)
            if following is None:
                return start
            self._widen(end - start)
            text = data[start:end]
            start, faults = following
            if self._state in ("end", "stopped"):
                self._last = self._data_set(elements, faults)
                return start
            if not faults:
                self._learn(text, elements)
            found.append(self._data_set(elements, faults))

    def _cut_at_markers(self, data: bytes, start: int, found: list[DataSet]) -> tuple[int, bool]:
        """Give out the instances whose end the marker shows.

        Returns:
            Where the next instance starts, and whether a marker was found at which it does not end well.
        """
        if self._marker is None:
            return start, False
        lead = self._marker.lead
        skip = 0
        while True:
            stencil = self._cutter.stencil
            fit = stencil.fit(data, start, start + self._window) if stencil and not self._carried else None
            if stencil and fit and fit[0] - start <= self._max:
                end, raws = fit
                found.append(DataSet(stencil.tags, raws, JSON))
                self._cutter.fitted()
                start = end + lead
                continue
            limit = start + self._window
            cut, elements = end_at_marker(data, start, limit, marker=self._marker, skip=skip)
            if elements is None:
                if not skip:
                    return start, cut >= 0
                skip = 0
                continue
            self._learn(data[start:cut], elements)
            found.append(self._data_set(elements, ()))
            length = cut - start
            if length > self._longest:
                self._widen(length)
            skip = length * 7 // 8  # the next instance is hardly shorter: do not search all of it
            start = cut + lead

    def _learn(self, text: bytes, elements: Elements) -> None:
        """Let the next instances be compared with this one, if that pays and nothing is wrong with it."""
        tags, raws, faults = elements
        if not self._cutter.learns() or faults or self._carried:
            return
        pieces = pieces_of(text, tags, raws)
        if pieces and self._marker:
            self._cutter.learn(tags, [bytes(piece) for piece in pieces], next_start=self._marker.text)

    def _instance(self, data: bytes, start: int, *, final: bool) -> tuple[int, Elements] | None:
        """The end and the elements of the instance at `start`; `None` where more data is needed."""
        close = data.rfind(b"]", start, start + self._window) if final else -1
        if close >= 0:
            piece = data[start:close].rstrip(_SPACE)
            elements = read_elements_strictly(piece)  # the last instance, if the body ends as it should
            if elements:
                return start + len(piece), elements
        limit = start + self._max
        end = object_end(data, start, limit)
        if end >= 0:
            elements = read_elements_strictly(data[start:end])
            ends = self._state == "object" or may_end(data, end, final=final)
            if ends is False and elements:
                ends = start_near(data, end, self._marker) >= 0
            if ends is None:
                return None
            if ends and (elements or not (self._marker and self._marker.text in data[start:end])):
                return end, elements or read_elements(data[start:end])
        elif not final and len(data) < limit and is_unfinished(data[start:]):
            return None
        return self._damaged_instance(data, start, limit, final=final)

    def _damaged_instance(
        self, data: bytes, start: int, limit: int, *, final: bool
    ) -> tuple[int, Elements] | None:
        """Like `_instance`, for one whose braces do not show where it ends."""
        end = damaged_end(data, start, limit, marker=self._marker, look_inside=self._unclosed, final=final)
        if end == -1 and not self._unclosed:
            self._unclosed = True  # from now on look inside at once: to look so far twice would be quadratic
            end = damaged_end(data, start, limit, marker=self._marker, look_inside=True, final=final)
        if end is None:
            return None
        if end < 0 and len(data) <= limit:
            end = len(data)
        if end < 0:
            self._state = "stopped"
            detail = f"an instance of more than {self._max} bytes: it and the rest of the body are not read"
            return len(data), ((), [], (Fault("unreadable", detail),))
        return end, read_elements(data[start:end])

    def _following(self, data: bytes, end: int, *, final: bool) -> tuple[int, tuple[Fault, ...]] | None:
        """Where the next instance starts and what is wrong between; `None` where more data is needed.

        At the end of the array or the body, where what follows starts.
        """
        if self._state == "stopped":
            return end, ()
        if self._state == "object":
            self._state = "end"
            return end, ()
        limit = end + self._max
        stray = start_near(data, end, self._marker) if may_end(data, end, final=final) is False else -1
        stop = stray if stray >= 0 else next_start(data, end, limit)
        if stop == len(data) < limit and not final:
            return None
        between = data[end:stop]
        if data.startswith(b"{", stop):
            marker = marker_at(data, stop, separator=between)
            if marker is None and not final and len(data) - stop < HEAD_BYTES:
                return None
            if between.strip(_SPACE) == b",":
                self._marker = marker or self._marker
                return stop, ()
            return stop, (fault_between(between),)
        self._state = "end"
        if not data.startswith(b"]", stop):
            return stop, (ARRAY_CUT,)
        return stop + 1, (fault_between(between),) if between.strip(_SPACE) else ()

    def _data_set(self, elements: Elements, faults: tuple[Fault, ...]) -> DataSet:
        tags, raws, own = elements
        carried, self._carried = self._carried, ()
        return DataSet(tags, raws, JSON, carried + own + faults)

    def _widen(self, length: int) -> None:
        """See to it that the window in which a marker is looked for fits instances of such a length."""
        self._longest = max(self._longest, length)
        self._window = min(max(_WINDOW, 4 * self._longest), self._max)


def _is_instance_done(text: bytes) -> bool:
    """Whether a text that starts with an instance goes on after it with no more than a comma or bracket."""
    instance = text.rstrip(b",]" + _SPACE)
    if read_elements_strictly(instance) is not None:
        return True
    return object_end(text, 0, len(text)) == len(instance)
