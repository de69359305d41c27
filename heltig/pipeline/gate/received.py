"""What doors of gates hand over to the custody: objects that came, at which gate, and the answer to each."""

import re
from pathlib import Path
from typing import Final

import msgspec

from heltig.store.archive_options import GateFailing, GateMode, GateReview
from heltig.store.records import Location

MOST_COMMENT: Final = 64
"""Characters of an ErrorComment (0000,0902), LO."""

_UID: Final = re.compile(r"[\x21-\x7e]{1,128}")
"""What an object can be named by. Whether it is a UID is for the rules to say."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A SOP Instance whose file is whole in the gate's spool. `Custody.take` brings it to disk.

    Attributes:
        digest: SHA-256 of the bytes, 64 hex digits.
        size: In bytes.
        path: Where the file is; it belongs to the custody from `take` on.
        is_on_disk: It outlasts a power cut already: nobody needs to bring it to disk again.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    digest: str
    size: int
    path: Path
    is_on_disk: bool = False


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


def can_be_named(one: Received) -> bool:
    """Whether there are UIDs that an object can be known by; what has none is refused in every mode."""
    return bool(_UID.fullmatch(one.sop_instance_uid) and _UID.fullmatch(one.study_uid))


def usable(uid: str) -> str:
    """A UID that can be written down as it came; empty where it cannot."""
    return uid if _UID.fullmatch(uid) else ""
