"""The door of a gate that C-STORE comes in by. Associations run in threads, all else on one event loop."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

import structlog
from msgspec.structs import replace

from connectors.dimse.door import Answer, Arrived, Commitment, Committed, Sink
from heltig.dicom.part10 import BytesSource, HeaderReader, HeaderSource, SeekableSource
from heltig.errors import ArchiveError, ConfigurationError, NotFoundError, StorageError
from heltig.pipeline.gate import refusal_codes as codes
from heltig.pipeline.gate.custody import Custody
from heltig.pipeline.gate.intake import MOST_PENDING, Intake
from heltig.pipeline.gate.intake_files import Held, IntakeFile, received_from
from heltig.pipeline.gate.received import Gate, Received, can_be_named
from heltig.pipeline.gate.spool import SpoolFile, full

COMMIT_SECONDS: Final = 300.0
"""How long a storage commitment request may take to be written down, or looked into."""

AGAIN_LATER: Final = Answer(codes.OUT_OF_RESOURCES, "Not now; try again later")
UNREADABLE: Final = Answer(codes.UNREADABLE, "No DICOM object can be read")
NO_IDENTITY: Final = Answer(codes.NO_IDENTITY, "No usable SOP Instance or Study UID")
NO_MATCH: Final = Answer(codes.NO_MATCH, "The request has other SOP UIDs than the data set")

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.listener")

T = TypeVar("T")


class Commitments(Protocol):
    """Who knows what was stored; see `heltig.pipeline.gate.commitment`."""

    async def take(self, archive: str, request: Commitment) -> int:
        """Takes a request whose result is reported later; returns a status."""
        ...

    async def verify(self, archive: str, request: Commitment) -> Committed:
        """What comes of a request."""
        ...


class GateDoor:
    """A `connectors.dimse.door.Door` of one gate."""

    def __init__(
        self,
        custody: Custody,
        intake: Intake,
        commitments: Commitments,
        gate: Gate,
        *,
        idle_seconds: float | None,
    ) -> None:
        """Makes it, on the event loop that does the rest.

        Args:
            custody: What takes objects.
            intake: What holds them until there are rows, in `hold`.
            commitments: What knows what was stored.
            gate: The gate as it is configured now.
            idle_seconds: After so long a study is at rest; None as the gate has it.
        """
        self._custody = custody
        self._intake = intake
        self._commitments = commitments
        self._archive = gate.archive
        self._idle = idle_seconds
        self._gate: Gate | None = self._adapted(gate)
        self._loop = asyncio.get_running_loop()
        self._of_thread = threading.local()

    async def refresh(self) -> None:
        """Looks how the gate is configured, and whether there is room: every second or so."""
        before = self._gate
        try:
            self._gate = self._adapted(await self._custody.open(self._archive))
        except (NotFoundError, StorageError) as error:
            self._gate = None
            if before is not None:
                log.warning("listener.closed", gate=self._archive, reason=error.detail)
        else:
            if before is None or before.mode != self._gate.mode:
                log.info("listener.open", gate=self._archive, mode=self._gate.mode)

    def has_room(self) -> bool:
        """Whether the gate is open, and neither the spool nor the database lags behind."""
        return self._gate is not None and self._intake.pending < MOST_PENDING

    def create(self) -> Sink:
        """A file for an object: of the intake in `hold`, else of the gate's spool."""
        gate = self._gate
        if gate is not None and gate.mode == "hold":
            return self._intake.folder.create()
        return self._custody.spool.create(self._archive)

    def take(self, arrived: Arrived) -> Answer:
        """Takes an object as the gate's mode says."""
        gate, content = self._gate, arrived.content
        try:
            if gate is None or not self.has_room():
                return self._give_back(content, AGAIN_LATER)
            if isinstance(content, SpoolFile):
                return self._take_file(gate, content, arrived)
            if isinstance(content, IntakeFile):
                if gate.mode != "hold":  # it changed meanwhile
                    return self._give_back(content, AGAIN_LATER)
                with FileIO(content.path) as file:
                    return self._hold(content, SeekableSource(file), arrived)
            return self._take_bytes(gate, b"".join(cast(Sequence[bytes], content)), arrived)
        except concurrent.futures.CancelledError:
            return AGAIN_LATER
        except (StorageError, ArchiveError, ConfigurationError) as error:
            association = arrived.sender.association
            log.warning("listener.not-now", gate=self._archive, request=association, reason=error.detail)
            return AGAIN_LATER
        except OSError as error:
            log.error("listener.spool-failed", reason=full(error).detail)
            return AGAIN_LATER

    def commit(self, request: Commitment) -> int:
        """Writes a request down."""
        return self._await(self._after_flush(self._commitments.take(self._archive, request)))

    def verify(self, request: Commitment) -> Committed:
        """Looks into a request at once; where that fails, nothing is certain of its objects."""
        try:
            return self._await(self._after_flush(self._commitments.verify(self._archive, request)))
        except (StorageError, ArchiveError, TimeoutError, concurrent.futures.CancelledError):
            failed = tuple((reference, codes.PROCESSING_FAILURE) for reference in request.references)
            return Committed(transaction_uid=request.transaction_uid, stored=(), failed=failed)

    def _take_bytes(self, gate: Gate, content: bytes, arrived: Arrived) -> Answer:
        if gate.mode != "hold":
            file = self._custody.spool.create(self._archive)
            try:
                file.write(content)
            except BaseException:
                file.abandon()
                raise
            return self._take_file(gate, file, arrived)
        held = self._intake.folder.create()
        held.write(content)
        return self._hold(held, BytesSource(content), arrived)

    def _hold(self, file: IntakeFile, source: HeaderSource, arrived: Arrived) -> Answer:
        received = _checked(self._read(source, file.digest, file.size, file.path), arrived)
        if isinstance(received, Answer):
            return self._give_back(file, received)
        sender = arrived.sender
        path = self._intake.folder.keep(file, sender.ae_title)
        self._intake.enter(
            Held(
                received=replace(received, path=path, is_on_disk=True),
                sender=sender.ae_title,
                association=sender.association,
                written=datetime.now(UTC),
            )
        )
        return Answer()

    @staticmethod
    def _give_back(content: object, answer: Answer) -> Answer:
        """Refuses an object, and removes its file."""
        if isinstance(content, SpoolFile | IntakeFile):
            content.abandon()
        return answer

    def _take_file(self, gate: Gate, file: SpoolFile, arrived: Arrived) -> Answer:
        digest = file.close()
        with FileIO(file.path) as content:
            read = self._read(SeekableSource(content), digest, file.size, file.path)
        received = _checked(read, arrived)
        if isinstance(received, Answer):
            return self._give_back(file, received)
        sender = arrived.sender
        [decision] = self._await(
            self._custody.take(gate, [received], sender=sender.ae_title, request=sender.association)
        )
        return Answer(decision.code or decision.warning or codes.SUCCESS, decision.comment)

    def _read(self, source: HeaderSource, digest: str, size: int, path: Path) -> Received | None:
        reader: HeaderReader | None = getattr(self._of_thread, "reader", None)
        if reader is None:
            reader = self._of_thread.reader = HeaderReader()
        return received_from(source, digest=digest, size=size, path=path, reader=reader)

    def _adapted(self, gate: Gate) -> Gate:
        return gate if self._idle is None else replace(gate, idle_seconds=self._idle)

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _after_flush(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._intake.flush()
                return await work
        finally:
            work.close()


def _checked(received: Received | None, arrived: Arrived) -> Received | Answer:
    """An object, or why it is refused whatever the gate's mode."""
    if received is None:
        return UNREADABLE
    if not can_be_named(received):
        return NO_IDENTITY
    return received if arrived.is_of(received.sop_class_uid, received.sop_instance_uid) else NO_MATCH
