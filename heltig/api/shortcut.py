"""The short way for what archives ask thousands of times: the look-up of one study.

Finding the route, its parameters and its dependencies costs three times what the answer itself does. So the
plain case (GET, no query, a study that is known, somebody who may) is answered here, by the same functions.
Everything else takes the usual way, which knows how to refuse, and what to say of it.
"""

from typing import Final

from litestar.types import HTTPScope, Receive, Send

from heltig.api.access import admit
from heltig.api.answers import chosen, header
from heltig.api.consult import consult_answer
from heltig.api.readiness import REPRESENTATIONS, readiness_answer
from heltig.api.services import Services
from heltig.errors import HeltigError

_READINESS: Final = "/dicom-web/studies/{study}/readiness"
_CONSULT: Final = "/consult/studies/{study}"
_LOOK_UPS: Final = [(template, *template.split("{study}")) for template in (_READINESS, _CONSULT)]


async def answered_shortly(scope: HTTPScope, receive: Receive, send: Send) -> bool:
    """Answers a plain look-up; False, and nothing done, for everything else."""
    if scope["method"] != "GET" or scope["query_string"]:
        return False
    template, study = _look_up(scope["path"])
    if not study or "%" in study:
        return False
    services: Services = scope["litestar_app"].state["services"]
    try:
        _, refused = await admit(scope, services, "GET", template)
        found = [] if refused else await services.lookups.find(study)
    except HeltigError:
        return False
    if not found:
        return False
    scope["path_template"] = template  # for whoever counts requests
    if template == _CONSULT:
        await consult_answer(scope, found, services)(scope, receive, send)
    elif media_type := chosen(header(scope, b"accept"), *REPRESENTATIONS):
        await readiness_answer(found, services, media_type=media_type)(scope, receive, send)
    else:
        return False
    return True


def _look_up(path: str) -> tuple[str, str]:
    """The route of a look-up and the study it asks for; the study is empty for other paths."""
    for template, before, after in _LOOK_UPS:
        if path.startswith(before) and path.endswith(after):
            study = path[len(before) : len(path) - len(after)]
            return template, "" if "/" in study else study
    return "", ""
