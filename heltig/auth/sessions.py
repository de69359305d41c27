"""Sessions of people who logged in: begun by us alone, ended by idleness, by age, and by whoever asks for it.

What a browser shows is 256 random bits that nobody but us chose; the store has their SHA-256. A value that is
planted in a browser before its login opens nothing, since a login always begins a session of its own.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from heltig import audit
from heltig.auth.openid import LoggedOut, Person
from heltig.auth.principal import Principal, Role
from heltig.auth.role_mapping import RoleMapping
from heltig.auth.signed import UnprovenError
from heltig.errors import ConflictError
from heltig.store import rate_counts, sessions
from heltig.store.engine import Store
from heltig.store.sessions import Session
from heltig.store.transaction import WriteTransaction

TOUCHED_EVERY: Final = timedelta(minutes=1)
"""So exactly is known when somebody was last there."""

_COUNTED: Final = "logout-told"
"""What logouts are known by that the provider told: each token is good once."""

ACTOR: Final = "user:"
"""What the names of people begin with in the audit trail."""


class Sessions:
    """The sessions of a service."""

    def __init__(
        self,
        store: Store,
        mapping: RoleMapping,
        *,
        issuer: str,
        idle: timedelta,
        longest: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            store: Keeps them.
            mapping: Roles by what was granted at the login; one that the settings drop is gone at once.
            issuer: The provider; a session that began at another one is over.
            idle: One in which nothing is done ends after that.
            longest: Any ends after that.
            clock: Gives the time, in UTC.
        """
        self._store = store
        self._mapping = mapping
        self._issuer = issuer
        self._idle = idle
        self._longest = longest
        self._clock = clock

    async def begin(self, person: Person, *, login: str, replaces: str, origin: str) -> str:
        """Begins a session; returns what the browser is to show from then on.

        Args:
            person: Who logged in.
            login: The secret of that login.
            replaces: What the browser showed before; that session ends.
            origin: From where.

        Raises:
            UnprovenError: That login has begun a session already.
        """
        shown, now = secrets.token_urlsafe(32), self._clock()
        session = Session(
            hash=_hash_of(shown),
            login_hash=_hash_of(login),
            issuer=self._issuer,
            subject=person.subject,
            name=person.name,
            granted=person.granted,
            provider_session=person.provider_session,
            created=now,
            last_seen=now,
            expires=now + self._longest,
        )
        roles = [str(role) for role in sorted(self.principal_of(person).roles)]
        try:
            await self._store.write_durably(
                _begin, session, replaces=_hash_of(replaces), roles=roles, origin=origin, now=now
            )
        except ConflictError as again:
            raise UnprovenError("login-state", again.detail) from again
        return shown

    async def principal(self, shown: str, *, is_there: bool) -> Principal | None:
        """Who is in a session; None where there is none, or it is over.

        Args:
            shown: What the browser shows.
            is_there: Somebody is there: the session is not idle.

        Raises:
            StorageError: The database could not be asked.
        """
        session = await self.find(shown)
        if session is None:
            return None
        now = self._clock()
        if is_there and now - session.last_seen >= TOUCHED_EVERY:
            await self._store.write(sessions.touch, session.hash, at=now)
        return Principal(f"{ACTOR}{session.name}", self.roles_of(session))

    def roles_of(self, session: Session) -> frozenset[Role]:
        """What somebody is in a session now, by the settings as they are."""
        return self._mapping.roles(session.granted)

    def principal_of(self, person: Person) -> Principal:
        """Who somebody is here who logs in; without a role where nothing gives one."""
        return Principal(f"{ACTOR}{person.name}", self._mapping.roles(person.granted))

    async def find(self, shown: str) -> Session | None:
        """A session that goes on."""
        found = await self._store.read(sessions.find, _hash_of(shown))
        if found is None or found.ended is not None or found.issuer != self._issuer:
            return None
        now = self._clock()
        return found if now < found.expires and now - found.last_seen < self._idle else None

    async def end(self, session: Session, *, everywhere: bool, origin: str) -> None:
        """Ends a session, or all of whoever is in it."""
        now = self._clock()
        await self._store.write_durably(_end, session, everywhere=everywhere, origin=origin, now=now)

    async def end_at_provider(self, told: LoggedOut, *, origin: str) -> None:
        """Ends what the provider says is over: by its session where it names one, else all of a person.

        Raises:
            UnprovenError: It was told before: whoever kept the token shall not end later sessions with it.
        """
        now = self._clock()
        is_new = await self._store.write_durably(_end_at_provider, self._issuer, told, origin=origin, now=now)
        if not is_new:
            raise UnprovenError("token-used", "This logout token was told before.")


def end_by_name(
    transaction: WriteTransaction, name: str | None, *, actor: str, origin: str, now: datetime
) -> int:
    """Ends all sessions of somebody, for whoever runs the service; returns their number.

    Args:
        transaction: Of `Store.write_durably`.
        name: What they are called; None for everybody.
        actor: Who ends them.
        origin: From where.
        now: The time.
    """
    ended = sessions.end_by_name(transaction, name, at=now)
    _record_ends(transaction, ended, by=actor, how="by command", origin=origin, now=now)
    return len(ended)


def _begin(
    transaction: WriteTransaction,
    session: Session,
    *,
    replaces: str,
    roles: list[str],
    origin: str,
    now: datetime,
) -> None:
    sessions.add(transaction, session)
    replaced = sessions.end(transaction, replaces, at=now)
    _record_ends(transaction, replaced, by="", how="replaced", origin=origin, now=now)
    audit.record(
        transaction,
        at=now,
        actor=f"{ACTOR}{session.name}",
        action="session.begin",
        subject=f"{ACTOR}{session.name}",
        outcome="success",
        origin=origin,
        detail={"sub": session.subject, "roles": roles, "expires": session.expires},
    )


def _end(
    transaction: WriteTransaction, session: Session, *, everywhere: bool, origin: str, now: datetime
) -> None:
    if everywhere:
        ended = sessions.end_of_subject(transaction, session.issuer, session.subject, at=now)
    else:
        ended = sessions.end(transaction, session.hash, at=now)
    how = "everywhere" if everywhere else "here"
    _record_ends(transaction, ended, by=f"{ACTOR}{session.name}", how=how, origin=origin, now=now)


def _end_at_provider(
    transaction: WriteTransaction, issuer: str, told: LoggedOut, *, origin: str, now: datetime
) -> bool:
    """Whether it is told for the first time; else nothing is ended."""
    if not rate_counts.is_first(
        transaction, rule=_COUNTED, who=_hash_of(f"{issuer}\0{told.id}"), until=told.until
    ):
        return False
    if told.provider_session:
        ended = sessions.end_of_provider_session(
            transaction, issuer, told.provider_session, subject=told.subject, at=now
        )
    else:
        ended = sessions.end_of_subject(transaction, issuer, told.subject, at=now)
    _record_ends(transaction, ended, by="provider", how="at the provider", origin=origin, now=now)
    return True


def _record_ends(
    transaction: WriteTransaction,
    ended: Iterable[Session],
    *,
    by: str,
    how: str,
    origin: str,
    now: datetime,
) -> None:
    for session in ended:
        audit.record(
            transaction,
            at=now,
            actor=by or f"{ACTOR}{session.name}",
            action="session.end",
            subject=f"{ACTOR}{session.name}",
            outcome="success",
            origin=origin,
            detail={"sub": session.subject, "how": how, "begun": session.created},
        )


def _hash_of(shown: str) -> str:
    return hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()
