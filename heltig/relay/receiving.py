"""Objects that are sent to a relay: files in a folder for each study, until nothing of it comes any more."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import msgspec
import structlog

from connectors.dimse.door import Answer, Arrived, Commitment, Committed, Sink
from heltig.dicom.part10 import HeaderReader, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.study import SOP_INSTANCE_UID, element
from heltig.pipeline.gate import refusal_codes as codes
from heltig.relay.files import GrowingFile, make_folder, sync_folder
from heltig.setting_types import Size

STUDY_UID: Final = "0020000D"
SOP_CLASS_UID: Final = "00080016"
_UID: Final = re.compile(r"[0-9.]{1,64}")

AGAIN_LATER: Final = Answer(codes.OUT_OF_RESOURCES, "Not now; try again later")
UNREADABLE: Final = Answer(codes.UNREADABLE, "No DICOM object can be read")
NO_IDENTITY: Final = Answer(codes.NO_IDENTITY, "No usable Study Instance UID")
NO_MATCH: Final = Answer(codes.NO_MATCH, "The request has other SOP UIDs than the data set")

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.relay")


class _Study(msgspec.Struct):
    """A study that is being received.

    Attributes:
        last: When something of it came last.
        writers: Associations that write something of it now.
    """

    last: float
    writers: int = 0


def under_way(folder: Path) -> list[tuple[str, int]]:
    """The studies that a relay is receiving, each with its number of objects.

    Args:
        folder: Of the relay.
    """
    receiving = folder / "receiving"
    if not receiving.is_dir():
        return []
    return [(path.name, len(list(path.iterdir()))) for path in sorted(receiving.iterdir())]


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*/*.dcm"))


class Receiving:
    """A `connectors.dimse.door.Door` that keeps what comes in the folder `receiving`."""

    def __init__(self, folder: Path, *, reserve: Size, clock: Callable[[], float] = time.monotonic) -> None:
        """Makes the folder, and finds what is in it: studies that came before.

        Args:
            folder: Of the relay.
            reserve: Room that is left on the disk.
            clock: Seconds that only grow.
        """
        self._parts = folder / "parts"
        self._folder = folder / "receiving"
        self._reserve = reserve
        self._clock = clock
        self._lock = threading.Lock()
        for part in (self._parts, self._folder):
            make_folder(part)
        for left in self._parts.iterdir():  # never acknowledged
            left.unlink()
        self._studies = {path.name: _Study(clock()) for path in self._folder.iterdir()}
        self._to_pack = _size_of(self._folder)

    def has_room(self) -> bool:
        """Whether the disk has room for more, and for the ZIPs of what came: those need as much again."""
        return shutil.disk_usage(self._folder).free >= self._reserve + self._to_pack

    def create(self) -> Sink:
        """A file for an object."""
        return GrowingFile(self._parts)

    def take(self, arrived: Arrived) -> Answer:
        """Writes an object to disk."""
        content, file = arrived.content, None
        try:
            if isinstance(content, GrowingFile):
                file = content
            else:
                file = GrowingFile(self._parts)
                for piece in cast(Sequence[bytes], content):
                    file.write(piece)
            answer = self._keep(file, arrived) if self.has_room() else AGAIN_LATER
        except OSError as error:
            log.error("relay.spool-failed", reason=error.strerror or "")
            answer = AGAIN_LATER
        if answer.status and file is not None:
            file.abandon()
        return answer

    def commit(self, request: Commitment) -> int:
        """Refuses: whether the server stores anything is not known here."""
        return codes.PROCESSING_FAILURE

    def verify(self, request: Commitment) -> Committed:
        """Commits to nothing."""
        failed = tuple((one, codes.PROCESSING_FAILURE) for one in request.references)
        return Committed(transaction_uid=request.transaction_uid, stored=(), failed=failed)

    def take_out(self, idle: float, into: Callable[[str], Path]) -> list[Path]:
        """Moves the studies of which nothing came for some seconds out of here.

        Args:
            idle: So many seconds.
            into: Where the folder of a study is moved.
        """
        moved = []
        with self._lock:
            now = self._clock()
            for uid, study in list(self._studies.items()):
                if not study.writers and now - study.last >= idle:
                    target = into(uid)
                    (self._folder / uid).rename(target)
                    sync_folder(target.parent)
                    sync_folder(self._folder)
                    del self._studies[uid]
                    moved.append(target)
        return moved

    def count_again(self) -> None:
        """Counts what is still to be packed: what was packed meanwhile needs no room for that any more."""
        with self._lock:
            self._to_pack = _size_of(self._folder)

    def _keep(self, file: GrowingFile, arrived: Arrived) -> Answer:
        digest = file.end()
        try:
            with file.path.open("rb", buffering=0) as source:
                header = HeaderReader().read(SeekableSource(source))
        except (NotDicom, UnreadableFile):
            return UNREADABLE
        uid = element(header, STUDY_UID).text
        if not _UID.fullmatch(uid) or not uid.strip("."):
            return NO_IDENTITY
        if not arrived.is_of(element(header, SOP_CLASS_UID).text, element(header, SOP_INSTANCE_UID).text):
            return NO_MATCH
        with self._writing(uid):
            folder = self._folder / uid
            make_folder(folder)
            with self._lock:
                self._to_pack += file.path.stat().st_size
            file.path.replace(folder / f"{digest}.dcm")  # the same bytes again are the same file
            sync_folder(folder)
        return Answer()

    @contextmanager
    def _writing(self, uid: str) -> Iterator[None]:
        with self._lock:
            study = self._studies.setdefault(uid, _Study(self._clock()))
            study.writers += 1
        try:
            yield
        finally:
            with self._lock:
                study.writers -= 1
                study.last = self._clock()
