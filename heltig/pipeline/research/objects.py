"""The objects of a study as files, whichever way they come: a multipart answer, a ZIP, a folder, a spool."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

from connectors.stow.multipart import MultipartReader, PartEnd, PartStart
from connectors.upload import Limits, list_inputs, read_members, unsafe
from connectors.upload.zip_directory import Entry
from connectors.upload.zip_member import MemberError, Package
from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import HeaderReader, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.source import PackageFact
from heltig.dicom.study import SOP_INSTANCE_UID, STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveAnswerError, UnreadableInputError, UnsafePackageError
from heltig.pipeline.research.asked import EndedError
from heltig.pipeline.research.folder import full

MOST_PARTS: Final = 200_000


class Objects:
    """A folder that is filled with the objects of one study. Not for several threads at once.

    Attributes:
        uids: The SOP Instance UIDs of those in it.
        size: Bytes of all of them.
    """

    def __init__(self, folder: Path, *, study_uid: str | None, most: int) -> None:
        """Makes it.

        Args:
            folder: Empty.
            study_uid: Objects of other studies are left out; None takes all.
            most: Bytes of all objects.
        """
        self.uids: set[str] = set()
        self.size = 0
        self._folder = folder
        self._study_uid = study_uid
        self._most = most
        self._number = 0
        self._headers = HeaderReader()

    @property
    def left(self) -> int:
        """Bytes that may still come."""
        return self._most - self.size

    def new_path(self) -> Path:
        """Where the next object goes."""
        self._number += 1
        return self._folder / f"{self._number:06}.dcm"

    def add(self, path: Path) -> bool:
        """Takes a file of the folder that is whole; one that is no object of the study is removed.

        Returns:
            Whether it is one.

        Raises:
            EndedError: There are more bytes than there may be.
        """
        size = path.stat().st_size
        self._grow(size)
        if not self._is_of_study(path):
            self.size -= size
            path.unlink()
            return False
        return True

    def forget(self, paths: Iterable[Path], uids: Iterable[str]) -> None:
        """Removes what came of an answer that broke off."""
        for path in paths:
            with suppress(OSError):
                self.size -= path.stat().st_size
                path.unlink()
        self.uids.difference_update(uids)

    def clear(self) -> None:
        """Removes all that there is."""
        for path in self._folder.iterdir():
            path.unlink()
        self.uids.clear()
        self.size = 0

    def take(self, paths: Iterable[Path], *, scratch: Path, limits: Limits) -> None:
        """Adds the objects of files, folders and ZIPs; files are linked where that is possible.

        Args:
            paths: What somebody names, or an upload's ZIP.
            scratch: A folder for ZIPs in ZIPs.
            limits: Limits on ZIPs.

        Raises:
            EndedError: There are more bytes than there may be.
            UnreadableInputError: A member is damaged.
            UnsafePackageError: A ZIP must not be unpacked.
            StorageError: They cannot be written.
        """
        for listing in list_inputs(paths, scratch=scratch, limits=limits):
            if unsafe(listing):
                raise UnsafePackageError(f"{listing.path} must not be unpacked: `heltig check` says why.")
            members = (one for one in read_members(listing.refs) if not isinstance(one, PackageFact))
            for ref, read in zip(listing.refs, members, strict=True):
                if isinstance(read, DataSet) and self._note(read):
                    self._put(Path(ref.path), ref.entry)

    def copy(self, source: Path) -> bool:
        """Adds an object of a spool; a link, where that is possible, keeps what is removed meanwhile.

        Returns:
            Whether it is there, and one of the study.
        """
        path = self.new_path()
        try:
            _link(source, path)
        except OSError:
            return False
        return self.add(path)

    def _put(self, source: Path, entry: Entry | None) -> None:
        path = self.new_path()
        try:
            if entry is None:
                self._grow(source.stat().st_size)
                _link(source, path)
                return
            with Package(source) as package, path.open("xb") as file:
                for chunk in package.whole(entry):
                    self._grow(len(chunk))
                    file.write(chunk)
        except MemberError as wrong:
            raise UnreadableInputError(f"A member of {source.name} is damaged: {wrong.detail}.") from wrong
        except OSError as wrong:
            raise full(wrong) from wrong

    def _is_of_study(self, path: Path) -> bool:
        try:
            with FileIO(path) as file:
                return self._note(self._headers.read(SeekableSource(file)))
        except (NotDicom, UnreadableFile):
            return False

    def _note(self, header: DataSet) -> bool:
        uid, study = element(header, SOP_INSTANCE_UID).text, element(header, STUDY_INSTANCE_UID).text
        if self._study_uid is not None and study != self._study_uid:
            return False
        self.uids.add(uid)
        return True

    def _grow(self, size: int) -> None:
        self.size += size
        if self.size > self._most:
            raise EndedError("BYTES_TOO_LARGE", f"over {self._most}")


class Answered:
    """The objects of one multipart answer, written as they come. It writes files: not on the event loop."""

    def __init__(self, objects: Objects, boundary: str) -> None:
        """Makes it.

        Args:
            objects: Takes them.
            boundary: From the answer's Content-Type.

        Raises:
            MultipartError: There is no such boundary.
        """
        self.paths: list[Path] = []
        self.uids: set[str] = set()
        self._objects = objects
        self._reader = MultipartReader(boundary, most_parts=MOST_PARTS)
        self._file: FileIO | None = None

    def feed(self, data: bytes) -> None:
        """Takes some bytes.

        Raises:
            MultipartError: The answer is broken.
            EndedError: There are more bytes than there may be.
            StorageError: They cannot be written.
        """
        try:
            for event in self._reader.feed(data):
                match event:
                    case PartStart():
                        path = self._objects.new_path()
                        self._file = FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
                        self.paths.append(path)
                    case PartEnd():
                        self._end()
                    case bytes() if self._file is not None:
                        view = memoryview(event)
                        while view:
                            view = view[self._file.write(view) :]
        except OSError as wrong:
            raise full(wrong) from wrong

    def close(self) -> None:
        """Says that nothing more comes.

        Raises:
            MultipartError: More should have come.
        """
        self._reader.close()

    def abandon(self) -> None:
        """Removes all that came."""
        if self._file is not None:
            self._file.close()
            self.paths.pop().unlink(missing_ok=True)
        self._objects.forget(self.paths, self.uids)

    def _end(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self._file = None
        before = set(self._objects.uids)
        if not self._objects.add(self.paths[-1]):
            raise ArchiveAnswerError("The archive's answer has a part that is no object of the study.")
        self.uids |= self._objects.uids - before


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, target)
