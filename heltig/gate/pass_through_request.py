"""What of a request is passed on to an archive: its path, its query, and few of its headers."""

import re
from typing import Final
from urllib.parse import unquote

import msgspec
from litestar.types import HTTPScope

from heltig.api.answers import chosen_or_refused
from heltig.api.readiness import REPRESENTATIONS
from heltig.errors import NotFoundError, UsageError
from heltig.gate.pass_through_resource import Resource, is_query, resource_of
from heltig.pipeline.publish import FINDINGS_TAG, MEDIA_TYPE, READINESS_TAG

_ACCEPTS: Final = ("accept-charset", "accept-language")
_CONDITIONS: Final = ("if-none-match", "if-modified-since")
_PASSED: Final = {
    "search": _ACCEPTS,
    "metadata": (*_ACCEPTS, *_CONDITIONS),
    "retrieve": (*_ACCEPTS, *_CONDITIONS, "accept", "if-match", "if-unmodified-since", "range", "if-range"),
}
"""The headers of a request that are passed on. The others are the gate's own, or nobody's."""

_MOST_HEADER: Final = 4096
_TEXT: Final = re.compile(r"[\t -~]*")
_INCLUDE: Final = "includefield="
_OURS: Final = re.compile(r"(?i:0099[0-9a-f]{4})")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request, as far as it is passed on.

    Attributes:
        resource: What is asked for.
        query: Its query, without the question mark.
        headers: By name in lower case.
        media_type: Of an answer in DICOM JSON; empty where what comes is for the archive to say.
        with_findings: Whether the findings are wanted with the verdict on a study.
    """

    resource: Resource
    query: str
    headers: dict[str, str]
    media_type: str = ""
    with_findings: bool = False

    def address(self, root: str) -> str:
        """Where an archive has it, below its root."""
        query = f"?{self.query}" if self.query else ""
        return f"{root.rstrip('/')}/{self.resource.path}{query}"


def asked_of(scope: HTTPScope) -> Asked:
    """What a request to a gate asks for.

    Raises:
        NotFoundError: There is no such resource.
        UsageError: Its query or a header cannot be passed on.
        NotAcceptableError: It wants another form than there is.
    """
    _, _, _, path = scope["raw_path"].decode("latin-1").split("/", 3)
    resource = resource_of(path)
    if resource is None:
        raise NotFoundError(
            "This is no resource of QIDO-RS or WADO-RS that a gate passes on. UIDs and names of bulk data "
            "are printable ASCII there, without slashes, percent signs or semicolons, encoded or not."
        )
    query = scope["query_string"].decode("latin-1")
    if not is_query(query):
        raise UsageError("The query is too long, or has characters that have to be percent-encoded.")
    headers = _headers(scope, resource)
    if resource.kind == "retrieve":
        return Asked(resource=resource, query=query, headers=headers)
    media_type = chosen_or_refused(scope, *REPRESENTATIONS)
    headers["accept"] = MEDIA_TYPE
    headers["accept-encoding"] = "gzip"
    if not resource.has_studies:
        return Asked(resource=resource, query=query, headers=headers, media_type=media_type)
    query, wanted = _without_ours(query)
    return Asked(
        resource=resource,
        query=query,
        headers=headers,
        media_type=media_type,
        with_findings=not wanted.isdisjoint({"all", FINDINGS_TAG}),
    )


def _headers(scope: HTTPScope, resource: Resource) -> dict[str, str]:
    found: dict[str, str] = {"accept": "*/*", "accept-encoding": "identity"}
    given: dict[str, list[str]] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in _PASSED[resource.kind]:
            given.setdefault(name, []).append(value.decode("latin-1"))
    for name, values in given.items():
        text = ", ".join(values)
        if len(text) > _MOST_HEADER or not _TEXT.fullmatch(text):
            raise UsageError(f"The header {name} is too long, or has characters that are no printable ASCII.")
        found[name] = text
    if "multipart/related" in found["accept"].lower():  # a range of it means nothing once it is rewritten
        for name in ("range", "if-range"):
            found.pop(name, None)
    return found


def _without_ours(query: str) -> tuple[str, set[str]]:
    """A query without the attributes of our private block, and all that it wants included.

    Raises:
        UsageError: It looks for studies by their verdict, which only we know.
    """
    wanted: set[str] = set()
    kept = []
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if unquote(name) in ("readiness", READINESS_TAG):
            raise UsageError(
                "The archive does not know verdicts. Search for studies by them at /dicom-web/studies."
            )
        if not part.lower().startswith(_INCLUDE):
            kept.append(part)
            continue
        fields = re.split(r",|%2[Cc]", value)
        wanted.update(fields)
        others = [field for field in fields if not _OURS.fullmatch(field)]
        if len(others) == len(fields):
            kept.append(part)
        elif others:
            kept.append(f"{name}={','.join(others)}")
    return "&".join(kept), wanted
