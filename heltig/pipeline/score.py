"""One study judged and made ready for the store: the part that costs CPU and needs no database.

It runs in judging processes; `heltig.pipeline.keep` has it called and keeps what comes of it.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from heltig.dicom.cell import DataSet
from heltig.dicom.digest import SeriesDigest, content_digest, series_digests
from heltig.dicom.snapshot import read_snapshot, read_source, series_evidence, snapshot_id
from heltig.dicom.source import Source
from heltig.dicom.study import StudyTable, element
from heltig.dicom.table import decoded
from heltig.pipeline.evidence import new_snapshot, study_attributes
from heltig.pipeline.identifiers.hashing import Hashing
from heltig.pipeline.judging import judge
from heltig.pipeline.timing import RuleCosts, time_tables
from heltig.rules.index_facts import IndexFact
from heltig.rules.profile import Profile
from heltig.store.keyed import Keyed
from heltig.store.records import Location, NewSnapshot, Snapshot, Study, StudyAttributes
from heltig.store.well_formed import blob_told
from heltig.verdict import Inputs, Verdict, Waiver

_MODALITIES: Final = "00080061"
_VOLATILE: Final = frozenset({"00080056", "00081190", "00080201"})
"""Of an archive's rows what may change though the study does not: InstanceAvailability, RetrieveURL, the
archive's own TimezoneOffsetFromUTC."""


class Scored(msgspec.Struct, frozen=True):
    """A judged study, ready to be stored. Its verdict is that of a study which no other contradicts.

    Attributes:
        waivers: Those that were in force.
    """

    snapshot: NewSnapshot
    inputs: Inputs
    verdict: Verdict
    waivers: tuple[Waiver, ...] = ()


def score(
    table: StudyTable,
    profile: Profile,
    *,
    location: Location,
    received: datetime,
    before: Study | None = None,
    waivers: tuple[Waiver, ...] = (),
    keyed: Keyed | None = None,
) -> Scored | None:
    """Judges a study that was just read.

    Args:
        table: The study, arranged.
        profile: The profile to judge under.
        location: Where it was seen.
        received: When it was read; that day is "today" to the rules.
        before: The study as its verdict left it; None where none stands.
        waivers: Those in force for it.
        keyed: Makes hashes of identifiers, where they are kept as such.

    Returns:
        Nothing where the study did not change since.
    """
    evidence = series_evidence(table)
    id = snapshot_id(table, evidence)
    if before and before.snapshot == id:
        return None  # byte for byte the same, which is quicker to see than that it means the same
    digests = series_digests(table)
    digest = study_digest(digests, table.source)
    if before and before.content_digest == digest:
        return None
    judged = judge(
        table,
        profile,
        reference_date=received.date(),
        archive=_archive(location),
        waivers=waivers,
        snapshot=id,
        hides=Hashing(keyed) if keyed else None,
    )
    snapshot = new_snapshot(
        table,
        evidence,
        digests,
        id=id,
        content_digest=digest,
        location=location,
        received=received,
        reference_date=received.date(),
    )
    snapshot = replace(snapshot, attributes=attributes_of(table))
    if keyed:
        snapshot = replace(
            snapshot,
            attributes=keyed.attributes(snapshot.attributes),
            series=tuple(map(blob_told, snapshot.series)),
            devices=tuple(map(keyed.device, snapshot.devices)),
        )
    return Scored(snapshot, judged.inputs, judged.verdict, waivers)


def score_again(
    stored: Snapshot,
    profile: Profile,
    *,
    index_facts: tuple[IndexFact, ...] = (),
    waivers: tuple[Waiver, ...] = (),
    keyed: Keyed | None = None,
) -> tuple[Inputs, Verdict]:
    """Judges evidence that is in the store, with the day on which it was received.

    Args:
        stored: The evidence.
        profile: The profile to judge under.
        index_facts: What the index of all studies says about the study.
        waivers: Those in force for the study.
        keyed: Makes hashes of identifiers, where they are kept as such.
    """
    judged = judge(
        _table_of(stored),
        profile,
        reference_date=stored.reference_date,
        archive=_archive(stored.location),
        snapshot=stored.snapshot,
        waivers=waivers,
        index_facts=index_facts,
        hides=Hashing(keyed) if keyed else None,
    )
    return judged.inputs, judged.verdict


def time_stored(stored: Snapshot, profile: Profile, *, index_facts: tuple[IndexFact, ...] = ()) -> RuleCosts:
    """What each rule costs on evidence that is in the store.

    Args:
        stored: The evidence.
        profile: The profile to judge under.
        index_facts: What the index of all studies says about the study.
    """
    return time_tables(
        [_table_of(stored)], profile, reference_date=stored.reference_date, index_facts=index_facts
    )


def _table_of(stored: Snapshot) -> StudyTable:
    contents = [series.content for series in stored.series]
    return read_snapshot(stored.study_key, stored.study_uid, read_source(stored.facts), contents)


def attributes_of(table: StudyTable) -> StudyAttributes:
    """What a search shows of a study: from the archive's rows, where nothing else of it came."""
    if table.rows:
        return study_attributes(table)
    listed = StudyTable(table.key, table.uid)
    for row in table.source.study_rows:
        listed.add(row)
    listed.arrange()
    modalities = {
        str(value) for row in table.source.study_rows for value in element(row, _MODALITIES).values if value
    }
    return replace(study_attributes(listed), modalities_in_study=tuple(sorted(modalities)))


def _archive(location: Location) -> str:
    return "" if location.kind == "upload" else location.name


def study_digest(digests: Iterable[SeriesDigest], source: Source) -> str:
    """What tells whether a study changed: its content, and what its archive says beside it.

    The archive's rows are judged too: a count that was corrected changes the verdict, though no instance did.
    """
    content = content_digest(digests)
    if source.asked_for is None:
        return content
    known: dict[tuple[str, bytes], str] = {}
    rows = [sorted(_normal(row, known) for row in part) for part in (source.study_rows, source.series_rows)]
    said = (content, sorted(source.shows), rows, source.failures)
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def _normal(row: DataSet, known: dict[tuple[str, bytes], str]) -> list[tuple[str, str]]:
    """A row without private attributes, in which archives note their own times, and what else is volatile.

    Args:
        row: Of the archive's answer.
        known: What its cells and those of other rows say, which mostly say the same; added to.
    """
    cells: dict[str, bytes] = {}
    for tag, raw in zip(row.tags, row.raws, strict=True):
        if tag[3] not in "13579BDF" and tag not in _VOLATILE:
            cells.setdefault(tag, bytes(raw))
    for cell in cells.items() - known.keys():
        known[cell] = decoded(*cell, row.encoding).shown
    return [(cell[0], known[cell]) for cell in sorted(cells.items())]
