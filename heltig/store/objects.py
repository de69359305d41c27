"""SOP Instances that gates took: what became of each, and where its file is as long as there is one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import and_, bindparam, case, or_, select, text, update

from heltig.store.records import Location
from heltig.store.tables import locations, objects, studies
from heltig.store.tables.custody import KEPT
from heltig.store.transaction import ReadTransaction, WriteTransaction

ObjectState: TypeAlias = Literal["held", "forwarding", "quarantined", "forwarded", "discarded"]

_AT_ONCE: Final = 500  # keys of a query


class GateObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A SOP Instance that a gate took.

    Attributes:
        study: The row of its study.
        digest: SHA-256 of the file.
        size: Of the file, in bytes.
        state: It waits for a verdict (`held`), or for the archive (`forwarding`), or for a person
            (`quarantined`); it is in the archive (`forwarded`); or a person threw it away (`discarded`).
        judged: It is in the study's snapshot.
        file: Its name within the spool; None once it is gone.
        spool: Whose spool.
        sender: Who sent it.
        request: By which request or association.
    """

    id: int = 0
    study: int
    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    transfer_syntax_uid: str
    digest: str
    size: int
    state: ObjectState
    judged: bool = False
    file: str | None
    spool: str
    sender: str
    request: str
    received: datetime


_FIELDS: Final = tuple(name for name in GateObject.__struct_fields__ if name not in ("id", "study"))
_OF_STUDY: Final = (
    select(objects)
    .where(objects.c.study_row == bindparam("study"), objects.c.state != "discarded")
    .order_by(objects.c.id)
)
_IN_STATE: Final = (
    select(objects)
    .where(objects.c.study_row == bindparam("study"), objects.c.state == bindparam("in_state"))
    .order_by(objects.c.id)
)
_KNOWN: Final = select(objects).where(
    objects.c.study_row == bindparam("study"),
    objects.c.sop_instance_uid.in_(bindparam("uids", expanding=True)),
)
_AT: Final = (
    select(objects, studies.c.study_key)
    .join(studies, studies.c.id == objects.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(
        locations.c.kind == bindparam("kind"),
        locations.c.name == bindparam("name"),
        objects.c.sop_instance_uid.in_(bindparam("uids", expanding=True)),
    )
)
_FILES: Final = select(objects.c.file).where(
    text(KEPT), objects.c.file.in_(bindparam("files", expanding=True))
)
_BY_IDS: Final = objects.c.id.in_(bindparam("ids", expanding=True))
_REVIVE: Final = (
    update(objects)
    .where(
        objects.c.study_row == bindparam("study"),
        objects.c.sop_instance_uid == bindparam("uid"),
        objects.c.digest == bindparam("of"),
        or_(
            objects.c.state == "discarded",
            and_(objects.c.state == "forwarded", bindparam("to_state") == "held"),
        ),
    )
    .values(
        state=bindparam("to_state"),
        judged=case((objects.c.state == "forwarded", objects.c.judged), else_=False),
        file=bindparam("to_file"),
        spool=bindparam("to_spool"),
        sender=bindparam("to_sender"),
        request=bindparam("to_request"),
        received=bindparam("to_received"),
    )
)
_MOVE: Final = update(objects).where(_BY_IDS).values(state=bindparam("to_state"))
_JUDGED: Final = update(objects).where(_BY_IDS).values(judged=True)
_LET_GO: Final = update(objects).where(_BY_IDS, text(KEPT)).values(file=None)


def add(transaction: WriteTransaction, new: Sequence[GateObject]) -> list[bool]:
    """Adds objects, but for those that are there already: of one study with one UID and the same bytes.

    One that was thrown away and came again is as if it had never been there. One that was forwarded and is
    held again is forwarded again: the archive may have lost it since.

    Returns:
        Of each whether it was added; the file of one that was not is of no use.
    """
    added = []
    for one in new:
        row = {"study_row": one.study, **{name: getattr(one, name) for name in _FIELDS}}
        is_new = transaction.insert_or_ignore(objects, row)
        if not is_new:
            revived = {
                "study": one.study,
                "uid": one.sop_instance_uid,
                "of": one.digest,
                "to_state": one.state,
                "to_file": one.file,
                "to_spool": one.spool,
                "to_sender": one.sender,
                "to_request": one.request,
                "to_received": one.received,
            }
            is_new = bool(transaction.run(_REVIVE, revived))
        added.append(is_new)
    return added


def of_study(transaction: ReadTransaction, study: int) -> list[GateObject]:
    """All objects of a study but those that were thrown away, in the order in which they came."""
    return [object_of(row) for row in transaction.rows(_OF_STUDY, {"study": study})]


def in_state(transaction: ReadTransaction, study: int, state: ObjectState) -> list[GateObject]:
    """The objects of a study in a state, in the order in which they came."""
    return [object_of(row) for row in transaction.rows(_IN_STATE, {"study": study, "in_state": state})]


def known(transaction: ReadTransaction, study: int, uids: Collection[str]) -> list[GateObject]:
    """The objects of a study with some SOP Instance UIDs, thrown away ones too."""
    return [
        object_of(row)
        for some in _portions(uids)
        for row in transaction.rows(_KNOWN, {"study": study, "uids": some})
    ]


def at_location(
    transaction: ReadTransaction, location: Location, uids: Collection[str]
) -> list[tuple[str, GateObject]]:
    """The objects of a gate with some SOP Instance UIDs, each with its StudyInstanceUID."""
    return [
        (row.study_key, object_of(row))
        for some in _portions(uids)
        for row in transaction.rows(_AT, {"kind": location.kind, "name": location.name, "uids": some})
    ]


def move(transaction: WriteTransaction, ids: Collection[int], state: ObjectState) -> None:
    """Says in which state some objects are now; their study is locked."""
    for some in _portions(ids):
        transaction.connection.execute(_MOVE, {"ids": some, "to_state": state})


def mark_judged(transaction: WriteTransaction, ids: Collection[int]) -> None:
    """Says that some objects are in their study's snapshot; their study is locked."""
    for some in _portions(ids):
        transaction.connection.execute(_JUDGED, {"ids": some})


def let_go(transaction: WriteTransaction, ids: Collection[int]) -> None:
    """Says that the files of some objects are not needed any more; remove them after the commit."""
    for some in _portions(ids):
        transaction.connection.execute(_LET_GO, {"ids": some})


def kept_files(transaction: ReadTransaction, files: Collection[str]) -> set[str]:
    """Those of some files that belong to objects."""
    return {file for some in _portions(files) for file in transaction.scalars(_FILES, {"files": some})}


def _portions(keys: Iterable[Any]) -> list[list[Any]]:
    listed = list(keys)
    return [listed[start : start + _AT_ONCE] for start in range(0, len(listed), _AT_ONCE)]


def object_of(row: Any) -> GateObject:
    """An object out of a row of its table."""
    return GateObject(id=row.id, study=row.study_row, **{name: getattr(row, name) for name in _FIELDS})
