"""Sessions of people. The store knows hashes of what browsers show; `heltig.auth` makes and checks it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, bindparam, delete, select, true, update

from heltig.errors import ConflictError
from heltig.store.tables import sessions
from heltig.store.text import TEXT_LENGTH, from_json, storable, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session without its secret.

    Attributes:
        hash: SHA-256 of what the browser shows.
        login_hash: SHA-256 of what the browser kept while its login went on.
        issuer: The provider.
        subject: Who it is, at that provider.
        name: What they are called.
        granted: The values of the role claim that gave a role at the login.
        provider_session: Their session at the provider; empty where that is not known.
        last_seen: To the minute.
        expires: When it ends at the latest.
        ended: When somebody ended it.
    """

    hash: str
    login_hash: str
    issuer: str
    subject: str
    name: str
    granted: tuple[str, ...]
    provider_session: str
    created: datetime
    last_seen: datetime
    expires: datetime
    ended: datetime | None = None


KEPT_FOR = timedelta(days=1)
"""How long a session is known after it is over: its login cannot begin another one meanwhile."""

_FIND = select(sessions).where(sessions.c.hash == bindparam("hash"))
_MINUTE = timedelta(minutes=1)


def add(transaction: WriteTransaction, session: Session) -> None:
    """Adds a session, and forgets those that are long over.

    Raises:
        ConflictError: Its login has begun a session already.
    """
    forgotten = session.created - KEPT_FOR
    transaction.connection.execute(delete(sessions).where(sessions.c.expires < forgotten))
    is_new = transaction.insert_or_ignore(
        sessions,
        {
            "hash": session.hash,
            "login_hash": session.login_hash,
            "issuer": session.issuer,
            "subject": session.subject,
            "name": session.name,
            "granted": to_json(session.granted),
            "provider_session": storable(session.provider_session, TEXT_LENGTH),
            "created": session.created,
            "last_seen": session.last_seen,
            "expires": session.expires,
            "ended": session.ended,
        },
    )
    if not is_new:
        raise ConflictError("This login is over: it has begun a session already.")


def has_begun(transaction: ReadTransaction, login_hash: str) -> bool:
    """Whether a login has begun a session."""
    found = select(sessions.c.id).where(sessions.c.login_hash == login_hash)
    return transaction.connection.execute(found).first() is not None


def find(transaction: ReadTransaction, hash: str) -> Session | None:
    """A session by the hash of what was shown, one that is over, too."""
    row = transaction.connection.execute(_FIND, {"hash": hash}).one_or_none()
    return None if row is None else _session(row)


def going_on(transaction: ReadTransaction, *, at: datetime) -> list[Session]:
    """The sessions that nobody has ended yet, by name and age; some of them may be idle for too long."""
    query = select(sessions).where(sessions.c.ended.is_(None), sessions.c.expires > at)
    ordered = query.order_by(sessions.c.name, sessions.c.created)
    return [_session(row) for row in transaction.connection.execute(ordered)]


def touch(transaction: WriteTransaction, hash: str, *, at: datetime) -> None:
    """Notes that somebody is there; more than once a minute nothing is written."""
    stale = sessions.c.last_seen <= at - _MINUTE
    transaction.connection.execute(
        update(sessions).where(sessions.c.hash == hash, stale).values(last_seen=at)
    )


def end(transaction: WriteTransaction, hash: str, *, at: datetime) -> list[Session]:
    """Ends a session; returns it unless it was over."""
    return _end(transaction, sessions.c.hash == hash, at)


def end_of_subject(
    transaction: WriteTransaction, issuer: str, subject: str, *, at: datetime
) -> list[Session]:
    """Ends all sessions of somebody; returns those that were not over."""
    return _end(transaction, (sessions.c.issuer == issuer) & (sessions.c.subject == subject), at)


def end_by_name(transaction: WriteTransaction, name: str | None, *, at: datetime) -> list[Session]:
    """Ends all sessions of a name, or of everybody where there is none; returns those that were not over."""
    return _end(transaction, true() if name is None else sessions.c.name == name, at)


def end_of_provider_session(
    transaction: WriteTransaction, issuer: str, provider_session: str, *, subject: str, at: datetime
) -> list[Session]:
    """Ends what began by a session at the provider; returns those that were not over.

    Args:
        transaction: Any that writes.
        issuer: The provider.
        provider_session: Its session.
        subject: Only of whom; empty where the provider does not say.
        at: The time.
    """
    key = storable(provider_session, TEXT_LENGTH)
    which = (sessions.c.issuer == issuer) & (sessions.c.provider_session == key)
    return _end(transaction, which & (sessions.c.subject == subject) if subject else which, at)


def _end(transaction: WriteTransaction, which: ColumnElement[bool], at: datetime) -> list[Session]:
    going_on = which & sessions.c.ended.is_(None) & (sessions.c.expires > at)
    found = [_session(row) for row in transaction.connection.execute(select(sessions).where(going_on))]
    transaction.connection.execute(update(sessions).where(going_on).values(ended=at))
    return found


def _session(row: Row[Any]) -> Session:
    return Session(
        hash=row.hash,
        login_hash=row.login_hash,
        issuer=row.issuer,
        subject=row.subject,
        name=row.name,
        granted=from_json(row.granted, tuple[str, ...]),
        provider_session=row.provider_session,
        created=row.created,
        last_seen=row.last_seen,
        expires=row.expires,
        ended=row.ended,
    )
