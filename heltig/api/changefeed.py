"""`/dicom-web/changefeed`: how studies came to stand as they do, in commit order and without gaps."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import HttpMethod, Request, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.types import ASGIApp

from heltig.api.answers import JSON, TaggedAnswer, chosen_or_refused
from heltig.api.problems import WrongField, WrongParametersError, responses
from heltig.api.services import Services
from heltig.pipeline.telling.change_view import ChangeView, view_of
from heltig.store import changes
from heltig.store.changes import Change
from heltig.store.transaction import ReadTransaction

_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)

Since: TypeAlias = Annotated[
    int, QueryParameter(ge=0, le=2**53, description="The last sequence that the client has; 0 for the first.")
]
Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=10_000, description="The most changes.")]
StartTime: TypeAlias = Annotated[
    datetime | None, QueryParameter(name="startTime", description="Changes made then or later.")
]
EndTime: TypeAlias = Annotated[
    datetime | None, QueryParameter(name="endTime", description="Changes made before then.")
]


class ChangesView(msgspec.Struct, frozen=True):
    """Some changes, oldest first.

    Attributes:
        changes: The changes.
        next: The `since` to ask with next time.
        latest: The sequence of the last change there is: nothing is left once `next` is that.
    """

    changes: list[ChangeView]
    next: int
    latest: int


_OPERATION: Final[dict[str, Any]] = {
    "http_method": [HttpMethod.GET, HttpMethod.HEAD],
    "responses": {
        200: ResponseSpec(ChangesView, generate_examples=False, description="Changes, oldest first"),
        304: ResponseSpec(None),
        **responses(400, 401, 403, 406, 503),
    },
    "tags": ["DICOMweb"],
}


@route("/dicom-web/changefeed", **_OPERATION)
async def change_feed(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    since: Since = 0,
    limit: Limit = 100,
    startTime: StartTime = None,
    endTime: EndTime = None,
) -> ASGIApp:
    """Read what changed.

    Remember `next`, and ask with it as `since` again: nothing is missed, and nothing comes twice. A window
    of time picks some of the changes; `next` leads through those.
    """
    chosen_or_refused(request.scope, JSON)
    window = (_utc(startTime or _FIRST), _utc(endTime or _LAST)) if startTime or endTime else None
    found, first, latest = await services.store.read(_read, since, limit, window)
    refuse_what_is_not_there(since, first, latest)
    end = found[-1].sequence if found else since
    return _answer(found, end if len(found) == limit or not window else max(end, latest), latest)


def refuse_what_is_not_there(since: int, first: int, latest: int) -> None:
    """Tells a client that it has changes which the feed does not, or misses some that were purged.

    Args:
        since: The last sequence that it has; 0 for one that begins with what there is.
        first: That of the oldest change that is kept.
        latest: That of the last change.

    Raises:
        WrongParametersError: It would wait, and miss whatever gets these sequences; or it would never know.
    """
    if since > latest:
        detail = f"The feed ends at {latest}. If the database was restored from a backup, read again from 0."
        raise WrongParametersError((WrongField("since", detail, "query"),))
    if 0 < since < first - 1:
        detail = (
            f"The feed begins at {first}: what was before is not kept any more (HELTIG_KEEP_CHANGES). Ask "
            f"for the readiness of the studies that you know, and go on from {first - 1}."
        )
        raise WrongParametersError((WrongField("since", detail, "query"),))


@route("/dicom-web/changefeed/latest", **_OPERATION)
async def latest_change(request: Request[Any, Any, Any], services: NamedDependency[Services]) -> ASGIApp:
    """Read the last change alone, to begin with those that follow."""
    chosen_or_refused(request.scope, JSON)
    found, latest = await services.store.read(_latest)
    return _answer(found, latest, latest)


def _read(
    transaction: ReadTransaction, sequence: int, limit: int, window: tuple[datetime, datetime] | None
) -> tuple[list[Change], int, int]:
    first, latest = changes.first(transaction), changes.latest(transaction)
    if window is None:
        return changes.since(transaction, sequence, limit=limit), first, latest
    found = changes.within(transaction, sequence, start=window[0], end=window[1], limit=limit)
    return found, first, latest


def _latest(transaction: ReadTransaction) -> tuple[list[Change], int]:
    latest = changes.latest(transaction)
    return changes.since(transaction, latest - 1, limit=1) if latest else [], latest


def _answer(found: list[Change], following: int, latest: int) -> TaggedAnswer:
    body = msgspec.json.encode(ChangesView(list(map(view_of, found)), following, latest))
    return TaggedAnswer(body, media_type=JSON, tag=f"{following}-{latest}")


def _utc(time: datetime) -> datetime:
    """A time without an offset is in UTC; the ends of the calendar are kept from being passed."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return min(max(aware, _FIRST), _LAST)
