"""The pages of archives: what `/archives` and `/archives/{id}` show."""

from datetime import datetime, time, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from heltig.errors import NotFoundError
from heltig.pipeline.archives import watching
from heltig.pipeline.archives.status import ArchiveState, ArchiveStatus, ServiceStatus
from heltig.pipeline.backfill.report import Progress, newest_progress
from heltig.reports.charts import Column, columns
from heltig.store import alerts, archives, jobs, watch
from heltig.store.alerts import Alert
from heltig.store.archive_options import ArchiveOptions
from heltig.store.archives import Archive, location_of
from heltig.store.jobs import Job, JobState
from heltig.store.transaction import ReadTransaction

DAYS_IN_LIST: Final = 14
DAYS_ON_PAGE: Final = 42
BACKFILLS_ON_PAGE: Final = 3
JOBS_ON_PAGE: Final = 3

_DAY: Final = timedelta(days=1)
_GIVEN_UP: Final[tuple[JobState, ...]] = ("failed", "dead")
_WORST: Final[tuple[ArchiveState, ...]] = ("stopped", "failing", "behind")
"""The states that somebody should look at; all others are alike."""


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """How many studies an archive showed for the first time, day by day, the last one today.

    Attributes:
        columns: The days as columns of a chart.
        total: Studies of all of them.
        today: Studies of the last.
        begins: The first day.
    """

    columns: tuple[Column, ...]
    total: int
    today: int
    begins: datetime


class ArchiveRow(msgspec.Struct, frozen=True, kw_only=True):
    """An archive in the list."""

    entry: Archive
    status: ArchiveStatus
    days: Days


class ArchiveList(msgspec.Struct, frozen=True, kw_only=True):
    """What the list shows."""

    rows: tuple[ArchiveRow, ...]
    service: ServiceStatus

    def jobs(self, *states: str) -> int:
        """Jobs in some states, of all kinds."""
        return sum(job.number for job in self.service.jobs if job.state in states)


class Setting(msgspec.Struct, frozen=True):
    """One of the settings of an archive, as the page writes it.

    Attributes:
        name: As in REST.
        value: Likewise.
        is_default: Nobody chose it.
        doc: What it is for.
    """

    name: str
    value: str
    is_default: bool
    doc: str


class ArchivePage(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive's page shows.

    Attributes:
        places: Its addresses, by service.
        auth: How we say who we are, without secrets.
        settings: How it is to be treated.
        backfills: The newest ones, the newest first.
        alerts: Those that stand and are of it.
        given_up: The newest of its jobs that were given up.
    """

    entry: Archive
    status: ArchiveStatus
    days: Days
    places: tuple[tuple[str, str], ...]
    auth: str
    settings: tuple[Setting, ...]
    backfills: tuple[Progress, ...]
    alerts: tuple[Alert, ...]
    given_up: tuple[Job, ...]


def archive_list(transaction: ReadTransaction, *, now: datetime) -> ArchiveList:
    """Collects what the list shows."""
    service = watching.service_status(transaction, now=now)
    status = {one.name: one for one in service.archives}
    rows = (
        ArchiveRow(
            entry=entry,
            status=status[entry.name],
            days=_days(transaction, entry.name, number=DAYS_IN_LIST, now=now),
        )
        for entry in archives.every(transaction)
    )
    return ArchiveList(rows=tuple(sorted(rows, key=_worst_first)), service=service)


def archive_page(transaction: ReadTransaction, name: str, *, now: datetime) -> ArchivePage:
    """Collects what an archive's page shows.

    Raises:
        NotFoundError: There is no archive of that name.
    """
    entry = archives.find(transaction, name)
    if entry is None:
        raise NotFoundError("There is no archive of this name.")
    of_it = str(location_of(name))
    bad = [
        job
        for state in _GIVEN_UP
        for job in jobs.newest(transaction, state=state, group=of_it, limit=JOBS_ON_PAGE)
    ]
    return ArchivePage(
        entry=entry,
        alerts=tuple(one for one in alerts.standing(transaction) if one.location == of_it),
        given_up=tuple(sorted(bad, key=lambda job: -job.id)[:JOBS_ON_PAGE]),
        status=watching.archive_status(transaction, name, now=now),
        days=_days(transaction, name, number=DAYS_ON_PAGE, now=now),
        places=tuple(_places(entry)),
        auth=_auth(entry),
        settings=tuple(_settings(entry.options)),
        backfills=tuple(
            newest_progress(
                transaction, location=location_of(name), before=None, limit=BACKFILLS_ON_PAGE, now=now
            )
        ),
    )


def _worst_first(row: ArchiveRow) -> tuple[int, str]:
    state = row.status.state
    return _WORST.index(state) if state in _WORST else len(_WORST), row.entry.name


def _days(transaction: ReadTransaction, name: str, *, number: int, now: datetime) -> Days:
    """Days are those of the server's time zone, as all times on the pages."""
    today = now.astimezone().date()
    dates = [today - n * _DAY for n in range(number - 1, -2, -1)]
    times = [datetime.combine(day, time.min).astimezone() for day in dates]
    numbers = watch.seen_between(transaction, name, times)
    return Days(columns=columns(numbers), total=sum(numbers), today=numbers[-1], begins=times[0])


def _places(entry: Archive) -> list[tuple[str, str]]:
    """Where its services are, each address once."""
    found: dict[str, list[str]] = {}
    services = {"QIDO-RS": entry.qido_url, "WADO-RS": entry.wado_url, "STOW-RS": entry.stow_url}
    for service, url in {**services, "Changes": entry.feed_url}.items():
        if url:
            found.setdefault(_without_user(url), []).append(service)
    return [(", ".join(names), url) for url, names in found.items()]


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _auth(entry: Archive) -> str:
    kind: str = msgspec.to_builtins(entry.auth)["kind"]
    told = {
        "none": "nothing",
        "basic": "user name and password",
        "bearer": "a bearer token",
        "oauth2": "tokens of OAuth 2.0, client credentials",
    }[kind]
    return f"{told}, over TLS with our certificate" if entry.options.certificate else told


def _settings(options: ArchiveOptions) -> list[Setting]:
    default = ArchiveOptions()
    found = []
    for field in msgspec.structs.fields(ArchiveOptions):
        value = getattr(options, field.name)
        meta: msgspec.Meta = field.type.__metadata__[0]
        is_default = value == getattr(default, field.name)
        found.append(Setting(field.encode_name, _shown(value), is_default, meta.description or ""))
    return sorted(found, key=lambda setting: setting.is_default)


def _shown(value: object) -> str:
    if value is None or value == ():
        return "not set"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,g}" if isinstance(value, int | float) else str(value)
