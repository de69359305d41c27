"""What can be done with an archive from its page: plain forms, taken from our own pages alone."""

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import HttpMethod, Request, route
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Redirect

from heltig.api.services import Services, services_of
from heltig.auth.policy import refusal
from heltig.auth.principal import LOCAL, Principal
from heltig.dashboard.pages import segment
from heltig.errors import ArchiveError, AuthorisationError, ConfigurationError
from heltig.pipeline import archives
from heltig.pipeline.connecting import connect
from heltig.pipeline.probing import probe_archive

FORM_HEADERS: Final[Mapping[str, str]] = {"Referrer-Policy": "same-origin"}
"""Of pages with forms: under `no-referrer` browsers do not say that a form is from our own page."""

_TOLD: Final[Mapping[str, str]] = {
    "paused": "Paused. Nothing is asked of it until it is resumed.",
    "resumed": "Resumed. It is tried anew, whatever failed before.",
    "tested": "It answers. What was found stands below.",
    "failed": "It does not answer as it should. What was found before stands below; the log says more.",
}

_POST: Final = [HttpMethod.POST]

AnyRequest = Request[Any, Any, State]


def may_change(principal: Principal | None) -> bool:
    """Whether somebody may do any of it."""
    return refusal(principal, "POST", "/archives/{id}/pause") is None


def told(done: str) -> str:
    """What the page says of something that was done; empty for what is none of it."""
    return _TOLD.get(done, "")


@route("/archives/{id:str}/pause", http_method=_POST)
async def pause(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Asks it for nothing from now on."""
    services = _insist_on_our_page(request)
    await archives.pause_archive(services.store, id, paused=True, **_who(request, services))
    return _back(id, "paused")


@route("/archives/{id:str}/resume", http_method=_POST)
async def resume(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Asks it again."""
    services = _insist_on_our_page(request)
    await archives.pause_archive(services.store, id, paused=False, **_who(request, services))
    return _back(id, "resumed")


@route("/archives/{id:str}/test", http_method=_POST)
async def test(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Finds out how it behaves."""
    services = _insist_on_our_page(request)
    entry = await archives.find_archive(services.store, id)
    try:
        async with connect(entry, services.settings, environ=os.environ) as connected:
            await probe_archive(services.store, entry, connected.once, clock=services.clock)
    except (ArchiveError, ConfigurationError):
        await archives.record_test(services.store, id, outcome="failure", **_who(request, services))
        return _back(id, "failed")
    await archives.record_test(services.store, id, outcome="success", **_who(request, services))
    return _back(id, "tested")


ACTIONS: Final = (pause, resume, test)
"""The routes of all of them."""


def _insist_on_our_page(request: AnyRequest) -> Services:
    """Takes a form only from a page of ours.

    A browser says of every form where it comes from. Behind a proxy that knows who is asking, a page from
    elsewhere could have the browsers of those people send one.

    Raises:
        AuthorisationError: It comes from elsewhere, or from nobody knows where.
    """
    services = services_of(request.app.state)
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = {request.headers.get("host", ""), urlsplit(services.settings.public_url or "").netloc} - {""}
    is_ours = site == "same-origin" if site else bool(origin) and urlsplit(origin or "").netloc in ours
    if not is_ours:
        raise AuthorisationError("A page from elsewhere may not change anything here.")
    return services


def _who(request: AnyRequest, services: Services) -> dict[str, Any]:
    """For the audit trail."""
    user, client = request.scope.get("user"), request.client
    return {
        "at": services.clock(),
        "actor": user.name if isinstance(user, Principal) else LOCAL.name,
        "origin": client.host if client else "",
    }


def _back(name: str, done: str) -> Redirect:
    """To the archive's page, so that loading it again does nothing again; relative, for proxies."""
    return Redirect(f"../{segment(name)}?done={done}", status_code=303, headers=dict(FORM_HEADERS))
