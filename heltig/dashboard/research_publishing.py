"""Pages that have results sent to an archive: which objects go where is said before it is asked for."""

from typing import Final

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.asking import went
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, principal_of, who
from heltig.dashboard.pages import page
from heltig.dashboard.research_parts import desk_of, shared
from heltig.pipeline.research.publishing.desk import Planned
from heltig.pipeline.research.publishing.objects import MEDIA_TYPE
from heltig.standard import uids
from heltig.store import studies
from heltig.store.analyses import Analysis, Output

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]


class Going(msgspec.Struct, frozen=True, kw_only=True):
    """An object that would go.

    Attributes:
        name: Its file.
        what: Its SOP Class in words.
        uid: SOP Instance UID.
        size: Bytes.
        is_sent: It goes; else the archive has shown it already.
    """

    name: str
    what: str
    uid: str
    size: int
    is_sent: bool

    @classmethod
    def of(cls, one: Planned) -> "Going":
        """A planned one as the page shows it."""
        result = one.result
        entry = uids.lookup(result.sop_class_uid)
        return cls(
            name=result.name,
            what=result.sop_class_uid if entry is None else entry.name,
            uid=result.sop_instance_uid,
            size=result.sendable.stored.size,
            is_sent=one.is_sent,
        )


@route("/research/{id:str}/publish/{archive:str}", http_method=_GET)
async def ask_publishing(request: AnyRequest, id: FromPath[str], archive: FromPath[str]) -> Response[str]:
    """Asks whether results are to be sent to an archive. Nothing is sent or asked of it."""
    services, desk = services_of(request.app.state), desk_of(request)
    found = await desk.files.find(id)
    objects = [Going.of(one) for one in await desk.publishing.plan(found, archive)]
    study = await services.store.read(studies.find, found.location, found.study_key)
    return page(
        request,
        "analysis_publish.html",
        headers=FORM_HEADERS,
        analysis=found,
        archive=archive,
        objects=objects,
        going=[one for one in objects if one.is_sent],
        study=None if study is None else study.at(services.clock()),
        **shared(request),
    )


@route("/research/{id:str}/publish/{archive:str}", http_method=_POST)
async def publish(request: AnyRequest, id: FromPath[str], archive: FromPath[str]) -> Response[None]:
    """Has them sent."""
    insist_on_our_page(request)
    desk = desk_of(request)
    await desk.publishing.publish(await desk.files.find(id), archive, **who(request))
    return went(f"../../{id}", "publishing")


PUBLISHING: Final = (ask_publishing, publish)
"""The routes."""


def targets_of(request: AnyRequest, found: Analysis, outputs: list[Output]) -> tuple[str, ...]:
    """The archives that whoever asks may have the results of an analysis sent to."""
    is_theirs = refusal(principal_of(request), "POST", "/research/{id}/publish/{archive}") is None
    has_objects = found.state == "done" and any(one.media_type == MEDIA_TYPE for one in outputs)
    return desk_of(request).publishing.targets if is_theirs and has_objects else ()
