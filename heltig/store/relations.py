"""What studies have in common: the facts that context rules are given, and the studies that these concern.

A study that is WITHDRAWN is no more in the index. The same StudyInstanceUID at several locations is one study
here, but for the comparison of archives. Of a study with several patients the one counts that most of its
instances name.

What one study is told depends on the index alone, and two studies that have something in common are related
both ways. So whoever changes one can find all others that are told something else from then on, and the order
in which studies come makes no difference once all of them are judged again.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, not_, or_, select

from heltig.dicom.snapshot import read_source
from heltig.rules.index_facts import KINDS, MOST, Identity, IndexFact, Kind, Other, facts_of, instance_facts
from heltig.store.divergence import Held, divergence
from heltig.store.packing import unpack_facts
from heltig.store.records import Location
from heltig.store.studies import unpack_uids
from heltig.store.tables import (
    instances,
    locations,
    lookups,
    patients,
    series,
    snapshots,
    studies,
    study_patients,
)
from heltig.store.transaction import ReadTransaction
from heltig.store.uid_index import keys_of, uid_key

FAR: Final = MOST + 10
"""Others that share a value, beyond which nobody is told of one more: all were told of a crowd before."""

_AT_ONCE: Final = 1000  # keys of a query
_MOST_SERIES: Final = 2000  # that share SOP Instance UIDs with a study; beyond, UIDs are looked at one by one

_FIRST_PATIENT = and_(study_patients.c.study_row == studies.c.id, study_patients.c.position == 0)
_IS_OTHER = and_(studies.c.state != "WITHDRAWN", studies.c.study_key != bindparam("study_key"))
_WHERE = (studies.c.id.label("row"), studies.c.study_key, locations.c.kind, locations.c.name)
_WHO = (
    patients.c.patient_id,
    patients.c.issuer_of_patient_id,
    patients.c.patient_name,
    patients.c.patient_birth_date,
    patients.c.patient_sex,
)

_OWN = (
    select(studies.c.id, studies.c.study_key, studies.c.accession_number, locations.c.kind, locations.c.name)
    .add_columns(*_WHO, patients.c.name_words)
    .select_from(studies)
    .join(locations, locations.c.id == studies.c.location_row)
    .outerjoin(study_patients, _FIRST_PATIENT)
    .outerjoin(patients, patients.c.id == study_patients.c.patient_row)
    .where(studies.c.id == bindparam("row"))
)
_OWN_SERIES = select(series).where(series.c.study_row == bindparam("row")).order_by(series.c.series_key)


def _others(element: ColumnElement[str]) -> Select[Any]:
    """Other studies, each with its first patient and with what makes several of them one."""
    return (
        select(element.label("element"), *_WHERE, *_WHO)
        .select_from(studies)
        .join(locations, locations.c.id == studies.c.location_row)
        .where(_IS_OTHER)
    )


def _with_patient(statement: Select[Any]) -> Select[Any]:
    return statement.join(study_patients, _FIRST_PATIENT).join(
        patients, patients.c.id == study_patients.c.patient_row
    )


class _Query:
    """Who shares a value: at first how many there are, as far as that matters, then all of them."""

    def __init__(self, statement: Select[Any], element: ColumnElement[str]) -> None:
        self._elements = statement.with_only_columns(element).distinct().limit(FAR + 1)
        self._rows = statement

    def elements(self, transaction: ReadTransaction, parameters: Mapping[str, Any]) -> Sequence[str]:
        return transaction.scalars(self._elements, parameters)

    def rows(self, transaction: ReadTransaction, parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
        return transaction.rows(self._rows, parameters)


_PAIR = patients.c.name_words + "\n" + patients.c.patient_birth_date
_IS_SOMEBODY = and_(patients.c.name_words != "", patients.c.patient_birth_date != "")

_BY_SERIES = _Query(
    _others(studies.c.study_key)
    .join(series, series.c.study_row == studies.c.id)
    .outerjoin(study_patients, _FIRST_PATIENT)
    .outerjoin(patients, patients.c.id == study_patients.c.patient_row)
    .where(series.c.series_uid == bindparam("value")),
    studies.c.study_key,
)
_BY_ACCESSION = _Query(
    _others(studies.c.study_key)
    .outerjoin(study_patients, _FIRST_PATIENT)
    .outerjoin(patients, patients.c.id == study_patients.c.patient_row)
    .where(studies.c.accession_number == bindparam("value")),
    studies.c.study_key,
)
_BY_PATIENT_ID = _Query(
    _with_patient(_others(_PAIR)).where(
        patients.c.patient_id == bindparam("value"),
        _IS_SOMEBODY,
        not_(
            and_(
                patients.c.name_words == bindparam("words"),
                patients.c.patient_birth_date == bindparam("born"),
            )
        ),
    ),
    _PAIR,
)
_BY_PATIENT = _Query(
    _with_patient(_others(patients.c.patient_id)).where(
        patients.c.name_words == bindparam("words"),
        patients.c.patient_birth_date == bindparam("born"),
        patients.c.patient_sex == bindparam("sex"),
        patients.c.patient_id.not_in(("", bindparam("value"))),
    ),
    patients.c.patient_id,
)
_BY_FRAME = _Query(
    _with_patient(_others(patients.c.patient_id))
    .join(series, series.c.study_row == studies.c.id)
    .where(
        series.c.frame_of_reference_uid == bindparam("value"),
        patients.c.patient_id.not_in(("", bindparam("patient_id"))),
    ),
    patients.c.patient_id,
)
_SHARED_SERIES = (
    select(series.c.series_uid)
    .join(studies, studies.c.id == series.c.study_row)
    .where(series.c.series_uid.in_(bindparam("values", expanding=True)), _IS_OTHER)
    .limit(1)
)
_SHARED_ROWS = (
    select(instances.c.series_row)
    .where(
        instances.c.uid_key.in_(bindparam("keys", expanding=True)),
        instances.c.series_row.not_in(bindparam("own", expanding=True)),
    )
    .distinct()
    .limit(_MOST_SERIES + 1)
)
_SERIES_OF_OTHERS = (
    select(*_WHERE, series.c.sop_instance_uids)
    .select_from(series)
    .join(studies, studies.c.id == series.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(series.c.id.in_(bindparam("series", expanding=True)), _IS_OTHER)
)
_STUDIES_OF_KEY = (
    select(studies.c.study_key)
    .select_from(instances)
    .join(series, series.c.id == instances.c.series_row)
    .join(studies, studies.c.id == series.c.study_row)
    .where(instances.c.uid_key == bindparam("key"), _IS_OTHER)
    .distinct()
    .limit(FAR + 1)
)
_SERIES_OF_KEY = select(instances.c.series_row).where(instances.c.uid_key == bindparam("key"))
_SAME_STUDY = (
    select(*_WHERE, snapshots.c.snapshot, snapshots.c.facts)
    .select_from(studies)
    .join(lookups, lookups.c.study_row == studies.c.id)  # which has the index for this
    .join(locations, locations.c.id == studies.c.location_row)
    .join(
        snapshots,
        and_(snapshots.c.study_row == studies.c.id, snapshots.c.snapshot == studies.c.snapshot),
    )
    .where(
        lookups.c.study_key == bindparam("study_key"),
        locations.c.kind == "archive",
        or_(studies.c.state != "WITHDRAWN", studies.c.id == bindparam("row")),
    )
    .order_by(locations.c.name)
)


class Relations(msgspec.Struct, frozen=True):
    """What a study has in common with others.

    Attributes:
        facts: What context rules are told, sorted.
        studies: The rows of the studies that are told of this one, with the kinds of facts concerned.
    """

    facts: tuple[IndexFact, ...]
    studies: Mapping[int, frozenset[Kind]]


def relations_of(transaction: ReadTransaction, study: int, kinds: Collection[Kind] = KINDS) -> Relations:
    """What the index says about a study.

    Args:
        transaction: Any.
        study: The study's row. Its own state does not matter: it is what others are told of it that does.
        kinds: Only facts of these.
    """
    found = _Found(transaction, study)
    for kind in kinds:
        _FINDERS[kind](found)
    return Relations(
        tuple(sorted(found.facts)), {row: frozenset(kinds) for row, kinds in found.studies.items()}
    )


class _Found:
    """What is known of one study, and what was found about it so far."""

    def __init__(self, transaction: ReadTransaction, study: int) -> None:
        self.transaction = transaction
        self.own = transaction.rows(_OWN, {"row": study})[0]
        self.series = transaction.rows(_OWN_SERIES, {"row": study})
        self.facts: list[IndexFact] = []
        self.studies: dict[int, set[Kind]] = {}

    def relate(self, kind: Kind, rows: Iterable[int]) -> None:
        for row in rows:
            self.studies.setdefault(row, set()).add(kind)

    def share(self, kind: Kind, query: _Query, value: str, **more: str) -> None:
        """Takes all that share a value."""
        parameters = {"value": value, "study_key": self.own.study_key, **more}
        elements = query.elements(self.transaction, parameters)
        if len(elements) > FAR:
            self.facts.append(IndexFact(kind, value, is_crowd=True))
        elif elements:
            self.take(kind, value, query.rows(self.transaction, parameters))

    def take(self, kind: Kind, value: str, rows: Sequence[Row[Any]]) -> None:
        others: dict[Hashable, list[Other]] = {}
        for row in rows:
            others.setdefault(row.element, []).append(_other(row, with_patient=kind != "series"))
        self.facts.extend(facts_of(kind, value, others))
        self.relate(kind, (row.row for row in rows))


def _find_series(found: _Found) -> None:
    uids = sorted({row.series_uid for row in found.series if row.series_uid})
    for start in range(0, len(uids), _AT_ONCE):
        some = uids[start : start + _AT_ONCE]
        parameters = {"values": some, "study_key": found.own.study_key}
        if found.transaction.first(_SHARED_SERIES, parameters):
            for uid in some:
                found.share("series", _BY_SERIES, uid)


def _find_accession(found: _Found) -> None:
    if found.own.accession_number:
        found.share("accession", _BY_ACCESSION, found.own.accession_number)


def _find_patient_id(found: _Found) -> None:
    """Of the names and birth dates under a PatientID those in which both differ are told."""
    own = found.own
    if not (own.patient_id and own.name_words and own.patient_birth_date):
        return
    words, born = own.name_words, own.patient_birth_date
    parameters = {"value": own.patient_id, "words": words, "born": born, "study_key": own.study_key}
    pairs = _BY_PATIENT_ID.elements(found.transaction, parameters)
    others = {pair for pair in pairs if words != pair.partition("\n")[0] and born != pair.partition("\n")[2]}
    if len(pairs) > MOST:
        found.facts.append(IndexFact("patient_id", own.patient_id, is_crowd=True))
    if len(pairs) > FAR or not (others or len(pairs) > MOST):
        return
    rows = _BY_PATIENT_ID.rows(found.transaction, parameters)
    if len(pairs) > MOST:
        found.relate("patient_id", (row.row for row in rows))
    else:
        found.take("patient_id", own.patient_id, [row for row in rows if row.element in others])


def _find_patient(found: _Found) -> None:
    own = found.own
    if own.patient_id and own.name_words and own.patient_birth_date and own.patient_sex:
        found.share(
            "patient",
            _BY_PATIENT,
            own.patient_id,
            words=own.name_words,
            born=own.patient_birth_date,
            sex=own.patient_sex,
        )


def _find_frame(found: _Found) -> None:
    if found.own.patient_id:
        for uid in sorted({row.frame_of_reference_uid for row in found.series} - {None}):
            found.share("frame_of_reference", _BY_FRAME, uid, patient_id=found.own.patient_id)


def _find_instances(found: _Found) -> None:
    own = {row.series_key: set(unpack_uids(row.sop_instance_uids)) for row in found.series}
    everything = set().union(*own.values())
    written = found.transaction.uid_keys
    keys = set().union(*(written.get(row.id) or keys_of(own[row.series_key]) for row in found.series))
    crowds, rows = _other_series(found, everything, keys)
    holders: dict[str, list[Other]] = {}
    holding: dict[str, set[int]] = {}
    for row in rows:
        for uid in everything.intersection(unpack_uids(row.sop_instance_uids)) - crowds:
            holders.setdefault(uid, []).append(_other(row, with_patient=False))
            holding.setdefault(uid, set()).add(row.row)
    for uid, others in holders.items():
        names = {other.study for other in others}
        if len(names) > MOST:
            crowds.add(uid)
        if len(names) <= FAR:
            found.relate("instance", holding[uid])
    for key, uids in own.items():
        found.facts.extend(instance_facts(key, uids, holders, crowds))


def _other_series(found: _Found, uids: set[str], uid_keys: set[int]) -> tuple[set[str], list[Row[Any]]]:
    """The UIDs that too many studies have, and the series of other studies that may have one of the rest."""
    transaction = found.transaction
    keys = sorted(uid_keys)
    own = [row.id for row in found.series]
    candidates: set[int] = set()
    crowds: set[str] = set()
    for start in range(0, len(keys), _AT_ONCE):
        parameters = {"keys": keys[start : start + _AT_ONCE], "own": own}
        candidates.update(transaction.scalars(_SHARED_ROWS, parameters))
    if len(candidates) > _MOST_SERIES:
        candidates.clear()
        for uid in uids:
            named = {"key": uid_key(uid), "study_key": found.own.study_key}
            if len(transaction.rows(_STUDIES_OF_KEY, named)) > FAR:
                crowds.add(uid)
            else:
                candidates.update(transaction.scalars(_SERIES_OF_KEY, {"key": named["key"]}))
    rows: list[Row[Any]] = []
    wanted = sorted(candidates)
    for start in range(0, len(wanted), _AT_ONCE):
        some = {"series": wanted[start : start + _AT_ONCE], "study_key": found.own.study_key}
        rows.extend(transaction.rows(_SERIES_OF_OTHERS, some))
    return crowds, rows


def _find_study(found: _Found) -> None:
    """How other archives have the study; uploads are tried out, and rightly hold parts of studies."""
    own = found.own
    if own.kind != "archive":
        return
    parameters = {"study_key": own.study_key, "row": own.id}
    rows = found.transaction.rows(_SAME_STUDY, parameters)
    if not any(row.row == own.id for row in rows):
        return
    held = {row.row: _held(found.transaction, row) for row in rows} if len(rows) > 1 else {}
    for row in rows:
        if row.row != own.id:
            found.relate("study", [row.row])
            differs = divergence(held[own.id], held[row.row])
            if differs is not None:
                where = str(Location(row.kind, row.name))
                found.facts.append(
                    IndexFact("study", own.study_key, where, row.study_key, **msgspec.structs.asdict(differs))
                )


def _held(transaction: ReadTransaction, study: Row[Any]) -> Held:
    parts = transaction.rows(_OWN_SERIES, {"row": study.row})
    return Held(
        shows=read_source(unpack_facts(transaction.cipher, study.snapshot, study.facts)).shows,
        series={part.series_key: (part.digest, part.sop_instance_uids) for part in parts},
    )


def _other(row: Row[Any], *, with_patient: bool) -> Other:
    location = str(Location(row.kind, row.name))
    if not with_patient:
        return Other(location, row.study_key)
    return Other(location, row.study_key, Identity(*(getattr(row, column.name) or "" for column in _WHO)))


_FINDERS: Final[Mapping[Kind, Callable[[_Found], None]]] = {
    "instance": _find_instances,
    "series": _find_series,
    "study": _find_study,
    "accession": _find_accession,
    "patient_id": _find_patient_id,
    "patient": _find_patient,
    "frame_of_reference": _find_frame,
}
