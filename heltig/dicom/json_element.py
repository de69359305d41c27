"""The long way from a DICOM JSON element to a `Cell`, for what is not as PS3.18 F.2 has it."""

import re
from typing import Any

import msgspec

from heltig.dicom.cell import Cell, Fault, Item
from heltig.dicom.json_members import JSON, REFUSALS, Raw, read_elements, read_members, shown_key
from heltig.dicom.json_tolerant import read_array, repair
from heltig.dicom.json_values import PERSON_GROUPS, Interpreter, inline_binary
from heltig.dicom.values import BYTE_VRS, NUMBER_VRS, TEXT_VRS
from heltig.standard.dictionary import lookup

KEPT_BYTES = 65_536
"""Longer binary values are kept as their length."""

_SPACE = b" \t\r\n"
VRS = TEXT_VRS | BYTE_VRS | frozenset(NUMBER_VRS) | {"SQ"}
"""All there are (PS3.5 6.2)."""

_VR = re.compile(r"[A-Z]{2}")
_MEMBERS = {name.lower(): name for name in ("vr", "Value", "InlineBinary", "BulkDataURI")}
_TYPES = {
    b'"': "a string",
    b"{": "an object",
    b"[": "an array",
    b"t": "a boolean",
    b"f": "a boolean",
    b"n": "null",
}
_MOST_FAULTS = 16

_decode = msgspec.json.Decoder().decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_element(tag: str, raw: bytes) -> Cell:
    """Decode an element, whatever is wrong with it; see `decode_json_element`."""
    return _Element(tag, raw.strip(_SPACE)).cell()


class _Element:
    """One element on its way to a cell."""

    def __init__(self, tag: str, text: bytes) -> None:
        self.tag = tag
        self.text = text
        self.bare = not text.startswith(b"{")
        self.faults: list[Fault] = []
        self._refused = False

    def cell(self) -> Cell:
        members = self._members()
        vr = self._vr(members)
        present = [name for name in ("Value", "InlineBinary", "BulkDataURI") if name in members]
        if len(present) > 1:
            self._blame(f"{' and '.join(present)} at once")
        if not present:
            return self._cell(vr)
        text = bytes(members[present[0]])
        if present[0] == "InlineBinary":
            return self._inline_binary(vr, text)
        if present[0] == "BulkDataURI":
            if not text.startswith(b'"'):
                self._blame(f"BulkDataURI is {_type(text)}, not a string")
            return self._cell(vr, bulk=True)
        if vr == "SQ":
            return self._cell(vr, items=self._items(text))
        return self._valued(vr, text)

    def _cell(self, vr: str, **more: Any) -> Cell:
        return Cell(vr, faults=tuple(dict.fromkeys(self.faults)), **more)

    def _blame(self, detail: str) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault("json-model", detail))

    def _refuse(self) -> None:
        """Say once what a strict decoder has against the element, with offsets into the whole of it."""
        if not self._refused:
            self._refused = True
            self.faults += repair(self.text)[1]

    def _members(self) -> dict[str, Raw]:
        """The members that PS3.18 F.2.2 defines, the first of each; a bare value is a Value."""
        if self.bare:
            self._blame(f"the element is {_type(self.text)}, not an object with vr and Value")
            return {"Value": self.text}
        found, faults = read_members(self.text)
        if faults:
            self._refused = True
            self.faults += faults
        members: dict[str, Raw] = {}
        for key, raw in found:
            name = _MEMBERS.get(key.lower())
            if name is None:
                self._blame(f"{shown_key(key)} is no member of an element")
                continue
            if name != key:
                self._blame(f"{name} is written {key}")
            members.setdefault(name, raw)
        return members

    def _vr(self, members: dict[str, Raw]) -> str:
        if "vr" not in members:
            if not self.bare:
                self._blame("vr is missing")
            return self._dictionary_vr(members)
        vr = self._decode(bytes(members["vr"]))
        if isinstance(vr, str) and vr in VRS:
            return vr
        if isinstance(vr, str) and vr.upper() in VRS:
            self._blame("vr is not in capitals")
            return vr.upper()
        if isinstance(vr, str) and _VR.fullmatch(vr):
            self.faults.append(Fault("vr-unknown", f"vr {vr}"))
            return vr
        self.faults.append(Fault("vr-unknown", "vr is not two capital letters"))
        return self._dictionary_vr(members)

    def _dictionary_vr(self, members: dict[str, Raw]) -> str:
        """The dictionary's VR; of alternatives, the one that the way of writing the value speaks for."""
        entry = lookup(self.tag)
        vr = entry.vr if entry else ""
        if len(vr) <= 2:
            return vr
        if "Value" not in members or "US" not in vr:
            return "OW"
        return "SS" if "SS" in vr and b"-" in bytes(members["Value"]) else "US"

    def _decode(self, text: bytes) -> Any:
        try:
            return _decode(text)
        except REFUSALS:
            self._refuse()
            return _decode(repair(text)[0])

    def _array(self, text: bytes) -> list[bytes]:
        """The texts of an array's members; anything else is its own only member."""
        if not text.startswith(b"["):
            if not self.bare:
                self._blame(f"Value is {_type(text)}, not an array")
            return [text]
        try:
            return [bytes(part) for part in _decode_array(text)]
        except REFUSALS:
            self._refuse()
            return read_array(text)[0]

    def _items(self, text: bytes) -> tuple[Item, ...]:
        """The items; none where strict decoders refuse the element and it is nested too deep to look into."""
        parts = [] if self._is_too_deep() else self._array(text)
        if self._is_too_deep():
            return ()
        items = []
        for number, part in enumerate(parts, 1):
            if part.startswith(b"{"):
                tags, raws, faults = read_elements(part)
                items.append(Item(tags, tuple([bytes(raw) for raw in raws]), JSON, faults))
            else:
                self._blame(f"item {number} is {_type(part)}, not an object")
                items.append(Item((), (), JSON))
        return tuple(items)

    def _is_too_deep(self) -> bool:
        return any(fault.kind == "nesting" for fault in self.faults)

    def _valued(self, vr: str, text: bytes) -> Cell:
        interpreter = Interpreter(vr if vr in VRS else self._dictionary_vr({"Value": text}))
        if interpreter.vr == "PN":
            nodes = [self._person(part) for part in self._array(text)]
        else:
            nodes = self._decode(text)
            if not isinstance(nodes, list):
                if not self.bare:
                    self._blame(f"Value is {_type(text)}, not an array")
                nodes = [nodes]
        values = interpreter.values(nodes)
        self.faults += interpreter.faults
        return self._cell(vr, values=values)

    def _person(self, text: bytes) -> Any:
        """A person name as `Alphabetic=Ideographic=Phonetic` (PS3.18 F.2.4)."""
        if not text.startswith(b"{"):
            if text.startswith(b'"'):
                self._blame("a person name is a string, not an object")
            return self._decode(text)
        members, faults = read_members(text)
        if any(fault.kind == "json-duplicate-key" for fault in faults):
            self.faults.append(Fault("json-duplicate-key", "a component group stands twice in a person name"))
        groups = dict.fromkeys(PERSON_GROUPS, "")
        for key, raw in members:
            group = self._decode(bytes(raw))
            if key not in groups:
                self._blame(f"{shown_key(key)} is no component group of a person name")
            elif isinstance(group, str):
                groups[key] = groups[key] or group
            elif group is not None:
                self._blame(f"{key} is {_type(bytes(raw))}, not a string")
                groups[key] = groups[key] or bytes(raw).decode(errors="replace")
        return "=".join(groups.values()).rstrip("=")

    def _inline_binary(self, vr: str, text: bytes) -> Cell:
        data, problem = inline_binary(self._decode(text))
        if problem:
            self._blame(problem)
        if vr in VRS and vr not in BYTE_VRS:
            self._blame(f"InlineBinary where {vr} has Value")
        if data is None:
            return self._cell(vr)
        if len(data) > KEPT_BYTES:
            return self._cell(vr, length=len(data), bulk=True)
        return self._cell(vr, values=(data,) if data else (), length=len(data))


def _type(text: bytes) -> str:
    """The JSON type of a value's text."""
    return _TYPES.get(text[:1], "a number") if text else "missing"
