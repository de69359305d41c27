"""Notes who looks at patient data, for the audit trail. Which routes show some stands in the policy.

Routes that show many studies say which, by `shows`, before they send them.
"""

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from heltig.api.services import Services
from heltig.audit.batches import MOST, Kind
from heltig.auth.policy import Look, look_at
from heltig.standard.dictionary import tag_of

OTHER: Final = "other"
"""Stands for keys, and studies, that are none we know: they may be anything that somebody typed."""

_UID: Final = re.compile(r"[0-9.]{1,64}", re.ASCII)
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_OURS: Final = frozenset(
    {
        "accept", "action", "actor", "after", "age", "archive", "backfill", "before", "differences",
        "emptyvaluematching", "format", "from", "fuzzymatching", "includefield", "limit", "location",
        "manufacturer", "modality", "model", "multiplevaluematching", "offset", "owner", "page", "readiness",
        "redact", "rule", "severity", "since", "sort", "state", "station", "study", "subject", "text", "to",
        "until",
    }
)  # fmt: skip

_SHOWN: Final = "shown_studies"


def shows(scope: Scope, studies: Iterable[str]) -> None:
    """Says which studies an answer shows, so that the audit trail names them.

    Args:
        scope: Of the request.
        studies: Their keys, before what is said of them is sent.
    """
    scope["state"].setdefault(_SHOWN, []).extend(studies)


class Looks(ASGIMiddleware):
    """Stands behind `Access`: who asks is known."""

    scopes = (ScopeType.HTTP, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Notes a look when its answer begins, and the studies in it before they are sent.

        Where there is no room for it, it is not answered; an answer that is long breaks off.
        """
        template = scope["path_template"]
        look = look_at(str(scope.get("method")), template)
        if look is None:
            await next_app(scope, receive, send)
            return
        services: Services = scope["litestar_app"].state["services"]
        await services.batches.make_room()
        kind: Kind | None = None

        async def noting(message: Message) -> None:
            nonlocal kind
            if message["type"] == "http.response.start" and kind is None:
                kind = _note(scope, services, look, f"GET {template}", int(message["status"]))
            shown = scope["state"].pop(_SHOWN, ())
            if shown and kind is not None and kind.outcome == "success":
                for start in range(0, len(shown), MOST):
                    await services.batches.make_room()
                    services.batches.name(kind, shown[start : start + MOST])
            await send(message)

        await next_app(scope, receive, noting)


def _note(scope: Scope, services: Services, look: Look, route: str, status: int) -> Kind:
    client = scope.get("client")
    parameters: dict[str, Any] = scope.get("path_params", {})
    study = str(parameters.get("study", ""))
    is_shown = status < 400
    kind = Kind(
        actor=scope["user"].name,
        origin=client[0] if client else "",
        action="audit.read" if look == "audit" else "patient.look" if study else "patient.search",
        subject=route,
        outcome="success" if is_shown else "failure",
    )
    keys = () if study else names_of(scope["query_string"])
    if study and not is_shown and not _UID.fullmatch(study):
        study = OTHER  # of what we know each study is named, of what somebody typed only a UID
    services.batches.note(kind, study=study, keys=keys)
    return kind


def names_of(query: bytes) -> Iterable[str]:
    """The names of the parameters of a search, each once, as far as they are keys of DICOM or ours."""
    names = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    return dict.fromkeys(name if _is_known(name) else OTHER for name in names)


def _is_known(name: str) -> bool:
    """Whether a name is one of ours, or a DICOM attribute's: keyword or tag, nested ones with dots."""
    parts = name.split(".")
    return name.lower() in _OURS or all(_TAG.fullmatch(part) or _is_keyword(part) for part in parts)


def _is_keyword(name: str) -> bool:
    try:
        return bool(tag_of(name))
    except KeyError:
        return False
