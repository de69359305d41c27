"""`/api/v1/webhooks`: receivers that are told of changes and alerts."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import BodyKwarg, FromPath, QueryParameter

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit
from heltig.auth.principal import Principal
from heltig.errors import ConfigurationError, ConflictError, PreconditionRequiredError
from heltig.pipeline.telling.webhook_form import WebhookView, webhook_view
from heltig.store import deliveries, webhooks
from heltig.store.deliveries import Delivery, DeliveryState
from heltig.store.transaction import ReadTransaction
from heltig.store.webhooks import Webhook

Caller = Request[Principal, Any, Any]

New = Annotated[
    dict[str, Any],
    BodyKwarg(
        description="The webhook: `name`, `url`, `secrets`, and what else differs from the defaults: "
        "`events` (`verdict`, `alerts`, kinds of alerts), `locations`, `fromReadiness`, `toReadiness`, "
        "`concurrency`, `caBundle`. A secret is `env:HELTIG_SECRET_…`, or `file:` and the path of a file in "
        "the folder `secrets` of `HELTIG_HOME`."
    ),
]
Changes = Annotated[
    dict[str, Any],
    BodyKwarg(
        description="What is to be another (JSON Merge Patch, RFC 7396); null gives a field its default."
    ),
]


class TestView(msgspec.Struct, frozen=True):
    """What a test came to.

    Attributes:
        status: What the receiver answered.
    """

    status: int


class RetriedView(msgspec.Struct, frozen=True):
    """What was queued again.

    Attributes:
        deliveries: How many.
    """

    deliveries: int


class DeliveryPage(msgspec.Struct, frozen=True):
    """Some deliveries, the newest first.

    Attributes:
        before: What to ask for the page after this one with; null on the last.
    """

    items: list[Delivery]
    limit: int
    before: int | None


@get("/api/v1/webhooks", responses=responses(400, 401, 403, 503), tags=["Webhooks"])
async def list_webhooks(services: NamedDependency[Services]) -> list[WebhookView]:
    """List the webhooks by name."""
    return [webhook_view(one) for one in await services.store.read(webhooks.every)]


@get("/api/v1/webhooks/{id:str}", responses=responses(400, 401, 403, 404, 503), tags=["Webhooks"])
async def show_webhook(services: NamedDependency[Services], id: FromPath[str]) -> Response[WebhookView]:
    """Show one webhook; the ETag is for changing it."""
    return _shown(await services.store.read(webhooks.find, id))


@post("/api/v1/webhooks", responses=responses(400, 401, 403, 409, 503), tags=["Webhooks"])
async def add_webhook(
    request: Caller, services: NamedDependency[Services], data: New
) -> Response[WebhookView]:
    """Add a webhook. It is told of what happens from now on."""
    return _shown(await services.webhooks.add(data, **_who(request)), status=201)


@patch(
    "/api/v1/webhooks/{id:str}",
    responses=responses(400, 401, 403, 404, 412, 428, 503),
    tags=["Webhooks"],
)
async def change_webhook(
    request: Caller, services: NamedDependency[Services], id: FromPath[str], data: Changes
) -> Response[WebhookView]:
    """Change a webhook; its receiver is tried anew at once. `If-Match` has to have its ETag."""
    if_match = request.headers.get("if-match")
    if if_match is None:
        raise PreconditionRequiredError(
            "Send If-Match with the ETag of the webhook as you have read it, so that nobody's change is lost."
        )
    return _shown(await services.webhooks.change(id, data, if_match=if_match, **_who(request)))


@delete("/api/v1/webhooks/{id:str}", responses=responses(400, 401, 403, 404, 503), tags=["Webhooks"])
async def remove_webhook(request: Caller, services: NamedDependency[Services], id: FromPath[str]) -> None:
    """Remove a webhook, and what waits for it."""
    await services.webhooks.remove(id, **_who(request))


@post(
    "/api/v1/webhooks/{id:str}/test",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 502, 503),
    tags=["Webhooks"],
)
async def test_webhook(request: Caller, services: NamedDependency[Services], id: FromPath[str]) -> TestView:
    """Send a receiver an event `test`, once. Where it does not take it, the problem says why.

    409 where a secret or the authorities cannot be read where the service runs.
    """
    try:
        taken = await services.webhooks.test(id, services.deliveries, **_who(request))
    except ConfigurationError as wrong:
        raise ConflictError(f"Webhook {id}: {wrong.detail}") from wrong
    return TestView(taken.status)


@post(
    "/api/v1/webhooks/{id:str}/pause",
    status_code=200,
    responses=responses(400, 401, 403, 404, 503),
    tags=["Webhooks"],
)
async def pause_webhook(
    request: Caller, services: NamedDependency[Services], id: FromPath[str]
) -> Response[WebhookView]:
    """Send nothing until it is resumed. What happens meanwhile is never sent: the change feed has it."""
    return _shown(await services.webhooks.pause(id, paused=True, **_who(request)))


@post(
    "/api/v1/webhooks/{id:str}/resume",
    status_code=200,
    responses=responses(400, 401, 403, 404, 503),
    tags=["Webhooks"],
)
async def resume_webhook(
    request: Caller, services: NamedDependency[Services], id: FromPath[str]
) -> Response[WebhookView]:
    """Go on, at once, with what waited."""
    return _shown(await services.webhooks.pause(id, paused=False, **_who(request)))


@get(
    "/api/v1/webhooks/{id:str}/deliveries",
    responses=responses(400, 401, 403, 404, 503),
    tags=["Webhooks"],
)
async def list_deliveries(
    services: NamedDependency[Services],
    id: FromPath[str],
    wanted_state: Annotated[DeliveryState | None, QueryParameter(name="state")] = None,
    before: Annotated[
        int | None, QueryParameter(ge=1, le=2**62, description="Only those whose job has a lower number.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> DeliveryPage:
    """List what a receiver was told, is told and was told in vain, the newest first."""

    def read(transaction: ReadTransaction) -> list[Delivery]:
        webhook = webhooks.find(transaction, id)
        return deliveries.newest(transaction, webhook, state=wanted_state, before=before, limit=limit + 1)

    found = await services.store.read(read)
    return DeliveryPage(found[:limit], limit, found[limit - 1].job if len(found) > limit else None)


@post(
    "/api/v1/webhooks/{id:str}/deliveries/retry",
    status_code=200,
    responses=responses(400, 401, 403, 404, 503),
    tags=["Webhooks"],
)
async def retry_deliveries(
    request: Caller, services: NamedDependency[Services], id: FromPath[str]
) -> RetriedView:
    """Queue all dead deliveries of a webhook again, as if they had never been tried."""
    return RetriedView(await services.webhooks.retry(id, None, **_who(request)))


@post(
    "/api/v1/webhooks/{id:str}/deliveries/{job:int}/retry",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Webhooks"],
)
async def retry_delivery(
    request: Caller, services: NamedDependency[Services], id: FromPath[str], job: FromPath[int]
) -> RetriedView:
    """Queue a dead delivery again, as if it had never been tried."""
    known = job if 0 < job < 2**62 else 0
    return RetriedView(await services.webhooks.retry(id, known, **_who(request)))


def _shown(webhook: Webhook, *, status: int = 200) -> Response[WebhookView]:
    view = webhook_view(webhook)
    return Response(view, status_code=status, headers={"ETag": view.etag})


def _who(request: Caller) -> dict[str, Any]:
    """Who does something, and from where, for the audit trail."""
    return {"by": request.user.name, "origin": request.client.host if request.client else ""}
