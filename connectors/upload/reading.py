"""The members of a listing as data sets, or the reason why one is none."""

from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from pathlib import PurePath
from typing import Final, Self, TypeAlias

from msgspec.structs import replace

from connectors.upload.facts import KINDS, InputReport, Skipped
from connectors.upload.file_set import FileSet, held_against, read_file_set
from connectors.upload.listing import Listing, MemberRef, reason
from connectors.upload.zip_directory import Entry
from connectors.upload.zip_member import MemberError, Package
from heltig.dicom.cell import DataSet, Fault
from heltig.dicom.part10 import HeaderReader, HeaderSource, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.source import PackageFact

Aside: TypeAlias = Skipped | FileSet | PackageFact
"""What reading gives beside data sets."""

Outcome: TypeAlias = DataSet | Aside

_MEDIA_STORAGE_SOP_CLASS_UID: Final = "00020002"
_DICOMDIR_CLASS: Final = b"1.2.840.10008.1.3.10"
_LOOKS_LIKE: Final = {
    b"PK\x03\x04": "a ZIP; name it .zip, or give it by itself",
    b"%PDF": "a PDF document",
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x1f\x8b": "gzip data; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
}


def read_members(refs: Iterable[MemberRef], *, deep: bool = False) -> Iterator[Outcome]:
    """Read members one after the other; never raises for anything that a member is.

    Gives exactly one `DataSet`, `Skipped` or `FileSet` (a DICOMDIR) for each member, in the order of `refs`,
    and before a data set any `PackageFact` about its member, which is among its faults too. A ZIP stays open
    over the members of it that follow one another.

    Args:
        refs: What to read.
        deep: Unpack the members of ZIPs whole, and check their lengths and checksums.
    """
    headers = HeaderReader()
    with _OpenPackage() as packages:
        for ref in refs:
            if ref.entry is None:
                yield _file(headers, ref)
            else:
                yield from _member(headers, packages, ref, ref.entry, deep=deep)


def account(listing: Listing, outcomes: Iterable[Aside], *, instances: int) -> InputReport:
    """Close the books on one input.

    Args:
        listing: The input's members.
        outcomes: What `read_members` gave for them, data sets apart, and other facts, in any order.
        instances: How many data sets it gave.

    Raises:
        ValueError: The outcomes are not those of the whole listing.
    """
    read = list(outcomes)
    file_sets = [outcome for outcome in read if isinstance(outcome, FileSet)]
    skipped = sorted(
        [
            *listing.skipped,
            *(outcome for outcome in read if isinstance(outcome, Skipped)),
            *(file_set.skipped for file_set in file_sets),
        ]
    )
    members = len(listing.refs) + len(listing.skipped)
    if members != instances + len(skipped):
        raise ValueError(f"{members} members listed, {instances} instances and {len(skipped)} skipped")
    facts = [*listing.facts, *(outcome for outcome in read if isinstance(outcome, PackageFact))]
    facts += [member.fact for member in skipped if not member.is_beside]
    if file_sets and not _is_one_file(listing):
        others = {member.origin for member in skipped}
        read_well = (ref.origin for ref in listing.refs if ref.origin not in others)
        facts += held_against(file_sets, instances=read_well, others=others)
    facts.sort(key=lambda fact: (fact.origin, fact.kind, fact.detail))
    return InputReport(listing.path, members, instances, tuple(skipped), tuple(facts))


def _is_one_file(listing: Listing) -> bool:
    """A file was given by itself: nobody knows what lies beside it."""
    return len(listing.refs) == 1 and listing.refs[0].origin == PurePath(listing.path).name


class _OpenPackage:
    """The ZIP that is being read: members come ZIP by ZIP, so that one stays open."""

    def __init__(self) -> None:
        self._path = ""
        self._package: Package | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._package:
            self._package.close()

    def at(self, path: str) -> Package:
        """The ZIP at a path."""
        if self._package is None or path != self._path:
            opened = Package(path)
            if self._package:
                self._package.close()
            self._path, self._package = path, opened
        return self._package


def _file(headers: HeaderReader, ref: MemberRef) -> DataSet | Skipped | FileSet:
    try:
        with FileIO(ref.path) as file:
            source = SeekableSource(file)
            if not source.size:
                return Skipped(ref.origin, "empty", KINDS["empty"].meaning)
            return _data_set(headers, source, ref, again=lambda: SeekableSource(file))
    except OSError as error:
        return Skipped(ref.origin, "inaccessible", reason(error))


def _member(
    headers: HeaderReader, packages: _OpenPackage, ref: MemberRef, entry: Entry, *, deep: bool
) -> Iterator[Outcome]:
    try:
        package = packages.at(ref.path)
        source = package.member(entry)
        outcome = _data_set(headers, source, ref, again=lambda: package.member(entry))
        if source.damage:
            raise MemberError("damaged-member", source.damage)
        damage = _damage(package, entry) if deep else ()
        if not isinstance(outcome, DataSet):
            yield Skipped(ref.origin, damage[0].kind, damage[0].detail, ref.package) if damage else outcome
            return
        for fault in damage:
            yield PackageFact(kind=fault.kind, origin=ref.origin, detail=fault.detail)
        faults = (*ref.faults, *damage)
        yield replace(outcome, faults=(*outcome.faults, *faults)) if faults else outcome
    except MemberError as error:
        yield Skipped(ref.origin, error.kind, error.detail, ref.package)
    except OSError as error:
        yield Skipped(ref.origin, "inaccessible", reason(error), ref.package)


def _damage(package: Package, entry: Entry) -> tuple[Fault, ...]:
    """What is wrong with the bytes of a member as a whole: one fault at most."""
    try:
        for _ in package.whole(entry):
            pass
    except MemberError as error:
        return (Fault(error.kind, error.detail),)
    return ()


def _data_set(
    headers: HeaderReader, source: HeaderSource, ref: MemberRef, *, again: Callable[[], HeaderSource]
) -> DataSet | Skipped | FileSet:
    try:
        data_set = headers.read(source, origin=ref.origin)
    except NotDicom as error:
        detail = _looks_like(again().read(8)) or error.reason
        return Skipped(ref.origin, "not-dicom", detail, ref.package)
    except UnreadableFile as error:
        detail = "; ".join((error.reason, *(f.detail for f in error.faults[:3])))
        return Skipped(ref.origin, "unreadable", detail, ref.package)
    if _is_dicomdir(data_set):
        return read_file_set(data_set, package=ref.package)
    return data_set


def _looks_like(start: bytes) -> str:
    return next((f"it is {what}" for magic, what in _LOOKS_LIKE.items() if start.startswith(magic)), "")


def _is_dicomdir(data_set: DataSet) -> bool:
    """By Media Storage SOP Class UID (PS3.10 table 7.1-1), or by name where there is none."""
    tags = data_set.tags
    if _MEDIA_STORAGE_SOP_CLASS_UID in tags[:8]:
        cell = data_set.raws[tags.index(_MEDIA_STORAGE_SOP_CLASS_UID)]
        return bytes(cell)[4:].rstrip(b"\0 ") == _DICOMDIR_CLASS
    return data_set.origin.replace("!", "/").rpartition("/")[2].upper() == "DICOMDIR"
