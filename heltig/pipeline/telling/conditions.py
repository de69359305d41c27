"""What is so now that those who run the service have to know, as the database tells it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from heltig.pipeline.archives import watching
from heltig.pipeline.archives.status import ArchiveStatus
from heltig.pipeline.upload.uploads import KIND as UPLOAD
from heltig.store import archives, gate_studies, watch, webhooks
from heltig.store.alert_kinds import AlertKind
from heltig.store.alerts import Condition
from heltig.store.archives import Archive, location_of
from heltig.store.transaction import ReadTransaction
from heltig.store.webhooks import group_of

IN_DATABASE: Final[frozenset[AlertKind]] = frozenset(
    {"job-dead", "breaker-open", "archive-failing", "archive-silent", "quarantine-waiting", "webhook-failing"}
)
"""The kinds that every process sees alike."""

WEBHOOK_FAILING: Final = timedelta(hours=1)
"""How long a receiver may take nothing until there is an alert."""

_FAILS: Final = ("failing", "stopped", "behind")
_RESTS: Final = ("resting",)
_IS_WATCHED: Final = ("current", "behind", "slow")


def in_database(transaction: ReadTransaction, *, quarantine: timedelta, now: datetime) -> list[Condition]:
    """All of them.

    Args:
        transaction: Any.
        quarantine: How long a study may wait in quarantine.
        now: The time.
    """
    entries = {entry.name: entry for entry in archives.every(transaction)}
    statuses = watching.service_status(transaction, now=now, windows={}).archives
    return [
        *_dead_jobs(transaction),
        *_open_breakers(entries, statuses),
        *_failing_archives(entries, statuses, now),
        *_silent_archives(transaction, entries, statuses),
        *_waiting_studies(transaction, quarantine, now),
        *_failing_webhooks(transaction, now),
    ]


def _dead_jobs(transaction: ReadTransaction) -> Iterator[Condition]:
    """An upload that failed is its sender's, who is told."""
    names = {group_of(one.id): f"webhook:{one.name}" for one in webhooks.every(transaction)}
    numbers = Counter[tuple[str, str]]()
    for one in watch.unfinished_jobs(transaction):
        if one.state == "dead" or (one.state == "failed" and one.kind != UPLOAD):
            key = one.kind, names.get(one.group, one.group)
            numbers[key] += one.number
    for (kind, place), number in numbers.items():
        yield Condition(
            kind="job-dead",
            subject=f"{kind} {place}".strip(),
            location=place if place.startswith(("archive:", "gate:")) else None,
            detail=f"{number:,} {'job' if number == 1 else 'jobs'} of kind {kind}"
            f"{f' of {place}' if place else ''} {'was' if number == 1 else 'were'} given up.",
        )


def _open_breakers(entries: dict[str, Archive], statuses: Iterable[ArchiveStatus]) -> Iterator[Condition]:
    """One that closed on trial is not over: it opens with the next failure."""
    for status in statuses:
        for breaker in () if entries[status.name].paused else status.breakers:
            yield Condition(
                kind="breaker-open",
                subject=f"{status.name} {breaker.operation}",
                location=str(location_of(status.name)),
                detail=f"Archive {status.name} failed too often ({breaker.operation}): {breaker.error}",
                is_slight=breaker.state == "closed",
            )


def _failing_archives(
    entries: dict[str, Archive], statuses: Iterable[ArchiveStatus], now: datetime
) -> Iterator[Condition]:
    for status in statuses:
        options = entries[status.name].options
        if options.strategy == "none":
            continue
        if status.state in _FAILS:
            since = status.succeeded
            is_long = since is None or now - since >= timedelta(hours=options.failing_hours)
            # After its hours it is behind until it was looked at again; before the first look, too.
            is_new = status.state == "behind" and (since is None or bool(options.hours))
            is_slight = not is_long or is_new
        elif status.state in _RESTS:
            is_slight = True
        else:
            continue
        yield Condition(
            kind="archive-failing",
            subject=status.name,
            location=str(location_of(status.name)),
            detail=f"Archive {status.name} could not be asked for new studies. {status.why}",
            is_slight=is_slight,
        )


def _silent_archives(
    transaction: ReadTransaction, entries: dict[str, Archive], statuses: Iterable[ArchiveStatus]
) -> Iterator[Condition]:
    """Silence is measured up to the last look: before that nobody knows."""
    for status in statuses:
        entry = entries[status.name]
        hours = entry.options.silent_hours
        if hours is None or status.state not in _IS_WATCHED or status.succeeded is None:
            continue
        last = watch.last_seen(transaction, status.name) or entry.probed
        if last is not None and status.succeeded - last >= timedelta(hours=hours):
            yield Condition(
                kind="archive-silent",
                subject=status.name,
                location=str(location_of(status.name)),
                detail=f"Archive {status.name} showed no new study since {last:%Y-%m-%d %H:%M} UTC.",
            )


def _waiting_studies(
    transaction: ReadTransaction, quarantine: timedelta, now: datetime
) -> Iterator[Condition]:
    for location, since in gate_studies.waiting_since(transaction):
        yield Condition(
            kind="quarantine-waiting",
            subject=location.name,
            location=str(location),
            detail=f"Studies that gate {location.name} kept back wait for a person since "
            f"{since:%Y-%m-%d %H:%M} UTC.",
            is_slight=now - since < quarantine,
        )


def _failing_webhooks(transaction: ReadTransaction, now: datetime) -> Iterator[Condition]:
    for webhook in webhooks.every(transaction):
        since = webhook.failing_since
        if since is None or (webhook.paused and not webhook.reason):
            continue
        yield Condition(
            kind="webhook-failing",
            subject=webhook.name,
            detail=f"Webhook {webhook.name} takes nothing since {since:%Y-%m-%d %H:%M} UTC: {webhook.error}",
            is_slight=not webhook.paused and now - since < WEBHOOK_FAILING,
        )
