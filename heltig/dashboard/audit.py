"""The page of the audit trail: who did what, to what, when; and whether it is whole."""

import os
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import HttpMethod, Response, route
from msgspec.structs import replace

from heltig.api.services import Services, services_of
from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.verify import verify
from heltig.audit.walk import Verified
from heltig.dashboard.filters import insist_on_names, number, text
from heltig.dashboard.own_forms import AnyRequest
from heltig.dashboard.pages import page
from heltig.errors import ConfigurationError, UsageError
from heltig.store import audit_backwards, audit_rows
from heltig.store.audit_actions import ACTIONS
from heltig.store.audit_chain import Head
from heltig.store.audit_checkpoints import Checkpoint
from heltig.store.audit_rows import Damaged
from heltig.store.audit_trail import AuditEntry, Wanted
from heltig.store.transaction import ReadTransaction

A_PAGE: Final = 50
LONGEST: Final = 256  # characters of a filter
MOST_LISTED: Final = 5
"""Items of a list in an entry's details that are shown: a look at many studies names them all."""

MOST_VERIFIED: Final = 200_000
"""Entries that are verified while a page is waited for; of more the command has to be asked."""

_FILTERS: Final = ("actor", "action", "subject", "study", "since", "until")


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the trail.

    Attributes:
        entries: The newest first.
        first: The first entry that was looked at: the list goes on before it.
        begins: The first entry that there is.
        head: The end of the chain.
        checkpoint: What was purged before it.
        verified: What came of verifying it, where that was asked for.
    """

    entries: tuple[AuditEntry, ...]
    first: int
    begins: int
    head: Head | None
    checkpoint: Checkpoint | None
    verified: Verified | None


@route("/audit", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_audit(request: AnyRequest) -> Response[str]:
    """The trail. That it is looked at is written into it, as of every look over REST."""
    services = services_of(request.app.state)
    query = request.query_params
    insist_on_names(query, *_FILTERS, "before", "verify")
    filters = {name: text(query, name, most=LONGEST) for name in _FILTERS}
    before = number(query, "before")
    wrong = ""
    try:
        found = await services.store.read(
            _trail,
            _wanted(filters),
            filters["study"],
            before,
            _keys(services, query),
            OwnAnchor(services.settings),
        )
    except ConfigurationError as error:
        wrong = error.detail
        found = await services.store.read(_trail, _wanted(filters), filters["study"], before, None, None)
    sight = services.sights.of(request.scope.get("user"))
    told = tuple(replace(entry, detail=sight.audited(entry.action, entry.detail)) for entry in found.entries)
    given = {name: value for name, value in filters.items() if value}
    exported = {name: value for name, value in given.items() if name != "study"}
    goes_on = found.first > found.begins and bool(found.entries or found.first > 1)
    return page(
        request,
        "audit.html",
        now=services.clock(),
        shown=replace(found, entries=told),
        filters=filters,
        actions=ACTIONS,
        few=few,
        newer=f"?{urlencode(given)}" if before and given else "audit" if before else "",
        older=f"?{urlencode({**given, 'before': found.first})}" if goes_on else "",
        export=f"api/v1/audit?{urlencode({**_in_utc(exported), 'limit': 10_000})}",
        may_verify=found.head is not None and found.head.sequence - found.begins < MOST_VERIFIED,
        verify=f"?{urlencode({**given, 'verify': '1'})}",
        wrong=wrong,
    )


AUDIT: Final = (show_audit,)
"""The routes."""


def few(value: Any, study: str = "") -> tuple[Any, int]:
    """A value of an entry's details with the first few of what it lists, and how many others there are.

    >>> few({"1.1": 1, "1.2": 1, "1.3": 1, "1.4": 1, "1.5": 1, "1.6": 2, "1.7": 1}, study="1.6")
    ({'1.6': 2, '1.1': 1, '1.2': 1, '1.3': 1, '1.4': 1}, 2)
    >>> few([1, 2]), few("some text")
    (([1, 2], 0), ('some text', 0))

    Args:
        value: The value.
        study: The study that somebody looks for, which comes first.
    """
    if not isinstance(value, list | dict):
        return value, 0
    first = sorted(value, key=lambda item: item != study)[:MOST_LISTED]  # a stable order for the rest
    kept = {item: value[item] for item in first} if isinstance(value, dict) else first
    return kept, len(value) - len(first)


def _trail(
    transaction: ReadTransaction,
    wanted: Wanted,
    study: str,
    before: int | None,
    keys: AuditKeys | None,
    own: OwnAnchor | None,
) -> Trail:
    head = audit_rows.end(transaction)
    checkpoint = audit_rows.checkpoint(transaction)
    if isinstance(checkpoint, Damaged):
        checkpoint = None  # `verify` says so
    last, begins = head.sequence if head else 0, checkpoint.through + 1 if checkpoint else 1
    entries, first = audit_backwards.newest(
        transaction, wanted, study=study, before=min(before or last + 1, last + 1), limit=A_PAGE
    )
    is_short = last - begins < MOST_VERIFIED
    return Trail(
        entries=tuple(entries),
        first=first,
        begins=begins,
        head=head,
        checkpoint=checkpoint,
        verified=verify(transaction, keys, own=own) if keys and is_short else None,
    )


def _keys(services: Services, query: Mapping[str, str]) -> AuditKeys | None:
    return AuditKeys(services.settings, os.environ) if query.get("verify") else None


def _wanted(filters: Mapping[str, str]) -> Wanted:
    return Wanted(
        actor=filters["actor"] or None,
        action=filters["action"] or None,
        subject=filters["subject"] or None,
        since=_begin(filters, "since"),
        until=_begin(filters, "until", days=1),
    )


def _begin(filters: Mapping[str, str], name: str, *, days: int = 0) -> datetime | None:
    """The beginning of a day in the zone of the server, or of one after it; None where none is given.

    Raises:
        UsageError: It is no day.
    """
    text = filters.get(name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return datetime.combine(day, time.min).astimezone()
    except (ValueError, OverflowError) as wrong:
        raise UsageError(f"{name}: give a day, as 2026-06-01.") from wrong


def _in_utc(given: Mapping[str, str]) -> dict[str, str]:
    """Filters as REST takes them."""
    times = {"since": _begin(given, "since"), "until": _begin(given, "until", days=1)}
    kept = {name: value for name, value in given.items() if name not in times}
    return {**kept, **{name: at.isoformat() for name, at in times.items() if at is not None}}
