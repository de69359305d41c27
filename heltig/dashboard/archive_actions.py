"""What can be done with an archive from its page: plain forms, taken from our own pages alone."""

import os
from collections.abc import Mapping
from typing import Final

from litestar import HttpMethod, route
from litestar.params import FromPath
from litestar.response import Redirect

from heltig.auth.policy import refusal
from heltig.auth.principal import Principal
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, who
from heltig.dashboard.pages import segment
from heltig.errors import ArchiveError, ConfigurationError
from heltig.pipeline.archives import administration as archives
from heltig.pipeline.archives.connecting import connect
from heltig.pipeline.archives.probing import probe_archive

_TOLD: Final[Mapping[str, str]] = {
    "added": "Added. Test it, to see whether it answers.",
    "changed": "Saved. It is tried anew, whatever failed before.",
    "paused": "Paused. Nothing is asked of it until it is resumed.",
    "resumed": "Resumed. It is tried anew, whatever failed before.",
    "tested": "It answers. What was found stands below.",
    "failed": "It does not answer as it should. What was found before stands below; the log says more.",
    "asked": "The study is asked for. It is judged once it is there and quiet.",
    "backfill": "Started. It goes on by itself, whatever is restarted.",
    "going": "That is under way already.",
    "stopped": "Stopped. What was pulled is kept; started again, it asks only for what is left.",
}

_POST: Final = [HttpMethod.POST]


def may_change(principal: Principal | None) -> bool:
    """Whether somebody may do any of it."""
    return refusal(principal, "POST", "/archives/{id}/pause") is None


def told(done: str) -> str:
    """What the page says of something that was done; empty for what is none of it."""
    return _TOLD.get(done, "")


@route("/archives/{id:str}/pause", http_method=_POST)
async def pause(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Asks it for nothing from now on."""
    services = insist_on_our_page(request)
    await archives.pause_archive(services.store, id, paused=True, at=services.clock(), **who(request))
    return back(id, "paused")


@route("/archives/{id:str}/resume", http_method=_POST)
async def resume(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Asks it again."""
    services = insist_on_our_page(request)
    await archives.pause_archive(services.store, id, paused=False, at=services.clock(), **who(request))
    return back(id, "resumed")


@route("/archives/{id:str}/test", http_method=_POST)
async def test(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Finds out how it behaves."""
    services = insist_on_our_page(request)
    asked, at = who(request), services.clock()
    entry = await archives.find_archive(services.store, id)
    try:
        async with connect(entry, services.settings, environ=os.environ) as connected:
            await probe_archive(services.store, entry, connected.once, clock=services.clock)
    except (ArchiveError, ConfigurationError):
        await archives.record_test(services.store, id, outcome="failure", at=at, **asked)
        return back(id, "failed")
    await archives.record_test(services.store, id, outcome="success", at=at, **asked)
    return back(id, "tested")


ACTIONS: Final = (pause, resume, test)
"""The routes of all of them."""


def back(name: str, done: str) -> Redirect:
    """To the archive's page, so that loading it again does nothing again; relative, for proxies."""
    return Redirect(f"../{segment(name)}?done={done}", status_code=303, headers=dict(FORM_HEADERS))
