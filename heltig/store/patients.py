"""Who studies are about: one row a spelling of a patient."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import bindparam, delete, select

from heltig.rules.index_facts import name_words
from heltig.store.names import folded
from heltig.store.records import Patient
from heltig.store.tables import patients, study_patients
from heltig.store.text import TEXT_LENGTH
from heltig.store.transaction import WriteTransaction

_KNOWN = (
    select(patients.c.identity, patients.c.id)
    .where(patients.c.identity.in_(bindparam("identities", expanding=True)))
    .with_for_update(
        read=True, key_share=True
    )  # what purges patients whom nothing is about waits (`removal`)
)
_UNLINK = delete(study_patients).where(study_patients.c.study_row == bindparam("study"))


def put(transaction: WriteTransaction, study: int, about: Sequence[Patient], *, first: bool) -> None:
    """Says who a study is about.

    Args:
        transaction: Any that writes.
        study: The row of the study.
        about: The patients, each once, the one that most of its instances name first.
        first: The study is new, so that nothing was said yet.
    """
    rows = {row["identity"]: row for row in map(row_of, about)}
    known = _known(transaction, list(rows))
    if missing := [row for identity, row in rows.items() if identity not in known]:
        transaction.insert_or_ignore_all(patients, missing)
        known = _known(transaction, list(rows))
    if not first:
        transaction.run(_UNLINK, {"study": study})
    links = [
        {
            "study_row": study,
            "position": position,
            "patient_row": known[identity],
            "instance_count": patient.instances,
        }
        for position, (identity, patient) in enumerate(zip(rows, about, strict=True))
    ]
    transaction.insert(study_patients, links)


def _known(transaction: WriteTransaction, identities: list[bytes]) -> dict[bytes, int]:
    rows = transaction.rows(_KNOWN, {"identities": identities}) if identities else []
    return {row.identity: row.id for row in rows}


def row_of(patient: Patient) -> dict[str, Any]:
    """A patient as columns of its table."""
    row: dict[str, Any] = {
        "patient_id": patient.patient_id,
        "issuer_of_patient_id": patient.issuer_of_patient_id,
        "patient_name": patient.patient_name,
        "patient_birth_date": patient.patient_birth_date,
        "patient_sex": patient.patient_sex,
    }
    identity = sha256("\0".join(row.values()).encode()).digest()
    return {
        **row,
        "identity": identity,
        "name_folded": folded(patient.patient_name),
        "name_words": name_words(patient.patient_name)[:TEXT_LENGTH],
    }
