"""Objects that a gate received: taken into custody, judged or passed on as the gate's mode says.

Every door of a gate hands over here: the STOW-RS route and the C-STORE listener alike.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from heltig.store.archive_options import GateFailing, GateMode, GateReview
from heltig.store.records import Location

MOST_COMMENT: Final = 64
"""Characters of an ErrorComment (0000,0902), LO."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A SOP Instance whose file is whole in the gate's spool. `Custody.take` brings it to disk.

    Attributes:
        digest: SHA-256 of the bytes, 64 hex digits.
        size: In bytes.
        path: Where the file is; it belongs to the custody from `take` on.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    digest: str
    size: int
    path: Path


class Decision(msgspec.Struct, frozen=True):
    """What the sender of an object is told.

    Attributes:
        code: 0 for success, else a Failure Reason (0008,1197) of PS3.18 I.2.2, which is a status of C-STORE
            (PS3.4 B.2.3) too.
        comment: Ids of rules, or a few words; at most `MOST_COMMENT` characters, no patient data.
        warning: With success, a Warning Reason (0008,1196) of PS3.18 I.2.1.
    """

    code: int = 0
    comment: str = ""
    warning: int | None = None


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate that takes objects.

    Attributes:
        archive: The archive that it forwards to.
        location: `gate:` and that name.
        mode: What it does with what is sent.
        failing: What it does in `enforce` with what could not be judged.
        review: What it does in `hold` with a study that is NEEDS_REVIEW.
        idle_seconds: A study is judged when nothing of it came for so long.
    """

    archive: str
    location: Location
    mode: GateMode
    failing: GateFailing = "closed"
    review: GateReview = "forward"
    idle_seconds: float = 30.0


class Custody:
    """What the doors of all gates hand objects to."""

    async def open(self, gate: str) -> Gate:
        """A gate by its archive's name.

        Raises:
            NotFoundError: There is no such archive, or it has no gate.
            StorageError: There is no room for what might come.
        """
        raise NotImplementedError

    async def take(
        self, gate: Gate, received: Sequence[Received], *, sender: str, request: str
    ) -> list[Decision]:
        """Does with some objects what the gate's mode says; when this returns, that is durable.

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
        raise NotImplementedError
