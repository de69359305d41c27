"""What every way of sending objects to an archive has in common: what is sent, and what is told of each."""

from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["success", "warning", "failure", "unknown"]

PROCESSING_FAILURE: Final = 0x0110
DUPLICATE: Final = 0x0111
"""The archive has an object of this UID already (PS3.7 C.5.6), perhaps with other bytes."""

OUT_OF_RESOURCES: Final = 0xA700
SYNTAX_NOT_SUPPORTED: Final = 0xC122


class Outcome(msgspec.Struct, frozen=True):
    """What became of one object.

    Attributes:
        kind: `unknown` where the archive did not say.
        code: The Failure Reason (0008,1197) or Warning Reason (0008,1196) of PS3.18 I.2, which is a status of
            C-STORE (PS3.4 B.2.3) too.
    """

    kind: Kind
    code: int = 0


UNKNOWN: Final = Outcome("unknown")
SUCCESS: Final = Outcome("success")


class Stored(msgspec.Struct, frozen=True):
    """An object to be sent: the file is sent as it is.

    Attributes:
        size: In bytes.
    """

    sop_instance_uid: str
    path: Path
    size: int


class StoreAnswer(msgspec.Struct, frozen=True):
    """What came of objects that were sent.

    Attributes:
        outcomes: By SOP Instance UID; of each object one.
    """

    outcomes: dict[str, Outcome]


def is_transient(outcome: Outcome) -> bool:
    """Whether a failure may pass: out of resources, or a processing failure (PS3.18 I.2.2)."""
    return outcome.kind == "failure" and (outcome.code == PROCESSING_FAILURE or outcome.code >> 8 == 0xA7)
