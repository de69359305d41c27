"""`/health` and `/health/ready`: for whatever watches the service."""

from typing import Literal

import msgspec
from litestar import HttpMethod, route
from litestar.di import NamedDependency

from heltig import __version__
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.errors import StorageError
from heltig.store import changes


class Health(msgspec.Struct, frozen=True):
    """The service answers.

    Attributes:
        status: `ok`.
        heltig: Its version.
    """

    status: Literal["ok"]
    heltig: str


class Ready(msgspec.Struct, frozen=True):
    """The service can do its work.

    Attributes:
        status: `ready`.
        store: The database answers.
        jobs: Jobs are worked off, and what happens now and then did when it was last due.
    """

    status: Literal["ready"]
    store: Literal["ok"]
    jobs: Literal["ok"]


@route("/health", http_method=[HttpMethod.GET, HttpMethod.HEAD], tags=["Health"])
async def health() -> Health:
    """Say that the process answers; it does not look at anything else."""
    return Health("ok", __version__)


@route(
    "/health/ready",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    responses=responses(503),
    tags=["Health"],
)
async def ready(services: NamedDependency[Services]) -> Ready:
    """Say whether the service can do its work: the database answers, jobs are worked off."""
    await services.store.read(changes.latest)
    if not services.is_working():
        raise StorageError(
            "Jobs are not worked off, or archives not looked at, or nothing can be written. The log says "
            "why; where it stays, start the service again."
        )
    return Ready("ready", "ok", "ok")
