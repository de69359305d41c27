"""`POST /api/v1/jobs/upload`: judge the studies in a ZIP, and answer when that is done; or queue them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import QueryParameter

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.jobs import JobView, job_view
from heltig.api.v1.study_views import FindingView, StudyView, finding_view, study_view
from heltig.api.v1.upload_body import FORM_TYPE, ZIP_TYPES, zip_chunks
from heltig.auth.principal import Principal
from heltig.errors import ConflictError, StorageError, UnreadableInputError
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.upload.uploads import ENDED, Accepted, Sender
from heltig.store import verdicts
from heltig.store.jobs import Job
from heltig.store.records import Location
from heltig.store.search import search
from heltig.store.study_query import StudyQuery
from heltig.store.transaction import ReadTransaction
from heltig.store.uploads import location_of
from heltig.verdict import Readiness, worst

WAIT_SECONDS: Final = 300.0
"""How long a request waits for its upload to be judged before it is answered like a queued one."""

_MOST_STUDIES: Final = 1000

Target = Annotated[
    str, QueryParameter(description="The archive that the studies are meant for.", max_length=128)
]


class UploadView(msgspec.Struct, frozen=True):
    """An upload.

    Attributes:
        location: Where its studies are found: `upload:NAME`.
        sha256: Of the bytes as they were sent.
        size: In bytes.
        target: The archive it is meant for; empty for none.
        repeat: The same bytes were sent before: this is that upload, and its job.
    """

    location: str
    sha256: str
    size: int
    received: datetime
    target: str
    repeat: bool


class UploadedStudy(msgspec.Struct, frozen=True):
    """A study out of an upload with its findings."""

    study: StudyView
    findings: list[FindingView]


class QueuedUpload(msgspec.Struct, frozen=True):
    """An upload that is on disk, and the job that judges it."""

    upload: UploadView
    job: JobView


class JudgedUpload(msgspec.Struct, frozen=True):
    """A judged upload.

    Attributes:
        readiness: The worst of its studies', and of what was found about the ZIP itself.
        studies: The worst first, at most 1000.
    """

    upload: UploadView
    job: JobView
    readiness: Readiness
    studies: list[UploadedStudy]


_READINESS: Final[dict[str, Readiness]] = {"block": "BLOCKED", "review": "NEEDS_REVIEW"}


def _of_the_zip(job: Job) -> list[Readiness]:
    """What the findings about the ZIP itself lead to, as in `heltig check`."""
    found = (job.result or {}).get("findings", ())
    return [_READINESS[f["severity"]] for f in found if f["severity"] in _READINESS]


@dataclass
class _UploadOperation(Operation):
    """The request body, for OpenAPI: it is read as it streams in."""

    def __post_init__(self) -> None:
        binary = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        form = Schema(type=OpenAPIType.OBJECT, properties={"file": binary}, required=["file"])
        content = {kind: OpenAPIMediaType(schema=binary) for kind in ZIP_TYPES}
        self.request_body = RequestBody(
            {**content, FORM_TYPE: OpenAPIMediaType(schema=form)}, description="A ZIP.", required=True
        )


_REFUSALS: Final = responses(400, 401, 403, 404, 413, 415, 422, 503)


@post(
    "/api/v1/jobs/upload",
    request_max_body_size=None,
    operation_class=_UploadOperation,
    responses={
        200: ResponseSpec(JudgedUpload, generate_examples=False, description="Sent before, judged then"),
        202: ResponseSpec(QueuedUpload, generate_examples=False, description="Still being judged"),
        **_REFUSALS,
    },
    tags=["Jobs"],
)
async def upload(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], target: Target = ""
) -> Response[JudgedUpload | QueuedUpload]:
    """Judge the studies in a ZIP and answer with their verdicts.

    The upload is a durable job from the moment it is received: if the connection breaks, it is judged all the
    same, and the same bytes sent again are answered with it.
    """
    accepted = await _take(request, services, target)
    sight = services.sights.of(request.user)
    said = await what_became(services, accepted, within=WAIT_SECONDS, sight=sight)
    if isinstance(said, QueuedUpload):
        return _queued(said)
    return Response(said, status_code=200 if accepted.is_repeat else 201, headers=_headers(said.job))


@post(
    "/api/v1/jobs/upload/async",
    request_max_body_size=None,
    status_code=202,
    operation_class=_UploadOperation,
    responses={
        200: ResponseSpec(QueuedUpload, generate_examples=False, description="Sent before"),
        **_REFUSALS,
    },
    tags=["Jobs"],
)
async def upload_async(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], target: Target = ""
) -> Response[QueuedUpload]:
    """Receive a ZIP and queue it to be judged: the answer has the job to ask about."""
    accepted = await _take(request, services, target)
    job = await services.uploads.ended(accepted.upload.job, within=0)
    return _queued(QueuedUpload(_upload_view(accepted), job_view(job)))


async def what_became(
    services: Services, accepted: Accepted, *, within: float, sight: Sight
) -> JudgedUpload | QueuedUpload:
    """What became of an upload, once it is judged, or after so many seconds.

    Args:
        services: The running service.
        accepted: The upload.
        within: The seconds.
        sight: What whoever asks sees of patients.

    Raises:
        HeltigError: Its job ended without a verdict.
    """
    job = await services.uploads.ended(accepted.upload.job, within=within)
    queued = QueuedUpload(_upload_view(accepted), job_view(job))
    if job.state not in ENDED:
        return queued
    _see_that_it_succeeded(job)
    at = location_of(accepted.upload.name)
    studies = await services.store.read(_studies, at, services.clock(), sight)
    if any(s.study.state == "PENDING" for s in studies):  # judged then, and to be judged again now
        return queued
    readiness = worst([*(s.study.readiness for s in studies if s.study.readiness), *_of_the_zip(job)])
    return JudgedUpload(queued.upload, queued.job, readiness, studies)


async def _take(request: Request[Principal, Any, Any], services: Services, target: str) -> Accepted:
    client = request.client
    sender = Sender(request.user.name, client.host if client else "")
    chunks = zip_chunks(request, limit=services.settings.upload_max_size)
    return await services.uploads.take(chunks, target=target, sender=sender)


def _queued(said: QueuedUpload) -> Response[Any]:
    return Response(
        said,
        status_code=200 if said.upload.repeat and said.job.state in ENDED else 202,
        headers=_headers(said.job),
    )


def _see_that_it_succeeded(job: Job) -> None:
    if job.state == "failed":
        raise UnreadableInputError(job.error or f"Job {job.id} failed.")
    if job.state == "cancelled":
        raise ConflictError(f"Job {job.id}, which was to judge this upload, was cancelled.")
    if job.state == "dead":
        raise StorageError(f"Job {job.id} failed time after time: {job.error} It can be retried.")


def _studies(transaction: ReadTransaction, at: Location, now: datetime, sight: Sight) -> list[UploadedStudy]:
    found = search(transaction, StudyQuery(locations=(at,)), now=now, limit=_MOST_STUDIES, order="worst")
    uploaded = []
    for study in found:
        stored = verdicts.current(transaction, at, study.study_key)
        findings = sight.findings(stored.verdict.findings if stored else ())
        views = [finding_view(finding, str(at)) for finding in findings]
        uploaded.append(UploadedStudy(study_view(sight.study(study)), views))
    return uploaded


def _upload_view(accepted: Accepted) -> UploadView:
    one = accepted.upload
    return UploadView(
        location=str(location_of(one.name)),
        sha256=one.digest,
        size=one.size,
        received=one.received,
        target=one.target,
        repeat=accepted.is_repeat,
    )


def _headers(job: JobView) -> dict[str, str]:
    return {"Location": f"/api/v1/jobs/{job.id}"}
