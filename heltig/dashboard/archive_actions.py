"""What can be done with an archive from its page, each asked once: to pause and resume it, to test it."""

import os
from collections.abc import Mapping
from typing import Final

from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from litestar.response import Redirect

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.auth.principal import Principal
from heltig.dashboard.asking import Question, ask, went
from heltig.dashboard.own_forms import AnyRequest, insist_on_our_page, who
from heltig.dashboard.pages import segment
from heltig.errors import ArchiveError, ConfigurationError
from heltig.pipeline.archives import administration as archives
from heltig.pipeline.archives.connecting import connect
from heltig.pipeline.archives.probing import probe_archive
from heltig.store.archives import Archive

_TOLD: Final[Mapping[str, str]] = {
    "added": "Added. Test it, to see whether it answers.",
    "changed": "Saved. It is tried anew, whatever failed before.",
    "paused": "Paused. Nothing is asked of it until it is resumed.",
    "resumed": "Resumed. It is tried anew, whatever failed before.",
    "tested": "It answers. What was found stands below.",
    "failed": "It does not answer as it should. What was found before stands below; the log says more.",
    "asked": "The study is asked for. It is judged once it is there and quiet.",
    "backfill": "Started. It goes on by itself, whatever is restarted.",
    "waiting": "Taken down. It begins once the archive is resumed, and goes on by itself.",
    "going": "That is under way already.",
    "stopped": "Stopped. What was pulled is kept; started again, it asks only for what is left.",
}

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]


def may_change(principal: Principal | None) -> bool:
    """Whether somebody may do any of it."""
    return refusal(principal, "POST", "/archives/{id}/pause") is None


def told(done: str) -> str:
    """What the page says of something that was done; empty for what is none of it."""
    return _TOLD.get(done, "")


@route("/archives/{id:str}/pause", http_method=_GET)
async def ask_pause(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Asks whether an archive is to be left alone."""
    return ask(
        request,
        question(
            await found(request, id),
            title="Pause archive {}?",
            happens=(
                "Nothing is asked of it from now on: no new study is seen, and none that changed.",
                "What waits for it waits until it is resumed; verdicts that were given stay.",
            ),
            button="Pause",
        ),
    )


@route("/archives/{id:str}/pause", http_method=_POST)
async def pause(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Asks it for nothing from now on."""
    services = insist_on_our_page(request)
    await archives.pause_archive(services.store, id, paused=True, at=services.clock(), **who(request))
    return back(id, "paused")


@route("/archives/{id:str}/resume", http_method=_GET)
async def ask_resume(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Asks whether an archive is to be asked again."""
    return ask(
        request,
        question(
            await found(request, id),
            title="Resume archive {}?",
            happens=(
                "It is asked for new studies at once, and what waits for it goes on.",
                "Where it failed before, it is tried anew.",
            ),
            button="Resume",
        ),
    )


@route("/archives/{id:str}/resume", http_method=_POST)
async def resume(request: AnyRequest, id: FromPath[str]) -> Redirect:
    """Asks it again."""
    services = insist_on_our_page(request)
    await archives.pause_archive(services.store, id, paused=False, at=services.clock(), **who(request))
    return back(id, "resumed")


@route("/archives/{id:str}/test", http_method=_GET)
async def ask_test(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Asks whether an archive is to be tested."""
    return ask(
        request,
        question(
            await found(request, id),
            title="Test archive {}?",
            happens=(
                "It is asked some twenty small things now. Nothing is sent to be stored.",
                "What it can do is written down anew, and where it had failed too often it is tried again.",
            ),
            button="Test",
        ),
    )


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


ACTIONS: Final = (ask_pause, pause, ask_resume, resume, ask_test, test)
"""The routes of all of them."""


async def found(request: AnyRequest, name: str) -> Archive:
    """The archive of a name.

    Raises:
        NotFoundError: There is none.
    """
    return await archives.find_archive(services_of(request.app.state).store, name)


def question(
    entry: Archive, *, title: str, happens: tuple[str, ...], button: str, up: str = ".."
) -> Question:
    """What is asked of an archive.

    Args:
        entry: The archive.
        title: What is to be done; `{}` stands for its name.
        happens: What will happen.
        button: What the button says.
        up: The way from the question to where archives are.
    """
    return Question(
        here="archives",
        title=title.format(entry.name),
        about=entry.title,
        happens=happens,
        button=button,
        back=f"{up}/{segment(entry.name)}",
    )


def back(name: str, done: str, *, up: str = "..") -> Redirect:
    """To the archive's page, so that loading it again does nothing again; relative, for proxies."""
    return went(f"{up}/{segment(name)}", done)
