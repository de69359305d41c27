"""What is known of the audit trail from elsewhere, such as the log: the tags of some entries."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, Self

import msgspec

from heltig.errors import UsageError


class Anchor(msgspec.Struct, frozen=True):
    """What is known from elsewhere of an entry: its tag."""

    sequence: int
    tag: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `SEQUENCE:TAG`.

        Raises:
            UsageError: It is none.
        """
        number, _, tag = text.partition(":")
        if not (number.isascii() and number.isdigit() and len(tag) == 64):
            raise UsageError(f"{text}: not an anchor. Give SEQUENCE:TAG, the tag in 64 hex digits.")
        try:
            return cls(int(number), bytes.fromhex(tag))
        except ValueError as wrong:
            raise UsageError(f"{text}: the tag is not in hex digits.") from wrong


def in_log(lines: Iterable[str]) -> Iterator[Anchor]:
    """The anchors in a log, in either of its forms."""
    for line in lines:
        if "audit.anchor" in line and (found := _SEQUENCE.search(line)) and (tag := _TAG.search(line)):
            yield Anchor(int(found[1]), bytes.fromhex(tag[1]))


_SEQUENCE: Final = re.compile(r"\bsequence\W{1,12}?(\d{1,18})\b")
_TAG: Final = re.compile(r"\btag\W{1,12}?([0-9a-f]{64})\b")
