"""What a bundle's excerpt of the audit trail says, compared with the rest of the bundle.

Its tags can be checked by who has the audit key alone; what it tells of the study can be read by everybody.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import msgspec

from heltig import __version__
from heltig.reports.bundle import form
from heltig.reports.bundle.form import ChainedLine
from heltig.reports.bundle.reading import Bundle

_TAG: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class _Published(msgspec.Struct, frozen=True):
    """The detail of an entry `verdict.publish`."""

    verdict: str
    revision: int
    readiness: str


def entries(bundle: Bundle) -> tuple[ChainedLine, ...] | None:
    """The entries; None where there are none to be had, or they are not what a bundle of this version has."""
    if bundle.audit is None:
        return None
    try:
        found = tuple(
            msgspec.json.decode(line, type=ChainedLine, strict=True) for line in bundle.audit.splitlines()
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    written = b"".join(msgspec.json.encode(line) + b"\n" for line in found)
    is_whole = written == bundle.audit or bundle.manifest.heltig != __version__
    return found if is_whole else None


def contradictions(bundle: Bundle) -> Iterator[str]:
    """What the excerpt says otherwise than the rest, or cannot say."""
    found = entries(bundle)
    if bundle.audit is not None and found is None and bundle.manifest.heltig == __version__:
        yield f"{form.AUDIT} is not entries of an audit trail"
    manifest = bundle.manifest
    subjects = {_subject(bundle), *(f"waiver {waiver.id}" for waiver in bundle.waivers)}
    if any(entry.subject not in subjects for entry in found or ()):
        yield f"{form.AUDIT} has entries about something else"
    for before, after in pairwise(found or ()):
        follows = after.sequence == before.sequence + 1
        if after.sequence <= before.sequence or (follows and after.before != before.tag):
            yield f"entries of {form.AUDIT} do not follow one another"
            break
    published = _published(bundle, found or ())
    if published is not None:
        entry, told = published
        said = (manifest.verdict, manifest.readiness, manifest.judged)
        if (told.verdict, told.readiness, entry.at) != said:
            yield f"{form.AUDIT} tells of another verdict as revision {manifest.revision}"


def proof(bundle: Bundle) -> str:
    """What the excerpt proves of this verdict, and how: at the site, or not at all."""
    published = _published(bundle, entries(bundle) or ())
    if published is None:
        return "which does not tell of this verdict"
    entry, _ = published
    if not _TAG.fullmatch(entry.tag or ""):
        return "which tells of this verdict, but has no tags"
    anchor = f"{entry.sequence}:{entry.tag}"
    return f"of which `heltig audit verify --anchor {anchor}` at the site tells whether it is of its trail"


def _published(bundle: Bundle, found: tuple[ChainedLine, ...]) -> tuple[ChainedLine, _Published] | None:
    """The entry that last says what was published as this revision.

    The last: a study that was purged and came again at once began anew with its first revision.
    """
    for entry in reversed(found):
        if entry.action != "verdict.publish" or entry.damaged or entry.subject != _subject(bundle):
            continue
        try:
            told = msgspec.json.decode(entry.detail, type=_Published)
        except msgspec.DecodeError:
            continue
        if told.revision == bundle.manifest.revision:
            return entry, told
    return None


def _subject(bundle: Bundle) -> str:
    return f"{bundle.manifest.location} {bundle.manifest.key}"
