"""What was typed and is to be shown by a GET: kept in memory for a while, under an id that says nothing.

So a question has an address that Back and Reload take again, and nothing that was typed is part of it.
"""

import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import msgspec

from heltig.api.services import services_of
from heltig.auth.principal import LOCAL
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.errors import NotFoundError

KEPT_FOR: Final = timedelta(minutes=30)
MOST_KEPT: Final = 1000

T = TypeVar("T")


class LostError(NotFoundError):
    """What was typed is not kept any more."""

    title = "Not kept any more"


class _Entry(msgspec.Struct, Generic[T], frozen=True):
    principal: str
    what: T
    until: datetime


class Kept(Generic[T]):
    """What is kept of one kind, by the process that answers, for whoever typed it."""

    def __init__(self, kind: str, *, called: str) -> None:
        """Makes it.

        Args:
            kind: Under which the application has it; no other has this one.
            called: What an entry is called in errors.
        """
        self._kind = f"kept_{kind}"
        self._called = called

    def put(self, request: AnyRequest, what: T) -> str:
        """Keeps something, and forgets what is over; returns its id."""
        entries, now = self._entries(request), services_of(request.app.state).clock()
        for id in [id for id, entry in entries.items() if entry.until <= now]:
            del entries[id]
        while len(entries) >= MOST_KEPT:
            entries.popitem(last=False)
        id = secrets.token_urlsafe(16)
        entries[id] = _Entry(_name(request), what, now + KEPT_FOR)
        return id

    def get(self, request: AnyRequest, id: str) -> T:
        """What whoever asks typed.

        Raises:
            LostError: They typed nothing under this id, or it is not kept any more.
        """
        entry = self._entries(request).get(id)
        now = services_of(request.app.state).clock()
        if entry is None or entry.principal != _name(request) or entry.until <= now:
            raise LostError(
                f"This {self._called} is kept for {KEPT_FOR.seconds // 60} minutes, for whoever began it, "
                "and until the service starts anew. Nothing was changed. Begin anew."
            )
        return entry.what

    def _entries(self, request: AnyRequest) -> OrderedDict[str, _Entry[T]]:
        """The newest last."""
        state = request.app.state
        entries: OrderedDict[str, _Entry[T]] | None = state.get(self._kind)
        if entries is None:
            entries = state[self._kind] = OrderedDict()
        return entries


Form = dict[str, str]

_QUESTIONS: Final = Kept[Form]("questions", called="question")


def keep_form(request: AnyRequest, form: Form) -> str:
    """Keeps what somebody sent; returns its id."""
    return _QUESTIONS.put(request, form)


def kept_form(request: AnyRequest, id: str) -> Form:
    """What they sent.

    Raises:
        NotFoundError: It is not kept any more.
    """
    return _QUESTIONS.get(request, id)


def _name(request: AnyRequest) -> str:
    return (principal_of(request) or LOCAL).name
