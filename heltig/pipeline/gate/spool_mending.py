"""A gate's spool and its rows compared: files that no row names, and rows whose file is not there.

Files without rows are removed of themselves after half a day. A row without a file is a loss: something else
removed it. It is mended only when a person asks for it: a disk that is not mounted looks the same.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from heltig import audit
from heltig.errors import UsageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.again.context import withdraw
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.retention.removing import insist_on_reason
from heltig.store import custody_files, gate_studies, objects, studies
from heltig.store.objects import GateObject
from heltig.store.transaction import WriteTransaction


class SpoolState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the spool and its rows agree.

    Attributes:
        objects: Rows that name a file of this spool.
        lost: Those whose file is not there, by their ids.
        useless: Files of long ago that no row names.
        size: The bytes of these.
    """

    objects: int
    lost: list[int]
    useless: list[str]
    size: int


class SpoolDesk:
    """Compares the spool of this server with its rows, and mends what does not agree."""

    def __init__(self, queue: JobQueue, spool: GateSpool, *, clock: Callable[[], datetime]) -> None:
        self._queue = queue
        self._store = queue.store
        self._spool = spool
        self._clock = clock

    async def look(self) -> SpoolState:
        """Compares; changes nothing.

        Raises:
            StorageError: The database failed.
        """
        kept = await self._store.read(custody_files.objects_kept, self._spool.name)
        missing = await asyncio.to_thread(
            lambda: [id for id, file in kept if not self._spool.path_of(file).exists()]
        )
        # What was handed on between the two looks is no loss.
        still = dict(await self._store.read(custody_files.objects_kept, self._spool.name)) if missing else {}
        old = await asyncio.to_thread(self._spool.old_files)
        named = await self._store.read(objects.kept_files, old) if old else set()
        useless = [file for file in old if file not in named]
        size = await asyncio.to_thread(
            lambda: sum(self._spool.path_of(file).stat().st_size for file in useless)
        )
        lost = [id for id in missing if id in still]
        return SpoolState(objects=len(kept), lost=lost, useless=useless, size=size)

    async def mend(self, found: SpoolState, *, reason: str, actor: str, origin: str) -> None:
        """Removes files that no row names, and writes off objects whose files are lost.

        Args:
            found: What `look` found.
            reason: Why, for the audit trail; needed where something is lost.
            actor: Who asks.
            origin: From where.

        Raises:
            UsageError: Something is lost, and there is no reason; or all of it is, as where a disk is away.
        """
        if found.lost:
            insist_on_reason(reason)
            if len(found.lost) == found.objects > 1:
                raise UsageError(
                    f"All {found.objects:,} files of the spool are away: see whether its disk is there, and "
                    "whether HELTIG_HOME is right. Nothing was changed."
                )
        await asyncio.to_thread(self._spool.remove, [self._spool.path_of(file) for file in found.useless])
        lost = await self._store.read(custody_files.objects_of, found.lost)
        for study, some in groupby(lost, key=lambda one: one.study):
            await self._store.write_durably(self._write_off, study, list(some), reason, actor, origin)

    def _write_off(
        self,
        transaction: WriteTransaction,
        id: int,
        lost: Sequence[GateObject],
        reason: str,
        actor: str,
        origin: str,
    ) -> None:
        known = gate_studies.find(transaction, id)
        if known is not None:  # the study first, then what the gate knows of it: so does everybody
            studies.lock(transaction, known.location, known.study_key)
        study = gate_studies.lock(transaction, id)
        ids = [one.id for one in lost]
        objects.move(transaction, [one.id for one in lost if one.state != "forwarded"], "discarded")
        objects.let_go(transaction, ids)
        left = objects.of_study(transaction, id)
        if not any(one.state == "quarantined" for one in left) and study.quarantined is not None:
            gate_studies.decide(transaction, id)
        if not left:
            gate_studies.forget_snapshot(transaction, id)
            withdraw(transaction, study.location, study.study_key, self._queue, at=self._clock())
        audit.record(
            transaction,
            at=self._clock(),
            actor=actor,
            action="spool.write-off",
            subject=f"{study.location} {study.study_key}",
            outcome="failure",
            origin=origin,
            detail={
                "reason": reason,
                "instances": len(ids),
                "lost": [
                    {"sopInstanceUID": one.sop_instance_uid, "sha256": one.digest, "state": one.state}
                    for one in lost[:1000]
                ],
            },
        )
