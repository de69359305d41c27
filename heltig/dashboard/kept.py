"""What was typed and is to be shown by a GET: kept in memory for a while, under an id that says nothing.

So a question has an address that Back and Reload take again, and nothing that was typed is part of it.
"""

import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import msgspec
from litestar.datastructures import State

from heltig.api.services import services_of
from heltig.auth.principal import LOCAL
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.errors import NotFoundError

KEPT_FOR: Final = timedelta(minutes=30)
MOST_KEPT: Final = 1000

_STATE: Final = "kept_forms"

T = TypeVar("T")


class _Entry(msgspec.Struct, Generic[T], frozen=True):
    principal: str
    what: T
    until: datetime


class Kept(Generic[T]):
    """What one process keeps, the newest last."""

    def __init__(self, called: str) -> None:
        """Keeps nothing yet.

        Args:
            called: What an entry is called in errors.
        """
        self._called = called
        self._entries = OrderedDict[str, _Entry[T]]()

    def put(self, principal: str, what: T, *, now: datetime) -> str:
        """Keeps something, and forgets what is over; returns its id."""
        for id in [id for id, entry in self._entries.items() if entry.until <= now]:
            del self._entries[id]
        while len(self._entries) >= MOST_KEPT:
            self._entries.popitem(last=False)
        id = secrets.token_urlsafe(16)
        self._entries[id] = _Entry(principal, what, now + KEPT_FOR)
        return id

    def get(self, principal: str, id: str, *, now: datetime) -> T:
        """What somebody typed.

        Raises:
            NotFoundError: They typed nothing under this id, or it is not kept any more.
        """
        entry = self._entries.get(id)
        if entry is None or entry.principal != principal or entry.until <= now:
            raise NotFoundError(
                f"This {self._called} is not kept any more: {KEPT_FOR.seconds // 60} minutes, for whoever "
                "began it. Begin anew."
            )
        return entry.what


Form = dict[str, str]


def keep_form(request: AnyRequest, form: Form) -> str:
    """Keeps what somebody sent; returns its id."""
    return _forms(request.app.state).put(_name(request), form, now=services_of(request.app.state).clock())


def kept_form(request: AnyRequest, id: str) -> Form:
    """What they sent.

    Raises:
        NotFoundError: It is not kept any more.
    """
    return _forms(request.app.state).get(_name(request), id, now=services_of(request.app.state).clock())


def _forms(state: State) -> Kept[Form]:
    kept: Kept[Form] | None = state.get(_STATE)
    if kept is None:
        kept = state[_STATE] = Kept[Form]("question")
    return kept


def _name(request: AnyRequest) -> str:
    return (principal_of(request) or LOCAL).name
