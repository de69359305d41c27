"""The page of users and keys: API keys, made and revoked, and who is logged in."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

import msgspec
from litestar import HttpMethod, Response, route

from heltig.api.services import Services, services_of
from heltig.auth import keys as auth_keys
from heltig.auth import sessions as auth_sessions
from heltig.auth.keys import LONGEST_NAME, NewKey
from heltig.auth.principal import AREAS, ROLES, Role
from heltig.dashboard.asking import Question, ask, went
from heltig.dashboard.filters import insist_on_names, number
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page
from heltig.dashboard.refused import ANSWERS, refuse, refused
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.plain_name import insist_on_plain_name
from heltig.store import keys, sessions
from heltig.store.keys import ApiKey
from heltig.store.sessions import Session
from heltig.store.transaction import ReadTransaction

A_PAGE: Final = 100
"""Keys that a page lists."""

DEFAULT_DAYS: Final = 365
MOST_DAYS: Final = 36_500

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_AREA: Final = "area-"
"""What the fields of areas begin with."""

_FIELDS: Final = ("name", "role", "days", *(f"{_AREA}{area}" for area in AREAS))

_TOLD: Final[Mapping[str, str]] = {
    "revoked": "Revoked. Whoever presents the key is refused from now on, a second at most excepted.",
    "ended": "Ended. They have to log in again.",
}


class Access(msgspec.Struct, frozen=True):
    """What the page lists.

    Attributes:
        keys: By name, those in use first.
        number: How many keys there are in all.
        page: Which page of them it is, from 1 on; `pages` is their number.
        sessions: Those that go on, by name.
    """

    keys: tuple[ApiKey, ...]
    number: int
    page: int
    pages: int
    sessions: tuple[Session, ...]


@route("/keys", http_method=_GET)
async def show_keys(request: AnyRequest) -> Response[str]:
    """The lists, and the form for a new key."""
    insist_on_names(request.query_params, "page", "done", ANSWERS)
    return await _page(request, wanted=number(request.query_params, "page") or 1)


@route("/keys", http_method=_POST)
async def make_key(request: AnyRequest) -> Response[Any]:
    """Makes a key and shows it, once."""
    services = insist_on_our_page(request)
    typed = await typed_in(request)
    now = services.clock()
    wrong: dict[str, str] = {}
    new = _new_key(request, typed, now, wrong)
    if new is None:
        return refuse(request, typed=typed, wrong=wrong)
    try:
        made = await services.store.write_durably(auth_keys.create, new, now=now, **who(request))
    except ConflictError as taken:
        return refuse(request, typed=typed, wrong={"name": taken.detail})
    return await _page(request, made=made, name=new.name)


@route("/keys/revoke", http_method=_GET)
async def ask_revoke(request: AnyRequest) -> Response[str]:
    """Asks whether a key is to be revoked."""
    services = services_of(request.app.state)
    key = await services.store.read(_key, request.query_params.get("name", ""))
    used = (
        f"It was last used on {key.last_used:%Y-%m-%d %H:%M} UTC." if key.last_used else "It was never used."
    )
    return ask(
        request,
        Question(
            here="keys",
            title=f"Revoke key {key.name}?",
            about=f"{key.prefix}…, {key.role}, made by {key.created_by or 'nobody knows whom'}",
            happens=(
                used,
                "Whoever presents it is refused from then on.",
                "That cannot be undone: make another key where one is needed. The name is not free again.",
            ),
            button="Revoke for good",
            back="../keys",
            is_final=True,
        ),
    )


@route("/keys/revoke", http_method=_POST)
async def revoke_key(request: AnyRequest) -> Response[Any]:
    """Revokes it."""
    services = insist_on_our_page(request)
    name = request.query_params.get("name", "")
    await services.store.read(_key, name)
    await services.store.write_durably(auth_keys.revoke, name, now=services.clock(), **who(request))
    return went("../keys", "revoked")


@route("/sessions/end", http_method=_GET)
async def ask_end(request: AnyRequest) -> Response[str]:
    """Asks whether the sessions of somebody are to end."""
    services = services_of(request.app.state)
    name = request.query_params.get("name", "")
    of = [one for one in await _going_on(services) if one.name == name]
    if not of:
        raise NotFoundError("There is no session of this name that goes on.")
    return ask(
        request,
        Question(
            here="keys",
            title=f"End all sessions of {name}?",
            about=f"{len(of)} of them; the last began {max(one.created for one in of):%Y-%m-%d %H:%M} UTC",
            happens=(
                "They have to log in again, in all browsers; what they typed and did not send is lost.",
                "Whether they may come back is decided at the OpenID provider.",
            ),
            button="End them",
            back="../keys",
        ),
    )


@route("/sessions/end", http_method=_POST)
async def end_sessions(request: AnyRequest) -> Response[Any]:
    """Ends them."""
    services = insist_on_our_page(request)
    name = request.query_params.get("name", "")
    ended = await services.store.write_durably(
        auth_sessions.end_by_name, name, now=services.clock(), **who(request)
    )
    if not ended:
        raise NotFoundError("There is no session of this name that goes on.")
    return went("../keys", "ended")


KEYS: Final = (show_keys, make_key, ask_revoke, revoke_key, ask_end, end_sessions)
"""The routes."""


async def _page(request: AnyRequest, *, made: str = "", name: str = "", wanted: int = 1) -> Response[str]:
    before = refused(request)
    services = services_of(request.app.state)
    now = services.clock()
    found = await services.store.read(_access, now, wanted=wanted)
    return page(
        request,
        "keys.html",
        headers=FORM_HEADERS,
        now=now,
        shown=found,
        made=made,
        name=name,
        typed={**dict.fromkeys(_FIELDS, ""), **before.typed},
        wrong=before.wrong,
        roles=ROLES,
        areas=AREAS,
        area_field=_AREA,
        default_days=DEFAULT_DAYS,
        people=services.identity.sessions,
        logs_in=services.identity.logins is not None,
        mode=services.settings.auth_mode,
        done=_TOLD.get(request.query_params.get("done", ""), ""),
    )


def _access(transaction: ReadTransaction, now: datetime, *, wanted: int) -> Access:
    every = sorted(keys.every(transaction), key=lambda key: (_is_over(key, now), key.name))
    pages = max(1, -(-len(every) // A_PAGE))
    shown = min(max(wanted, 1), pages)
    return Access(
        keys=tuple(every[(shown - 1) * A_PAGE : shown * A_PAGE]),
        number=len(every),
        page=shown,
        pages=pages,
        sessions=tuple(sessions.going_on(transaction, at=now)),
    )


def _is_over(key: ApiKey, now: datetime) -> bool:
    return key.revoked is not None or (key.expires is not None and key.expires <= now)


def _key(transaction: ReadTransaction, name: str) -> ApiKey:
    found = next((key for key in keys.every(transaction) if key.name == name), None)
    if found is None or found.revoked is not None:
        raise NotFoundError("There is no key of this name that could be revoked.")
    return found


async def _going_on(services: Services) -> list[Session]:
    return await services.store.read(sessions.going_on, at=services.clock())


def _new_key(
    request: AnyRequest, typed: Mapping[str, str], now: datetime, wrong: dict[str, str]
) -> NewKey | None:
    """What was typed as a key; what is wrong with it is written down."""
    name, role, days = typed.get("name", ""), typed.get("role", ""), typed.get("days", "")
    areas = tuple(area for area in AREAS if f"{_AREA}{area}" in typed)
    asker = principal_of(request)
    try:
        insist_on_plain_name(name, field="name", most=LONGEST_NAME)
    except UsageError as none:
        wrong["name"] = none.detail
    if role not in ROLES:
        wrong["role"] = "Choose a role."
    if not (days.isascii() and days.isdecimal() and int(days[:9]) <= MOST_DAYS):
        wrong["days"] = f"Give a number of days, at most {MOST_DAYS:,}; 0 is for ever."
    if asker is not None and asker.areas and not (areas and asker.areas.issuperset(areas)):
        wrong["areas"] = (
            f"You are limited to {', '.join(sorted(asker.areas))}, and can give no more than that."
        )
    if wrong:
        return None
    return NewKey(
        name=name,
        role=cast(Role, role),
        areas=areas,
        expires=now + timedelta(days=int(days)) if int(days) else None,
    )
