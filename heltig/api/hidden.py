"""Refuses who asks for identifiers that they do not see, and notes it."""

from typing import Any

from litestar import Request

from heltig.api.problems import RefusedError
from heltig.api.services import Services
from heltig.auth.policy import Refusal
from heltig.pipeline.identifiers.sights import RULE, HiddenError, Sight
from heltig.store.study_query import StudyQuery


async def insist_on_seeing(
    request: Request[Any, Any, Any], services: Services, sight: Sight, query: StudyQuery, *, route: str
) -> StudyQuery:
    """A search, as it is asked of the database.

    Args:
        request: Who asks.
        services: The application's.
        sight: What they see.
        query: What they look for.
        route: The route, for the audit trail.

    Raises:
        RefusedError: They look for identifiers that they do not see: the answer would tell them. It is in the
            audit trail.
        UsageError: They look for a part of what is hashed.
    """
    try:
        return sight.query(query)
    except HiddenError as hidden:
        raise await noted(request, services, hidden, route=route) from hidden


async def noted(
    request: Request[Any, Any, Any], services: Services, hidden: HiddenError, *, route: str
) -> RefusedError:
    """Notes in the audit trail that somebody asked for identifiers that they do not see.

    Args:
        request: Who asked.
        services: The application's.
        hidden: What they were refused with.
        route: The route.

    Returns:
        What they are answered.
    """
    origin = request.client.host if request.client else ""
    user = request.scope.get("user")
    actor = user.name if user is not None else ""
    refused = Refusal(RULE, hidden.detail)
    await services.refusals.note(refused, actor=actor, origin=origin, route=route, at=services.clock())
    return RefusedError(hidden, RULE)
