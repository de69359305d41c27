"""What the studies of one batch have in common: an index in memory, for a check without a database.

It says the same as `heltig.store.relations` does of studies at one location.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from heltig.dicom.plain import plain_texts
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, SeriesRows, StudyTable
from heltig.rules.index_facts import (
    MOST,
    Identity,
    IndexFact,
    Kind,
    Other,
    facts_of,
    instance_facts,
    name_words,
)
from heltig.standard.dictionary import tag_of

Facts: TypeAlias = tuple[IndexFact, ...]

_FRAME_OF_REFERENCE_UID = tag_of("FrameOfReferenceUID")


class SeriesEntry(msgspec.Struct, frozen=True):
    """One series in the index."""

    key: str
    uid: str
    frame_of_reference_uid: str
    sop_instance_uids: frozenset[str]


class Entry(msgspec.Struct, frozen=True):
    """One study in the index."""

    key: str
    accession_number: str
    patient: Identity
    series: tuple[SeriesEntry, ...]


def entry_of(table: StudyTable) -> Entry:
    """What the index keeps of an arranged study: of several values the commonest."""
    from heltig.pipeline.evidence import study_attributes  # costs what many a check takes

    attributes = study_attributes(table)
    who = attributes.patients[0] if attributes.patients else None
    return Entry(
        key=_text(table.key),
        accession_number=_text(attributes.accession_number),
        patient=Identity(*(_text(getattr(who, field)) for field in Identity.__struct_fields__))
        if who
        else Identity(),
        series=tuple(_series_entry(table, series) for series in table.series),
    )


def batch_facts(entries: Iterable[Entry]) -> dict[str, Facts]:
    """What the index says of each study that has something in common with another, by its key, sorted."""
    index = list(entries)
    found: defaultdict[str, list[IndexFact]] = defaultdict(list)
    for key, fact in (*_by_value(index), *_by_patient_id(index), *_by_instance(index)):
        found[key].append(fact)
    return {key: tuple(sorted(facts)) for key, facts in found.items()}


_Told: TypeAlias = Iterator[tuple[str, IndexFact]]


def _by_value(index: list[Entry]) -> _Told:
    """Facts about values of which each other holder is told, and of what makes several of them one."""
    kinds: list[tuple[Kind, Callable[[Entry], Iterable[Hashable]], Callable[[Entry], str]]] = [
        ("series", lambda entry: {series.uid for series in entry.series}, lambda entry: entry.key),
        ("accession", lambda entry: [entry.accession_number], lambda entry: entry.key),
        ("patient", _persons, lambda entry: entry.patient.patient_id),
        ("frame_of_reference", _frames, lambda entry: entry.patient.patient_id),
    ]
    for kind, values, element in kinds:
        holders: defaultdict[Hashable, list[Entry]] = defaultdict(list)
        for entry in index:
            for value in values(entry):
                if value:
                    holders[value].append(entry)
        for value, held in holders.items():
            yield from _tell(kind, value, held, element)


def _tell(kind: Kind, value: Hashable, held: list[Entry], element: Callable[[Entry], str]) -> _Told:
    others: defaultdict[Hashable, list[Other]] = defaultdict(list)
    for entry in held:
        patient = Identity() if kind == "series" else entry.patient
        others[element(entry)].append(Other("", entry.key, patient))
    for entry in held:
        own = element(entry)
        named = entry.patient.patient_id if kind == "patient" else str(value)
        apart = {name: alike for name, alike in others.items() if name != own}
        for fact in facts_of(kind, named, apart):
            yield entry.key, fact


def _persons(entry: Entry) -> list[Hashable]:
    who = entry.patient
    person = (name_words(who.patient_name), who.patient_birth_date, who.patient_sex)
    return [person] if who.patient_id and all(person) else []


def _frames(entry: Entry) -> set[str]:
    return {series.frame_of_reference_uid for series in entry.series} if entry.patient.patient_id else set()


def _by_patient_id(index: list[Entry]) -> _Told:
    """Of the names and birth dates under a PatientID those in which both differ are told."""
    held: defaultdict[str, dict[tuple[str, str], list[Entry]]] = defaultdict(dict)
    for entry in index:
        who = entry.patient
        pair = (name_words(who.patient_name), who.patient_birth_date)
        if who.patient_id and all(pair):
            held[who.patient_id].setdefault(pair, []).append(entry)
    for patient_id, pairs in held.items():
        for pair, entries in pairs.items():
            apart: dict[Hashable, list[Other]] = {
                other: [Other("", entry.key, entry.patient) for entry in alike]
                for other, alike in pairs.items()
                if other[0] != pair[0] and other[1] != pair[1]
            }
            if len(pairs) - 1 > MOST:
                facts = [IndexFact("patient_id", patient_id, is_crowd=True)]
            else:
                facts = list(facts_of("patient_id", patient_id, apart))
            for entry in entries:
                yield from ((entry.key, fact) for fact in facts)


def _by_instance(index: list[Entry]) -> _Told:
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for entry in index:
        for series in entry.series:
            for uid in series.sop_instance_uids:
                holders[uid].add(entry.key)
    shared = {uid: keys for uid, keys in holders.items() if len(keys) > 1}
    crowds = {uid for uid, keys in shared.items() if len(keys) - 1 > MOST}
    for entry in index:
        for series in entry.series:
            others: Mapping[str, list[Other]] = {
                uid: [Other("", key) for key in shared[uid] - {entry.key}]
                for uid in series.sop_instance_uids & shared.keys()
            }
            for fact in instance_facts(series.key, series.sop_instance_uids, others, crowds):
                yield entry.key, fact


def _series_entry(table: StudyTable, series: SeriesRows) -> SeriesEntry:
    frames = Counter(_texts(table, _FRAME_OF_REFERENCE_UID, series.rows))
    del frames[""]
    return SeriesEntry(
        key=_text(series.key),
        uid=_text(table.at(SERIES_INSTANCE_UID, series.rows.start).text),
        frame_of_reference_uid=min(frames, key=lambda uid: (-frames[uid], uid), default=""),
        sop_instance_uids=frozenset(_texts(table, SOP_INSTANCE_UID, series.rows)) - {""},
    )


def _texts(table: StudyTable, tag: str, rows: range) -> list[str]:
    column = table.columns.get(tag)
    if column is None:
        return []
    codes = column.codes[rows.start : rows.stop]
    known = dict(zip(set(codes), plain_texts(column.cells[code] for code in set(codes)), strict=True))
    texts = {
        code: _text(table.cell(column, code).text if text is None else text) for code, text in known.items()
    }
    return [texts[code] for code in codes]


def _text(text: str) -> str:
    """Text that can be written: half a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
