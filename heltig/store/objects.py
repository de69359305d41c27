"""SOP Instances that gates took: what became of each, and where its file is as long as there is one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import bindparam, delete, select, text, update

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


class Added(msgspec.Struct, frozen=True):
    """What came of an object that was to be added.

    Attributes:
        is_new: Whether it was.
        useless: The file that no row names any more: its own, or that of the row whose place it took.
    """

    is_new: bool
    useless: str | None = None


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
_REMOVE: Final = delete(objects).where(objects.c.id == bindparam("id"))
_MOVE: Final = update(objects).where(_BY_IDS).values(state=bindparam("to_state"))
_JUDGED: Final = update(objects).where(_BY_IDS).values(judged=True)
_LET_GO: Final = update(objects).where(_BY_IDS, text(KEPT)).values(file=None)


def add(
    transaction: WriteTransaction, new: Sequence[GateObject], *, broken: Collection[int] = ()
) -> list[Added]:
    """Adds objects, but for those that are there already: of one study with one UID and the same bytes.

    What takes the place of such a row (`is_news`) stands behind all that came before. It is in the snapshot
    if that was, unless a person threw that away: it is as if it had never been there.

    Args:
        transaction: Any that writes; the studies are locked.
        new: The objects; of one study.
        broken: Rows whose files are not what was received.
    """
    added = []
    last = last_digests(new)
    for one in new:
        row = {"study_row": one.study, **{name: getattr(one, name) for name in _FIELDS}}
        if transaction.insert_or_ignore(objects, row):
            added.append(Added(True))
            continue
        versions = known(transaction, one.study, [one.sop_instance_uid])
        if not is_news(one, versions, last=last[one.sop_instance_uid], broken=broken):
            added.append(Added(False, one.file))
            continue
        [before] = [version for version in versions if version.digest == one.digest]
        transaction.run(_REMOVE, {"id": before.id})
        transaction.insert(objects, [{**row, "judged": before.judged and before.state != "discarded"}])
        added.append(Added(True, before.file if before.spool == one.spool else None))
    return added


def last_digests(came: Iterable[GateObject]) -> dict[str, str]:
    """Of objects of one study that came together the digest of the last one under each UID."""
    return {one.sop_instance_uid: one.digest for one in came}


def is_news(
    one: GateObject, versions: Iterable[GateObject], *, last: str, broken: Collection[int] = ()
) -> bool:
    """Whether an object that came is more than a repetition of one that is known.

    What is held is forwarded again where it was before, since the archive may have lost it; it takes the
    place of a file that is damaged; and it is to be what the archive has in the end, where another version
    came in between.

    Args:
        one: What came.
        versions: The objects that are known under its UID in its study.
        last: The digest of what came last under its UID together with it: what is sent again as a whole,
            with several versions, is a repetition.
        broken: Rows whose files are not what was received.
    """
    left = [version for version in versions if version.state != "discarded"]
    before = next((version for version in left if version.digest == one.digest), None)
    if before is None:
        return True
    if one.state != "held":
        return False
    newest = max(left, key=lambda version: version.id)
    is_order_kept = newest is before or newest.digest == last
    return before.state == "forwarded" or before.id in broken or not is_order_kept


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
