"""The service: the one place that wires its parts together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from heltig import __version__, dashboard
from heltig.api.access import Access
from heltig.api.consult import consult
from heltig.api.dicomweb import search_studies
from heltig.api.front import Front
from heltig.api.problems import HANDLERS
from heltig.api.readiness import studies_readiness, study_readiness
from heltig.api.services import Services, services_of
from heltig.api.shortcut import answered_shortly
from heltig.api.v1.archives import list_archives
from heltig.api.v1.health import health, ready
from heltig.api.v1.jobs import list_jobs, show_job
from heltig.api.v1.known_parameters import refuse_unknown_parameters
from heltig.api.v1.proposed_changes import list_proposed_changes
from heltig.api.v1.rescore import start_rescore
from heltig.api.v1.rules import list_rules, show_rule
from heltig.api.v1.studies import list_findings, list_studies, show_study
from heltig.api.v1.upload import upload, upload_async
from heltig.api.v1.waivers import give_waiver, list_waivers, revoke_waiver, show_waiver
from heltig.auth.keys import KeyRing
from heltig.auth.refusals import Refusals
from heltig.dashboard.errors import lost
from heltig.errors import StorageError
from heltig.jobs.attempt import Handler
from heltig.jobs.queue import JobQueue, utc_now
from heltig.jobs.runner import Runner
from heltig.pipeline.context import REJUDGE
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.publish import render
from heltig.pipeline.rejudge import rejudge
from heltig.pipeline.rescore import KIND as RESCORE
from heltig.pipeline.rescore import RescoreDesk
from heltig.pipeline.spool import Spool
from heltig.pipeline.upload import KIND as UPLOAD
from heltig.pipeline.upload import UploadDesk
from heltig.pipeline.waiving import ENDED, GIVEN, WaiverDesk
from heltig.rules.profile import DEFAULT, Profile
from heltig.settings import Settings
from heltig.store.engine import Store
from heltig.store.lookups import Lookups
from heltig.store.migrations import upgrade

ROUTES: Final = (
    search_studies,
    study_readiness,
    studies_readiness,
    consult,
    upload,
    upload_async,
    list_jobs,
    show_job,
    list_studies,
    show_study,
    list_findings,
    list_proposed_changes,
    list_rules,
    show_rule,
    list_archives,
    give_waiver,
    list_waivers,
    show_waiver,
    revoke_waiver,
    start_rescore,
    health,
    ready,
)

SWEEP: Final = timedelta(minutes=1)
"""How often files are removed that nobody needs, and verdicts looked for that no longer hold."""

GRACE: Final = timedelta(seconds=3)
"""How long jobs at work get to finish when the service stops."""

logger = logging.getLogger(__name__)


def create_app(
    settings: Settings, *, profile: Profile = DEFAULT, clock: Callable[[], datetime] = utc_now
) -> Litestar:
    """The service as an ASGI application; it opens its database and starts its work when it is started.

    Args:
        settings: The site's settings.
        profile: What studies are judged with.
        clock: Gives the time, in UTC.
    """

    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        async with _services(settings, profile, clock) as services:
            app.state["services"] = services
            yield

    app = Litestar(
        [*ROUTES, dashboard.routes()],
        middleware=[Access()],
        guards=[refuse_unknown_parameters],
        dependencies={"services": Provide(services_of, sync_to_thread=False)},
        exception_handlers={**HANDLERS, NotFoundException: lost},
        lifespan=[running],
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Heltig",
            version=__version__,
            description="Tells an imaging archive whether a study is fit to be stored, before it is stored. "
            "Operational quality assurance of metadata; not for diagnosis.",
            path="/schema",
            render_plugins=[JsonRenderPlugin()],
            use_handler_docstrings=True,
        ),
    )
    app.asgi_handler = Front(
        app.asgi_handler,
        answered_shortly,
        consult=settings.consult_bind,
        consult_allow=settings.consult_allow,
    )
    return app


@asynccontextmanager
async def _services(
    settings: Settings, profile: Profile, clock: Callable[[], datetime]
) -> AsyncIterator[Services]:
    """Opens everything, works jobs off meanwhile, and closes everything in the opposite order."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.database, render=render)
        stack.push_async_callback(store.close)
        await upgrade(store)
        spool = Spool(settings.home / "spool")
        pool = JudgingPool(settings.workers, scratch=spool.scratch)
        stack.push_async_callback(pool.close)
        queue = JobQueue(store, clock=clock)
        uploads = UploadDesk(queue, spool, pool, settings=settings, profile=profile, clock=clock)
        waivers = WaiverDesk(queue, pool, profile=profile, clock=clock, workers=settings.workers)
        scoring = Scoring(store, pool, profile=profile, clock=clock, actor=REJUDGE, queue=queue)
        rescoring = RescoreDesk(queue, pool, profile=profile, clock=clock, workers=settings.workers)
        handlers: dict[str, Handler] = {
            UPLOAD: uploads.judge,
            REJUDGE: partial(rejudge, scoring=scoring),
            GIVEN: waivers.judge_concerned,
            ENDED: waivers.judge_ended,
            RESCORE: rescoring.run,
        }
        runner = Runner(queue, handlers, workers=settings.workers)
        working = await stack.enter_async_context(_background(runner.run()))
        stack.push_async_callback(runner.stop, grace=GRACE)
        await stack.enter_async_context(_background(_sweep(uploads, waivers)))
        yield Services(
            settings=settings,
            profile=profile,
            clock=clock,
            store=store,
            lookups=Lookups(store),
            keys=KeyRing(store, clock=clock),
            refusals=Refusals(store),
            uploads=uploads,
            waivers=waivers,
            rescoring=rescoring,
            pool=pool,
            is_working=lambda: not working.done(),
        )


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs something beside what follows, and ends it after that."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.error("A part of the service failed; /health/ready says so.", exc_info=error)


async def _sweep(uploads: UploadDesk, waivers: WaiverDesk) -> None:
    while True:
        try:
            await waivers.sweep()
            await uploads.sweep()
        except (StorageError, OSError) as error:
            logger.error("Sweeping failed: %s", type(error).__name__)
        await asyncio.sleep(SWEEP.total_seconds())
