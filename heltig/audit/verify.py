"""Finds out whether the audit trail is what was written."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, TypeAlias

from heltig.audit.anchors import Anchor
from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.walk import Verified, Walk
from heltig.store import audit_rows
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

MOST_BREAKS: Final = 100
"""Breaks that are told one by one, of those since the trail was last accepted, and of those before."""

SLICE: Final = 500
"""Entries in one transaction of `verify_in_slices`: some ten milliseconds."""

_TRIES: Final = 3

_Step: TypeAlias = Literal["more", "end", "purged"]


def verify(
    transaction: ReadTransaction,
    keys: AuditKeys,
    *,
    anchors: Sequence[Anchor] = (),
    through: int | None = None,
    own: OwnAnchor | None = None,
    most: int = MOST_BREAKS,
) -> Verified:
    """Reads the trail from its beginning, a few entries at a time, and computes each tag again.

    Args:
        transaction: Any.
        keys: All that ever sealed it.
        anchors: Tags that are known from elsewhere, such as the log.
        through: Only entries up to this one; the end is not looked at then.
        own: What this host knows of the trail; not of a copy from before.
        most: The most breaks that are told one by one.

    Raises:
        ConfigurationError: The keys cannot be read.
    """
    walk = _begun(transaction, keys, anchors, most=most)
    for row in audit_rows.stored(transaction):
        if through is not None and row.sequence > through:
            break
        walk.take(row)
    if through is None:
        walk.end(transaction)
    if own is not None and (wrong := own.disagreement(transaction, keys)) is not None:
        walk.disagree(*wrong)
    return walk.result()


async def verify_in_slices(
    store: Store, keys: AuditKeys, *, rest: Callable[[], Awaitable[object]]
) -> Verified:
    """Does as `verify`, in many short transactions: it keeps nothing from being written or cleaned up.

    Where entries are purged meanwhile it begins anew; the last time it does all in one transaction.

    Args:
        store: Where the trail is.
        keys: All that ever sealed it.
        rest: Awaited after each transaction, so that others get on.

    Raises:
        ConfigurationError: The keys cannot be read.
        StorageError: The database failed.
    """
    for _ in range(_TRIES):
        walk = await store.read(_begun, keys, (), most=MOST_BREAKS)
        while (step := await store.read(_go_on, walk)) == "more":
            await rest()
        if step == "end":
            return walk.result()
    return await store.read(verify, keys)


def _begun(transaction: ReadTransaction, keys: AuditKeys, anchors: Sequence[Anchor], *, most: int) -> Walk:
    walk = Walk(keys, audit_rows.checkpoint(transaction), anchors, most=most)
    for low in audit_rows.below(transaction, most=most):
        walk.take(low)
    return walk


def _go_on(transaction: ReadTransaction, walk: Walk) -> _Step:
    if audit_rows.checkpoint(transaction) != walk.checkpoint:
        return "purged"
    found, walk.at = audit_rows.page(transaction, walk.at, SLICE)
    for row in found:
        walk.take(row)
    if walk.at is not None:
        return "more"
    walk.end(transaction)
    return "end"
