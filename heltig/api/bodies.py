"""JSON bodies, read as they are written: `"false"` and `0` are no boolean, `"5"` is no number.

The framework converts what a function takes as it converts query strings, where all is text.
"""

import re
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import ValidationException
from litestar.params import BodyKwarg

_PLACE: Final = re.compile(r" - at `\$(.*)`$")
_BODY: Final = "data"
"""The parameter of a function that takes the body."""


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body has the types that its route takes."""

    async def json(self) -> Any:
        """The body.

        Raises:
            ValidationException: It has not.
        """
        read = await super().json()
        field = self.route_handler.parsed_fn_signature.parameters.get(_BODY)
        if field is None or not isinstance(field.kwarg_definition, BodyKwarg):
            return read
        try:
            msgspec.convert(read, field.annotation)
        except msgspec.ValidationError as wrong:
            found = _PLACE.search(str(wrong))
            path = found[1] if found else ""
            detail = str(wrong)[: found.start()] if found else str(wrong)
            # In the framework's own form, which `heltig.api.problems` tells.
            message = {"message": detail, "key": path[1:] if path[:1] == "." else _BODY, "source": "body"}
            raise ValidationException(extra=[message]) from msgspec.ValidationError(f"`$.{_BODY}{path}`")
        return read
