"""`/api/v1/audit`: the audit trail, for auditors and for programs that collect it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.types import ASGIApp

from heltig.api.answers import JSON, PlainAnswer, chosen_or_refused
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.store import audit_rows, audit_trail
from heltig.store.audit_trail import Line, Wanted
from heltig.store.transaction import ReadTransaction

NDJSON: Final = "application/x-ndjson"

_Exactly: TypeAlias = Annotated[str | None, QueryParameter(max_length=256, description="Exactly this.")]


class AuditPage(msgspec.Struct, frozen=True):
    """Some entries, oldest first.

    Attributes:
        items: The entries, each with its tag in the chain.
        next: The `after` to ask with next time: nothing is missed, and nothing comes twice.
        latest: The sequence of the last entry there is.
    """

    items: list[Line]
    next: int
    latest: int


@get(
    "/api/v1/audit",
    responses={
        200: ResponseSpec(AuditPage, generate_examples=False, description="Entries, oldest first"),
        **responses(400, 401, 403, 406, 503),
    },
    tags=["Audit"],
)
async def read_audit(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    after: Annotated[
        int, QueryParameter(ge=0, le=2**53, description="Only entries with a higher sequence.")
    ] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=10_000, description="The most entries.")] = 1000,
    actor: _Exactly = None,
    action: _Exactly = None,
    subject: _Exactly = None,
    since: Annotated[
        datetime | None, QueryParameter(description="Entries of what happened then or later.")
    ] = None,
    until: Annotated[
        datetime | None, QueryParameter(description="Entries of what happened before then.")
    ] = None,
) -> ASGIApp:
    """Read the audit trail, by its sequence.

    As `application/x-ndjson` each line is an entry: the sequence of the last is the next `after`. That the
    trail is read is recorded in it, once a second for each reader. Who does not see patients' identifiers
    gets `[redacted]` in place of the reasons that people typed.
    """
    media_type = chosen_or_refused(request.scope, JSON, NDJSON)
    wanted = Wanted(
        actor=actor,
        action=action,
        subject=subject,
        since=_utc(since),
        until=_utc(until),
    )
    found, latest = await services.store.read(_read, wanted, after, limit)
    sight = services.sights.of(request.user)
    found = [sight.line(line) for line in found]
    if media_type == NDJSON:
        return PlainAnswer(b"".join(msgspec.json.encode(line) + b"\n" for line in found), media_type=NDJSON)
    following = max((line.sequence for line in found), default=after)
    page = AuditPage(found, following if len(found) == limit else max(following, latest), latest)
    return PlainAnswer(msgspec.json.encode(page), media_type=JSON)


def _read(transaction: ReadTransaction, wanted: Wanted, after: int, limit: int) -> tuple[list[Line], int]:
    head = audit_rows.end(transaction)
    return audit_trail.lines(transaction, wanted, after=after, limit=limit), head.sequence if head else 0


def _utc(time: datetime | None) -> datetime | None:
    """A time without an offset is in UTC."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
