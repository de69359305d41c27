"""Storage commitment: of which objects it can be said that they are in custody, ours or the archive's.

The result of a request is reported by a durable job, to the address that the peer is configured with.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from connectors.dimse.door import SUCCESS, Commitment, Committed, Reference, Sender
from connectors.storing import PROCESSING_FAILURE, Stored
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import JobFailedError
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.gate.upstream import Sendable, present
from heltig.store import objects
from heltig.store.jobs import NewJob
from heltig.store.objects import GateObject
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

KIND: Final = "commitment"
"""The kind of job that reports what came of a storage commitment request."""

PRIORITY: Final = -5
IN_CUSTODY: Final = frozenset({"held", "forwarding", "quarantined"})
"""States of objects whose files we have."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.listener")


class CommitmentDesk:
    """Answers storage commitment requests that come to gates."""

    def __init__(
        self,
        queue: JobQueue,
        spool: GateSpool,
        opens: OpenArchives,
        *,
        report: Callable[[Sender, Committed], None],
    ) -> None:
        """Makes it.

        Args:
            queue: Where jobs go.
            spool: Where the files are of what is in custody.
            opens: The archives.
            report: Reports a result to who asked; it waits, in a thread. LookupError where there is no such
                peer any more.
        """
        self._queue = queue
        self._store = queue.store
        self._spool = spool
        self._opens = opens
        self._report = report

    async def take(self, archive: str, request: Commitment) -> int:
        """Writes a request down; its result is reported later.

        Raises:
            StorageError: The database failed.
        """
        await self._store.write_durably(self._enqueue, archive, request)
        return SUCCESS

    async def verify(self, archive: str, request: Commitment) -> Committed:
        """What comes of a request: stored is what is in our custody, and what the archive shows by QIDO-RS.

        Of what is in our custody the file is looked for; its bytes are compared when it is forwarded.

        Raises:
            ArchiveError: The archive does not say.
            StorageError: The database failed.
        """
        uids = {uid for _, uid in request.references}
        known = await self._store.read(objects.at_location, Location("gate", archive), uids)
        there: set[tuple[str, str]] = set()
        asked: list[tuple[str, GateObject]] = []
        ours = await asyncio.to_thread(self._in_spool, [one for _, one in known if one.state in IN_CUSTODY])
        for study_uid, one in known:
            if one.id in ours:
                there.add((one.sop_class_uid, one.sop_instance_uid))
            elif one.state == "forwarded":
                asked.append((study_uid, one))
        there |= await self._seen(archive, asked)
        stored = tuple(reference for reference in request.references if reference in there)
        failed = tuple(
            (reference, PROCESSING_FAILURE) for reference in request.references if reference not in there
        )
        return Committed(transaction_uid=request.transaction_uid, stored=stored, failed=failed)

    def _in_spool(self, known: Sequence[GateObject]) -> set[int]:
        """Those whose files are there, as long as they were; what another server has is for it to know."""
        return {
            one.id
            for one in known
            if one.file is not None
            and (one.spool != self._spool.name or self._spool.size_of(one.file) == one.size)
        }

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`.

        Raises:
            ArchiveError: The archive does not say what it has: trying again makes sense.
            HeltigError: The peer does not take the result; likewise.
            JobFailedError: The peer is none any more.
        """
        payload = context.payload
        sender = Sender(payload["peer"], payload["address"], payload["association"])
        references = tuple((sop_class, uid) for sop_class, uid in payload["instances"])
        request = Commitment(sender=sender, transaction_uid=payload["transaction"], references=references)
        committed = await self.verify(payload["archive"], request)
        try:
            await asyncio.to_thread(self._report, sender, committed)
        except LookupError as error:
            raise JobFailedError(
                f"{sender.ae_title} has no port in HELTIG_DICOM_PEERS that a result could be reported to."
            ) from error
        return {"stored": len(committed.stored), "failed": len(committed.failed)}

    def _enqueue(self, transaction: WriteTransaction, archive: str, request: Commitment) -> None:
        sender = request.sender
        self._queue.enqueue(
            transaction,
            NewJob(
                kind=KIND,
                key=f"{sender.ae_title} {request.transaction_uid}",
                group=str(Location("gate", archive)),
                priority=PRIORITY,
                payload={
                    "archive": archive,
                    "peer": sender.ae_title,
                    "address": sender.address,
                    "association": sender.association,
                    "transaction": request.transaction_uid,
                    "instances": request.references,
                },
            ),
        )

    async def _seen(self, archive: str, asked: Sequence[tuple[str, GateObject]]) -> set[Reference]:
        """Of what was forwarded that which the archive has."""
        if not asked:
            return set()
        sendables = [
            Sendable(
                study_uid=study_uid,
                series_uid=one.series_uid,
                stored=Stored(one.sop_instance_uid, self._spool.path_of(""), one.size),
            )
            for study_uid, one in asked
        ]
        found = await present(self._opens, archive, sendables)
        return {
            (one.sop_class_uid, one.sop_instance_uid)
            for (_, one), is_there in zip(asked, found, strict=True)
            if is_there
        }
