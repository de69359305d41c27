"""`/api/v1/status` and `/api/v1/archives/{id}/status`: how archives and the service that pulls stand."""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.pipeline.archives import watching
from heltig.pipeline.archives.status import ArchiveStatus, ServiceStatus


@get("/api/v1/archives/{id:str}/status", responses=responses(400, 401, 403, 404, 503), tags=["Archives"])
async def show_archive_status(services: NamedDependency[Services], id: FromPath[str]) -> ArchiveStatus:
    """Show how one archive stands: how far it is read, what waits, how it answers."""
    return await services.store.read(watching.archive_status, id, now=services.clock())


@get("/api/v1/status", responses=responses(400, 401, 403, 503), tags=["Archives"])
async def show_status(services: NamedDependency[Services]) -> ServiceStatus:
    """Show how every archive stands, who works, and what waits."""
    return await services.store.read(watching.service_status, now=services.clock())
