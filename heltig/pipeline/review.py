"""What people make of studies: who sees to one, what they say about it; all of it in the audit trail."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

import msgspec

from heltig import audit
from heltig.auth.principal import LOCAL, Principal, may_log_in
from heltig.errors import AuthorisationError, ConflictError, NotFoundError, UsageError
from heltig.pipeline.identifiers.sights import Sight
from heltig.store import comments, known_names, owners, studies
from heltig.store.comments import Comment
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

MOST_COMMENT: Final = 4000
"""Characters of a comment."""

MOST_NAME: Final = 256
"""Characters of an owner's name."""


class ReviewDesk:
    """Where people take studies, and say what they found."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def own(
        self, location: Location, study_key: str, owner: str, *, actor: str, origin: str
    ) -> owners.Owner | None:
        """Says who sees to a study at a location; nobody, where that is empty.

        Args:
            location: The location.
            study_key: The study.
            owner: A principal's name.
            actor: Who says so.
            origin: From where.

        Raises:
            UsageError: Nobody is known by that name.
            NotFoundError: The study was never seen there.
        """
        await self.see_that_it_is_somebody(owner, actor=actor)
        return await self._store.write_durably(self._own, location, study_key, owner, actor, origin)

    async def see_that_it_is_somebody(self, owner: str, *, actor: str) -> None:
        """Insists that somebody is known by a name; an empty one is nobody.

        Raises:
            UsageError: That is no name of a principal, or of none that was ever here.
        """
        see_that_it_names(owner)
        if owner in ("", actor, LOCAL.name) or await self._store.read(known_names.is_known, owner):
            return
        raise UsageError(
            "owner: nobody is known by this name. A key has to be there (`heltig keys list`), a user to have "
            "logged in, a token to have changed something; the audit trail has their names."
        )

    async def comment(
        self, location: Location, study_key: str, text: str, *, actor: str, origin: str
    ) -> Comment:
        """Adds a comment to a study.

        Raises:
            UsageError: It is empty, or too long.
            NotFoundError: The study was never seen there.
            ConflictError: It has as many as it may have.
        """
        if not text.replace("\0", " ").strip() or len(text) > MOST_COMMENT:
            raise UsageError(f"text: say something, in up to {MOST_COMMENT:,} characters.")
        return await self._store.write_durably(self._comment, location, study_key, text, actor, origin)

    async def withdraw(self, study_key: str, comment: int, *, by: Principal, origin: str) -> Comment:
        """Takes a comment back: its text is gone for good, that it was there stays.

        Raises:
            NotFoundError: There is no such comment on this study.
            AuthorisationError: It is somebody else's, and they are no admin.
            ConflictError: It was taken back already.
        """
        return await self._store.write_durably(self._withdraw, study_key, comment, by, origin)

    def _own(
        self,
        transaction: WriteTransaction,
        location: Location,
        study_key: str,
        owner: str,
        actor: str,
        origin: str,
    ) -> owners.Owner | None:
        at = self._clock()
        if studies.lock(transaction, location, study_key) is None:
            raise NotFoundError("Nothing is known of this study there.")
        before = owners.put(transaction, location, study_key, owner, by=actor, at=at)
        if before != owner:
            audit.record(
                transaction,
                at=at,
                actor=actor,
                action="study.own",
                subject=f"{location} {study_key}",
                outcome="success",
                origin=origin,
                detail={"from": before, "to": owner},
            )
        return owners.of(transaction, [study_key]).get((str(location), study_key))

    def _comment(
        self,
        transaction: WriteTransaction,
        location: Location,
        study_key: str,
        text: str,
        actor: str,
        origin: str,
    ) -> Comment:
        at = self._clock()
        made = comments.add(transaction, location, study_key, author=actor, text=text, at=at)
        audit.record(
            transaction,
            at=at,
            actor=actor,
            action="comment.add",
            subject=f"{location} {study_key}",
            outcome="success",
            origin=origin,
            detail={"comment": made.id},
        )
        return made

    def _withdraw(
        self, transaction: WriteTransaction, study_key: str, comment: int, by: Principal, origin: str
    ) -> Comment:
        at = self._clock()
        found = comments.lock(transaction, study_key, comment)
        if not may_withdraw(found, by):
            raise AuthorisationError("This comment is somebody else's: its author or an admin withdraws it.")
        if found.withdrawn is not None:
            raise ConflictError("This comment was withdrawn already.")
        comments.withdraw(transaction, comment, by=by.name, at=at)
        audit.record(
            transaction,
            at=at,
            actor=by.name,
            action="comment.withdraw",
            subject=f"{found.location} {study_key}",
            outcome="success",
            origin=origin,
            detail={"comment": comment, "author": found.author},
        )
        return comments.get(transaction, study_key, comment)


def see_that_it_names(owner: str) -> None:
    """Insists that a text can be the name of somebody who logs in; an empty one is nobody.

    Raises:
        UsageError: It cannot.
    """
    if owner and (len(owner) > MOST_NAME or not may_log_in(owner)):
        raise UsageError(
            "owner: the name of a user, a key or a token as the audit trail has it, such as `user:anna` or "
            f"`key:night-shift`: up to {MOST_NAME} printable characters."
        )


def owner_wanted(text: str, me: str) -> str:
    """Whose studies somebody asks for: `mine`, `nobody` for those that nobody sees to, or a name.

    >>> [owner_wanted(text, "user:anna") for text in ("mine", "nobody", "key:b")]
    ['user:anna', '', 'key:b']
    """
    return {"mine": me, "nobody": ""}.get(text, text)


def may_withdraw(comment: Comment, principal: Principal | None) -> bool:
    """Whether somebody may take a comment back: its author, or an admin."""
    if principal is None:
        return False
    return comment.author == principal.name or "admin" in principal.roles


def shown(found: Collection[Comment], sight: Sight) -> list[Comment]:
    """Comments as somebody may see them: people write names, whatever the identifiers of a study are."""
    return [msgspec.structs.replace(one, text=sight.typed(one.text)) for one in found]
