"""Reads an evidence bundle that anybody may have made: nothing is unpacked to disk, nothing is believed."""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn, TypeVar

import msgspec

from connectors.upload.limits import Limits
from connectors.upload.zip_directory import (
    DEFLATED,
    ENCRYPTED_FLAGS,
    END_MAGIC,
    STORED,
    Directory,
    Entry,
    UnusablePackageError,
    read_directory,
)
from connectors.upload.zip_member import MemberError, Package
from heltig.errors import InputTooLargeError, NotFoundError, UnreadableInputError, UnsafePackageError
from heltig.pipeline.judging import RulesetName
from heltig.reports.bundle import form
from heltig.reports.bundle.form import AboutStudy, Judgement, Manifest, SnapshotForm
from heltig.reports.checksums import checksums, sha256
from heltig.store.waivers import GivenWaiver

T = TypeVar("T")

_MIB: Final = 1024 * 1024
_LIMITS: Final = Limits(members=20_000, directory_bytes=8 * _MIB)
_MOST_BYTES: Final = 8192 * _MIB
"""Of all files together, unpacked: what is only hashed counts, too."""

_MOST_READ: Final = 64 * _MIB
"""Of one file that is read and not only hashed."""

_MOST_EVIDENCE: Final = 512 * _MIB
"""Of all series together."""

_END_RECORD: Final = 22
"""Bytes of a ZIP's end record without a comment (APPNOTE 4.3.16)."""

MOST_ROWS: Final = 1_000_000
MOST_CELLS: Final = 100_000_000
"""Rows, and rows by columns, of all series: a constant column costs a few bytes, however many rows it has."""

_REFUSED: Final = "This bundle is refused"
_DAMAGED: Final = "This bundle is damaged"
_AGAIN: Final = "Have it sent, or written, again."


class _Outline(msgspec.Struct, array_like=True, frozen=True):
    """How large a stored series says that it is; see `heltig.dicom.snapshot`."""

    key: str
    rows: int
    encodings: list[msgspec.Raw]
    columns: list[msgspec.Raw]


class Evidence(msgspec.Struct, frozen=True):
    """The snapshot of a bundle.

    Attributes:
        outline: What it is of.
        facts: The source facts, as they are stored.
        contents: The stored bytes of the series, in the order of the outline.
        keys: The keys of the series as their bytes have them.
        digests: SHA-256 of these bytes.
    """

    outline: SnapshotForm
    facts: bytes
    contents: tuple[bytes, ...]
    keys: tuple[str, ...]
    digests: tuple[str, ...]


class Bundle(msgspec.Struct, frozen=True):
    """A bundle whose files are what its checksums say.

    Attributes:
        waivers: What is in `WAIVERS`.
        about: None in a bundle of the first form, which had no such file.
        audit: The bytes of `AUDIT`; None without it.
        is_plain: Its JSON says nothing beside what is read of it, and nothing twice.
    """

    manifest: Manifest
    judgement: Judgement
    profile: bytes
    evidence: Evidence | None
    ruleset: RulesetName
    waivers: tuple[GivenWaiver, ...]
    about: AboutStudy | None
    audit: bytes | None
    is_plain: bool


def read_bundle(path: Path) -> Bundle:
    """Reads a bundle, and compares every file with its checksum.

    Raises:
        NotFoundError: There is no such file.
        UnreadableInputError: It is no bundle, or damaged.
        InputTooLargeError: It would unpack to more than any bundle needs.
        UnsafePackageError: It has files that no bundle has, such as ones with a path.
    """
    try:
        with path.open("rb") as file, Package(path) as package:
            entries = _named(read_directory(file, _LIMITS))
            _see_that_it_ends(file)
            return _Reader(package, entries).bundle()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {path}.") from error
    except UnusablePackageError as error:
        if error.kind == "too-many":
            raise InputTooLargeError(f"{_REFUSED}: {error.detail}.") from error
        raise UnreadableInputError(f"This is no bundle, or a damaged one: {error.detail}.") from error
    except MemberError as error:
        raise UnreadableInputError(f"{_DAMAGED}: {error.detail}. {_AGAIN}") from error
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}.") from error


def _see_that_it_ends(file: BinaryIO) -> None:
    """Refuse what hides something behind the ZIP: no checksum is of it."""
    file.seek(-_END_RECORD, os.SEEK_END)
    if not file.read(_END_RECORD).startswith(END_MAGIC):
        raise UnsafePackageError(f"{_REFUSED}: something stands behind its files, or it has a comment.")


def _named(directory: Directory) -> dict[str, Entry]:
    """The files by name; whatever is not a file of a bundle is refused before a byte is unpacked."""
    found: dict[str, Entry] = {}
    total = evidence = 0
    for entry in directory.entries:
        name = entry.name.decode("ascii", "backslashreplace")
        if name not in form.NAMES and not form.SERIES.fullmatch(name):
            shown = name if len(name) <= 80 else name[:79] + "…"
            raise UnsafePackageError(f"{_REFUSED}: it has a file {shown!r}, and no bundle has such a file.")
        if name in found:
            raise UnsafePackageError(f"{_REFUSED}: it has two files {name}.")
        if entry.flags & ENCRYPTED_FLAGS or entry.method not in (STORED, DEFLATED):
            raise UnsafePackageError(f"{_REFUSED}: {name} is encrypted, or packed as no bundle is.")
        if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
            raise UnsafePackageError(f"{_REFUSED}: {name} would be unpacked as something else than a file.")
        total += entry.size
        evidence += entry.size * bool(form.SERIES.fullmatch(name))
        is_read = name not in (form.METADATA, form.REPORT, form.FINDINGS)
        if is_read and entry.size > (_MOST_EVIDENCE if form.SERIES.fullmatch(name) else _MOST_READ):
            raise InputTooLargeError(f"{_REFUSED}: {name} would be {entry.size:,} bytes.")
        found[name] = entry
    if total > _MOST_BYTES or evidence > _MOST_EVIDENCE:
        raise InputTooLargeError(f"{_REFUSED}: it would unpack to {total:,} bytes.")
    return found


class _Reader:
    def __init__(self, package: Package, entries: dict[str, Entry]) -> None:
        self._package = package
        self._entries = entries

    def bundle(self) -> Bundle:
        if form.MANIFEST not in self._entries:
            raise UnreadableInputError(f"This is no bundle of Heltig: it has no {form.MANIFEST}.")
        manifest = self._json(form.MANIFEST, Manifest)
        if manifest.form not in form.FORMS:
            raise UnreadableInputError(
                f"This bundle is of a form that is not known here: {manifest.form[:40]}."
            )
        self._compare(manifest)
        evidence = self._evidence() if form.SNAPSHOT in self._entries else None
        judgement = self._json(form.VERDICT, Judgement)
        ruleset = self._json(form.RULESET, RulesetName)
        waivers = self._json(form.WAIVERS, tuple[GivenWaiver, ...])
        about = self._json(form.STUDY, AboutStudy) if form.STUDY in self._entries else None
        parts: dict[str, object] = {form.MANIFEST: manifest, form.VERDICT: judgement}
        parts |= {form.RULESET: ruleset, form.WAIVERS: waivers, form.STUDY: about}
        parts[form.SNAPSHOT] = evidence and evidence.outline
        is_plain = all(self._says_no_more(name, part) for name, part in parts.items() if part is not None)
        profile = self._content(form.PROFILE)
        audit = self._content(form.AUDIT) if form.AUDIT in self._entries else None
        return Bundle(manifest, judgement, profile, evidence, ruleset, waivers, about, audit, is_plain)

    def _says_no_more(self, name: str, part: object) -> bool:
        """A JSON file is what writing it again gives, however it is laid out, and has no key twice."""
        content = self._content(name)
        written: object = msgspec.json.decode(form.as_json(part))
        try:
            return bool(json.loads(content, object_pairs_hook=_each_once) == written)
        except (ValueError, RecursionError):
            return False

    def _compare(self, manifest: Manifest) -> None:
        """Every file is there, is named, and is what its checksum says."""
        own = {form.MANIFEST, form.CHECKSUMS}
        missing = sorted((manifest.files.keys() | own) - self._entries.keys())
        if missing:
            _damaged(f"{_listed(missing)} missing")
        if strange := sorted(self._entries.keys() - manifest.files.keys() - own):
            _damaged(f"{_listed(strange)} not in its {form.MANIFEST}")
        if needed := sorted(_needed(manifest) - manifest.files.keys()):
            _damaged(f"{_listed(needed)} not in its {form.MANIFEST}")
        digests = {form.MANIFEST: self._digest(form.MANIFEST)}
        wrong = []
        for name, file in sorted(manifest.files.items()):
            digests[name] = self._digest(name)
            if (digests[name], self._entries[name].size) != (file.sha256, file.size):
                wrong.append(name)
        if wrong:
            _damaged(f"{_listed(wrong)} not what its {form.MANIFEST} says: SHA-256 or size differs")
        if self._content(form.CHECKSUMS) != checksums(digests):
            _damaged(f"{form.CHECKSUMS} does not have the checksums of its files")

    def _evidence(self) -> Evidence:
        outline = self._json(form.SNAPSHOT, SnapshotForm)
        named = [series.file for series in outline.series]
        there = sorted(name for name in self._entries if form.SERIES.fullmatch(name))
        if sorted(named) != there or form.FACTS not in self._entries:
            _damaged(f"{form.SNAPSHOT} does not name the files of its series")
        contents = tuple(map(self._content, named))
        outlines = [_decoded(name, content, _Outline) for name, content in zip(named, contents, strict=True)]
        rows = sum(one.rows for one in outlines)
        cells = sum(one.rows * len(one.columns) for one in outlines)
        if min((one.rows for one in outlines), default=0) < 0:
            _damaged("a series has less than no rows")
        if rows > MOST_ROWS or cells > MOST_CELLS:
            raise InputTooLargeError(f"{_REFUSED}: its series would be {rows:,} instances, {cells:,} values.")
        return Evidence(
            outline,
            self._content(form.FACTS),
            contents,
            tuple(one.key for one in outlines),
            tuple(map(sha256, contents)),
        )

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def _content(self, name: str) -> bytes:
        return b"".join(self._chunks(name))

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            yield from self._package.whole(self._entries[name])
        except MemberError as error:
            raise UnreadableInputError(f"{_DAMAGED}: {name}: {error.detail}. {_AGAIN}") from error

    def _json(self, name: str, type_: type[T]) -> T:
        content = self._content(name)
        try:
            return msgspec.json.decode(content, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            _damaged(f"{name} is not what a bundle has there", error)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        ValueError: A key is there twice: some readers take the first, others the last.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _needed(manifest: Manifest) -> set[str]:
    """What cannot have been left out."""
    needed = set(form.ALWAYS)
    if manifest.form == form.FORM:
        needed.add(form.STUDY)
    if "audit" not in manifest.left_out:
        needed.add(form.AUDIT)
    if "snapshot" not in manifest.left_out:
        needed |= form.OF_SNAPSHOT
    return needed


def _decoded(name: str, content: bytes, type_: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(content, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _damaged(f"{name} is not what a bundle has there", error)


def _damaged(what: str, cause: Any = None) -> NoReturn:
    raise UnreadableInputError(f"{_DAMAGED}: {what}. {_AGAIN}") from cause


def _listed(names: Iterable[str]) -> str:
    few = list(names)
    said = ", ".join(few[:3]) + (f" and {len(few) - 3} more" if len(few) > 3 else "")
    return f"{said} {'is' if len(few) == 1 else 'are'}"
