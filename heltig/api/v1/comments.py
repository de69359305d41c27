"""Comments on studies, and who sees to one: `/api/v1/studies/{study}/comments` and `…/owner`."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import BodyKwarg, FromPath

from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.consents import address
from heltig.api.v1.studies import at_locations, named_location
from heltig.auth.principal import Principal
from heltig.errors import NotFoundError
from heltig.pipeline.review import MOST_COMMENT, MOST_NAME, shown
from heltig.store import comments
from heltig.store.comments import Comment
from heltig.store.owners import Owner
from heltig.store.transaction import ReadTransaction

_MOST = 2**31

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class CommentView(msgspec.Struct, frozen=True, rename="camel"):
    """A comment on a study.

    Attributes:
        location: The study was looked at there.
        author: Who wrote it, as the audit trail has them.
        text: Empty once it is withdrawn; for those who see identifiers.
        withdrawn: When; null while it stands. `withdrawn_by` by whom.
    """

    id: int
    location: str
    author: str
    written: datetime
    text: str
    withdrawn: datetime | None
    withdrawn_by: str


class NewComment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A comment to be added.

    Attributes:
        text: What is said, as plain text.
        location: Where the study was looked at; the first place that has it where it is left out.
    """

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_COMMENT)]
    location: Key | None = None


class NewOwner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to see to a study.

    Attributes:
        owner: `me`, or a name as the audit trail has it, such as `user:anna`; null for nobody.
        location: There alone; everywhere where it is left out.
    """

    owner: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME)] | None
    location: Key | None = None


class OwnerView(msgspec.Struct, frozen=True, rename="camel"):
    """Who sees to a study at one location.

    Attributes:
        owner: Null for nobody.
        since: Since when; `given_by` who said so.
    """

    location: str
    owner: str | None
    since: datetime | None
    given_by: str | None


@get("/api/v1/studies/{study:str}/comments", responses=responses(400, 401, 403, 404, 503), tags=["Studies"])
async def list_comments(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], study: FromPath[str]
) -> list[CommentView]:
    """List the comments on a study, the first one first; withdrawn ones without their text."""
    found = await services.store.read(_comments, segment(study))
    return [_view(one) for one in shown(found, services.sights.of(request.user))]


@post(
    "/api/v1/studies/{study:str}/comments",
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Studies"],
)
async def add_comment(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    data: Annotated[NewComment, BodyKwarg(description="The comment.")],
) -> CommentView:
    """Comment on a study. Nobody can change a comment; its author or an admin can withdraw it."""
    key = segment(study)
    [at, *_] = await services.store.read(at_locations, key, named_location(data.location))
    made = await services.review.comment(
        at.location, key, data.text, actor=request.user.name, origin=address(request)
    )
    return _view(shown([made], services.sights.of(request.user))[0])


@delete(
    "/api/v1/studies/{study:str}/comments/{id:int}",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Studies"],
)
async def withdraw_comment(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    id: FromPath[int],
) -> CommentView:
    """Withdraw a comment: its text is gone for good, that it was there stays. For its author and admins."""
    if not 0 < id < _MOST:
        raise NotFoundError("There is no such comment on this study.")
    withdrawn = await services.review.withdraw(segment(study), id, by=request.user, origin=address(request))
    return _view(withdrawn)


@put("/api/v1/studies/{study:str}/owner", responses=responses(400, 401, 403, 404, 503), tags=["Studies"])
async def put_owner(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    data: Annotated[NewOwner, BodyKwarg(description="Who, and where.")],
) -> list[OwnerView]:
    """Take a study, give it to somebody, or drop it."""
    key, name = segment(study), request.user.name
    owner = name if data.owner == "me" else data.owner or ""
    views = []
    for found in await services.store.read(at_locations, key, named_location(data.location)):
        owned = await services.review.own(found.location, key, owner, actor=name, origin=address(request))
        views.append(_owner_view(str(found.location), owned))
    return views


def _comments(transaction: ReadTransaction, key: str) -> list[Comment]:
    at_locations(transaction, key, None)
    return comments.of_study(transaction, key)


def _view(one: Comment) -> CommentView:
    return CommentView(
        id=one.id,
        location=one.location,
        author=one.author,
        written=one.written,
        text=one.text,
        withdrawn=one.withdrawn,
        withdrawn_by=one.withdrawn_by,
    )


def _owner_view(location: str, owner: Owner | None) -> OwnerView:
    if owner is None:
        return OwnerView(location, None, None, None)
    return OwnerView(location, owner.name, owner.since, owner.given_by)
