"""`/api/v1/uploads`: uploads in several requests, as tus 1.0.0 has them (https://tus.io/protocols/resumable-upload).

Core protocol, creation, expiration and termination. Beyond it, GET says what became of an upload.
"""

import re
from base64 import b64decode
from binascii import Error as NoBase64
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import HttpMethod, Request, Response, delete, patch, post, route
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import FromPath, HeaderParameter, QueryParameter

from heltig.api.problems import from_heltig, responses
from heltig.api.services import Services
from heltig.api.v1.jobs import JobView
from heltig.api.v1.upload import (
    JudgedUpload,
    Target,
    UploadedStudy,
    UploadView,
    what_became,
)
from heltig.api.v1.upload_body import MediaTypeError
from heltig.auth.principal import Principal
from heltig.errors import HeltigError, NotFoundError, UsageError
from heltig.pipeline.upload.open_uploads import Announced, OpenUpload
from heltig.pipeline.upload.resuming import refusal
from heltig.pipeline.upload.uploads import Accepted, Sender
from heltig.store import uploads
from heltig.verdict import Readiness

VERSION: Final = "1.0.0"
PIECE_TYPE: Final = "application/offset+octet-stream"
MOST_SECONDS: Final = 300

Caller = Request[Principal, Any, Any]
_NUMBER: Final = "^[0-9]{1,16}$"  # as a number the framework would take 1e3, too
Length = Annotated[
    str, HeaderParameter(name="Upload-Length", pattern=_NUMBER, description="Of all, in bytes.")
]
Offset = Annotated[
    str, HeaderParameter(name="Upload-Offset", pattern=_NUMBER, description="Where the upload ends now.")
]
Metadata = Annotated[
    str,
    HeaderParameter(
        name="Upload-Metadata",
        max_length=4096,
        description="`sha256` and, in base64, the SHA-256 of all as 64 hex digits. Other keys are not read.",
    ),
]
Wait = Annotated[int, QueryParameter(ge=0, le=MOST_SECONDS, description="Seconds to wait for the verdicts.")]


class OpenUploadView(msgspec.Struct, frozen=True):
    """An upload in several requests.

    Attributes:
        offset: How many of its bytes are on disk.
        length: How many there are in all.
        expires: When it is removed, unless more comes.
        upload: What it became once all had come; null before.
        job: That judges it.
        readiness: The worst of its studies', and of what was found about the ZIP itself; null until then.
        studies: The worst first, at most 1000; none until it is judged.
    """

    offset: int
    length: int
    expires: datetime
    upload: UploadView | None = None
    job: JobView | None = None
    readiness: Readiness | None = None
    studies: list[UploadedStudy] = []


class VersionError(UsageError):
    """The client speaks another version of tus."""

    status = 412
    problem_type = "/problems/tus-version"
    title = "Version of tus not supported"


@dataclass
class _PieceOperation(Operation):
    """The request body, for OpenAPI: it is read as it streams in."""

    def __post_init__(self) -> None:
        piece = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
        self.request_body = RequestBody({PIECE_TYPE: piece}, description="What follows.", required=True)


def _problem(request: Request[Any, Any, Any], error: HeltigError) -> Response[Any]:
    answer = from_heltig(request, error)
    answer.headers["Tus-Resumable"] = VERSION
    if isinstance(error, VersionError):
        answer.headers["Tus-Version"] = VERSION
    return answer


_OPTIONS: Final[dict[str, Any]] = {"exception_handlers": {HeltigError: _problem}, "tags": ["Uploads"]}
_HEADERS: Final = [
    ResponseHeader(name="Upload-Offset", description="How many bytes are on disk.", documentation_only=True),
    ResponseHeader(name="Upload-Expires", description="When it is removed.", documentation_only=True),
]


@route(
    ["/api/v1/uploads", "/api/v1/uploads/{id:str}"],
    http_method=HttpMethod.OPTIONS,
    status_code=204,
    include_in_schema=False,
)
async def uploads_can(request: Caller, services: NamedDependency[Services]) -> Response[None]:
    """Say what of tus is spoken."""
    is_one = request.scope["path_template"].endswith("}")
    headers = {
        "Allow": "GET, HEAD, PATCH, DELETE, OPTIONS" if is_one else "POST, OPTIONS",
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,expiration,termination",
        "Tus-Max-Size": str(int(services.settings.upload_max_size)),
    }
    return Response(None, status_code=204, headers=headers)


@post(
    "/api/v1/uploads",
    status_code=201,
    response_headers=_HEADERS,
    responses={
        201: ResponseSpec(None, description="Location is where to send it"),
        **responses(400, 401, 403, 404, 412, 413, 503),
    },
    **_OPTIONS,
)
async def begin_upload(
    request: Caller,
    services: NamedDependency[Services],
    length: Length,
    metadata: Metadata = "",
    target: Target = "",
) -> Response[None]:
    """Begin an upload of a ZIP in several requests, as tus has it.

    Where its SHA-256 is said, the same upload begun again is the one that was begun: `Upload-Offset` says how
    much of it is here. An upload to which nothing comes for a day is removed.
    """
    _see_version(request)
    announced = Announced(
        owner=request.user.name, length=int(length), digest=_digest(metadata), target=target
    )
    found = await services.resuming.begin(announced)
    headers = {**_headers(found), "Location": f"/api/v1/uploads/{found.id}"}
    return Response(None, status_code=201, headers=headers)


@route(
    "/api/v1/uploads/{id:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    response_headers=_HEADERS,
    responses={
        200: ResponseSpec(OpenUploadView, generate_examples=False, description="How it stands"),
        **responses(400, 401, 403, 404, 409, 412, 413, 422, 503),
    },
    **_OPTIONS,
)
async def show_upload(
    request: Caller, services: NamedDependency[Services], id: FromPath[str], wait: Wait = 0
) -> Response[OpenUploadView | None]:
    """Show how much of an upload is here and, once all of it is, what became of it.

    With `wait` the answer comes when it is judged, or when that time is over. What was refused is answered
    with the reason. HEAD answers at once.
    """
    _see_version(request)
    found = await services.resuming.find(id, owner=request.user.name)
    if found.end is not None and found.end.status:
        raise refusal(found.end)
    view = OpenUploadView(found.offset, found.announced.length, found.expires)
    if found.end is not None and request.method != "HEAD":
        upload = await services.store.read(uploads.find, found.end.upload)
        if upload is None:
            raise NotFoundError("This upload is not here any more. Begin it again.")
        accepted = Accepted(upload, is_repeat=found.end.is_repeat)
        sight = services.sights.of(request.user)
        said = await what_became(services, accepted, within=wait, sight=sight)
        view = msgspec.structs.replace(view, upload=said.upload, job=said.job)
        if isinstance(said, JudgedUpload):
            view = msgspec.structs.replace(view, readiness=said.readiness, studies=said.studies)
    return Response(view, status_code=200, headers=_headers(found))


@patch(
    "/api/v1/uploads/{id:str}",
    status_code=204,
    request_max_body_size=None,
    operation_class=_PieceOperation,
    response_headers=_HEADERS,
    responses=responses(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
    **_OPTIONS,
)
async def add_to_upload(
    request: Caller, services: NamedDependency[Services], id: FromPath[str], offset: Offset
) -> Response[None]:
    """Add bytes to an upload at its end. With the last one it is a durable job; GET says which.

    What came of a request that breaks off is kept. Of two requests for one upload the later one goes on.
    """
    _see_version(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != PIECE_TYPE:
        raise MediaTypeError(f"Send bytes as {PIECE_TYPE}.")
    client = request.client
    sender = Sender(request.user.name, client.host if client else "")
    found = await services.resuming.append(id, request.stream(), offset=int(offset), sender=sender)
    return Response(None, status_code=204, headers=_headers(found))


@delete(
    "/api/v1/uploads/{id:str}", status_code=204, responses=responses(400, 401, 403, 404, 412, 503), **_OPTIONS
)
async def forget_upload(
    request: Caller, services: NamedDependency[Services], id: FromPath[str]
) -> Response[None]:
    """Remove what is here of an upload. One of which all came has become a job, which goes on."""
    _see_version(request)
    await services.resuming.remove(id, owner=request.user.name)
    return Response(None, status_code=204, headers={"Tus-Resumable": VERSION})


def _see_version(request: Caller) -> None:
    if request.headers.get("tus-resumable", VERSION) != VERSION:
        raise VersionError(f"Tus-Resumable: version {VERSION} is spoken here.")


def _digest(metadata: str) -> str:
    """The SHA-256 in Upload-Metadata, empty where it is not there."""
    for pair in metadata.split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "sha256":
            try:
                digest = b64decode(value, validate=True).decode("ascii").lower()
            except (NoBase64, UnicodeDecodeError):
                digest = ""
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise UsageError("Upload-Metadata: sha256 is 64 hex digits, in base64.")
            return digest
    return ""


def _headers(found: OpenUpload) -> dict[str, str]:
    return {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(found.offset),
        "Upload-Length": str(found.announced.length),
        "Upload-Expires": format_datetime(found.expires, usegmt=True),
        "Cache-Control": "no-store",
    }
