"""Names of principals that were here: keys, people who logged in, and whoever is in the audit trail."""

from typing import Final

from sqlalchemy import Select, bindparam, select

from heltig.store.tables import api_keys, audit, sessions
from heltig.store.transaction import ReadTransaction

_KEY: Final = (
    select(api_keys.c.id).where(api_keys.c.name == bindparam("name"), api_keys.c.revoked.is_(None)).limit(1)
)
_SESSION: Final = select(sessions.c.hash).where(sessions.c.name == bindparam("name")).limit(1)
_ACTOR: Final = select(audit.c.sequence).where(audit.c.actor == bindparam("name")).limit(1)


def is_known(transaction: ReadTransaction, name: str) -> bool:
    """Whether somebody is known by a name.

    Args:
        transaction: Any.
        name: As the audit trail has it: `key:NAME` of a key in force; `user:NAME` of who has a session, or is
            in the trail; else of who is in the trail, which is read to its end where they are not.
    """
    kind, _, rest = name.partition(":")
    if kind == "key":
        return _is_there(transaction, _KEY, rest)
    if kind == "user" and _is_there(transaction, _SESSION, rest):
        return True
    return _is_there(transaction, _ACTOR, name)


def _is_there(transaction: ReadTransaction, statement: Select[tuple[object]], name: str) -> bool:
    return bool(transaction.rows(statement, {"name": name}))
