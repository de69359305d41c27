"""Finds studies by their attributes, as QIDO-RS and the pages ask for them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.sql.elements import KeyedColumnElement

from heltig.store.among import Among
from heltig.store.attributes import split
from heltig.store.names import escaped, is_like, matches
from heltig.store.records import Study, StudyState
from heltig.store.studies import RANKS, SELECT, with_patients
from heltig.store.study_query import OF_DEVICES, StudyQuery
from heltig.store.tables import (
    devices,
    findings,
    locations,
    patients,
    studies,
    study_owners,
    study_patients,
    study_rules,
    verdicts,
)
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness

_AND_LONGER = "\N{DELETE}"
"""Sorts behind every digit: `101559` has `101559.5` in it."""

Order: TypeAlias = Literal["worst", "newest", "first_seen"]


def search(
    transaction: ReadTransaction,
    query: StudyQuery,
    *,
    now: datetime,
    limit: int,
    offset: int = 0,
    order: Order = "first_seen",
) -> list[Study]:
    """The studies that match, a page of them, as they stand now.

    Args:
        transaction: Any.
        query: What they have to match.
        now: The time: a verdict that no longer holds is none.
        limit: The most studies.
        offset: How many of them to pass over.
        order: `worst` verdict first and of those the newest; `newest` study date first; or as `first_seen`.
    """
    orders: dict[Order, tuple[Any, ...]] = {
        "worst": (studies.c.rank.desc(), studies.c.judged.desc(), studies.c.id.desc()),
        "newest": (studies.c.study_date.desc(), studies.c.id.desc()),
        "first_seen": (studies.c.id,),
    }
    # Rows are read for the page alone, not for those that it passes over.
    page = _matching(select(studies.c.id), query, now).order_by(*orders[order])
    statement = SELECT.where(studies.c.id.in_(page.limit(limit).offset(offset))).order_by(*orders[order])
    found = with_patients(transaction, transaction.connection.execute(statement))
    return [study.at(now) for study in found]


def count(transaction: ReadTransaction, query: StudyQuery, *, now: datetime) -> int:
    """The number of studies that match now."""
    base = select(func.count()).select_from(studies)
    number: int = transaction.connection.execute(_matching(base, query, now)).scalar_one()
    return number


def count_by_readiness(
    transaction: ReadTransaction, query: StudyQuery, *, now: datetime
) -> dict[Readiness, int]:
    """The numbers of studies that match now, by their last verdict; all three, worst first."""
    base = select(studies.c.rank, func.count().label("number"))
    statement = _matching(base, query, now).group_by(studies.c.rank)
    found = {row.rank: row.number for row in transaction.connection.execute(statement)}
    return {readiness: found.get(rank, 0) for readiness, rank in reversed(RANKS.items()) if readiness}


def modalities(transaction: ReadTransaction) -> list[str]:
    """Every Modality of the studies that have a verdict, sorted."""
    statement = select(studies.c.modalities_in_study).where(studies.c.rank > 0).distinct()
    found = transaction.connection.execute(statement).scalars()
    return sorted({modality for joined in found for modality in split(joined)})


def _matching(statement: Select[Any], query: StudyQuery, now: datetime) -> Select[Any]:
    return statement.where(*_of_study(query), *_of_patients(query), *_of_verdict(query, now))


def _of_study(query: StudyQuery) -> Iterable[ColumnElement[bool]]:
    if query.study_keys:
        yield studies.c.study_key.in_([storable_key(key) for key in query.study_keys])
    if query.locations or query.location_kinds:
        wanted_rows = select(locations.c.id).where(
            or_(
                locations.c.kind.in_(query.location_kinds),
                *(and_(locations.c.kind == at.kind, locations.c.name == at.name) for at in query.locations),
            )
        )
        yield Among(studies.c.location_row, wanted_rows)
    if query.owner is not None:
        owned = select(study_owners.c.study_row)
        is_theirs = studies.c.id.in_(owned.where(study_owners.c.owner == query.owner))
        yield is_theirs if query.owner else studies.c.id.not_in(owned)
    yield from _when(query.study_date, query.study_time)
    if query.modalities_in_study:
        yield or_(*(matches(studies.c.modalities_in_study, f"*\\{m}\\*") for m in query.modalities_in_study))
    of_device = [
        _is_named(devices.c[name], wanted)
        for name in OF_DEVICES
        if (wanted := getattr(query, name)) is not None
    ]
    if of_device:
        yield Among(studies.c.device_set_row, select(devices.c.device_set_row).where(*of_device))
    if query.text is not None:
        yield or_(
            _contains(studies.c.study_key, query.text), _contains(studies.c.study_description, query.text)
        )
    for column in ("accession_number", "study_description", "study_id"):
        if (text := getattr(query, column)) is not None:
            yield matches(studies.c[column], text)
    if query.referring_physician_name is not None:
        yield is_like(studies.c.referring_physician_folded, query.referring_physician_name)
    for column in sorted(query.empty - _OF_PATIENTS):
        yield studies.c[column] == ""


_OF_PATIENTS = frozenset(
    {"patient_id", "issuer_of_patient_id", "patient_name", "patient_birth_date", "patient_sex"}
)


def _of_patients(query: StudyQuery) -> Iterable[ColumnElement[bool]]:
    conditions = [
        matches(patients.c[column], text)
        for column in ("patient_id", "issuer_of_patient_id", "patient_sex")
        if (text := getattr(query, column)) is not None
    ]
    if query.patient_name is not None:
        conditions.append(is_like(patients.c.name_folded, query.patient_name))
    if query.patient_birth_date is not None:
        conditions += _between(patients.c.patient_birth_date, *query.patient_birth_date)
    without = [patients.c[column] == "" for column in sorted(query.empty & _OF_PATIENTS)]
    if conditions or without:
        linked = select(study_patients.c.study_row).join(patients).where(*conditions, *without)
        found = studies.c.id.in_(linked)
        nobody = studies.c.id.not_in(select(study_patients.c.study_row))
        yield found if conditions else or_(found, nobody)


def _of_verdict(query: StudyQuery, now: datetime) -> Iterable[ColumnElement[bool]]:
    if query.states:
        yield _in_state(query.states, now)
    else:
        yield and_(studies.c.rank > 0, studies.c.state != "WITHDRAWN")
    if query.readiness:
        yield studies.c.rank.in_([RANKS[readiness] for readiness in query.readiness])
    least, most = query.age
    if least is not None:
        yield studies.c.judged <= now - least
    if most is not None:
        yield studies.c.judged > now - most
    if query.rules:
        yield studies.c.id.in_(_with_findings(query))


def _with_findings(query: StudyQuery) -> Select[Any]:
    """Studies with a finding of some rules; of those that are WITHDRAWN nothing is kept to be counted by."""
    if "WITHDRAWN" not in query.states:
        return select(study_rules.c.study_row).where(study_rules.c.rule.in_(query.rules))
    judged = studies.alias()
    return (
        select(verdicts.c.study_row)
        .join(findings, findings.c.verdict_row == verdicts.c.id)
        .join(judged, and_(judged.c.id == verdicts.c.study_row, judged.c.revision == verdicts.c.revision))
        .where(findings.c.rule.in_(query.rules), findings.c.waived.is_(False))
    )


def _in_state(states: Iterable[StudyState], now: datetime) -> ColumnElement[bool]:
    """A study whose verdict no longer holds is PENDING, whatever its row says."""
    wanted = set(states)
    stored = studies.c.state.in_(sorted(wanted))
    if wanted.issuperset(("JUDGED", "PENDING")) or wanted.isdisjoint(("JUDGED", "PENDING")):
        return stored
    holds = or_(studies.c.valid_until.is_(None), studies.c.valid_until > now)
    if "JUDGED" in wanted:
        return and_(stored, or_(studies.c.state != "JUDGED", holds))
    return or_(stored, and_(studies.c.state == "JUDGED", studies.c.valid_until <= now))


def _when(dates: tuple[str, str] | None, times: tuple[str, str] | None) -> Iterable[ColumnElement[bool]]:
    """StudyDate and StudyTime, each by itself or as one range of moments."""
    day, time = studies.c.study_date, studies.c.study_time
    if dates and times and _are_ranges(dates, times):
        yield from _between(day, *dates)
        if times[0]:
            yield or_(day != dates[0], time >= times[0])
        if times[1]:
            yield or_(day != dates[1], and_(time != "", time <= times[1] + _AND_LONGER))
        return
    for column, wanted in ((day, dates), (time, times)):
        if wanted is not None:
            yield from _between(column, *wanted)


def _are_ranges(dates: tuple[str, str], times: tuple[str, str]) -> bool:
    open_alike = [bool(end) for end in dates] == [bool(end) for end in times]
    return open_alike and dates[0] != dates[1] and times[0] != times[1]


def _between(column: KeyedColumnElement[Any], first: str, last: str) -> Iterable[ColumnElement[bool]]:
    """A range over text that sorts as it reads; what is longer than its end belongs to it."""
    yield column != ""
    if first:
        yield column >= first
    if last:
        yield column <= last + _AND_LONGER


def _is_named(column: KeyedColumnElement[Any], wanted: str) -> ColumnElement[bool]:
    if not wanted:
        return column == ""
    pattern = escaped(wanted.lower()).replace("*", "%").replace("?", "_")
    return func.lower(column).like(pattern, escape="!")


def _contains(column: KeyedColumnElement[Any], text: str) -> ColumnElement[bool]:
    return func.lower(column).like(f"%{escaped(text.lower())}%", escape="!")
