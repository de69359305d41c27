"""The outbox of analyses: which of their objects go to which archive, and what became of each."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import bindparam, exists, or_, select, text, update

from heltig.store.tables import analyses, jobs, publications
from heltig.store.tables.research import UNSENT
from heltig.store.text import storable, storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction

PublicationState: TypeAlias = Literal["waiting", "stored", "verified", "failed"]


class NewPublication(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is to be sent.

    Attributes:
        name: Its file among those of its analysis.
    """

    name: str
    sop_class_uid: str
    sop_instance_uid: str


class Publication(NewPublication, frozen=True, kw_only=True):
    """An object as its way stands.

    Attributes:
        target: The archive's name.
        state: `waiting` to be sent; `stored` by what the archive said; `verified`, since the archive shows
            it; `failed`.
        attempts: How often it was sent.
        code: Why it failed, or what the archive warned of; empty where there is nothing to say.
        observed: What was seen then; no value of a patient.
        changed: Since when it is so.
    """

    row: int
    target: str
    state: PublicationState
    attempts: int
    code: str
    observed: str
    changed: datetime


_OF: Final = (
    select(publications).where(publications.c.analysis_row == bindparam("of")).order_by(publications.c.id)
)
_OF_TARGET: Final = _OF.where(publications.c.target == bindparam("to"))
_WAITS_AGAIN: Final = (
    update(publications)
    .where(
        publications.c.analysis_row == bindparam("of"),
        publications.c.target == bindparam("to"),
        publications.c.state == "failed",
    )
    .values(state="waiting", failure="", changed=bindparam("at", type_=publications.c.changed.type))
)
_MOVE: Final = (
    update(publications)
    .where(
        publications.c.id.in_(bindparam("rows", expanding=True)),
        text(f"publications.{UNSENT}"),
    )
    .values(
        state=bindparam("to_state"),
        failure=bindparam("to_failure"),
        attempts=publications.c.attempts + bindparam("sent"),
        changed=bindparam("at", type_=publications.c.changed.type),
    )
)
_FORSAKEN: Final = (
    select(analyses.c.id, publications.c.target)
    .join(analyses, analyses.c.id == publications.c.analysis_row)
    .where(
        text(f"publications.{UNSENT}"),
        ~exists().where(
            jobs.c.kind == bindparam("kind"),
            jobs.c.key == analyses.c.analysis_id + " " + publications.c.target,
            or_(jobs.c.state == "queued", jobs.c.state == "running"),
        ),
    )
    .distinct()
)


def put(
    transaction: WriteTransaction,
    analysis_row: int,
    target: str,
    objects: Sequence[NewPublication],
    *,
    at: datetime,
) -> list[Publication]:
    """Has objects wait for an archive: those that never went there, and those that failed.

    Args:
        transaction: Any that writes.
        analysis_row: Whose objects they are.
        target: The archive's name.
        objects: All that are to be there, in the order in which they go.
        at: The time.

    Returns:
        All that were ever to go there, as they stand now.
    """
    transaction.run(_WAITS_AGAIN, {"of": analysis_row, "to": storable_key(target), "at": at})
    known = {one.name for one in of_analysis(transaction, analysis_row, target=target)}
    transaction.insert(
        publications,
        [
            {
                "analysis_row": analysis_row,
                "name": one.name,
                "sop_class_uid": storable_key(one.sop_class_uid),
                "sop_instance_uid": storable_key(one.sop_instance_uid),
                "target": storable_key(target),
                "state": "waiting",
                "attempts": 0,
                "failure": "",
                "changed": at,
            }
            for one in objects
            if one.name not in known
        ],
    )
    return of_analysis(transaction, analysis_row, target=target)


def of_analysis(
    transaction: ReadTransaction, analysis_row: int, *, target: str | None = None
) -> list[Publication]:
    """What of an analysis goes to archives, or to one, in the order in which it goes."""
    if target is None:
        return [_publication(row) for row in transaction.rows(_OF, {"of": analysis_row})]
    of = {"of": analysis_row, "to": storable_key(target)}
    return [_publication(row) for row in transaction.rows(_OF_TARGET, of)]


def move(
    transaction: WriteTransaction,
    rows: Collection[int],
    state: PublicationState,
    *,
    at: datetime,
    code: str = "",
    observed: str = "",
    sent: bool = False,
) -> int:
    """Says what became of objects that are under way; returns how many of them were.

    Args:
        transaction: Any that writes.
        rows: The objects.
        state: What they are now.
        at: Since when.
        code: Why: one word.
        observed: What was seen.
        sent: They were sent once more.
    """
    if not rows:
        return 0
    values = {
        "rows": list(rows),
        "to_state": state,
        "to_failure": storable(f"{code} {observed}".strip()),
        "sent": int(sent),
        "at": at,
    }
    return transaction.run(_MOVE, values)


def job_key(analysis_id: str, target: str) -> str:
    """The key of the job that sends what of an analysis waits for an archive."""
    return f"{analysis_id} {target}"


def forsaken(transaction: ReadTransaction, *, kind: str) -> list[tuple[int, str]]:
    """Rows of analyses with objects under way that no job of a kind sends any more, and to which archive."""
    return [(row.id, row.target) for row in transaction.rows(_FORSAKEN, {"kind": kind})]


def _publication(row: Any) -> Publication:
    code, _, observed = row.failure.partition(" ")
    return Publication(
        row=row.id,
        name=row.name,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        target=row.target,
        state=row.state,
        attempts=row.attempts,
        code=code,
        observed=observed,
        changed=row.changed,
    )
