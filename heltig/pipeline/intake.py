"""Objects that a sender waits for one by one, held by a file each before there are rows of them.

A C-STORE sender sends the next object when the last one is acknowledged: a transaction for each would have it
wait twice as long. So what is acknowledged is a file on disk, whose name says what is in it and who sent it;
rows are written for many files together, soon after. What a process that died left is entered by the next.
"""

import asyncio
import hashlib
import itertools
import os
import re
import secrets
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from heltig.dicom.part10 import BytesSource, HeaderReader, HeaderSource, NotDicom, UnreadableFile
from heltig.dicom.study import element
from heltig.errors import ConfigurationError, StorageError
from heltig.logs import described
from heltig.pipeline.custody import Custody, Gate, Received
from heltig.store import gate_studies, objects
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two listeners of one gate apart there
    fcntl = None  # type: ignore[assignment]

FOLDER: Final = "intake"
MOST_PENDING: Final = 5000
"""Files that may wait for their rows: more are not taken."""

GROUP_SECONDS: Final = 0.2
"""How long to wait for others before rows are written."""

GROUP_OBJECTS: Final = 1000
SYNCS: Final = 4
"""Times that the folder is brought to disk at once."""

PATIENCE: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds to wait where rows cannot be written; the last one again and again."""

RECOVERED: Final = "recovered"
"""What the association is called of files that a process left that died."""

_NAME: Final = re.compile(r"([0-9a-f]{64})-(\d+)-([0-9a-f]*)-[0-9a-f]{8}\.dcm")
_TAGS: Final = {
    "sop_class_uid": "00080016",
    "sop_instance_uid": "00080018",
    "study_uid": "0020000D",
    "series_uid": "0020000E",
    "transfer_syntax_uid": "00020010",
}

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.listener")


class Intake:
    """The folder `intake` of a gate: one process has it at a time."""

    def __init__(self, custody: Custody, store: Store, gate: Gate) -> None:
        """Makes the folder, and takes it. On the event loop that `run` is to run on.

        Raises:
            ConfigurationError: Another process has it.
            StorageError: It cannot be made.
        """
        self._custody = custody
        self._store = store
        self._gate = replace(gate, mode="hold")
        self._folder = custody.spool.path_of(gate.archive) / FOLDER
        self._waiting = deque[Held]()
        self._added = self._done = 0
        self._arrived = asyncio.Event()
        self._entered = asyncio.Condition()
        self._is_closing = False
        self._loop = asyncio.get_running_loop()
        self._syncing = ThreadPoolExecutor(SYNCS, thread_name_prefix="intake")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            custody.spool.sync_folders([self._folder.parent, self._folder.parent.parent])
            self._place = os.open(self._folder, os.O_RDONLY) if fcntl else None
        except OSError as error:
            raise StorageError(
                f"{self._folder} cannot be made: {error.strerror}. See HELTIG_HOME."
            ) from error
        if fcntl and self._place is not None:
            try:
                fcntl.flock(self._place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as taken:
                os.close(self._place)
                raise ConfigurationError(
                    f"A listener of gate {gate.archive} runs already with this HELTIG_HOME."
                ) from taken

    @property
    def pending(self) -> int:
        """Files that wait for their rows."""
        return self._added - self._done

    def keep(self, content: bytes, digest: str, sender: str) -> Path:
        """Writes an object to disk; in any thread. When this returns, it outlasts a power cut.

        Raises:
            OSError: The disk is full, or fails.
        """
        name = f"{digest}-{len(content)}-{sender.encode().hex()}-{secrets.token_hex(4)}.dcm"
        path = self._folder / name
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(file, view) :]
            # One after the other, the file and its name would wait for the disk twice.
            named = self._syncing.submit(os.fsync, self._place) if self._place is not None else None
            os.fsync(file)
            if named is not None:
                named.result()
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)
        return path

    def enter(self, held: "Held") -> None:
        """Has a row written for a file soon; in any thread."""
        self._loop.call_soon_threadsafe(self._add, held)

    async def run(self) -> None:
        """Writes rows until it is closed, and those that are left then, where that is possible."""
        while self._waiting or not self._is_closing:
            await self._arrived.wait()
            if not self._is_closing:
                self._arrived.clear()
                await asyncio.sleep(GROUP_SECONDS)
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_OBJECTS))]
                await self._enter(group)
                self._done += len(group)
                async with self._entered:
                    self._entered.notify_all()

    def close(self) -> None:
        """Has `run` end soon. What has no row then is entered by the next process."""
        self._is_closing = True
        self._arrived.set()

    def release(self) -> None:
        """Gives the folder back; nothing is kept any more."""
        self._syncing.shutdown()
        if self._place is not None:
            os.close(self._place)
            self._place = None

    async def flush(self) -> None:
        """Waits until everything that waits now has its row."""
        mark = self._added
        async with self._entered:
            await self._entered.wait_for(lambda: self._done >= mark)

    async def recover(self) -> int:
        """Has rows written for what a process left that died; returns how many files there are.

        Raises:
            StorageError: The folder or the database cannot be read.
        """
        try:
            found = await asyncio.to_thread(_files_in, self._folder)
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be read: {error.strerror}.") from error
        useless: list[Path] = []
        for held in await self._without_rows(found):
            if await self._store.read(self._was_entered, held):
                useless.append(held.received.path)
            else:
                self._add(held)
        await asyncio.to_thread(self._custody.spool.remove, useless)
        return self.pending

    def _add(self, held: "Held") -> None:
        self._waiting.append(held)
        self._added += 1
        self._arrived.set()

    async def _enter(self, group: "Sequence[Held]") -> None:
        """Writes rows, again and again until there are some."""
        left = list(group)
        for attempt in itertools.count():
            try:
                if attempt:
                    # A commit that failed may have been one: what has a row now must not come as a second
                    # copy of itself, which would be useless and be removed.
                    left = await self._without_rows(left)
                await self._take(left)
                return
            except Exception as error:  # whatever it is: the sender was told that we have it
                log.warning("listener.rows-wait", objects=len(left), reason=described(error))
            if self._is_closing:
                return
            await asyncio.sleep(PATIENCE[min(attempt, len(PATIENCE) - 1)])

    async def _take(self, group: "Sequence[Held]") -> None:
        by_association: dict[tuple[str, str], list[Received]] = {}
        for held in group:
            by_association.setdefault((held.sender, held.association), []).append(held.received)
        for (sender, association), received in by_association.items():
            await self._custody.take(self._gate, received, sender=sender, request=association)

    async def _without_rows(self, group: "Sequence[Held]") -> "list[Held]":
        spool = self._custody.spool
        files = [spool.file_of(held.received.path) for held in group]
        kept = await self._store.read(objects.kept_files, files) if files else set()
        return [held for file, held in zip(files, group, strict=True) if file not in kept]

    def _was_entered(self, transaction: ReadTransaction, held: "Held") -> bool:
        """Whether a row was made of a file, and let it go since: one of its bytes, younger than the file."""
        one = held.received
        row = gate_studies.row_of(transaction, self._gate.location, one.study_uid)
        known = objects.known(transaction, row, [one.sop_instance_uid]) if row is not None else []
        return any(old.digest == one.digest and old.received >= held.written for old in known)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An object in the intake.

    Attributes:
        sender: Its AE title.
        association: Names the association.
        written: When its file was.
    """

    received: Received
    sender: str
    association: str
    written: datetime


def received_from(
    source: HeaderSource, *, digest: str, size: int, path: Path, reader: HeaderReader
) -> Received | None:
    """An object by its bytes; None where no header can be read from them.

    Args:
        source: The bytes.
        digest: Their SHA-256.
        size: How many there are.
        path: Where they are.
        reader: Reads the header; not in several threads at a time.
    """
    try:
        header = reader.read(source)
    except (NotDicom, UnreadableFile):
        return None
    uids = {name: element(header, tag).text for name, tag in _TAGS.items()}
    return Received(**uids, digest=digest, size=size, path=path)


def _files_in(folder: Path) -> list[Held]:
    """What is whole in the folder, the oldest first; what is not was never acknowledged, and is removed."""
    found, reader = [], HeaderReader()
    for path in folder.iterdir():
        name = _NAME.fullmatch(path.name)
        if name is None:
            continue
        content = path.read_bytes()
        received = None
        if len(content) == int(name[2]) and hashlib.sha256(content).hexdigest() == name[1]:
            source = BytesSource(content)
            received = received_from(source, digest=name[1], size=len(content), path=path, reader=reader)
        if received is None:
            path.unlink()
            continue
        sender = bytes.fromhex(name[3]).decode(errors="replace")
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        found.append(Held(received=received, sender=sender, association=RECOVERED, written=written))
    return sorted(found, key=lambda held: held.written)
