"""Connections to an archive, made of its entry. Nothing is asked of it until somebody uses them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from connectors.dicomweb import DicomWebArchive
from connectors.dicomweb.archive import PROBE_SECONDS
from connectors.dimse.target import DimseStore, Target
from heltig import http
from heltig.auth.archives import auth_for
from heltig.exchange import Observer
from heltig.pacing import Pace
from heltig.retry import Retry
from heltig.settings import Settings
from heltig.store.archives import Archive, ArchiveOptions
from heltig.tls import ssl_context

PROBE_REQUESTS: Final = 30
"""Requests of a probe, at the most or nearly so."""


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """Connections to one archive.

    Attributes:
        dicomweb: To search it and to read from it.
        once: The same, asked once and not again.
        feed: A client of what tells of changes, where the entry or the last probe says where that is.
        qido: A client whose root is that of QIDO-RS; `wado` and `stow` likewise.
        dimse: What sends objects by C-STORE instead.
    """

    dicomweb: DicomWebArchive
    once: DicomWebArchive
    feed: http.Client | None
    qido: http.Client
    wado: http.Client
    stow: http.Client
    dimse: DimseStore | None


@asynccontextmanager
async def connect(
    entry: Archive,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    pace: Pace | None = None,
    observe: Observer = lambda exchange: None,
    waiting: Callable[[float], None] = lambda seconds: None,
    feed_root: str | None = None,
) -> AsyncIterator[Connected]:
    """Makes an archive's entry connections; they are closed in the end.

    Args:
        entry: The entry.
        settings: Limits and timeouts.
        environ: Where `env:` looks for secrets.
        pace: How fast to ask; one of its own, by the entry's options, by default.
        observe: Told of each request.
        waiting: Told of each wait that the archive asks for, in seconds, before it begins.
        feed_root: Where changes are told, if the entry does not say it.

    Raises:
        ConfigurationError: A secret or a certificate cannot be read, or an address is none.
    """
    tls = tls_of(entry.options)
    proxy = settings.archive_proxy.secret if settings.archive_proxy else None
    auth = auth_for(
        entry.auth,
        environ=environ,
        tls=tls,
        proxy=proxy,
        allow_link_local=settings.archive_link_local,
    )
    pace = pace or pace_of(entry.options)

    def client(root: str) -> http.Client:
        return http.client(
            root,
            auth=auth,
            tls=tls,
            proxy=proxy,
            connect_seconds=settings.archive_connect_seconds,
            read_seconds=settings.archive_read_seconds,
            pace=pace,
            observe=observe,
            allow_link_local=settings.archive_link_local,
        )

    told_at = entry.feed_url or feed_root
    target = target_of(entry.options, settings)
    async with (
        AsyncExitStack() as stack,
        client(entry.qido_url) as qido,
        client(entry.wado_url) as wado,
        client(told_at or entry.qido_url) as feed,
        client(entry.stow_url or entry.qido_url) as stow,
    ):

        def archive(retry: Retry) -> DicomWebArchive:
            return DicomWebArchive(
                entry.name,
                qido=qido,
                wado=wado,
                feed=feed if entry.feed_url else None,
                most_metadata=settings.metadata_max_size,
                retry=retry,
                probe_seconds=PROBE_SECONDS + _waits_of_ours(entry.options),
            )

        dimse = None if target is None else DimseStore(target)
        if dimse is not None:
            stack.push_async_callback(dimse.close)
        patience = settings.archive_wait_seconds
        yield Connected(
            dicomweb=archive(Retry(retry_after_cap_seconds=patience, waiting=waiting)),
            once=archive(Retry(attempts=1)),
            feed=feed if told_at else None,
            qido=qido,
            wado=wado,
            stow=stow,
            dimse=dimse,
        )


def pace_of(options: ArchiveOptions, *, sharers: Callable[[], Awaitable[int]] | None = None) -> Pace:
    """The pace that an archive's options ask for.

    Args:
        options: The options.
        sharers: Counts the processes that ask the archive; this one alone by default.
    """
    return Pace(
        requests_per_second=options.requests_per_second,
        bytes_per_second=options.bytes_per_second,
        sharers=sharers,
    )


def _waits_of_ours(options: ArchiveOptions) -> float:
    """Seconds that a probe waits for a slow pace that we keep: these are not the archive's."""
    return PROBE_REQUESTS / options.requests_per_second if options.requests_per_second else 0.0


def tls_of(options: ArchiveOptions) -> http.Tls:
    """The certificates that an archive's options name."""
    files = (Path(file) if file else None for file in (options.ca_bundle, options.certificate, options.key))
    ca_bundle, certificate, key = files
    return http.Tls(ca_bundle=ca_bundle, certificate=certificate, key=key)


def target_of(options: ArchiveOptions, settings: Settings) -> Target | None:
    """Where an archive takes objects by C-STORE, None where it is sent them by STOW-RS.

    Raises:
        ConfigurationError: A certificate cannot be read.
    """
    if options.dimse_host is None or options.dimse_ae_title is None:
        return None
    return Target(
        calling=settings.ae_title,
        called=options.dimse_ae_title,
        host=options.dimse_host,
        port=options.dimse_port,
        tls=ssl_context(tls_of(options)) if options.dimse_tls == "on" else None,
        connect_seconds=settings.archive_connect_seconds,
        answer_seconds=http.STORE_SECONDS,
    )


@asynccontextmanager
async def open_archive(
    entry: Archive,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    waiting: Callable[[float], None] = lambda seconds: None,
) -> AsyncIterator[DicomWebArchive]:
    """Makes an archive's entry a connector, for a command that somebody waits for; see `connect`."""
    async with connect(entry, settings, environ=environ, waiting=waiting) as connected:
        yield connected.dicomweb
