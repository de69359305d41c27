"""One ZIP that was sent to us, examined before it is accepted, judged afterwards; in a process of its own."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from connectors.upload import KINDS, UNSAFE, Limits, Listing, Skipped, list_inputs, unsafe
from connectors.upload.zip_directory import IN_FRONT, ends_like_zip, is_zip
from connectors.upload.zip_member import MemberError, Package
from heltig.errors import InputError, InputTooLargeError, UnreadableInputError, UnsafePackageError
from heltig.pipeline.judging import ruleset_under
from heltig.pipeline.reading import read_inputs
from heltig.pipeline.score import Scored, score
from heltig.rules.engine import evaluate_package
from heltig.rules.finding import Finding
from heltig.rules.profile import Profile
from heltig.rules.views import Context, PackageView
from heltig.settings import Settings
from heltig.store.keyed import Keyed
from heltig.store.records import Location

_OVER_A_LIMIT: Final = frozenset({"too-large", "too-many", "nesting", "bomb"})
_NAME_SHOWN: Final = 200


class JudgedPackage(msgspec.Struct, frozen=True):
    """All that a ZIP holds.

    Attributes:
        members: Files in it.
        instances: Those that gave an instance.
        skipped: Number of the others by kind (`connectors.upload.KINDS`).
        findings: What the rules say of the ZIP itself.
        studies: Its studies.
    """

    members: int
    instances: int
    skipped: dict[str, int]
    findings: tuple[Finding, ...]
    studies: tuple[Scored, ...]


def limits_of(settings: Settings) -> Limits:
    """What the site lets an uploaded ZIP ask of whoever unpacks it."""
    return Limits(
        members=settings.upload_max_members,
        nesting=settings.upload_max_nesting,
        ratio=settings.upload_max_ratio,
        member_bytes=settings.member_max_size,
        total_bytes=settings.upload_max_unpacked,
        inner_bytes=settings.upload_max_unpacked,
    )


def examine_package(path: Path, limits: Limits) -> None:
    """Looks at every member's headers, without unpacking any but ZIPs inside it.

    Raises:
        UnreadableInputError: It is no ZIP, is damaged, or holds no file.
        UnsafePackageError: A member must not be unpacked.
        InputTooLargeError: A limit on size, number, ratio or nesting is passed.
    """
    with path.open("rb") as file:
        if not is_zip(file.read(4)):
            raise UnreadableInputError(_no_zip(file))
    with tempfile.TemporaryDirectory(prefix="examine-") as scratch:
        (listing,) = list_inputs([path], scratch=Path(scratch), limits=limits)
        refused = [*unsafe(listing), *_contradictory(listing)]
    if refused:
        raise _refusal(refused)
    for whole in listing.skipped:
        if whole.origin == whole.package:
            raise UnreadableInputError(_sentence(whole.detail))
    if not listing.refs:
        reasons = Counter(KINDS[member.kind].meaning for member in listing.skipped)
        why = "; ".join(f"{count} × {reason}" for reason, count in reasons.items())
        raise UnreadableInputError(f"The ZIP holds no file that could be an instance: {why}.")


def judge_package(
    path: Path,
    profile: Profile,
    *,
    location: Location,
    limits: Limits,
    received: datetime,
    keyed: Keyed | None = None,
) -> JudgedPackage:
    """Reads and judges all studies in a ZIP that was examined.

    Every member is unpacked whole, to compare its length and checksum: who takes an upload answers for it.

    Args:
        path: The ZIP.
        profile: The profile to judge with.
        location: The upload.
        limits: Limits on the ZIP.
        received: When it was received; that day is "today" to the rules.
        keyed: Makes hashes of identifiers, where they are kept as such.

    Raises:
        UnreadableInputError: No instance could be read.
    """
    read = read_inputs([path], deep=True, limits=limits)
    (report,) = read.reports
    skipped = Counter(member.kind for member in report.skipped)
    if not read.studies:
        why = "; ".join(f"{count} × {KINDS[kind].meaning}" for kind, count in sorted(skipped.items()))
        raise UnreadableInputError(f"No DICOM instance could be read from the ZIP: {why}.")
    for table in read.studies:
        if keyed and table.uid is None:
            table.key = keyed.study_key(table.key)
    scored = (
        score(table, profile, location=location, received=received, keyed=keyed) for table in read.studies
    )
    context = Context(received.date(), profile.parameters)
    findings = evaluate_package(ruleset_under(profile), PackageView(report.facts, context)).findings
    return JudgedPackage(
        members=report.members,
        instances=report.instances,
        skipped=dict(sorted(skipped.items())),
        findings=findings,
        studies=tuple(study for study in scored if study is not None),
    )


def _no_zip(file: BinaryIO) -> str:
    if ends_like_zip(file):
        return _sentence(IN_FRONT)
    if not file.seek(0, 2):
        return "Nothing was sent: the body has no bytes. Send the ZIP as the body, or as the file of a form."
    return "What was sent is not a ZIP. Put the files into a ZIP, or use a STOW-RS client."


def _sentence(detail: str) -> str:
    return f"{detail[0].upper()}{detail[1:]}."


def _contradictory(listing: Listing) -> Iterator[Skipped]:
    """The members whose own headers show that they must not be unpacked."""
    packages: dict[str, Package] = {}
    try:
        for ref in listing.refs:
            if ref.entry is None:
                continue
            package = packages.get(ref.path) or packages.setdefault(ref.path, Package(ref.path))
            try:
                package.member(ref.entry)
            except MemberError as error:
                if error.kind in UNSAFE:
                    yield Skipped(ref.origin, error.kind, error.detail)
    finally:
        for package in packages.values():
            package.close()


def _refusal(refused: list[Skipped]) -> InputError:
    first = refused[0]
    kind = KINDS[first.kind]
    _, _, member = first.origin.partition("!")
    name = f"Member {member[:_NAME_SHOWN]}" if member else "The ZIP"
    more = len(refused) - 1
    others = f" {more:,} more {'is' if more == 1 else 'are'} refused, too." if more else ""
    detail = f"{name} is refused ({first.kind}): {first.detail}. {kind.remedy}{others} Nothing was kept."
    error = InputTooLargeError if first.kind in _OVER_A_LIMIT else UnsafePackageError
    return error(detail)
