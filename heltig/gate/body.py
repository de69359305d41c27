"""The objects in the body of a store request: each into a file of the spool, byte for byte, as it comes."""

from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from connectors.stow.multipart import MultipartReader, PartEnd, PartStart
from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import BytesSource, HeaderReader, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.study import element
from heltig.errors import InputTooLargeError
from heltig.pipeline.gate import refusal_codes as codes
from heltig.pipeline.gate.received import Received
from heltig.pipeline.gate.spool import GateSpool, SpoolFile, full
from heltig.setting_types import Size

OBJECT_TYPES: Final = ("application/dicom", "application/octet-stream", "")
"""Media types of parts that are taken for objects; some senders name none."""

_TAGS: Final = {
    "sop_class_uid": "00080016",
    "sop_instance_uid": "00080018",
    "study_uid": "0020000D",
    "series_uid": "0020000E",
    "transfer_syntax_uid": "00020010",
}


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A part that no gate takes, whatever its mode.

    Attributes:
        code: Why, of `heltig.pipeline.gate.refusal_codes`.
    """

    code: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


Part: TypeAlias = Received | Rejected


class Incoming:
    """Takes the body of a request piece by piece. It writes files: not on the event loop.

    Attributes:
        size: Bytes so far.
    """

    def __init__(
        self,
        reader: MultipartReader,
        spool: GateSpool,
        gate: str,
        *,
        most: Size,
        most_part: Size,
        study: str | None,
    ) -> None:
        """Makes it.

        Args:
            reader: Reads the body.
            spool: Where files are made.
            gate: Whose.
            most: Bytes of the whole body.
            most_part: Bytes of a part; a larger one is passed over.
            study: The StudyInstanceUID in the request's URL, None without one.
        """
        self.size = 0
        self._reader = reader
        self._spool = spool
        self._gate = gate
        self._most = most
        self._most_part = most_part
        self._study = study
        self._headers = HeaderReader()
        self._file: SpoolFile | None = None
        self._whole: bytes | None = None  # the bytes of the file, where they came in one piece
        self._code = 0  # why the part that is coming is passed over

    def feed(self, data: bytes | bytearray) -> list[Part]:
        """Takes some bytes; returns the parts that they end.

        Raises:
            MultipartError: The body is broken, or has too many parts.
            InputTooLargeError: It is too large.
            StorageError: The spool cannot be written.
        """
        self.size += len(data)
        if self.size > self._most:
            raise InputTooLargeError(f"The request is larger than {self._most} (HELTIG_GATE_MAX_SIZE).")
        parts: list[Part] = []
        try:
            for event in self._reader.feed(data):
                match event:
                    case PartStart(headers=headers):
                        self._start(headers)
                    case PartEnd():
                        parts.append(self._end())
                    case bytes():
                        self._take(event)
        except BaseException:
            self._spool.remove(part.path for part in parts if isinstance(part, Received))
            raise
        return parts

    def close(self) -> None:
        """Says that nothing more comes.

        Raises:
            MultipartError: More should have come.
        """
        self._reader.close()

    def abandon(self) -> None:
        """Removes the file of a part that will not be whole."""
        if self._file is not None:
            self._file.abandon()
            self._file = None

    def _start(self, headers: Mapping[str, str]) -> None:
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = headers.get("content-transfer-encoding", "binary").strip().lower()
        if media_type not in OBJECT_TYPES or encoding not in ("binary", "8bit"):
            self._code = codes.NOT_DICOM
            return
        self._code = 0
        self._file = self._spool.create(self._gate)

    def _take(self, data: bytes) -> None:
        file = self._file
        if file is None:
            return
        if file.size + len(data) > self._most_part:
            self.abandon()
            self._code = codes.OUT_OF_RESOURCES
            return
        self._whole = None if file.size else data
        try:
            file.write(data)
        except OSError as error:
            raise full(error) from error

    def _end(self) -> Part:
        file, self._file = self._file, None
        if file is None:
            return Rejected(code=self._code)
        digest = file.close()
        header = self._header(file.path)
        if header is None:
            file.path.unlink(missing_ok=True)
            return Rejected(code=codes.UNREADABLE)
        uids = {name: element(header, tag).text for name, tag in _TAGS.items()}
        rejected = _rejected(uids, self._study)
        if rejected is not None:
            file.path.unlink(missing_ok=True)
            return rejected
        return Received(**uids, digest=digest, size=file.size, path=file.path, is_on_disk=False)

    def _header(self, path: Path) -> DataSet | None:
        whole, self._whole = self._whole, None
        try:
            if whole is not None:
                return self._headers.read(BytesSource(whole))
            with FileIO(path) as file:
                return self._headers.read(SeekableSource(file))
        except (NotDicom, UnreadableFile):
            return None
        except OSError as error:
            raise full(error) from error


def _rejected(uids: Mapping[str, str], study: str | None) -> Rejected | None:
    """Why an object is none that its request may bring."""
    code = 0
    if not uids["sop_instance_uid"] or not uids["study_uid"]:
        code = codes.NO_IDENTITY
    elif study is not None and uids["study_uid"] != study:
        code = codes.OTHER_STUDY
    if not code:
        return None
    return Rejected(code=code, sop_class_uid=uids["sop_class_uid"], sop_instance_uid=uids["sop_instance_uid"])
