"""`/api/v1/research/analyses/{id}/publish`: results of analyses sent to archives that the site names."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, QueryParameter
from litestar.response import Response

from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.v1.consents import address
from heltig.api.v1.research import TAGS
from heltig.api.v1.research_views import PublicationView, publication_view
from heltig.auth.principal import Principal
from heltig.imaging.statements import RESEARCH_USE
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.publishing.desk import Planned
from heltig.store.publications import PublicationState

_LONGEST: Final = 128

ArchiveName = Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST)]


class PublishOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where results are to go.

    Attributes:
        archive: The name of one of the archives that HELTIG_ANALYSIS_PUBLISH_TO names.
    """

    archive: ArchiveName


class PlannedObject(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An object that would be sent.

    Attributes:
        name: Its file.
        size: In bytes.
        is_sent: It would be sent now: the archive has not shown it yet.
        state: What became of it the last time; null where it was never to go there.
    """

    name: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    size: int
    is_sent: bool = msgspec.field(name="sent")
    state: PublicationState | None


class PublishPlan(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What would be sent.

    Attributes:
        archive: Where.
        objects: In the order in which they would go.
        statement: What they are for.
    """

    analysis: str
    archive: str
    objects: list[PlannedObject]
    statement: str = RESEARCH_USE


class Publishing(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is on its way, or there.

    Attributes:
        archive: Where.
        objects: In the order in which they go.
        statement: What they are for.
    """

    analysis: str
    archive: str
    objects: list[PublicationView]
    statement: str = RESEARCH_USE


@get(
    "/api/v1/research/analyses/{id:str}/publish",
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=TAGS,
)
async def plan_publishing(
    request: Request[Principal, Any, Any],
    research: NamedDependency[ResearchDesk],
    id: FromPath[str],
    archive: Annotated[
        str, QueryParameter(description="The archive's name.", min_length=1, max_length=_LONGEST)
    ],
) -> PublishPlan:
    """Say what would be sent to an archive, with which UIDs. Nothing is sent or asked."""
    found = await research.files.find(id)
    shows(request.scope, [found.study_key])
    planned = await research.publishing.plan(found, archive)
    return PublishPlan(analysis=id, archive=archive, objects=[_planned(one) for one in planned])


@post(
    "/api/v1/research/analyses/{id:str}/publish",
    status_code=202,
    responses={
        202: ResponseSpec(Publishing, generate_examples=False, description="What is on its way, or there"),
        **responses(400, 401, 403, 404, 409, 503),
    },
    tags=TAGS,
)
async def publish_analysis(
    request: Request[Principal, Any, Any],
    research: NamedDependency[ResearchDesk],
    id: FromPath[str],
    data: Annotated[PublishOrder, BodyKwarg(description="Where results are to go.")],
) -> Response[Publishing]:
    """Have the DICOM objects of an analysis sent to an archive.

    What the archive has shown already, or is on its way, is not sent twice. The analysis says what becomes of
    each object.
    """
    found = await research.files.find(id)
    sent = await research.publishing.publish(
        found, data.archive, actor=request.user.name, origin=address(request)
    )
    view = Publishing(analysis=id, archive=data.archive, objects=[publication_view(one) for one in sent])
    return Response(view, status_code=202, headers={"Location": f"/api/v1/research/analyses/{id}"})


def _planned(one: Planned) -> PlannedObject:
    sendable = one.result.sendable
    return PlannedObject(
        name=one.result.name,
        sop_class_uid=one.result.sop_class_uid,
        sop_instance_uid=one.result.sop_instance_uid,
        series_instance_uid=sendable.series_uid,
        study_instance_uid=sendable.study_uid,
        size=sendable.stored.size,
        is_sent=one.is_sent,
        state=None if one.publication is None else one.publication.state,
    )
