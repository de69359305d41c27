"""The pages of profiles: what studies are judged under, and what another profile would make of them."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from litestar.response import Redirect

from heltig.api.hidden import noted
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page
from heltig.dashboard.refused import refuse, refused
from heltig.dashboard.visibility import sight_of
from heltig.errors import NotFoundError, UsageError
from heltig.pipeline.again.rescore import KIND, MOST_LISTED
from heltig.pipeline.again.rescore_report import RescoreReport
from heltig.pipeline.identifiers.sights import HiddenError
from heltig.pipeline.identifiers.trials import told_job
from heltig.pipeline.profiles import UNNAMED, tried_profile
from heltig.rules.catalogue import catalogue
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.profile_file import shipped_profile
from heltig.rules.profile_shipped import SHIPPED, shipped_text, summary
from heltig.rules.rule import Severity
from heltig.store import archives, jobs
from heltig.store.archives import Archive, location_of
from heltig.store.jobs import Job
from heltig.store.outdated import Selection
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction

LATEST: Final = 10
"""Trials that are listed."""

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_LOOKED_THROUGH: Final = 100
"""Jobs of judging again that are looked through for trials."""
_MOST_ID: Final = 2**62
_UNFINISHED: Final = ("queued", "running")
_TEXT: Final = "text"
"""The field with the text of a profile."""


class Shipped(msgspec.Struct, frozen=True):
    """A profile that Heltig brings along; how many rules and thresholds `default` has otherwise."""

    name: str
    purpose: str
    rules: int
    parameters: int


class Otherwise(msgspec.Struct, frozen=True):
    """A rule that a profile has otherwise than `default`: its severity in each, None where it is off."""

    rule: str
    title: str
    by_default: Severity | None
    here: Severity | None
    required: bool


class Trial(msgspec.Struct, frozen=True):
    """A profile that was tried on the stored studies.

    Attributes:
        profile: Its name, or that it has none.
        of: The studies it was tried on: those of one location, or all.
        report: What it would come to; None until the job is done.
    """

    job: Job
    profile: str
    of: Location | None
    report: RescoreReport | None


@route("/profiles", http_method=_GET)
async def show_profiles(request: AnyRequest) -> Response[str]:
    """Those that are in force, those that can be built on, and the form to try one."""
    return await _profiles(request)


@route("/profiles/{name:str}", http_method=_GET)
async def show_profile(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """A shipped profile with its text."""
    if name not in SHIPPED:
        raise NotFoundError("There is no shipped profile of this name. The list of profiles has them all.")
    services = services_of(request.app.state)
    profile = shipped_profile(name, known=catalogue())
    return page(
        request,
        "profile.html",
        now=services.clock(),
        name=name,
        purpose=summary(name),
        text=shipped_text(name),
        otherwise=otherwise(profile),
        parameters=thresholds_otherwise(profile),
    )


@route("/profiles/trials", http_method=_POST)
async def start_trial(request: AnyRequest) -> Response[Any]:
    """Has the stored studies judged under a profile, and nothing written; says what is wrong on the page."""
    services = insist_on_our_page(request)
    typed: dict[str, str] = {}
    try:
        typed = await typed_in(request)
        profile = await asyncio.to_thread(
            tried_profile, shipped=typed.get("shipped") or None, text=typed.get(_TEXT) or None
        )
        if profile is None:
            raise UsageError("Choose a shipped profile, or write the text of one.")
        archive = typed.get("archive")
        job = await services.rescoring.start(
            Selection(location=location_of(archive) if archive else None),
            dry_run=True,
            profile=profile,
            sight=sight_of(principal_of(request), services.sights),
            **who(request),
        )
    except HiddenError as hidden:
        await noted(request, services, hidden, route="POST /profiles/trials")
        return refuse(request, typed=typed, wrong={_TEXT: hidden.detail}, to="../profiles")
    except (UsageError, NotFoundError) as wrong:
        return refuse(request, typed=typed, wrong={_TEXT: wrong.detail}, to="../profiles")
    return Redirect(f"trials/{job}", status_code=303, headers=dict(FORM_HEADERS))


@route("/profiles/trials/{id:int}", http_method=_GET)
async def show_trial(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """What a profile would make of the stored studies."""
    services = services_of(request.app.state)
    job = await services.store.read(jobs.find, id) if 0 < id < _MOST_ID else None
    trial = trial_of(job) if job else None
    if job is None or trial is None:
        raise NotFoundError("No profile was tried under this number. The list of profiles has the last ones.")
    if not _may_see(request, job):
        raise HiddenError(
            "This profile asks for identifiers of patients, which you do not see here (HELTIG_IDENTIFIERS)."
        )
    return page(
        request,
        "trial.html",
        now=services.clock(),
        trial=trial,
        is_under_way=trial.job.state in _UNFINISHED,
        known=catalogue(),
        listed=MOST_LISTED,
    )


PROFILES: Final = (show_profiles, show_profile, start_trial, show_trial)
"""The routes."""


def otherwise(profile: Profile) -> list[Otherwise]:
    """The rules that a profile has otherwise than `default`, in the catalogue's order."""
    plain = shipped_profile("default", known=catalogue())
    found = []
    for id, rule in profile.rules_among(catalogue()).items():
        was, is_now = _severity(plain, id, rule.severity), profile.severity(rule)
        here = is_now if profile.runs(id) else None
        required = id in profile.required and id not in plain.required
        if was != here or required:
            found.append(Otherwise(id, rule.title, was, here, required))
    return found


def thresholds_otherwise(profile: Profile) -> dict[str, Any]:
    """The thresholds and lists that a profile has otherwise than `default`."""
    plain: dict[str, Any] = msgspec.to_builtins(Parameters())
    here: dict[str, Any] = msgspec.to_builtins(profile.parameters)
    return {name: value for name, value in here.items() if value != plain[name]}


def trial_of(job: Job) -> Trial | None:
    """A trial by its job; None where the job is none."""
    text = job.payload.get("profile")
    if job.kind != KIND or text is None:
        return None
    name = msgspec.json.decode(text, type=Profile).name
    return Trial(
        job=job,
        profile="a profile without a name" if name == UNNAMED else name,
        of=msgspec.convert(job.payload["selection"], Selection).location,
        report=msgspec.convert(job.result, RescoreReport) if job.state == "succeeded" else None,
    )


def _may_see(request: AnyRequest, job: Job) -> bool:
    """Whether a trial tells nothing that whoever asks does not see."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    return told_job(job, own=services.profile, sight=sight) is job


def _severity(plain: Profile, id: str, own: Severity) -> Severity | None:
    rule = catalogue().get(id)
    if rule is None:
        return own
    return plain.severity(rule) if plain.runs(id) else None


class _Listed(msgspec.Struct, frozen=True):
    now: datetime
    archives: Sequence[Archive]
    trials: Sequence[Trial]


def _listed(transaction: ReadTransaction, now: datetime) -> _Listed:
    found = jobs.newest(transaction, kind=KIND, limit=_LOOKED_THROUGH)
    trials = [trial for job in found if (trial := trial_of(job))]
    return _Listed(now, archives.every(transaction), trials[:LATEST])


async def _profiles(request: AnyRequest) -> Response[str]:
    before = refused(request)
    services = services_of(request.app.state)
    listed = await services.store.read(_listed, services.clock())
    shipped = [
        Shipped(name, summary(name), len(otherwise(one)), len(thresholds_otherwise(one)))
        for name in SHIPPED
        for one in (shipped_profile(name, known=catalogue()),)
    ]
    may_try = refusal(principal_of(request), "POST", "/profiles/trials") is None
    return page(
        request,
        "profiles.html",
        headers=FORM_HEADERS,
        now=listed.now,
        profile=services.profile,
        rules_otherwise=len(otherwise(services.profile)),
        parameters_otherwise=len(thresholds_otherwise(services.profile)),
        of_archives=[one for one in listed.archives if one.options.profile],
        archives=listed.archives,
        shipped=shipped,
        trials=[one for one in listed.trials if may_try and _may_see(request, one.job)],
        may_try=may_try,
        typed={name: before.typed.get(name, "") for name in ("shipped", _TEXT, "archive")},
        wrong=before.wrong.get(_TEXT, ""),
    )
