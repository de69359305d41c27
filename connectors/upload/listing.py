"""The members of an input (a file, a folder, a ZIP, ZIPs inside it), listed without reading their content.

What is opened as a ZIP: an input that is a file, when it starts or ends like one, whatever its name; and in
folders and ZIPs what is named `.zip` and does. A ZIP by another name in there is a member that is not
DICOM. Symbolic links are followed within the folder that was given, and no file is listed twice. Folders are
listed by name, ZIPs in their own order: never in the order of the file system.
"""

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

import msgspec
from msgspec.structs import replace

from connectors.upload.facts import KINDS, UNSAFE, Skipped, shown
from connectors.upload.limits import Limits
from connectors.upload.safety import Budget, examine, is_system_file
from connectors.upload.zip_directory import Entry, UnusablePackageError, ends_like_zip, is_zip, read_directory
from connectors.upload.zip_member import MemberError, Package
from heltig.dicom.cell import Fault
from heltig.dicom.source import PackageFact


class MemberRef(msgspec.Struct, frozen=True, gc=False):
    """Where one member can be read: small, and good for another process on the same machine.

    Attributes:
        origin: The member as the user would recognise it, relative to the input:
            `series/IM1.dcm`, `study.zip!series/IM1.dcm`, `study.zip!more/inner.zip!IM2.dcm`.
        path: The file, or the ZIP that it is in.
        entry: The member of that ZIP.
        package: Origin of the ZIP that was handed in with it; empty for a file by itself.
        faults: What is wrong with it by the ZIP's directory alone.
    """

    origin: str
    path: str
    entry: Entry | None = None
    package: str = ""
    faults: tuple[Fault, ...] = ()


class Listing(msgspec.Struct, frozen=True):
    """The members of one input.

    Attributes:
        path: The input as the user gave it.
        refs: The members to read, in a fixed order.
        skipped: Members that will not be read, and why.
        facts: What is odd about members that will be read.
    """

    path: str
    refs: tuple[MemberRef, ...]
    skipped: tuple[Skipped, ...]
    facts: tuple[PackageFact, ...]


def unsafe(listing: Listing) -> tuple[Skipped, ...]:
    """The members for which a server refuses the whole input."""
    return tuple(member for member in listing.skipped if member.kind in UNSAFE)


def list_inputs(
    paths: Iterable[str | Path], *, scratch: Path, limits: Limits | None = None
) -> Iterator[Listing]:
    """List the members of each input; what one input has listed, a later one does not list again.

    Never raises for anything that an input is: what cannot be listed is in `Listing.skipped`.

    Args:
        paths: Files, folders and ZIPs.
        scratch: A folder for ZIPs found inside ZIPs, which are unpacked there under names of our own. It must
            stay as long as members are read, and is the caller's to remove.
        limits: Limits on each input.
    """
    seen: set[str] = set()
    for path in paths:
        walk = _Walk(seen, scratch, Budget(limits or Limits()))
        walk.input(os.fspath(path))
        yield Listing(shown(os.fspath(path)), tuple(walk.refs), tuple(walk.skipped), tuple(walk.facts))


class _Walk:
    """One input being listed."""

    def __init__(self, seen: set[str], scratch: Path, budget: Budget) -> None:
        self.refs: list[MemberRef] = []
        self.skipped: list[Skipped] = []
        self.facts: list[PackageFact] = []
        self._seen = seen
        self._scratch = scratch
        self._budget = budget
        self._root = ""
        self._outermost = ""

    def input(self, path: str) -> None:
        """Lists what a user named."""
        origin = shown(Path(path).name or path)
        try:
            mode = Path(path).stat().st_mode
        except OSError as error:
            self._skip(origin, "inaccessible", reason(error))
            return
        real = os.path.realpath(path)
        if stat.S_ISDIR(mode):
            self._root = os.path.join(real, "")  # noqa: PTH118 - with the separator at its end
            self._folder(real, origin)
        elif stat.S_ISREG(mode):
            self._file(real, origin, may_be_zip=True)
        else:
            self._skip(origin, "special-file")

    def _folder(self, real: str, origin: str) -> None:
        open_folders = [self._children(real, origin, within="")]
        while open_folders:  # not by recursion: folders can be nested deeper than Python's stack
            child = next(open_folders[-1], None)
            if child is None:
                open_folders.pop()
                continue
            entry, name = child
            try:
                real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                if entry.is_symlink() and Path(real).exists() and not self._is_inside(real):
                    self._skip(shown(name), "outside-link")
                elif entry.is_dir():
                    open_folders.append(self._children(real, shown(name), within=f"{name}/"))
                else:
                    self._child(entry, real, name)
            except OSError as error:
                self._skip(shown(name), "inaccessible", reason(error))

    def _child(self, entry: os.DirEntry[str], real: str, name: str) -> None:
        if is_system_file(name):
            self._skip(shown(name), "system-file")
        elif entry.is_file():
            self._file(real, shown(name), may_be_zip=is_named_zip(name))
        elif entry.is_symlink():
            self._skip(shown(name), "inaccessible", "a symbolic link that leads to no file or folder")
        else:
            self._skip(shown(name), "special-file")

    def _children(self, real: str, origin: str, *, within: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        if self._is_seen(real, origin):
            return iter(())
        try:
            with os.scandir(real) as found:
                children = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(origin, "inaccessible", reason(error))
            return iter(())
        return ((child, within + child.name) for child in children)

    def _file(self, real: str, origin: str, *, may_be_zip: bool) -> None:
        if self._is_seen(real, origin):
            return
        try:
            package = may_be_zip and _is_package(real)
        except OSError as error:
            self._skip(origin, "inaccessible", reason(error))
            return
        if package:
            self._outermost = origin
            self._package(real, origin, depth=0)
            self._outermost = ""
        else:
            self.refs.append(MemberRef(origin, real))

    def _package(self, path: str, origin: str, *, depth: int) -> None:
        limits = self._budget.limits
        try:
            with FileIO(path) as file:
                directory = read_directory(file, limits)
            if not self._budget.take_members(len(directory.entries)):
                raise UnusablePackageError(
                    "too-many", f"with it there are more than {limits.members} members in all"
                )
        except UnusablePackageError as error:
            self._skip(origin, error.kind, error.detail)
            return
        except OSError as error:
            self._skip(origin, "inaccessible", reason(error))
            return
        examined = examine(directory, within=origin, budget=self._budget)
        self.skipped += [replace(member, package=self._outermost) for member in examined.skipped]
        self.facts += examined.facts
        if not examined.members and not examined.skipped:
            self._skip(origin, "empty-package", "the ZIP holds no files; pack the folder of DICOM files anew")
        for member_origin, name, entry, faults in examined.members:
            if is_named_zip(name):
                self._inner_package(path, entry, member_origin, depth=depth + 1)
            else:
                self.refs.append(MemberRef(member_origin, path, entry, self._outermost, faults))

    def _inner_package(self, path: str, entry: Entry, origin: str, *, depth: int) -> None:
        limits = self._budget.limits
        try:
            with Package(path) as package:
                if not is_zip(package.member(entry).read(4)):
                    self.refs.append(MemberRef(origin, path, entry, self._outermost))
                    return
                if depth > limits.nesting:
                    self._skip(origin, "nesting", f"it is {depth} ZIPs deep; the limit is {limits.nesting}")
                    return
                if not self._budget.take_inner_bytes(entry.size):
                    what = f"with it all ZIPs inside ZIPs are over the limit of {limits.inner_bytes} bytes"
                    self._skip(origin, "too-large", what)
                    return
                unpacked = self._unpacked(package.whole(entry))
        except MemberError as error:
            self._skip(origin, error.kind, error.detail)
        except OSError as error:
            self._skip(origin, "inaccessible", reason(error))
        else:
            self.facts.append(
                PackageFact(kind="inner-package", origin=origin, detail=KINDS["inner-package"].meaning)
            )
            self._package(unpacked, origin, depth=depth)

    def _unpacked(self, chunks: Iterator[bytes]) -> str:
        handle, path = tempfile.mkstemp(suffix=".zip", dir=self._scratch)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(chunks)
        except BaseException:
            Path(path).unlink()
            raise
        return path

    def _is_inside(self, real: str) -> bool:
        return f"{real}{os.sep}".startswith(self._root)

    def _is_seen(self, real: str, origin: str) -> bool:
        if real in self._seen:
            self._skip(origin, "already-read")
            return True
        self._seen.add(real)
        return False

    def _skip(self, origin: str, kind: str, detail: str = "") -> None:
        self.skipped.append(Skipped(origin, kind, detail or KINDS[kind].meaning, self._outermost))


def is_named_zip(name: str) -> bool:
    """Whether a name in a folder or ZIP says that it is a ZIP."""
    return name[-4:].lower() == ".zip"


def reason(error: OSError) -> str:
    """Why the system did not open or read a file, without the name of the file."""
    return (error.strerror or type(error).__name__).lower()


def _is_package(path: str) -> bool:
    """Whether a file is to be opened as a ZIP, if only to say what is wrong with it."""
    with FileIO(path) as file:
        magic = file.read(4)
        # Nearly all Part 10 files begin with zeros (PS3.10 7.1), and need no look at their end.
        return is_zip(magic) or (magic != bytes(4) and ends_like_zip(file))
