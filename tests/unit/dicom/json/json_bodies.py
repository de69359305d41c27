"""DICOM JSON bodies, and how tests read them."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from heltig.dicom.cell import DataSet, Fault
from heltig.dicom.json_stream import InstanceSplitter

Read = tuple[tuple[str, ...], tuple[bytes, ...], tuple[Fault, ...]]

COMPACT = (",", ":")


def instance(number: int, **more: Any) -> dict[str, Any]:
    """A small CT instance; `more` are further elements by tag, with a letter before it (`x00100020`)."""
    item = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}, "00081155": {"vr": "UI", "Value": ["1.2.3"]}}
    elements = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]},
        "00080018": {"vr": "UI", "Value": [f"1.2.826.0.1.{number}"]},
        "00081140": {"vr": "SQ", "Value": [item] * (number % 4)},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürg"}]},
        "00200013": {"vr": "IS", "Value": [number]},
        "00280030": {"vr": "DS", "Value": [0.5, "0.50"]},
        "7FE00010": {"vr": "OW", "BulkDataURI": f"https://archive.example/bulk/{number}"},
    }
    return elements | {tag[1:]: element for tag, element in more.items()}


def texts(count: int, **options: Any) -> list[bytes]:
    """The JSON texts of `count` instances; options of `json.dumps`."""
    options = {"separators": COMPACT, "ensure_ascii": False} | options
    return [json.dumps(instance(number), **options).encode() for number in range(count)]


def body(instances: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(instances) + b"]"


def split(chunks: Iterable[bytes], **options: int) -> list[DataSet]:
    """What a splitter gives for a body that arrives in these chunks."""
    splitter = InstanceSplitter(**options)
    found = [data_set for chunk in chunks for data_set in splitter.feed(chunk)]
    return found + splitter.close()


def chunked(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(data: bytes, **options: int) -> list[Read]:
    """What a splitter gives for a body that arrives as one chunk, comparable."""
    return comparable(split([data], **options))


def comparable(data_sets: Sequence[DataSet]) -> list[Read]:
    return [(found.tags, tuple(map(bytes, found.raws)), found.faults) for found in data_sets]


def strictly(text: bytes) -> Read:
    """What a strict decoder alone makes of a well-formed instance."""
    members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return tuple(members), tuple(map(bytes, members.values())), ()


def kinds(faults: Iterable[Fault]) -> list[str]:
    return [fault.kind for fault in faults]
