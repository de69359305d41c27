"""Identifiers that stand in the database as they are, turned into keyed hashes: some rows at a time.

How far it is stands in the same transaction as what was turned, so that it can be broken off anywhere.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Row, Select, Table, Update, and_, bindparam, delete, select, update

from heltig.rules.finding import Finding
from heltig.rules.index_facts import IndexFact
from heltig.store import devices, identifier_state, patients
from heltig.store.attributes import joined, split
from heltig.store.encrypted_rows import FINDINGS, VERDICTS, WAIVERS
from heltig.store.identifier_state import State
from heltig.store.keyed import HIDDEN_OF_DEVICES, OF_PATIENTS, OF_STUDIES, Keyed
from heltig.store.names import folded
from heltig.store.records import Device, Patient, StudyAttributes
from heltig.store.tables import device_sets, findings, observations, studies, verdicts, waivers
from heltig.store.tables import devices as device_table
from heltig.store.tables import patients as patient_table
from heltig.store.tables import series as series_table
from heltig.store.text import from_json, to_json
from heltig.store.transaction import WriteTransaction
from heltig.store.verdicts import finding_of
from heltig.store.well_formed import attributes_told, series_texts
from heltig.verdict import Waiver

AT_ONCE: Final = 500
"""Rows of a transaction."""

_STEP: Final = 2**40
"""A place is the number of a step times this, and the last row of it that was turned."""


class Seals(Protocol):
    """What hides identifiers in findings and waivers (`heltig.pipeline.identifiers.hashing`)."""

    @property
    def keyed(self) -> Keyed:
        """Makes the hashes."""
        ...

    def sealed(self, finding: Finding, /) -> Finding:
        """A finding as it is kept."""
        ...

    def sealed_waiver(self, waiver: Waiver, /) -> Waiver:
        """A waiver as it is kept."""
        ...


def turn(transaction: WriteTransaction, seals: Seals, *, limit: int = AT_ONCE) -> tuple[str, int] | None:
    """Turns some rows.

    Args:
        transaction: Any that writes.
        seals: Hides identifiers.
        limit: The most rows.

    Returns:
        What was turned, and how many; None once there is nothing left.
    """
    state = identifier_state.lock(transaction)
    if state is None or state.form != "rewriting":
        return None
    step, after = divmod(state.place, _STEP)
    if step == len(_STEPS):
        identifier_state.move(transaction, "hashed", identifier_state.WHOLE)
        return None
    name, work = _STEPS[step]
    rows = work(transaction, seals, after, limit)
    place = step * _STEP + max(rows) if len(rows) == limit else (step + 1) * _STEP
    identifier_state.move(transaction, "rewriting", place)
    return name, len(rows)


def begin(transaction: WriteTransaction, keyed: Keyed) -> State:
    """Says that identifiers begin to be hashed; gives what stands, where somebody said so before."""
    identifier_state.begin(transaction, State("rewriting", keyed.id))
    return identifier_state.lock(transaction) or State("rewriting", keyed.id)


def go_on(transaction: WriteTransaction) -> State | None:
    """Has what an earlier version left be turned: how studies were listed; gives what stands then."""
    state = identifier_state.lock(transaction)
    if state is not None and state.form == "hashed" and state.place < identifier_state.WHOLE:
        identifier_state.move(transaction, "rewriting", (len(_STEPS) - 1) * _STEP)
        return identifier_state.lock(transaction)
    return state


def _page(table: Table) -> Select[Any]:
    rows = select(table).where(table.c.id > bindparam("after"))
    return rows.order_by(table.c.id).limit(bindparam("most"))


def _update(table: Table, key: Sequence[str], columns: Sequence[str]) -> Update:
    named = and_(*(table.c[name] == bindparam(f"at_{name}") for name in key))
    return update(table).where(named).values({name: bindparam(f"to_{name}") for name in columns})


_IDENTITY: Final = ("identity", "name_folded", "name_words", *OF_PATIENTS)
_OF_STUDIES: Final = (
    *OF_STUDIES,
    *("referring_physician_folded", "study_date", "study_time", "modalities_in_study"),
)
_PATIENTS: Final = _page(patient_table)
_STUDIES: Final = _page(studies)
_VERDICTS: Final = _page(verdicts)
_WAIVERS: Final = _page(waivers)
_FINDINGS: Final = select(findings).where(findings.c.verdict_row.in_(bindparam("rows", expanding=True)))
_TAKEN: Final = select(patient_table.c.identity).where(
    patient_table.c.identity.in_(bindparam("identities", expanding=True))
)
_DEVICE_SETS: Final = _page(device_sets)
_MEMBERS: Final = (
    select(device_table)
    .where(device_table.c.device_set_row.in_(bindparam("rows", expanding=True)))
    .order_by(device_table.c.device_set_row, device_table.c.position)
)
_CHANGE_DEVICE_SET: Final = _update(device_sets, ("id",), ("identity",))
_CHANGE_DEVICE: Final = _update(device_table, ("device_set_row", "position"), HIDDEN_OF_DEVICES)
_OBSERVATIONS: Final = (
    select(observations.c.study_row, observations.c.fingerprint)
    .where(observations.c.study_row > bindparam("after"))
    .order_by(observations.c.study_row)
    .limit(bindparam("most"))
)
_CHANGE_OBSERVATION: Final = _update(observations, ("study_row",), ("fingerprint",))
_CHANGE_PATIENT: Final = _update(patient_table, ("id",), _IDENTITY)
_OF_SERIES: Final = ("modality", "series_number")
_SERIES: Final = select(series_table.c.id, series_table.c.modality, series_table.c.series_number).where(
    series_table.c.study_row.in_(bindparam("rows", expanding=True))
)
_CHANGE_SERIES: Final = _update(series_table, ("id",), _OF_SERIES)
_CHANGE_STUDY: Final = _update(studies, ("id",), _OF_STUDIES)
_REMOVE_FINDINGS: Final = delete(findings).where(
    findings.c.verdict_row.in_(bindparam("rows", expanding=True))
)
_REMOVE_VERDICTS: Final = delete(verdicts).where(verdicts.c.id.in_(bindparam("rows", expanding=True)))
_OF_WAIVERS: Final = (*WAIVERS.columns, "tags", "encrypted")
_CHANGE_WAIVER: Final = _update(waivers, ("id",), _OF_WAIVERS)


def _turn_patients(transaction: WriteTransaction, seals: Seals, after: int, limit: int) -> list[int]:
    rows = transaction.rows(_PATIENTS, {"after": after, "most": limit})
    turned = {}
    for row in rows:
        patient = Patient(**{name: getattr(row, name) for name in OF_PATIENTS})
        turned[row.id] = patients.row_of(seals.keyed.patient(patient))
    identities = [one["identity"] for one in turned.values()]
    taken = set(transaction.scalars(_TAKEN, {"identities": identities})) if identities else set()
    for row, one in turned.items():
        if one["identity"] in taken:  # spellings that are one now; who comes next takes the first
            one["identity"] += row.to_bytes(8, "big")
        taken.add(one["identity"])
    _change(transaction, _CHANGE_PATIENT, [({"id": row}, one) for row, one in turned.items()], _IDENTITY)
    return list(turned)


def _turn_devices(transaction: WriteTransaction, seals: Seals, after: int, limit: int) -> list[int]:
    """Sets of devices; what tells them apart is made of the hashes then, as for sets that come hashed."""
    rows = [row.id for row in transaction.rows(_DEVICE_SETS, {"after": after, "most": limit})]
    sets: dict[int, list[Device]] = {row: [] for row in rows}
    members = []
    for row in transaction.rows(_MEMBERS, {"rows": rows}) if rows else ():
        device = seals.keyed.device(Device(row.manufacturer, row.model, row.station))
        sets[row.device_set_row].append(device)
        place = {"device_set_row": row.device_set_row, "position": row.position}
        members.append((place, {name: getattr(device, name) for name in HIDDEN_OF_DEVICES}))
    identities = [({"id": row}, {"identity": devices.identity_of(sorted(of))}) for row, of in sets.items()]
    _change(transaction, _CHANGE_DEVICE, members, HIDDEN_OF_DEVICES)
    _change(transaction, _CHANGE_DEVICE_SET, identities, ("identity",))
    return rows


def _turn_studies(transaction: WriteTransaction, seals: Seals, after: int, limit: int) -> list[int]:
    rows = transaction.rows(_STUDIES, {"after": after, "most": limit})
    changes = []
    for row in rows:
        texts = {name: seals.keyed.token(name, getattr(row, name)) for name in OF_STUDIES}
        texts["referring_physician_folded"] = folded(texts["referring_physician_name"])
        about = attributes_told(
            StudyAttributes(
                study_date=row.study_date,
                study_time=row.study_time,
                modalities_in_study=split(row.modalities_in_study),
            )
        )
        texts |= {"study_date": about.study_date, "study_time": about.study_time}
        texts["modalities_in_study"] = joined(about.modalities_in_study)
        changes.append(({"id": row.id}, texts))
    _change(transaction, _CHANGE_STUDY, changes, _OF_STUDIES)
    series = transaction.rows(_SERIES, {"rows": [row.id for row in rows]}) if rows else ()
    _change(
        transaction, _CHANGE_SERIES, [({"id": row.id}, _told_of_series(row)) for row in series], _OF_SERIES
    )
    return [row.id for row in rows]


def _told_of_series(row: Row[Any]) -> dict[str, str]:
    modality, number = series_texts(row.modality, row.series_number)
    return {"modality": modality, "series_number": number}


def _turn_verdicts(transaction: WriteTransaction, seals: Seals, after: int, limit: int) -> list[int]:
    """Verdicts with their findings. Their ids stay: they name what was told to others.

    The database refuses to change them, so they are removed, and written anew as if they had come hashed.
    """
    cipher = transaction.cipher
    rows = [VERDICTS.get(cipher, row) for row in transaction.rows(_VERDICTS, {"after": after, "most": limit})]
    ids = [row.id for row in rows]
    if not ids:
        return ids
    changed = []
    for row in rows:
        facts = sorted(map(seals.keyed.fact, from_json(row.index_facts, tuple[IndexFact, ...])))
        relied = tuple(map(seals.sealed_waiver, from_json(row.waivers, tuple[Waiver, ...])))
        values = _values(verdicts, row) | {"index_facts": to_json(facts), "waivers": to_json(relied)}
        changed.append(VERDICTS.put(cipher, values))
    told = []
    for stored in transaction.rows(_FINDINGS, {"rows": ids}):
        finding = seals.sealed(finding_of(cipher, stored))
        values = _values(findings, FINDINGS.get(cipher, stored)) | {
            "message": finding.message,
            "tags": to_json(finding.tags),
            "observed": finding.observed,
            "expected": finding.expected,
            "instances": to_json(finding.instances),
            "proposed": to_json(finding.proposed),
            "digest": finding.digest,
        }
        told.append(FINDINGS.put(cipher, values))
    transaction.run(_REMOVE_FINDINGS, {"rows": ids})
    transaction.run(_REMOVE_VERDICTS, {"rows": ids})
    transaction.insert(verdicts, changed)
    transaction.insert(findings, told)
    return ids


def _values(table: Table, row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in table.c}


def _turn_waivers(transaction: WriteTransaction, seals: Seals, after: int, limit: int) -> list[int]:
    cipher = transaction.cipher
    rows = [WAIVERS.get(cipher, row) for row in transaction.rows(_WAIVERS, {"after": after, "most": limit})]
    changes = []
    for row in rows:
        tags = from_json(row.tags, tuple[str, ...])
        given = Waiver(str(row.id), row.rule, row.observed, row.expires, tags=tags, digest=row.digest)
        sealed = seals.sealed_waiver(given)
        values = {name: getattr(row, name) for name in (*WAIVERS.identity, *WAIVERS.columns)}
        values |= {"observed": sealed.observed, "digest": sealed.digest, "tags": to_json(sealed.tags)}
        changes.append(({"id": row.id}, WAIVERS.put(cipher, values)))
    _change(transaction, _CHANGE_WAIVER, changes, _OF_WAIVERS)
    return [row.id for row in rows]


def _turn_observations(transaction: WriteTransaction, seals: Seals, after: int, limit: int) -> list[int]:
    """Fingerprints of listed studies: what they are made of is not needed."""
    rows = transaction.rows(_OBSERVATIONS, {"after": after, "most": limit})
    changes = [
        ({"study_row": row.study_row}, {"fingerprint": seals.keyed.fingerprint(row.fingerprint)})
        for row in rows
    ]
    _change(transaction, _CHANGE_OBSERVATION, changes, ("fingerprint",))
    return [row.study_row for row in rows]


def _change(
    transaction: WriteTransaction,
    statement: Update,
    changes: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    columns: Sequence[str],
) -> None:
    transaction.run_many(
        statement,
        [
            {
                **{f"at_{name}": value for name, value in at.items()},
                **{f"to_{name}": values[name] for name in columns},
            }
            for at, values in changes
        ],
    )


_STEPS: Final[Sequence[tuple[str, Callable[[WriteTransaction, Seals, int, int], list[int]]]]] = (
    ("patients", _turn_patients),
    ("studies", _turn_studies),
    ("verdicts", _turn_verdicts),
    ("waivers", _turn_waivers),
    ("devices", _turn_devices),
    ("observations", _turn_observations),  # the last: `go_on` begins with it
)
