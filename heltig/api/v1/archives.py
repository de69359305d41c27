"""`/api/v1/archives`: the archives that are configured; the command line adds them."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.store import archives


class ArchiveView(msgspec.Struct, frozen=True, rename="camel"):
    """An archive, without how we authenticate to it.

    Attributes:
        name: Its id, by which it is named everywhere else.
        capabilities: What the last probe found.
        probed: When that was.
        paused: Nothing is pulled from it for now.
    """

    name: str
    title: str
    qido_url: str
    wado_url: str
    stow_url: str | None
    capabilities: dict[str, Any] | None
    probed: datetime | None
    paused: bool


@get("/api/v1/archives", responses=responses(400, 401, 403, 503), tags=["Archives"])
async def list_archives(services: NamedDependency[Services]) -> list[ArchiveView]:
    """List the archives by name."""
    return [
        ArchiveView(
            name=archive.name,
            title=archive.title,
            qido_url=archive.qido_url,
            wado_url=archive.wado_url,
            stow_url=archive.stow_url,
            capabilities=archive.capabilities,
            probed=archive.probed,
            paused=archive.paused,
        )
        for archive in await services.store.read(archives.every)
    ]
