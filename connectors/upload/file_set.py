"""A DICOMDIR (PS3.10 8.6): which files it lists, held against the files that are there.

What a DICOMDIR says is text to compare, never a path to open. Its records are taken as they stand in their
sequence and its offsets are not followed, so that none can lead in a circle or out of the file.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from connectors.upload.facts import KINDS, Skipped, shown
from heltig.dicom.cell import DataSet, Item
from heltig.dicom.part10 import read_items
from heltig.dicom.source import PackageFact
from heltig.dicom.values import decode_element

_DIRECTORY_RECORD_SEQUENCE: Final = "00041220"
_RECORD_IN_USE_FLAG: Final = "00041410"
_REFERENCED_FILE_ID: Final = "00041500"
_INACTIVE: Final = 0
_DAMAGE: Final = frozenset({"truncated", "unreadable", "nesting"})
_LONGEST_NAME: Final = 200
"""Characters of a name in a DICOMDIR that are shown: a sound one has at most 8 components of 8 characters."""

_SEPARATORS = re.compile(r"[!/\\]")
_VERSION = re.compile(r"\.?(?:;\d+)?$")
"""What ISO 9660 puts at the end of a name that has no extension."""


class FileSet(msgspec.Struct, frozen=True):
    """What a DICOMDIR lists.

    Attributes:
        origin: The DICOMDIR, as the user would recognise it.
        files: The files that its records in use name, their components joined by `/`, in order, each once.
        damage: Why its records cannot be read, or not all of them; empty where they can.
        package: Origin of the ZIP that was handed in with it; empty for a file by itself.
    """

    origin: str
    files: tuple[str, ...] = ()
    damage: str = ""
    package: str = ""

    @property
    def skipped(self) -> Skipped:
        """A DICOMDIR is no instance."""
        return Skipped(self.origin, "dicomdir", KINDS["dicomdir"].meaning, self.package)

    @property
    def is_index(self) -> bool:
        """Whether it has the name that the index of a medium has (PS3.10 8.6).

        Some scanners keep like files under names of their own, whose records are relative to other places.
        """
        return _VERSION.sub("", self._name).upper() == "DICOMDIR"

    @property
    def _name(self) -> str:
        return _SEPARATORS.split(self.origin)[-1]

    @property
    def root(self) -> str:
        """What origins of the files beside it start with: what it lists is relative to this."""
        return self.origin[: len(self.origin) - len(self._name)]


def read_file_set(data_set: DataSet, *, package: str = "") -> FileSet:
    """Read the records of a DICOMDIR (PS3.3 F.3.2.2); never raises for anything that one is."""
    origin = data_set.origin
    damage = next((fault.detail for fault in data_set.faults if fault.kind in _DAMAGE), "")
    if _DIRECTORY_RECORD_SEQUENCE not in data_set.tags:
        return FileSet(origin, damage=damage or "it has no directory records", package=package)
    raw = bytes(data_set.raws[data_set.tags.index(_DIRECTORY_RECORD_SEQUENCE)])
    items, faults = read_items(raw, data_set.encoding)
    damage = damage or next((fault.detail for fault in faults if fault.kind in _DAMAGE), "")
    return FileSet(origin, tuple(dict.fromkeys(_files(items))), damage, package)


def _files(items: Iterable[Item]) -> Iterator[str]:
    for item in items:
        if _REFERENCED_FILE_ID not in item.tags or _values(item, _RECORD_IN_USE_FLAG) == (_INACTIVE,):
            continue
        name = "/".join(str(part) for part in _values(item, _REFERENCED_FILE_ID) if part is not None)
        if name:
            yield name


def _values(item: Item, tag: str) -> tuple[object, ...]:
    if tag not in item.tags:
        return ()
    return decode_element(tag, bytes(item.raws[item.tags.index(tag)]), item.encoding).values


def held_against(
    found: Iterable[FileSet], *, instances: Iterable[str], others: Iterable[str]
) -> list[PackageFact]:
    """Hold DICOMDIRs against the files of the input that they lie in.

    Upper and lower case are alike: media have upper case, and what was copied from them often does not. An
    instance below several DICOMDIRs is listed when one of them lists it. Nothing is said to be left out of a
    DICOMDIR that cannot be read whole.

    Args:
        found: The DICOMDIRs; those of other names are left alone.
        instances: Origins of the members that are instances.
        others: Origins of the other members.
    """
    file_sets = [each for each in found if each.is_index]
    facts = [PackageFact("dicomdir-damaged", each.origin, each.damage) for each in file_sets if each.damage]
    known = {_folded(origin): origin for origin in instances}
    there = known.keys() | {_folded(origin) for origin in others}
    listed: dict[str, str] = {}
    for each in file_sets:
        listed |= {_folded(each.root + name): each.root + name for name in each.files}
    for folded in sorted(listed.keys() - there):
        facts.append(_fact("dicomdir-missing", shown(listed[folded][:_LONGEST_NAME])))
    whole = _Roots(each.root for each in file_sets if not each.damage)
    unsure = _Roots(each.root for each in file_sets if each.damage)
    for folded, origin in known.items():
        if folded not in listed and whole.hold(origin) and not unsure.hold(origin):
            facts.append(_fact("dicomdir-unlisted", origin))
    return facts


def _fact(kind: str, origin: str) -> PackageFact:
    return PackageFact(kind, origin, KINDS[kind].meaning)


def _folded(origin: str) -> str:
    """An origin as media compare names."""
    parts = origin.replace("\\", "/").casefold().split("/")
    return "/".join(_VERSION.sub("", part) for part in parts)


class _Roots:
    """Places that DICOMDIRs lie in; what lies in a ZIP further inside is not beside them."""

    def __init__(self, roots: Iterable[str]) -> None:
        self._roots: list[str] = []
        for root in sorted(set(roots)):
            if not self._roots or not self.hold(root):
                self._roots.append(root)  # of two places, one in the other, the outer one

    def hold(self, origin: str) -> bool:
        """Whether an origin lies in one of them."""
        place = bisect_right(self._roots, origin)
        root = self._roots[place - 1] if place else None
        return root is not None and origin.startswith(root) and "!" not in origin[len(root) :]
