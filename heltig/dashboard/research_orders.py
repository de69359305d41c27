"""Pages that order an analysis of a study: what will happen is said before it is asked for."""

from typing import Any, Final

from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.front import segment
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.asking import went
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page, study_of
from heltig.dashboard.refused import refuse, refused
from heltig.dashboard.research_parts import desk_of, shared
from heltig.dashboard.study import seen_at
from heltig.dashboard.visibility import sight_of
from heltig.errors import AuthorisationError, ConflictError, UsageError
from heltig.pipeline.research.asked import Asked, Target
from heltig.pipeline.research.ordering import MOST_REASON, Ordering, insist_on_readiness
from heltig.store import analyses
from heltig.store.records import Study

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]

_FORM: Final = "order"
"""Under this name stands what is wrong: it is of the form as a whole."""

TARGETS: Final[dict[Target, str]] = {
    "soft_tissue": "soft tissue of the body: series with soft kernels come first",
    "brain": "a brain: in MR, T1-weighted series come first",
    "any": "any: whatever covers most, in the finest slices",
}


@route("/studies/{study:str}/analyse", http_method=_GET)
async def ask_analysis(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """Asks whether and how a READY study is to be analysed."""
    return await _asked(request, study, overrides=False)


@route("/studies/{study:str}/analyse", http_method=_POST)
async def order_analysis(request: AnyRequest, study: FromPath[str]) -> Response[Any]:
    """Orders it."""
    return await _ordered(request, study, overrides=False)


@route("/studies/{study:str}/analyse/override", http_method=_GET)
async def ask_override(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """Asks why a study is to be analysed that is not READY."""
    return await _asked(request, study, overrides=True)


@route("/studies/{study:str}/analyse/override", http_method=_POST)
async def override(request: AnyRequest, study: FromPath[str]) -> Response[Any]:
    """Orders it, with the reason."""
    return await _ordered(request, study, overrides=True)


ORDERS: Final = (ask_analysis, order_analysis, ask_override, override)
"""The routes."""


def may_analyse(request: AnyRequest) -> bool:
    """Whether whoever asks may order analyses, where there are any."""
    is_theirs = refusal(principal_of(request), "POST", "/studies/{study}/analyse") is None
    return is_theirs and desk_of(request).is_open


async def _asked(request: AnyRequest, key: str, *, overrides: bool) -> Response[str]:
    services, desk = services_of(request.app.state), desk_of(request)
    now = services.clock()
    study, _ = await services.store.read(
        seen_at, study_of(segment(key)), now=now, location=request.query_params.get("location", "")
    )
    before = await services.store.read(
        analyses.newest, study_key=study.study_key, location=study.location, limit=5
    )
    sent = refused(request)
    try:
        usual = desk.plan.segmenters_for(Asked(), study.attributes.modalities_in_study)
    except UsageError:
        usual = ()
    return page(
        request,
        "analysis_order.html",
        headers=FORM_HEADERS,
        study=sight_of(principal_of(request), services.sights).study(study),
        before=before,
        refused=_refusal(study, overrides=overrides, request=request),
        overrides=overrides,
        segmenters=list(desk.plan.segmenters),
        usual=usual,
        targets=TARGETS,
        may_identify=services.settings.analysis_allow_identified,
        most_reason=MOST_REASON,
        wrong=sent.wrong.get(_FORM, ""),
        typed=sent.typed,
        **shared(request),
    )


async def _ordered(request: AnyRequest, key: str, *, overrides: bool) -> Response[Any]:
    services, desk = insist_on_our_page(request), desk_of(request)
    typed = await typed_in(request)
    reason = typed.get("reason", "") if overrides else ""
    if overrides and not reason:
        return refuse(request, typed=typed, wrong={_FORM: "Say why."})
    study, _ = await services.store.read(
        seen_at,
        study_of(segment(key)),
        now=services.clock(),
        location=request.query_params.get("location", ""),
    )
    target: Target = next((one for one in TARGETS if one == typed.get("target")), "soft_tissue")
    asked = Asked(
        segmenters=tuple(name for name in desk.plan.segmenters if typed.get(f"segmenter.{name}")),
        target=target,
        slice_metrics=bool(typed.get("slice_metrics")),
    )
    try:
        ordered = await desk.order(
            Ordering(
                study_key=study.study_key,
                location=study.location,
                asked=asked,
                identified=bool(typed.get("identified")),
                override=reason,
                **who(request),
            )
        )
    except (ConflictError, UsageError, AuthorisationError) as error:
        return refuse(request, typed=typed, wrong={_FORM: error.detail})
    up = "../../.." if overrides else "../.."
    done = "going" if ordered.is_repeat else "ordered"
    return went(f"{up}/research/{ordered.analysis.analysis_id}", done)


def _refusal(study: Study, *, overrides: bool, request: AnyRequest) -> str:
    """Why the study cannot be analysed as it stands; empty where it can."""
    services, desk = services_of(request.app.state), desk_of(request)
    try:
        desk.insist_on_open()
        insist_on_readiness(study, override="yes" if overrides else "", now=services.clock())
    except ConflictError as error:
        return error.detail
    return ""
