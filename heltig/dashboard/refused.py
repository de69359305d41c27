"""Forms that were refused: shown again by a GET, with what was typed and what is wrong with it.

So the browser's history has no answer to a POST that it would have to send again for Back or Reload.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec
from litestar.response import Redirect

from heltig.dashboard.kept import Kept, LostError
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest

ANSWERS: Final = "answers"
"""The parameter that names what was typed."""


class Refused(msgspec.Struct, frozen=True):
    """A form that was refused; an empty one where none was.

    Attributes:
        typed: What was typed, by field.
        wrong: What is wrong with it, by field.
    """

    typed: Mapping[str, str] = {}
    wrong: Mapping[str, str] = {}


_FORMS: Final = Kept[Refused]("refused", called="form")


def refuse(
    request: AnyRequest, *, typed: Mapping[str, str], wrong: Mapping[str, str], to: str = ""
) -> Redirect:
    """Leads back to the page of a form, which then says what is wrong.

    Args:
        request: The request that sent it.
        typed: What was typed, without what nobody may keep.
        wrong: What is wrong with it.
        to: The page of the form, relative to the address of the request; that address itself where there
            is none.
    """
    id = _FORMS.put(request, Refused(dict(typed), dict(wrong)))
    place, _, fragment = to.partition("#")
    if place:
        address = f"{place}{'&' if '?' in place else '?'}{urlencode({ANSWERS: id})}"
    else:
        given = {name: text for name, text in request.query_params.items() if name != ANSWERS}
        address = f"?{urlencode({**given, ANSWERS: id})}"
    if fragment:
        address = f"{address}#{fragment}"
    return Redirect(address, status_code=303, headers=dict(FORM_HEADERS))


def refused(request: AnyRequest) -> Refused:
    """The form that an address names; an empty one where it names none, or one that is kept no more."""
    id = request.query_params.get(ANSWERS, "")
    if not id:
        return Refused()
    try:
        return _FORMS.get(request, id)
    except LostError:
        request.state.form_lost = True
        return Refused()
