"""What somebody asks a second person's consent to: asked once, answered once, kept with the study."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import bindparam, insert, select, text, update

from heltig.store.encrypted_rows import CONSENTS
from heltig.store.sequence import next_of
from heltig.store.tables import consents
from heltig.store.tables.review import OPEN
from heltig.store.text import TEXT_LENGTH, storable
from heltig.store.transaction import ReadTransaction, WriteTransaction

Act: TypeAlias = Literal["release", "discard"]
State: TypeAlias = Literal["open", "given", "declined", "withdrawn", "lapsed"]


class Consent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What somebody asks a second person's consent to.

    Attributes:
        id: Counted from 1.
        act: What is to be done.
        version: Of what the gate had of the study when it was asked.
        expires: Until when it can be answered.
        state: `open` until it is answered; `lapsed` where it ended before.
        decided_by: Who answered, or took it back; empty where nobody did.
        reason: Of whoever asked; `answer` of whoever decided.
    """

    id: int
    study_row: int = msgspec.field(name="study")
    act: Act
    version: int
    asked_by: str
    asked: datetime
    expires: datetime
    state: State
    decided_by: str
    decided: datetime | None
    reason: str
    answer: str

    def at(self, now: datetime, version: int) -> "Consent":
        """As it stands at a time, and for what the gate has of the study now."""
        if self.state == "open" and (self.expires <= now or self.version != version):
            return msgspec.structs.replace(self, state="lapsed")
        return self


_OPEN: Final = select(consents).where(text(OPEN), consents.c.study_row.in_(bindparam("rows", expanding=True)))
_LAST: Final = (
    select(consents)
    .where(consents.c.study_row == bindparam("row"))
    .order_by(consents.c.id.desc())
    .limit(bindparam("most"))
)
_END: Final = (
    update(consents)
    .where(consents.c.id == bindparam("consent"))
    .values(
        state=bindparam("to_state"),
        decided_by=bindparam("by"),
        decided=bindparam("at"),
        reason=bindparam("to_reason"),
        answer=bindparam("to_answer"),
        encrypted=bindparam("to_encrypted", type_=consents.c.encrypted.type),
    )
)


def ask(
    transaction: WriteTransaction,
    study_row: int,
    act: Act,
    *,
    version: int,
    by: str,
    reason: str,
    at: datetime,
    expires: datetime,
) -> Consent:
    """Asks for a consent; the study is locked, and nothing is asked about it."""
    number = next_of(transaction, "consents")
    row: dict[str, Any] = {
        "id": number,
        "study_row": study_row,
        "act": act,
        "version": version,
        "asked_by": storable(by, TEXT_LENGTH),
        "asked": at,
        "expires": expires,
        "state": "open",
        "decided_by": "",
        "decided": None,
        "reason": storable(reason),
        "answer": "",
    }
    transaction.connection.execute(insert(consents), CONSENTS.put(transaction.cipher, row))
    return Consent(**row)


def open_of(transaction: ReadTransaction, study_rows: Collection[int]) -> dict[int, Consent]:
    """What is asked about studies, by their rows, lapsed or not."""
    if not study_rows:
        return {}
    rows = transaction.rows(_OPEN, {"rows": list(study_rows)})
    return {row.study_row: _consent(transaction, row) for row in rows}


def of_study(transaction: ReadTransaction, study_row: int, *, limit: int = 20) -> list[Consent]:
    """What was asked about a study, the last first."""
    rows = transaction.rows(_LAST, {"row": study_row, "most": limit})
    return [_consent(transaction, row) for row in rows]


def end(
    transaction: WriteTransaction, consent: Consent, state: State, *, by: str, answer: str, at: datetime
) -> None:
    """Says what became of what was asked; the study is locked."""
    texts = {"id": consent.id, "study_row": consent.study_row, "reason": consent.reason}
    kept = CONSENTS.put(transaction.cipher, {**texts, "answer": storable(answer)})
    transaction.run(
        _END,
        {
            "consent": consent.id,
            "to_state": state,
            "by": storable(by, TEXT_LENGTH),
            "at": at,
            "to_reason": kept["reason"],
            "to_answer": kept["answer"],
            "to_encrypted": kept["encrypted"],
        },
    )


def _consent(transaction: ReadTransaction, stored: Any) -> Consent:
    row = CONSENTS.get(transaction.cipher, stored)
    return Consent(**{name: getattr(row, name) for name in Consent.__struct_fields__})
