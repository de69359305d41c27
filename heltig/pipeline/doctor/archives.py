"""The archives: whether each answers, believes who we are, and has the right time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final

from heltig.errors import ArchiveError, ConfigurationError
from heltig.pipeline.archives.capabilities import SKEW_SECONDS
from heltig.pipeline.archives.connecting import connect
from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.pipeline.telling.host_conditions import certificates
from heltig.settings import Settings
from heltig.store import archives
from heltig.store.archives import Archive
from heltig.store.engine import Store

PATIENCE: Final = 30.0
"""Seconds that an archive gets to answer."""


async def every_archive(
    store: Store, settings: Settings, *, environ: Mapping[str, str], now: datetime, asks: bool
) -> AsyncIterator[Check]:
    """What there is to say of each archive.

    Args:
        store: Where they are configured.
        settings: Timeouts, and the proxy.
        environ: Where `env:` looks for secrets.
        now: The time.
        asks: Whether they are asked; else only what is stored and on this host is looked at.
    """
    entries = await store.read(archives.every)
    if not entries:
        yield skipped("archives", "There is none: heltig archives add NAME URL")
        return
    ending, unread = certificates(entries, now=now)
    remedies = {one.subject: one.detail for one in ending}
    found = await asyncio.gather(*(_look(one, settings, environ=environ, asks=asks) for one in entries))
    for entry, check in zip(entries, found, strict=True):
        if check.state != "failed" and entry.name in remedies:
            yield warning(
                f"archive {entry.name}", remedies[entry.name], "Have a new one made, and replace the file."
            )
        elif entry.name in unread:
            yield failed(
                f"archive {entry.name}",
                "Its client certificate cannot be read on this host.",
                f"Put the file where the entry says: heltig archives show {entry.name}",
            )
        else:
            yield check


async def _look(entry: Archive, settings: Settings, *, environ: Mapping[str, str], asks: bool) -> Check:
    about, again = f"archive {entry.name}", f"Then try it: heltig archives test {entry.name}"
    if entry.paused:
        return skipped(about, "It is paused.")
    try:
        async with connect(entry, settings, environ=environ) as connected:
            if not asks:
                return skipped(about, "Its secrets can be read; it was not asked.")
            async with asyncio.timeout(PATIENCE):
                skew = (await connected.once.probe()).clock_skew
    except ConfigurationError as error:
        return failed(about, error.detail, f"Mend that on this host. {again}")
    except TimeoutError:
        return failed(about, f"It does not answer within {PATIENCE:.0f} s.", f"See to it. {again}")
    except ArchiveError as error:
        return failed(about, error.detail, f"See to the archive, or to what is between. {again}")
    if skew is not None and abs(skew) >= SKEW_SECONDS:
        return warning(
            about,
            f"It answers; its clock is {skew:+,.0f} s from this host's.",
            "Set both by NTP: what is new is found by its clock.",
        )
    return ok(about, "It answers.")
