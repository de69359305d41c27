"""The pages of jobs: what waits and is done, and what becomes of those that were given up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.services import services_of
from heltig.api.v1.jobs import arguments_of
from heltig.auth.policy import refusal
from heltig.dashboard.asking import Question, ask, went
from heltig.dashboard.filters import insist_on_names, number, one_of, text
from heltig.dashboard.own_forms import AnyRequest, insist_on_our_page, principal_of, who
from heltig.dashboard.pages import page
from heltig.dashboard.visibility import sight_of
from heltig.errors import NotFoundError
from heltig.jobs.dead_letters import DeadLetters
from heltig.pipeline.identifiers.trials import told_job
from heltig.store import jobs, studies, study_jobs, watch
from heltig.store.jobs import Job, JobState
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction
from heltig.store.watch import JobCount

A_PAGE: Final = 50
GIVEN_UP_SHOWN: Final = 5

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_MOST_ID: Final = 2**62

Show: TypeAlias = Literal["bad", "running", "waiting", "all"]

_STATES: Final[Mapping[Show, tuple[JobState | None, ...]]] = {
    "bad": ("failed", "dead"),
    "running": ("running",),
    "waiting": ("queued",),
    "all": (None,),
}
"""Of which states each way to look shows jobs."""

STATES_IN_WORDS: Final[Mapping[JobState, str]] = {
    "queued": "waits",
    "running": "at work",
    "succeeded": "done",
    "failed": "given up: trying again alone mends nothing",
    "dead": "given up: it failed time after time",
    "cancelled": "let be",
}

KINDS_IN_WORDS: Final[Mapping[str, str]] = {
    "analyze": "Analyse a study of an archive",
    "analyze-files": "Analyse a study of a gate or an upload",
    "backfill": "Walk through an archive",
    "commitment": "Answer to a storage commitment",
    "discover": "Look for new studies",
    "forward": "Forward a study to its archive",
    "gate-settle": "Judge what came through a gate",
    "probe": "Find out how an archive behaves",
    "publish": "Send results to an archive",
    "pull": "Pull a study and judge it",
    "purge": "Remove what is not kept any more",
    "read-devices": "Read the devices of studies from their evidence",
    "rejudge": "Judge a study again",
    "rescore": "Judge many studies again",
    "time-rules": "Take the time of rules",
    "upload": "Judge an upload",
    "waiver": "Judge studies under a new waiver",
    "waiver-end": "Judge studies whose waiver ends",
    "webhook": "Tell a receiver",
}

_TOLD: Final[Mapping[str, str]] = {
    "retried": "Queued again, as if it had never been tried.",
    "discarded": "Let be. It stays in the list of all jobs, with its errors.",
}


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list.

    Attributes:
        jobs: The newest first.
        older: The id to go on before; None on the last page.
        counts: Unfinished jobs and those that were given up, by way to look.
        kinds: The kinds of these, and the one that is chosen.
        oldest: Since when the oldest waits of those that could start.
    """

    jobs: tuple[Job, ...]
    older: int | None
    counts: dict[Show, int]
    kinds: tuple[str, ...]
    oldest: datetime | None


def may_decide(request: AnyRequest) -> bool:
    """Whether whoever asks may have jobs tried again, or let them be."""
    return refusal(principal_of(request), "POST", "/jobs/{id}/retry") is None


async def jobs_of(request: AnyRequest, study_key: str, seen_at: Sequence[Location] = ()) -> Sequence[Job]:
    """The jobs of a study, for whoever may see jobs: see `heltig.store.study_jobs`."""
    if refusal(principal_of(request), "GET", "/jobs/{id}") is not None:
        return ()
    return await services_of(request.app.state).store.read(study_jobs.of_study, study_key, seen_at)


async def tried_for(request: AnyRequest, study_key: str) -> Sequence[Job]:
    """The jobs of a study that was never seen, with those that did not find it, for whoever may see jobs."""
    if refusal(principal_of(request), "GET", "/jobs/{id}") is not None:
        return ()
    read = services_of(request.app.state).store.read
    found = [*await read(study_jobs.of_study, study_key), *await read(study_jobs.pulls_of, study_key)]
    return sorted(found, key=lambda job: -job.id)


async def given_up_lately(request: AnyRequest) -> Sequence[Job]:
    """The jobs that were given up last, for whoever may see jobs."""
    if refusal(principal_of(request), "GET", "/jobs/{id}") is not None:
        return ()
    services = services_of(request.app.state)
    found = await services.store.read(
        job_list, show="bad", kind="", group="", before=None, now=services.clock()
    )
    return found.jobs[:GIVEN_UP_SHOWN]


@route("/jobs", http_method=_GET)
async def show_jobs(request: AnyRequest) -> Response[str]:
    """The list; those that were given up unless something else is asked for."""
    services = services_of(request.app.state)
    query = request.query_params
    insist_on_names(query, "show", "kind", "group", "before", "done")
    show = one_of(query, "show", _STATES, otherwise="bad")
    kind, group = (text(query, name) for name in ("kind", "group"))
    before = number(query, "before")
    now = services.clock()
    found = await services.store.read(job_list, show=show, kind=kind, group=group, before=before, now=now)

    def address(**changes: object) -> str:
        given = {"show": show, "kind": kind, "group": group, **changes}
        kept = {name: value for name, value in given.items() if value and (name, value) != ("show", "bad")}
        return f"?{urlencode(kept)}" if kept else "jobs"

    return page(
        request,
        "jobs.html",
        now=now,
        list=found,
        show=show,
        kind=kind,
        group=group,
        newer=address() if before else "",
        older=address(before=found.older) if found.older else "",
        address=address,
        states=STATES_IN_WORDS,
        kinds=KINDS_IN_WORDS,
        may_decide=may_decide(request),
        done=_TOLD.get(query.get("done", ""), ""),
        workers=services.is_working(),
    )


@route("/jobs/{id:int}", http_method=_GET)
async def show_job(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """One job."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    job = told_job(await _found(request, id), own=services.profile, sight=sight)
    study = job.payload.get("study")
    seen = await services.store.read(studies.find_everywhere, study) if isinstance(study, str) else []
    return page(
        request,
        "job.html",
        now=services.clock(),
        job=job,
        is_seen=bool(seen),
        sees_studies=refusal(principal_of(request), "GET", "/studies/{study}") is None,
        arguments=arguments_of(job),
        states=STATES_IN_WORDS,
        kinds=KINDS_IN_WORDS,
        may_decide=may_decide(request),
        done=_TOLD.get(request.query_params.get("done", ""), ""),
    )


@route("/jobs/{id:int}/retry", http_method=_GET)
async def ask_retry(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether a job is to be tried again."""
    job = await _found(request, id)
    jobs.insist_on_state(job, jobs.MAY_BE_RETRIED)
    happens = ["It is queued again, as if it had never been tried, and started when its turn comes."]
    if job.state == "failed":
        happens.append("Its last error says that trying again alone mends nothing. Mend that first.")
    return ask(
        request,
        Question(
            here="jobs",
            title=f"Try job {id} again?",
            about=_about(job),
            happens=tuple(happens),
            button="Try again",
            back=f"../{id}",
        ),
    )


@route("/jobs/{id:int}/retry", http_method=_POST)
async def retry(request: AnyRequest, id: FromPath[int]) -> Response[None]:
    """Has it tried again."""
    services = insist_on_our_page(request)
    asked = who(request)
    await DeadLetters(services.queue).retry(_known(id), by=asked["actor"], origin=asked["origin"])
    return went(f"../{id}", "retried")


@route("/jobs/{id:int}/discard", http_method=_GET)
async def ask_discard(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether a job is to be let be."""
    job = await _found(request, id)
    jobs.insist_on_state(job, jobs.MAY_BE_DISCARDED)
    return ask(
        request,
        Question(
            here="jobs",
            title=f"Let job {id} be?",
            about=_about(job),
            happens=(
                "Nobody need look at it any more: it leaves the list of jobs that were given up.",
                "What it was to do is not done. It can still be tried again from its page.",
            ),
            button="Let it be",
            back=f"../{id}",
        ),
    )


@route("/jobs/{id:int}/discard", http_method=_POST)
async def discard(request: AnyRequest, id: FromPath[int]) -> Response[None]:
    """Lets it be."""
    services = insist_on_our_page(request)
    asked = who(request)
    await DeadLetters(services.queue).discard(_known(id), by=asked["actor"], origin=asked["origin"])
    return went(f"../{id}", "discarded")


JOBS: Final = (show_jobs, show_job, ask_retry, retry, ask_discard, discard)
"""The routes."""


def job_list(
    transaction: ReadTransaction, *, show: Show, kind: str, group: str, before: int | None, now: datetime
) -> JobList:
    """Collects a page of the list."""
    found = sorted(
        (
            job
            for state in _STATES[show]
            for job in jobs.newest(
                transaction,
                state=state,
                kind=kind or None,
                group=group or None,
                before=before,
                limit=A_PAGE + 1,
            )
        ),
        key=lambda job: -job.id,
    )
    counted = watch.unfinished_jobs(transaction)
    return JobList(
        jobs=tuple(found[:A_PAGE]),
        older=found[A_PAGE - 1].id if len(found) > A_PAGE else None,
        counts={show: _number(counted, states) for show, states in _STATES.items() if show != "all"},
        kinds=tuple(sorted({one.kind for one in counted} | ({kind} if kind else set()))),
        oldest=watch.oldest_queued(transaction, now),
    )


def _number(counted: list[JobCount], states: tuple[JobState | None, ...]) -> int:
    return sum(one.number for one in counted if one.state in states)


def _about(job: Job) -> str:
    what = KINDS_IN_WORDS.get(job.kind, job.kind)
    of = f", {job.group}" if job.group else ""
    return f"{what}{of}. It {_ended(job)}: {job.error or 'no error is known.'}"


def _ended(job: Job) -> str:
    times = "once" if job.attempts == 1 else f"{job.attempts:,} times"
    is_given_up = job.state in _STATES["bad"]
    return f"was tried {times} and {'was given up' if is_given_up else STATES_IN_WORDS[job.state]}"


async def _found(request: AnyRequest, id: int) -> Job:
    job = await services_of(request.app.state).store.read(jobs.find, _known(id))
    if job is None:
        raise NotFoundError(
            "There is no job of this id. It may have been removed since: the list has those that are kept."
        )
    return job


def _known(id: int) -> int:
    if not 0 < id < _MOST_ID:
        raise NotFoundError("There is no job of this id.")
    return id
