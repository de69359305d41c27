"""Files and folders as one ZIP: the same bytes each time, so that its upload goes on where it broke off."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from connectors.upload.safety import is_system_file
from heltig.errors import UnreadableInputError

_COPY: Final = 1024 * 1024  # bytes at once
_LARGE: Final = 2**31 - 1  # bytes: from here on a member needs fields of ZIP64


class Zip(msgspec.Struct, frozen=True, kw_only=True):
    """A ZIP that is to be uploaded.

    Attributes:
        path: Where it is.
        size: In bytes.
        digest: Its SHA-256, 64 hex digits.
    """

    path: Path
    size: int
    digest: str


def measured(path: Path) -> Zip:
    """A ZIP that is there; OSError where it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Zip(path=path, size=file.tell(), digest=digest)


def is_one_zip(paths: Sequence[Path]) -> bool:
    """Whether it is one ZIP, which is sent as it is."""
    return len(paths) == 1 and paths[0].is_file() and zipfile.is_zipfile(paths[0])


def pack(paths: Sequence[Path], into: IO[bytes]) -> int:
    """Packs files and folders, as they are: DICOM compresses itself where that pays.

    Members are named after the folders that were given, in the order of their names, without times: names
    matter to a DICOMDIR, and nothing else of the file system does.

    Args:
        paths: Files and folders. Symbolic links within folders are left out, and so are system files.
        into: Where it is written.

    Returns:
        The number of files.

    Raises:
        UnreadableInputError: There is nothing to pack, or a file cannot be read.
    """
    files = 0
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as package:
        for number, path in enumerate(paths, 1):
            base = f"{number}/" if len(paths) > 1 else ""  # two folders may have one name
            for file, name in _files(path):
                _add(package, file, base + name)
                files += 1
    if not files:
        raise UnreadableInputError("There is no file in what was given. Name files, folders or ZIPs.")
    return files


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """The files of what was given, each with its name."""
    name = _text(path.resolve().name)
    if not path.is_dir():
        yield path, name
        return
    for folder, folders, names in os.walk(path, onerror=_stop):
        folders.sort()
        for file in (Path(folder, one) for one in sorted(names)):
            if file.is_file() and not file.is_symlink() and not is_system_file(file.name):
                yield file, _text(f"{name}/{file.relative_to(path).as_posix()}".lstrip("/"))


def _add(package: zipfile.ZipFile, file: Path, name: str) -> None:
    try:
        with file.open("rb") as source:
            member = zipfile.ZipInfo(name)  # of 1980, whenever it was written
            member.create_system, member.external_attr = 3, 0o100600 << 16
            large = os.fstat(source.fileno()).st_size >= _LARGE
            with package.open(member, "w", force_zip64=large) as target:
                shutil.copyfileobj(source, target, _COPY)
    except OSError as error:
        if error.filename is None:  # of what is written, not of what is read
            raise
        _stop(error)


def _stop(error: OSError) -> None:
    raise UnreadableInputError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _text(name: str) -> str:
    """A name as UTF-8, in which a byte that is none is written as its number."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\\", "_")
