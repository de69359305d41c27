"""Objects that a gate received: taken into custody, judged or passed on as the gate's mode says.

Every door of a gate hands over here: the STOW-RS route and the C-STORE listener alike.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from connectors.storing import Outcome, Stored
from heltig import audit
from heltig.audit.batches import Batches, Kind
from heltig.errors import NotFoundError
from heltig.pipeline.archives.administration import find_archive
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate import refusal_codes as codes
from heltig.pipeline.gate.judging import GateJudging, Judged
from heltig.pipeline.gate.ledger import Entry, Ledger
from heltig.pipeline.gate.received import MOST_COMMENT, Decision, Gate, Received, can_be_named, usable
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.gate.upstream import Sendable, send
from heltig.store.engine import Store
from heltig.store.objects import GateObject, ObjectState
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.gate")


class Custody:
    """What the doors of all gates hand objects to.

    Attributes:
        spool: Where they put the files.
    """

    def __init__(
        self,
        store: Store,
        spool: GateSpool,
        opens: OpenArchives,
        judging: GateJudging,
        *,
        batches: Batches,
        clock: Callable[[], datetime],
    ) -> None:
        self.spool = spool
        self._store = store
        self._opens = opens
        self._judging = judging
        self._clock = clock
        self._batches = batches
        self._ledger = Ledger(store, spool, clock=clock)

    async def open(self, gate: str) -> Gate:
        """A gate by its archive's name.

        Raises:
            NotFoundError: There is no such archive, or it has no gate.
            StorageError: There is no room for what might come.
        """
        entry = await find_archive(self._store, gate)
        options = entry.options
        if options.gate is None:
            raise NotFoundError(
                f"Archive {gate} has no gate. `heltig archives change {gate} --gate` opens one."
            )
        self.spool.insist_on_room()
        return Gate(
            archive=gate,
            location=Location("gate", gate),
            mode=options.gate,
            failing=options.gate_failing,
            review=options.gate_review,
            idle_seconds=options.gate_idle_seconds,
        )

    async def take(
        self, gate: Gate, received: Sequence[Received], *, sender: str, request: str
    ) -> list[Decision]:
        """Does with some objects what the gate's mode says; what is held is durable when this returns.

        Args:
            gate: From `open`.
            received: The objects; of any number of studies.
            sender: Who sends: a principal's name, or an AE title.
            request: Names the request or association in logs and in the audit trail.

        Returns:
            One for each object, in their order.

        Raises:
            StorageError: Nothing is known of these objects afterwards: they may be sent again.
            ArchiveError: The archive cannot be asked now, and nothing of it was forwarded; likewise.
        """
        await self._batches.make_room()
        taking = _Taking(self, gate, received, sender=sender, request=request)
        try:
            return await taking.run()
        finally:
            taking.end()
            self.spool.remove(taking.useless)

    async def _enter(
        self, gate: Gate, chosen: Sequence[Received], state: ObjectState, *, sender: str, request: str
    ) -> list[Path]:
        """Writes objects down, a study at a time; returns the files that nobody needs then."""
        useless: list[Path] = []
        by_study: dict[str, list[int]] = {}
        for place, one in enumerate(chosen):
            by_study.setdefault(one.study_uid, []).append(place)
        entries = [
            Entry(
                location=gate.location,
                study_uid=study_uid,
                objects=[self._row(chosen[place], state, sender=sender, request=request) for place in places],
                idle=timedelta(seconds=gate.idle_seconds),
                files=[
                    chosen[place].path for place in places if state == "held" and not chosen[place].is_on_disk
                ],
            )
            for study_uid, places in by_study.items()
        ]
        added = await asyncio.gather(*map(self._ledger.add, entries))
        taken = Kind(
            actor=sender, origin="", action="gate.take", subject=str(gate.location), outcome="success"
        )
        for study_uid, each in zip(by_study, added, strict=True):
            if new := sum(one.is_new for one in each):
                self._batches.note(taken, study=study_uid, count=new)
            useless.extend(self.spool.path_of(one.useless) for one in each if one.useless is not None)
        return useless

    def _row(self, one: Received, state: ObjectState, *, sender: str, request: str) -> GateObject:
        return GateObject(
            study=0,
            sop_instance_uid=one.sop_instance_uid,
            sop_class_uid=usable(one.sop_class_uid),
            series_uid=usable(one.series_uid),
            transfer_syntax_uid=usable(one.transfer_syntax_uid),
            digest=one.digest,
            size=one.size,
            state=state,
            file=self.spool.file_of(one.path),
            spool=self.spool.name,
            sender=sender[:256],
            request=request[:256],
            received=self._clock(),
        )


class _Taking:
    """One call of `Custody.take`.

    Attributes:
        useless: Files that belong to nothing in the end.
    """

    def __init__(
        self, custody: Custody, gate: Gate, received: Sequence[Received], *, sender: str, request: str
    ) -> None:
        self.useless = [one.path for one in received]
        self._custody = custody
        self._gate = gate
        self._received = received
        self._sender = sender
        self._request = request
        self._decisions: list[Decision | None] = [None] * len(received)
        self._judged: Judged | None = None
        self._missing: set[int] = set()  # what was judged, and is not written down

    async def run(self) -> list[Decision]:
        first = self._firsts()
        places = [place for place, other in first.items() if place == other]
        if self._gate.mode == "hold":
            await self._hold(places)
        else:
            await self._forward(places if self._gate.mode == "observe" else await self._admit(places))
        for place in range(len(self._received)):  # whoever sends the same twice is told the same twice
            self._decisions[place] = self._decisions[first.get(place, place)]
        return [decision or Decision(codes.PROCESSING_FAILURE) for decision in self._decisions]

    def end(self) -> None:
        """Has to be called in the end, however that came."""
        if self._judged is not None:
            missing = [self._received[place] for place in self._missing]
            self._custody._judging.end(self._judged, missing=missing)

    def _firsts(self) -> dict[int, int]:
        """Of each object that can be named the place where the same came first.

        Bytes that come again after others under their UID are an object by itself: the archive keeps the
        last of one UID.
        """
        first: dict[int, int] = {}
        last: dict[str, int] = {}
        for place, one in enumerate(self._received):
            if self._is_named(place, one):
                before = last.get(one.sop_instance_uid, place)
                is_same = self._received[before].digest == one.digest
                last[one.sop_instance_uid] = first[place] = before if is_same else place
        return first

    def _is_named(self, place: int, one: Received) -> bool:
        if can_be_named(one):
            return True
        self._decisions[place] = Decision(codes.NO_IDENTITY, "No usable SOP Instance or Study UID")
        return False

    async def _hold(self, places: Sequence[int]) -> None:
        await self._enter(places, "held")
        for place in places:
            self._decisions[place] = Decision()

    async def _admit(self, places: Sequence[int]) -> list[int]:
        """Those that no rule refuses; those that could not be judged too, where the gate fails open."""
        admitted, refused, opened = [], list[str](), 0
        chosen = [self._received[place] for place in places]
        self._judged = await self._custody._judging.judge(self._gate, chosen)
        for place, one in zip(places, self._judged.instances, strict=True):
            if one.blocks:
                self._decisions[place] = Decision(codes.code_of(one.blocks), _comment(one.blocks))
                refused.extend(one.blocks)
            elif not one.is_readable:
                self._decisions[place] = Decision(codes.UNREADABLE, "No DICOM object can be read")
                refused.append("unreadable")
            elif one.failed and self._gate.failing == "closed":
                self._decisions[place] = Decision(codes.PROCESSING_FAILURE, _comment(one.failed))
                refused.extend(one.failed)
            else:
                opened += bool(one.failed)
                admitted.append(place)
        self._missing.update(admitted)
        if refused:
            await self._record("gate.refuse", len(places) - len(admitted), sorted(set(refused)))
        if opened:
            await self._record("gate.open", opened, [])
        return sorted(admitted)

    async def _forward(self, places: Sequence[int]) -> None:
        if not places:
            return
        custody, gate = self._custody, self._gate
        outcomes = await send(custody._opens, gate.archive, [self._sendable(place) for place in places])
        taken = []
        for place, outcome in zip(places, outcomes, strict=True):
            self._decisions[place] = _decision(outcome)
            if outcome.kind in ("success", "warning"):
                taken.append(place)
        await self._enter(taken, "forwarded")
        self._missing.difference_update(taken)

    async def _enter(self, places: Sequence[int], state: ObjectState) -> None:
        chosen = [self._received[place] for place in places]
        # From here on rows may name these files, whatever happens: a commit that fails may have been one.
        entered = {one.path for one in chosen}
        self.useless = [path for path in self.useless if path not in entered]
        self.useless += await self._custody._enter(
            self._gate, chosen, state, sender=self._sender, request=self._request
        )

    def _sendable(self, place: int) -> Sendable:
        one = self._received[place]
        return Sendable(
            study_uid=one.study_uid,
            series_uid=one.series_uid,
            stored=Stored(one.sop_instance_uid, one.path, one.size),
        )

    async def _record(self, action: audit.Action, instances: int, rules: Sequence[str]) -> None:
        custody, gate = self._custody, self._gate
        log.info(action, gate=gate.archive, request=self._request, instances=instances, rules=list(rules))

        def record(transaction: WriteTransaction) -> None:
            audit.record(
                transaction,
                at=custody._clock(),
                actor=self._sender,
                action=action,
                subject=str(gate.location),
                outcome="refused" if action == "gate.refuse" else "success",
                origin="",
                detail={"request": self._request, "instances": instances, "rules": list(rules)[:50]},
            )

        await custody._store.write_durably(record)


def _decision(outcome: Outcome) -> Decision:
    match outcome.kind:
        case "success":
            return Decision()
        case "warning":
            return Decision(warning=outcome.code)
        case "failure":
            return Decision(outcome.code, "The archive refuses it")
        case _:
            return Decision(codes.PROCESSING_FAILURE, "The archive does not say what became of it")


def _comment(rules: Sequence[str]) -> str:
    """As many ids as there is room for."""
    comment = ""
    for rule in rules:
        longer = f"{comment},{rule}" if comment else rule
        if len(longer) > MOST_COMMENT:
            break
        comment = longer
    return comment or rules[0][:MOST_COMMENT]
