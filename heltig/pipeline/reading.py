"""Files, folders and ZIPs in, studies out.

What a ZIP holds beside a study's instances is evidence about the study too: a member that could not be read
may be one of them. It goes into the source facts of every study that has an instance in that ZIP.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec

from connectors.upload import (
    KINDS,
    Aside,
    FileSet,
    InputReport,
    Limits,
    Listing,
    MemberRef,
    Skipped,
    account,
    list_inputs,
    read_members,
)
from heltig.dicom.cell import Fault
from heltig.dicom.source import FILES, PackageFact, Source
from heltig.dicom.study import StudyCollector, StudyTable
from heltig.pipeline.copies import compare_pixels

Progress = Callable[[int, int], None]
"""Told how many members were read, of how many."""

Package: TypeAlias = tuple[int, str]
"""A ZIP that was handed in: the number of its input, and its origin there."""

Unread: TypeAlias = Mapping[Package, Mapping[str, int]]
"""Of each ZIP how many members could not be read and may be instances, by kind."""

_MEMBERS_A_CHUNK: Final = 200
"""Small enough to show progress."""


class ReadInputs(msgspec.Struct, frozen=True):
    """Everything in some inputs.

    Attributes:
        reports: The account of each input, in the order given.
        studies: The studies in all of them, arranged, by key.
    """

    reports: tuple[InputReport, ...]
    studies: tuple[StudyTable, ...]


class Chunk(msgspec.Struct):
    """Members of one input that are read one after the other."""

    number: int
    refs: Sequence[MemberRef]


class Part(msgspec.Struct):
    """What a chunk came to, its instances apart."""

    number: int
    others: list[Aside]
    instances: int
    members: int
    studies: set[tuple[str, str]]
    """Origins of ZIPs, each with the UID of a study that it holds instances of."""


class Given(NamedTuple):
    """What one reader parts with of a study: its instances, their ZIPs, and where each was read."""

    study: StudyTable
    packages: set[Package]
    refs: list[MemberRef]


def read_inputs(
    paths: Iterable[str | Path],
    *,
    deep: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> ReadInputs:
    """Read inputs whole, in this process.

    Args:
        paths: Files, folders and ZIPs.
        deep: Unpack the members of ZIPs whole, and check their lengths and checksums.
        limits: Limits on each input.
        progress: Called from time to time.
    """
    with listed(paths, limits=limits) as listings:
        return read_listed(listings, deep=deep, progress=progress)


def read_listed(
    listings: Sequence[Listing], *, deep: bool = False, progress: Progress | None = None
) -> ReadInputs:
    """Read inputs that are listed; see `read_inputs`."""
    reader = Reader(deep=deep)
    books = Books(listings, progress)
    for chunk in chunks_of(listings, members=_MEMBERS_A_CHUNK):
        books.enter(reader.read(chunk))
    reports = books.close()
    return ReadInputs(reports, tuple(reader.studies(unread(reports))))


@contextmanager
def listed(paths: Iterable[str | Path], *, limits: Limits | None = None) -> Iterator[list[Listing]]:
    """The members of inputs, and a place for ZIPs found in ZIPs as long as they are read."""
    with tempfile.TemporaryDirectory(prefix="heltig-") as scratch:
        yield list(list_inputs(paths, scratch=Path(scratch), limits=limits))


def chunks_of(listings: Iterable[Listing], *, members: int) -> Iterator[Chunk]:
    """Cut the members of inputs into pieces of about so many, where one folder ends if that is near."""
    for number, listing in enumerate(listings):
        refs, start = listing.refs, 0
        while start < len(refs):
            stop, latest = min(start + members, len(refs)), min(start + 2 * members, len(refs))
            while stop < latest and _folder(refs[stop]) == _folder(refs[stop - 1]):
                stop += 1
            yield Chunk(number, refs[start:stop])
            start = stop


class Reader:
    """Reads members and sorts their instances into studies."""

    def __init__(self, *, deep: bool = False) -> None:
        """Makes it.

        Args:
            deep: Unpack the members of ZIPs whole, and check their lengths and checksums.
        """
        self._deep = deep
        self._collector = StudyCollector()
        self.packages: dict[str, set[Package]] = {}
        """Of each study, by key, the ZIPs that hold instances of it."""
        self._refs: dict[str, list[MemberRef]] = defaultdict(list)

    def read(self, chunk: Chunk) -> Part:
        """Read some members."""
        others: list[Aside] = []
        studies: set[tuple[str, str]] = set()
        refs = iter(chunk.refs)
        instances = 0
        for outcome in read_members(chunk.refs, deep=self._deep):
            if isinstance(outcome, PackageFact):
                others.append(outcome)
                continue
            ref = next(refs)
            if isinstance(outcome, Skipped | FileSet):
                others.append(outcome)
                continue
            instances += 1
            study = self._collector.add(outcome)
            self._refs[study.key].append(ref)
            packages = self.packages.setdefault(study.key, set())
            if ref.package:
                packages.add((chunk.number, ref.package))
                if study.uid:
                    studies.add((ref.package, study.uid))
        return Part(chunk.number, others, instances, len(chunk.refs), studies)

    def take(self, part: Given) -> None:
        """Put what another reader gave of a study to what is known of it."""
        self._collector.absorb(part.study)
        self.packages.setdefault(part.study.key, set()).update(part.packages)
        self._refs[part.study.key] += part.refs

    def give(self, keys: Iterable[str]) -> list[Given]:
        """Part with what was read of some studies, for a reader in another process."""
        return [
            Given(self._collector.release(key), self.packages.pop(key), self._refs.pop(key)) for key in keys
        ]

    def studies(self, unread: Unread) -> list[StudyTable]:
        """The studies in the order of their keys, arranged; nothing may be read afterwards."""
        studies = self._collector.studies()
        for study in studies:
            study.source = self._source(self.packages[study.key], unread)
            compare_pixels(study, self._refs.pop(study.key))
        return studies

    def _source(self, packages: set[Package], unread: Unread) -> Source:
        """What a study's files could show, and what the ZIPs with instances of it lack."""
        shows = FILES.shows | {"checksums"} if self._deep and packages else FILES.shows
        return Source(shows=shows, failures=_failures(packages, unread))


class Books:
    """The account of inputs while they are read."""

    def __init__(self, listings: Sequence[Listing], progress: Progress | None) -> None:
        self._listings = listings
        self._others: list[list[Aside]] = [[] for _ in listings]
        self._studies: list[set[tuple[str, str]]] = [set() for _ in listings]
        self._instances = [0] * len(listings)
        self._done, self._total = 0, sum(len(listing.refs) for listing in listings)
        self._progress = progress

    def enter(self, part: Part) -> None:
        """Enter what was read."""
        self._others[part.number].extend(part.others)
        self._studies[part.number] |= part.studies
        self._instances[part.number] += part.instances
        self._done += part.members
        if self._progress:
            self._progress(self._done, self._total)

    def close(self) -> tuple[InputReport, ...]:
        """The account of each input, once all its members were read."""
        for others, studies in zip(self._others, self._studies, strict=True):
            others.extend(_several(studies))
        rows = zip(self._listings, self._others, self._instances, strict=True)
        return tuple(account(listing, others, instances=count) for listing, others, count in rows)


def unread(reports: Iterable[InputReport]) -> Unread:
    """What could not be read of the ZIPs in some inputs and may be instances."""
    found: dict[Package, Counter[str]] = {}
    for number, report in enumerate(reports):
        for member in report.skipped:
            if member.package and member.may_be_instance:
                found.setdefault((number, member.package), Counter())[member.kind] += 1
    return found


def _failures(packages: Iterable[Package], unread: Unread) -> tuple[Fault, ...]:
    counts: Counter[str] = Counter()
    for package in packages:
        counts.update(unread.get(package, {}))
    return tuple(
        Fault("member-unread", f"{count} member{'s' * (count > 1)}: {kind}: {KINDS[kind].meaning}")
        for kind, count in sorted(counts.items())
    )


def _several(studies: Iterable[tuple[str, str]]) -> Iterator[PackageFact]:
    """What there is to say of ZIPs that hold several studies; instances without a UID are of none."""
    for package, count in sorted(Counter(package for package, _ in studies).items()):
        if count > 1:
            yield PackageFact("several-studies", package, f"instances of {count} studies")


def _folder(ref: MemberRef) -> str:
    return ref.origin.rpartition("/")[0]
