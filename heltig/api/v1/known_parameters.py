"""Parameters that a route does not know are refused: ignored, a mistyped filter would list everything."""

from difflib import get_close_matches
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from heltig.api.problems import WrongField, WrongParametersError


async def refuse_unknown_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler
) -> None:
    """Guards the routes below `/api/v1`.

    DICOMweb routes are not among them: there such parameters are ignored (PS3.18 8.3). It waits for nothing:
    a guard that is no coroutine would get a thread at each request.

    Raises:
        WrongParametersError: A parameter of the query is none of the route's; it names those that are near.
    """
    if not any(path.startswith("/api/v1/") for path in route.paths):
        return
    known = {
        parameter.kwarg_definition.name or name
        for name, parameter in route.parsed_fn_signature.parameters.items()
        if isinstance(parameter.kwarg_definition, QueryParameter)
    }
    unknown = dict.fromkeys(name for name in connection.query_params if name not in known)
    if unknown:
        raise WrongParametersError(tuple(WrongField(name, _advice(name, known), "query") for name in unknown))


def _advice(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known))
    if near:
        return f"There is no such parameter. Do you mean {' or '.join(near)}?"
    if known:
        return f"There is no such parameter. There are {', '.join(sorted(known))}."
    return "There is no such parameter: this route has none."
