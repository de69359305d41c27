"""Whether elements stand in order (PS3.5 7.1), and what group lengths say (PS3.5 7.2)."""

from collections.abc import Sequence
from typing import Final

from heltig.dicom.cell import UNDEFINED_LENGTH, Fault, Syntax
from heltig.dicom.part10.layout import LENGTH_32, LONG_VRS

_FAULTS_KEPT: Final = 8
_GROUPS_WITH_LENGTH: Final = frozenset({"0000", "0002", "0004"})


def order_faults(tags: Sequence[str]) -> list[Fault]:
    """Name the tags that stand after a higher one, or twice."""
    faults: list[Fault] = []
    seen: set[str] = set()
    highest = ""
    for tag in tags:
        if tag in seen:
            faults.append(Fault("tag-duplicate", f"{tag} stands twice"))
        elif tag < highest:
            faults.append(Fault("tag-order", f"{tag} stands after {highest}"))
        else:
            highest = tag
        seen.add(tag)
        if len(faults) == _FAULTS_KEPT:
            break
    return faults


def group_length_faults(
    tags: Sequence[str], raws: Sequence[bytes], places: Sequence[int], syntax: Syntax
) -> list[Fault]:
    """Name the group lengths that are retired, and say which of them are wrong.

    Args:
        tags: All tags of the data set.
        raws: Their raw cells.
        places: Which of them are group lengths.
        syntax: How the cells are written.
    """
    faults = []
    for place in places[:_FAULTS_KEPT]:
        tag = tags[place]
        if tag[:4] in _GROUPS_WITH_LENGTH:
            continue
        declared = int.from_bytes(raws[place][4:8], "little")
        there = _group_bytes(tags, raws, place, syntax)
        if there is None or there == declared:
            faults.append(Fault("group-length", f"{tag} is present"))
        else:
            faults.append(Fault("group-length", f"{tag} declares {declared} bytes, the group has {there}"))
    return faults


def _group_bytes(tags: Sequence[str], raws: Sequence[bytes], place: int, syntax: Syntax) -> int | None:
    """Bytes of a group after its group length; `None` where a value of unknown length is among them."""
    total = 0
    for index in range(place + 1, len(tags)):
        if tags[index][:4] != tags[place][:4]:
            break
        size = _element_bytes(raws[index], syntax)
        if size is None:
            return None
        total += size
    return total


def _element_bytes(raw: bytes, syntax: Syntax) -> int | None:
    head = 4
    if syntax == "implicit":
        (length,) = LENGTH_32(raw, 0)
    elif int.from_bytes(raw[:2], "little") in LONG_VRS:
        (length,) = LENGTH_32(raw, 4)
        head = 8
    else:
        length = int.from_bytes(raw[2:4], "little")
    if length == UNDEFINED_LENGTH:
        return 4 + len(raw) if len(raw) > head else None
    return 4 + head + length
