"""`POST /api/v1/rescore`: judge stored studies again, without asking any archive."""

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg
from litestar.response import Response

from heltig.api.hidden import noted
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.standing import location_named
from heltig.api.v1.jobs import JobView, job_view
from heltig.auth.principal import Principal
from heltig.pipeline.identifiers.sights import HiddenError
from heltig.pipeline.identifiers.trials import told_job
from heltig.pipeline.profiles import tried_profile
from heltig.rules.profile_tables import LONGEST
from heltig.store.outdated import Selection

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class RescoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which studies to judge again: those that match everything that is given.

    Attributes:
        dry_run: Write nothing, and say what would become of them.
        archive: An archive's name, or `upload:NAME`.
        study: The study's UID or key.
        rule: Only studies whose last verdict has a finding of this rule.
        profile: For a dry run the name of a shipped profile, to see what it would make of them.
        profile_text: For a dry run the text of a profile's TOML file, in the place of `profile`; its base can
            be a shipped one.
    """

    dry_run: bool = False
    archive: Name | None = None
    study: Name | None = None
    rule: Name | None = None
    profile: Name | None = None
    profile_text: Annotated[str, msgspec.Meta(max_length=LONGEST)] | None = None


@post(
    "/api/v1/rescore",
    status_code=202,
    responses={
        202: ResponseSpec(JobView, generate_examples=False, description="The job; its result is the report"),
        **responses(400, 401, 403, 404, 503),
    },
    tags=["Jobs"],
)
async def start_rescore(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    data: Annotated[RescoreRequest, BodyKwarg(description="Which studies.")],
) -> Response[JobView]:
    """Judge stored studies again under the installed ruleset and the service's profile, or try another one.

    The job's result, at `/api/v1/jobs/{id}`, counts the findings of each rule before and after, the studies
    that did not change, and lists those that have another verdict, with the rules behind both, and those with
    other findings. A profile with rules of its own or parameters about identifiers of patients is refused
    where these are hashed, and to whom does not see them where they are masked.
    """
    selection = Selection(
        location=None if data.archive is None else location_named(data.archive),
        study_key=data.study,
        rule=data.rule,
    )
    profile = await asyncio.to_thread(  # others are not to wait while a long text is read
        tried_profile, shipped=data.profile, text=data.profile_text
    )
    sight = services.sights.of(request.user)
    try:
        job = await services.rescoring.start(
            selection,
            dry_run=data.dry_run,
            profile=profile,
            sight=sight,
            actor=request.user.name,
            origin=request.client.host if request.client else "",
        )
    except HiddenError as hidden:
        raise await noted(request, services, hidden, route="POST /api/v1/rescore") from hidden
    found = told_job(await services.uploads.ended(job, within=0), own=services.profile, sight=sight)
    return Response(job_view(found), status_code=202, headers={"Location": f"/api/v1/jobs/{job}"})
