"""An archive as it is shown: how it is configured, what is known of it, whether it is asked now."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from heltig.pipeline.archives.administration import found_archive
from heltig.pipeline.archives.capabilities import described
from heltig.pipeline.archives.form import etag_of
from heltig.pipeline.archives.probing import last_capabilities
from heltig.store import archives, breakers
from heltig.store.archives import Archive, ArchiveOptions, location_of
from heltig.store.breakers import State
from heltig.store.transaction import ReadTransaction


class BreakerView(msgspec.Struct, frozen=True, rename="camel"):
    """Whether an archive is asked for one class of operations.

    Attributes:
        operation: `search`, `metadata`, `retrieve`, `store`, `changes`, or `auth` for all of them.
        state: `open` it is not asked, `half-open` somebody tries now, `closed` it is asked on trial.
        until: When it is tried again.
        error: What it opened for.
    """

    operation: str
    state: State
    until: datetime | None
    error: str | None


class ArchiveView(msgspec.Struct, frozen=True, rename="camel"):
    """An archive, without where its secrets lie unless that was asked for.

    Attributes:
        name: Its id, by which it is named everywhere else.
        auth: How we authenticate.
        options: Limits, hours, and how it is watched.
        capabilities: What the last probe found.
        described: The same in sentences.
        probed: When that was.
        paused: It is asked for nothing for now.
        broken: Why its entry cannot be read as it is stored; empty where it can. It is asked for nothing
            until it is changed. Shown are defaults in place of what could not be read.
        breakers: Those that opened, with why.
        etag: For `If-Match`, when it is changed.
    """

    name: str
    title: str
    qido_url: str
    wado_url: str
    stow_url: str | None
    feed_url: str | None
    auth: dict[str, Any]
    options: dict[str, Any]
    capabilities: dict[str, Any] | None
    described: tuple[str, ...]
    probed: datetime | None
    paused: bool
    broken: str
    breakers: tuple[BreakerView, ...]
    etag: str


def archive_view(transaction: ReadTransaction, name: str, *, with_references: bool = False) -> ArchiveView:
    """One archive.

    Args:
        transaction: Any.
        name: The archive.
        with_references: Whether to show where its secrets lie.

    Raises:
        NotFoundError: There is none of that name.
    """
    found = _view(transaction, found_archive(archives.find(transaction, name), name))
    if with_references:
        return found
    return replace(found, auth={part: value for part, value in found.auth.items() if part != "secret"})


def archive_views(transaction: ReadTransaction) -> list[ArchiveView]:
    """Every archive, by name."""
    return [archive_view(transaction, entry.name) for entry in archives.every(transaction)]


def _view(transaction: ReadTransaction, entry: Archive) -> ArchiveView:
    found = last_capabilities(entry)
    opened = breakers.of(transaction, location_of(entry.name)).values()
    options = {
        field.encode_name: getattr(entry.options, field.name)
        for field in msgspec.structs.fields(ArchiveOptions)
    }
    return ArchiveView(
        name=entry.name,
        title=entry.title,
        qido_url=entry.qido_url,
        wado_url=entry.wado_url,
        stow_url=entry.stow_url,
        feed_url=entry.feed_url,
        auth=msgspec.to_builtins(entry.auth),
        options=options,
        capabilities=entry.capabilities,
        described=tuple(described(found)) if found else (),
        probed=entry.probed,
        paused=entry.paused,
        broken=entry.broken,
        breakers=tuple(BreakerView(one.operation, one.state, one.until, one.error) for one in opened),
        etag=etag_of(entry),
    )
