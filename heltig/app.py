"""The service: the one place that wires what answers requests to `working`, which does the rest."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp

from heltig import __version__, dashboard
from heltig.api.access import Access
from heltig.api.bodies import StrictRequest
from heltig.api.body_limits import BodyLimits
from heltig.api.changefeed import change_feed, latest_change
from heltig.api.consult import consult
from heltig.api.cors import Cors
from heltig.api.dicomweb import search_studies
from heltig.api.front import Front
from heltig.api.headers import SafeHeaders
from heltig.api.looks import Looks
from heltig.api.metadata import instance_metadata, series_metadata, study_metadata
from heltig.api.metrics import Scrapes, metrics
from heltig.api.origins import Origins
from heltig.api.problems import HANDLERS
from heltig.api.rate_limits import CredentialLimit, Quotas, RateLimits
from heltig.api.readiness import studies_readiness, study_readiness
from heltig.api.rejection_note import study_rejection_note
from heltig.api.services import Services, services_of
from heltig.api.shortcut import answered_shortly
from heltig.api.stopping import Stopping
from heltig.api.stream import stream_changes
from heltig.api.v1.alerts import list_alerts
from heltig.api.v1.archive_status import show_archive_status, show_status
from heltig.api.v1.archives import (
    add_archive,
    change_archive,
    list_archives,
    pause_archive,
    remove_archive,
    resume_archive,
    show_archive,
    test_archive,
)
from heltig.api.v1.audit import read_audit
from heltig.api.v1.backfills import (
    cancel_backfill,
    list_backfills,
    show_backfill,
    show_backfill_report,
    start_backfill,
)
from heltig.api.v1.bundles import bundle_study
from heltig.api.v1.comments import add_comment, list_comments, put_owner, withdraw_comment
from heltig.api.v1.comparison import compare_archives
from heltig.api.v1.consents import consent_quarantined, decline_quarantined
from heltig.api.v1.fhir import fhir_imaging_study, fhir_operation_outcome
from heltig.api.v1.health import health, ready
from heltig.api.v1.jobs import discard_job, list_jobs, retry_job, show_job
from heltig.api.v1.known_parameters import refuse_unknown_parameters
from heltig.api.v1.open_uploads import (
    add_to_upload,
    begin_upload,
    forget_upload,
    show_upload,
    uploads_can,
)
from heltig.api.v1.ops import start_purge
from heltig.api.v1.proposed_changes import list_proposed_changes
from heltig.api.v1.pulls import pull_studies
from heltig.api.v1.quarantine import (
    discard_quarantined,
    list_quarantine,
    release_quarantined,
    show_quarantined,
)
from heltig.api.v1.reports import report_studies, report_study
from heltig.api.v1.rescore import start_rescore
from heltig.api.v1.research import (
    cancel_analysis,
    list_analyses,
    list_outputs,
    order_analysis,
    override_readiness,
    research_status,
    show_analysis,
)
from heltig.api.v1.research_files import download_output, download_zip, show_selection
from heltig.api.v1.research_publishing import plan_publishing, publish_analysis
from heltig.api.v1.rules import list_rules, show_rule
from heltig.api.v1.studies import list_findings, list_studies, show_study
from heltig.api.v1.upload import upload, upload_async
from heltig.api.v1.waivers import give_waiver, list_waivers, revoke_waiver, show_waiver
from heltig.api.v1.webhooks import (
    add_webhook,
    change_webhook,
    list_deliveries,
    list_webhooks,
    pause_webhook,
    remove_webhook,
    resume_webhook,
    retry_deliveries,
    retry_delivery,
    show_webhook,
    test_webhook,
)
from heltig.auth.identity import Identity, identity_of
from heltig.auth.refusals import Refusals
from heltig.dashboard.errors import lost
from heltig.desks import Does
from heltig.gate.pass_through import methods_at_gate, retrieve_through_gate, search_through_gate
from heltig.gate.stow import store_instances
from heltig.jobs.queue import utc_now
from heltig.pipeline.identifiers.sights import Sights
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.review import ReviewDesk
from heltig.pipeline.telling.stream import ChangeStream
from heltig.pipeline.telling.webhooks import WebhookDesk
from heltig.rules.profile import DEFAULT, Profile
from heltig.settings import Settings
from heltig.store.engine import Store
from heltig.store.lookups import Lookups
from heltig.working import working

ROUTES: Final = (
    search_studies,
    study_readiness,
    studies_readiness,
    study_metadata,
    series_metadata,
    instance_metadata,
    study_rejection_note,
    change_feed,
    latest_change,
    stream_changes,
    consult,
    upload,
    upload_async,
    uploads_can,  # before the others at its paths
    begin_upload,
    show_upload,
    add_to_upload,
    forget_upload,
    list_jobs,
    show_job,
    retry_job,
    discard_job,
    list_studies,
    show_study,
    list_findings,
    list_proposed_changes,
    list_comments,
    add_comment,
    withdraw_comment,
    put_owner,
    report_study,
    report_studies,
    bundle_study,
    fhir_imaging_study,
    fhir_operation_outcome,
    list_rules,
    show_rule,
    list_archives,
    show_archive,
    add_archive,
    change_archive,
    remove_archive,
    test_archive,
    pause_archive,
    resume_archive,
    show_archive_status,
    show_status,
    pull_studies,
    start_backfill,
    list_backfills,
    show_backfill,
    show_backfill_report,
    cancel_backfill,
    compare_archives,
    metrics,
    give_waiver,
    list_waivers,
    show_waiver,
    revoke_waiver,
    start_rescore,
    research_status,
    order_analysis,
    override_readiness,
    list_analyses,
    show_analysis,
    cancel_analysis,
    plan_publishing,
    publish_analysis,
    show_selection,
    list_outputs,
    download_output,
    download_zip,
    methods_at_gate,  # before the others at its paths, which would have the framework make one
    store_instances,
    search_through_gate,
    retrieve_through_gate,
    list_quarantine,
    show_quarantined,
    release_quarantined,
    discard_quarantined,
    consent_quarantined,
    decline_quarantined,
    list_webhooks,
    show_webhook,
    add_webhook,
    change_webhook,
    remove_webhook,
    test_webhook,
    pause_webhook,
    resume_webhook,
    list_deliveries,
    retry_deliveries,
    retry_delivery,
    list_alerts,
    start_purge,
    read_audit,
    health,
    ready,
)


class Routed(NamedTuple):
    """The routes of a service, made once.

    Attributes:
        app: They and what stands around each of them.
        handler: What answers with them alone.
    """

    app: Litestar
    handler: ASGIApp


def routed() -> Routed:
    """Makes the routes, which belong to no service yet. It takes a quarter of a second."""
    app = Litestar(
        [*ROUTES, dashboard.routes()],
        middleware=[BodyLimits(), Access(), RateLimits(), Looks()],
        guards=[refuse_unknown_parameters],
        request_class=StrictRequest,
        dependencies={
            "services": Provide(services_of, sync_to_thread=False),
            "research": Provide(_research_of, sync_to_thread=False),
        },
        exception_handlers={**HANDLERS, NotFoundException: lost, MethodNotAllowedException: lost},
        lifespan=[_running],
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
    return Routed(app, app.asgi_handler)


def create_app(
    settings: Settings,
    *,
    profile: Profile = DEFAULT,
    clock: Callable[[], datetime] = utc_now,
    does: Does = "all",
    routes: Routed | None = None,
) -> Litestar:
    """The service as an ASGI application; it opens its database and starts its work when it is started.

    Args:
        settings: The site's settings.
        profile: What studies are judged with.
        clock: Gives the time, in UTC.
        does: Which jobs it does itself.
        routes: Those of a service that has ended, to be used again; made anew by default.
    """
    app, handler = routes or routed()
    quotas = Quotas()
    front = Front(
        handler,
        answered_shortly,
        consult=settings.consult_bind,
        consult_allow=settings.consult_allow,
    )
    limited = CredentialLimit(front, quotas, most=settings.limit_refused)
    opened = Cors(limited, settings.cors_origins) if settings.cors_origins else limited
    placed = Origins(opened, settings.trusted_proxies, believes_hosts=settings.auth_mode != "off")
    app.asgi_handler = SafeHeaders(Stopping(placed), https=(settings.public_url or "").startswith("https://"))
    app.state = State(
        {
            "open": partial(_services, settings, profile, clock, does),
            "quotas": quotas,
            "scrapes": Scrapes(front.requests),
        }
    )
    return app


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    async with app.state["open"]() as (services, research):
        app.state["services"] = services
        app.state["research"] = research  # apart: the gate has the services, and stands without imaging
        yield


@asynccontextmanager
async def _services(
    settings: Settings, profile: Profile, clock: Callable[[], datetime], does: Does
) -> AsyncIterator[tuple[Services, ResearchDesk]]:
    async with (
        working(settings, profile=profile, clock=clock, does=does) as parts,
        _identity(settings, parts.store, clock) as identity,
    ):
        services = Services(
            settings=settings,
            profile=profile,
            clock=clock,
            store=parts.store,
            queue=parts.queue,
            lookups=Lookups(parts.store),
            identity=identity,
            sights=Sights(settings, parts.store.keyed),
            refusals=Refusals(parts.store),
            uploads=parts.desks.uploads,
            resuming=parts.desks.resuming,
            waivers=parts.desks.waivers,
            rescoring=parts.desks.rescoring,
            rule_costs=parts.desks.rule_costs,
            purging=parts.desks.purging,
            gate=parts.desks.custody,
            quarantine=parts.desks.quarantine,
            review=ReviewDesk(parts.store, clock=clock),
            webhooks=WebhookDesk(parts.store, home=settings.home, clock=clock, from_afar=True),
            deliveries=parts.desks.deliveries,
            pool=parts.pool,
            stream=ChangeStream(parts.store),
            batches=parts.batches,
            archives=parts.desks.archives,
            trail=parts.desks.trail,
            is_working=parts.is_working,
        )
        yield services, parts.desks.research


def _research_of(state: State) -> ResearchDesk:
    """The desk of analyses of an application that is running."""
    research: ResearchDesk = state["research"]
    return research


@asynccontextmanager
async def _identity(
    settings: Settings, store: Store, clock: Callable[[], datetime]
) -> AsyncIterator[Identity]:
    found = identity_of(settings, store, clock=clock)
    try:
        yield found
    finally:
        await found.close()
