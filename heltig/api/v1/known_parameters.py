"""Parameters that a route does not know, or has twice, are refused: ignored, a filter would list too much."""

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
        WrongParametersError: A parameter of the query is none of the route's; it names those that are
            near. Or one that has one value is given twice.
    """
    if not any(path.startswith("/api/v1/") for path in route.paths):
        return
    known = {
        parameter.kwarg_definition.name or name: any(
            one.is_non_string_collection for one in (parameter, *parameter.inner_types)
        )
        for name, parameter in route.parsed_fn_signature.parameters.items()
        if isinstance(parameter.kwarg_definition, QueryParameter)
    }
    unknown = dict.fromkeys(name for name in connection.query_params if name not in known)
    wrong = [WrongField(name, _advice(name, set(known)), "query") for name in unknown]
    wrong += [
        WrongField(name, "It is given more than once, and can have one value.", "query")
        for name, is_many in known.items()
        if not is_many and len(connection.query_params.getall(name, [])) > 1
    ]
    if wrong:
        raise WrongParametersError(tuple(wrong))


def _advice(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known))
    if near:
        return f"There is no such parameter. Do you mean {' or '.join(near)}?"
    if known:
        return f"There is no such parameter. There are {', '.join(sorted(known))}."
    return "There is no such parameter: this route has none."
