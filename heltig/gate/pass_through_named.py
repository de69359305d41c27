"""The studies that the rows of an archive's answer to a search are of, for the audit trail."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Final

_STUDY: Final = re.compile(
    rb'"0020000[Dd]"\s{0,64}:\s{0,64}\{[^{}]{0,128}?"Value"\s{0,64}:\s{0,64}\[\s{0,64}'
    rb'"([0-9.]{1,64})(?:\\u0000|\s){0,4}"'
)
"""StudyInstanceUID in DICOM JSON (PS3.18 F.2)."""

_LONGEST: Final = 1024
"""Bytes of such an element: as many are looked at again with what comes next."""


async def naming(chunks: AsyncIterator[bytes], tell: Callable[[list[str]], None]) -> AsyncIterator[bytes]:
    """Gives what comes as it is; the studies of a piece are told before it is given.

    Args:
        chunks: The text of an answer in DICOM JSON, in pieces.
        tell: Told StudyInstanceUIDs; one that has several rows, such as of its series, several times.
    """
    held = b""
    async for chunk in chunks:
        text = held + chunk
        ends = 0
        found: list[str] = []
        for one in _STUDY.finditer(text):
            found.append(one[1].decode("ascii"))
            ends = one.end()
        if found:
            tell(found)
        held = text[max(ends, len(text) - _LONGEST) :]
        yield chunk
