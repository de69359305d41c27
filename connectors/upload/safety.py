"""What is wrong with the members of a ZIP by its directory alone, before a byte of them is unpacked."""

import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from connectors.upload.facts import KINDS, Skipped, shown
from connectors.upload.limits import Limits
from connectors.upload.zip_directory import DEFLATED, ENCRYPTED_FLAGS, STORED, Directory, Entry
from heltig.dicom.cell import Fault
from heltig.dicom.source import PackageFact

_UTF8_FLAG: Final = 0x0800
_SYSTEM_FILES: Final = frozenset({"thumbs.db", ".ds_store", "desktop.ini"})
_DEVICE = re.compile(r"(?i)(?:^|[/\\])(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:[./\\]|$)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"[A-Za-z]:")
_NOT_TEXT = re.compile("[\udc80-\udcff]")
_SAME_CONTENT: Final = "another member has the same name and content; unpacking keeps one of them"
_OTHER_CONTENT: Final = "another member has the same name and other content; unpacking keeps one of them"


class Budget:
    """What is left of the limits on one input, over all its ZIPs."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._members = limits.members
        self._bytes = limits.total_bytes
        self._inner_bytes = limits.inner_bytes

    def take_members(self, count: int) -> bool:
        """Account for the members of one more ZIP; False when they are too many."""
        self._members -= count
        return self._members >= 0

    def take_bytes(self, count: int) -> bool:
        """Account for the declared size of one more member; False, and nothing taken, when it is too much."""
        if count > self._bytes:
            return False
        self._bytes -= count
        return True

    def take_inner_bytes(self, count: int) -> bool:
        """The same for one more ZIP inside a ZIP."""
        if count > self._inner_bytes:
            return False
        self._inner_bytes -= count
        return True


class Examined(msgspec.Struct, frozen=True):
    """The members of one ZIP: those that may be read, in the ZIP's order, and what there is to say.

    Attributes:
        members: Origin, name and entry of each member that may be read, and the faults that this alone shows.
        skipped: The members that may not.
        facts: What is odd about members that may be read all the same.
    """

    members: list[tuple[str, str, Entry, tuple[Fault, ...]]]
    skipped: list[Skipped]
    facts: list[PackageFact]


def is_system_file(path: str) -> bool:
    """Whether a path is of a file that macOS or Windows leaves behind in folders and ZIPs."""
    parts = path.replace("\\", "/").split("/")
    return parts[-1].startswith("._") or parts[-1].lower() in _SYSTEM_FILES or "__MACOSX" in parts[:-1]


def examine(directory: Directory, *, within: str, budget: Budget) -> Examined:
    """Sort the members of one ZIP into those that may be read and the others.

    Args:
        directory: The ZIP's directory.
        within: Origin of the ZIP itself.
        budget: What is left of the limits; the members' declared sizes are taken from it.
    """
    examined = Examined([], [], [])
    overlapping = _overlapping(directory)
    ambiguous = _ambiguous(directory)
    names = _Names()
    for index, entry in enumerate(directory.entries):
        name = _decoded(entry)
        refusal = _unsafe_name(name)
        if not refusal and not entry.size and name.endswith(("/", "\\")):
            continue  # a folder
        origin = names.origin(f"{within}!{shown(name)}")
        refusal = refusal or _unsafe_content(entry, budget.limits)
        if not refusal and index in overlapping:
            refusal = ("overlap", "its bytes run into the next member or the directory")
        if not refusal and is_system_file(name):
            refusal = ("system-file", KINDS["system-file"].meaning)
        if not refusal and not entry.size:
            refusal = ("empty-member", KINDS["empty-member"].meaning)
        if not refusal and not budget.take_bytes(entry.size):
            refusal = (
                "too-large",
                f"with it all members are over the limit of {budget.limits.total_bytes} bytes",
            )
        if refusal:
            examined.skipped.append(Skipped(origin, *refusal))
            continue
        faults = (Fault("duplicate-name", _OTHER_CONTENT),) if entry.name in ambiguous else ()
        examined.members.append((origin, name, entry, faults))
        for kind, detail in names.odd(name, same_as=_OTHER_CONTENT if faults else _SAME_CONTENT):
            examined.facts.append(PackageFact(kind=kind, origin=origin, detail=detail))
    return examined


def _ambiguous(directory: Directory) -> frozenset[bytes]:
    """The names that several members have with different content."""
    first: dict[bytes, tuple[int, int]] = {}
    return frozenset(
        entry.name
        for entry in directory.entries
        if first.setdefault(entry.name, (entry.size, entry.crc)) != (entry.size, entry.crc)
    )


def _decoded(entry: Entry) -> str:
    try:
        return entry.name.decode()  # many writers do not set the flag
    except UnicodeDecodeError:
        if entry.flags & _UTF8_FLAG:
            return entry.name.decode(errors="surrogateescape")
        return entry.name.decode("cp437")


def _unsafe_name(name: str) -> tuple[str, str] | None:
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "absolute-path", "its name is an absolute path"
    if ".." in name and ".." in name.replace("\\", "/").split("/"):
        return "traversal", "its name has `..` in it and leads out of the folder"
    return None


def _unsafe_content(entry: Entry, limits: Limits) -> tuple[str, str] | None:
    kind = stat.S_IFMT(entry.mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a device, pipe or socket"
        return "special-member", f"it is {what}"
    if entry.flags & ENCRYPTED_FLAGS:
        return "encrypted", "it is encrypted"
    if entry.method not in (STORED, DEFLATED):
        return (
            "compression",
            f"its compression method is {entry.method}; only 0 (stored) and 8 (deflated) are read",
        )
    if entry.method == STORED and entry.size != entry.packed:
        return "header-mismatch", "it is stored as it is, yet its packed and unpacked sizes differ"
    if entry.size > limits.member_bytes:
        return (
            "too-large",
            f"it has {entry.size} bytes unpacked, over the limit of {limits.member_bytes} for a member",
        )
    if entry.size > limits.ratio_floor and entry.size > limits.ratio * max(entry.packed, 1):
        return "bomb", f"its {entry.packed} bytes expand to {entry.size}, more than {limits.ratio} to 1"
    return None


def _overlapping(directory: Directory) -> frozenset[int]:
    """The entries whose bytes run into those of the entry after them, or into the directory."""
    entries = directory.entries
    order: Sequence[int] = sorted(range(len(entries)), key=lambda index: entries[index].offset)
    found: list[int] = []
    following = directory.start
    for index in reversed(order):
        entry = entries[index]
        if entry.offset + 30 + len(entry.name) + entry.packed > following:
            found.append(index)
        following = entry.offset
    return frozenset(found)


class _Names:
    """The names seen so far in one ZIP."""

    def __init__(self) -> None:
        self._origins: dict[str, int] = {}
        self._names: set[str] = set()
        self._folded: set[str] = set()

    def origin(self, origin: str) -> str:
        """An origin that no other member has: the second one of a name ends in `#2`."""
        count = self._origins[origin] = self._origins.get(origin, 0) + 1
        return origin if count == 1 else f"{origin}#{count}"

    def odd(self, name: str, *, same_as: str) -> Iterator[tuple[str, str]]:
        """What is odd about the name of a member that may be read.

        Args:
            name: The name.
            same_as: What to say of it where another member has it too.
        """
        folded = (name if name.isascii() else unicodedata.normalize("NFC", name)).casefold()
        if name in self._names:
            yield "duplicate-name", same_as
        elif folded in self._folded:
            yield (
                "case-collision",
                "another member's name differs only in upper and lower case; some systems keep one of them",
            )
        self._names.add(name)
        self._folded.add(folded)
        if not name:
            yield "bad-name", "the name is empty"
        if not name.isprintable():
            if _CONTROL.search(name):
                yield "bad-name", "the name has control characters"
            if _NOT_TEXT.search(name):
                yield "bad-name", "the name is declared as UTF-8 and is not"
        if _DEVICE.search(name):
            yield "bad-name", "the name is that of a device on Windows"
