"""Files, folders and ZIPs in, studies out: read in this process or in several at once.

Processes give back what they read as settled tables, which hold each distinct value once, and not as data
sets. The result is the same whatever the number of processes.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from connectors.upload import (
    InputReport,
    Limits,
    Listing,
    MemberRef,
    Skipped,
    account,
    list_inputs,
    read_members,
)
from heltig.dicom.cell import DataSet
from heltig.dicom.source import PackageFact
from heltig.dicom.study import StudyCollector, StudyTable

Progress = Callable[[int, int], None]
"""Told how many members were read, of how many."""

MEMBERS_A_CHUNK = 200
"""Large enough that a chunk costs more to read than to hand over, small enough to show progress."""


class ReadInputs(msgspec.Struct, frozen=True):
    """Everything in some inputs.

    Attributes:
        reports: The account of each input, in the order given.
        studies: The studies in all of them, arranged, by key.
    """

    reports: tuple[InputReport, ...]
    studies: tuple[StudyTable, ...]


class _Chunk(msgspec.Struct):
    """Members of one input."""

    number: int
    refs: Sequence[MemberRef]
    deep: bool


class _Part(msgspec.Struct):
    """What a chunk came to."""

    number: int
    studies: list[StudyTable]
    others: list[Skipped | PackageFact]
    instances: int
    members: int


def read_inputs(
    paths: Iterable[str | Path],
    *,
    jobs: int = 1,
    deep: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> ReadInputs:
    """Read inputs whole.

    Args:
        paths: Files, folders and ZIPs.
        jobs: Number of processes; 0 takes one for each core.
        deep: Unpack the members of ZIPs whole, and check their lengths and checksums.
        limits: Limits on each input.
        progress: Called from time to time.
    """
    with tempfile.TemporaryDirectory(prefix="heltig-") as scratch:
        listings = list(list_inputs(paths, scratch=Path(scratch), limits=limits))
        chunks = list(_chunks(listings, deep=deep))
        total = sum(len(chunk.refs) for chunk in chunks)
        collector = StudyCollector()
        others: list[list[Skipped | PackageFact]] = [[] for _ in listings]
        instances = [0] * len(listings)
        done = 0
        for part in _parts(chunks, min(jobs or os.cpu_count() or 1, len(chunks))):
            for study in part.studies:
                collector.absorb(study)
            others[part.number].extend(part.others)
            instances[part.number] += part.instances
            done += part.members
            if progress:
                progress(done, total)
        reports = [
            account(listing, found, instances=count)
            for listing, found, count in zip(listings, others, instances, strict=True)
        ]
    return ReadInputs(tuple(reports), tuple(collector.studies()))


def _chunks(listings: list[Listing], *, deep: bool) -> Iterator[_Chunk]:
    for number, listing in enumerate(listings):
        for start in range(0, len(listing.refs), MEMBERS_A_CHUNK):
            yield _Chunk(number, listing.refs[start : start + MEMBERS_A_CHUNK], deep)


def _parts(chunks: list[_Chunk], jobs: int) -> Iterator[_Part]:
    if jobs <= 1:
        yield from map(_read, chunks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_read, chunks)


def _read(chunk: _Chunk) -> _Part:
    collector = StudyCollector()
    others: list[Skipped | PackageFact] = []
    instances = 0
    for outcome in read_members(chunk.refs, deep=chunk.deep):
        if isinstance(outcome, DataSet):
            collector.add(outcome)
            instances += 1
        else:
            others.append(outcome)
    return _Part(chunk.number, collector.parts(), others, instances, len(chunk.refs))
