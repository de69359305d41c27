"""`POST /gate/{archive}/studies`: objects for an archive, taken by the gate before it (PS3.18 10.5)."""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from multipart import parse_options_header  # type: ignore[import-untyped]  # it has no type information

from connectors.stow.multipart import MultipartError, MultipartReader
from heltig.api.answers import chosen
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.upload_body import MediaTypeError
from heltig.auth.principal import Principal
from heltig.errors import ArchiveError, ArchiveUnavailableError, ConfigurationError, UsageError
from heltig.gate.archive_errors import without_address
from heltig.gate.body import Incoming, Part, Rejected
from heltig.gate.response import (
    JSON,
    MEDIA_TYPES,
    XML,
    Told,
    as_json,
    as_xml,
    response_of,
    status_of,
    warning_of,
)
from heltig.pipeline.gate import refusal_codes as codes
from heltig.pipeline.gate.custody import Custody
from heltig.pipeline.gate.received import Gate, Received

AT_ONCE: Final = 512 * 1024
"""Bytes that are written at once, in a thread: one change of threads for each."""

BATCH_OBJECTS: Final = 64
BATCH_BYTES: Final = 8 * 1024 * 1024
"""So much is taken into custody at once, while more comes."""

FIRST_BATCH: Final = 8
"""The first batch is so many times smaller, and each twice the one before: the archive begins early."""

BATCHES_AT_A_TIME: Final = 3
"""Batches of a request that are judged or forwarded at the same time."""

RETRY_SECONDS: Final = 30.0
"""After so long a sender may try again, where the archive does not say."""

MOST_SECONDS: Final = 6 * 3600.0
MIN_BYTES_PER_SECOND: Final = 1024
RATE_WINDOW_SECONDS: Final = 30.0

_OTHER_TYPES: Final = ("application/dicom+json", "application/dicom+xml")


class SlowSenderError(UsageError):
    """The sender is silent in the middle of a request, or as good as silent."""

    status = 408
    problem_type = "/problems/request-timeout"
    title = "Request too slow"


class GateClosedError(ArchiveUnavailableError):
    """The archive behind the gate takes nothing now."""

    status = 503


@post(
    ["/gate/{archive:str}/studies", "/gate/{archive:str}/studies/{study:str}"],
    status_code=200,
    request_max_body_size=None,
    responses={
        202: ResponseSpec(None, generate_examples=False, description="Some are stored", media_type=JSON),
        **responses(400, 401, 403, 404, 408, 409, 413, 415, 503),
    },
    tags=["Gate"],
)
async def store_instances(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    archive: FromPath[str],
    study: FromPath[str | None] = None,
) -> Response[bytes]:
    """Store instances through the gate before an archive.

    The body is `multipart/related` with parts of type `application/dicom`. Whatever its status, an answer in
    `application/dicom+json` says of each instance what became of it; any other answer leaves it open, and
    everything may be sent again: the same bytes sent again are stored, not refused.
    """
    boundary = _boundary(request)
    gate = await services.gate.open(archive)
    settings = services.settings
    incoming = Incoming(
        MultipartReader(boundary, most_parts=settings.gate_max_parts),
        services.gate.spool,
        gate.archive,
        most=settings.gate_max_size,
        most_part=settings.member_max_size,
        study=None if study is None else segment(study),
    )
    taking = _Taking(
        services.gate,
        gate,
        sender=request.user.name,
        request=str(request.scope["state"].get("request_id", "")),
    )
    try:
        async with aclosing(_pieces(request, silence=settings.gate_read_seconds)) as pieces:
            async for piece in pieces:
                await taking.add(await asyncio.to_thread(incoming.feed, piece))
        incoming.close()
        told = await taking.finish()
    except BaseException as error:
        incoming.abandon()
        await taking.abandon()
        if isinstance(error, ArchiveError | ConfigurationError):
            said = without_address(error, gate.archive, request=taking.request)
            raise GateClosedError(said.detail, retry_after=said.retry_after or RETRY_SECONDS) from error
        raise
    if not told:
        raise MultipartError("The body has no part.")
    return _answer(request, services, gate, told)


class _Taking:
    """The parts of one request: handed over a batch at a time, while the next one comes.

    Attributes:
        request: Names the request in logs and in the audit trail.
    """

    def __init__(self, custody: Custody, gate: Gate, *, sender: str, request: str) -> None:
        self._custody = custody
        self._gate = gate
        self._sender = sender
        self.request = request
        self._told: list[Told] = []
        self._whole = deque[Part]()
        self._batch: list[Received] = []
        self._size = 0
        self._part_of_batch = FIRST_BATCH
        self._under_way = deque[tuple[set[str], asyncio.Task[list[Told]]]]()

    async def add(self, parts: list[Part]) -> None:
        """Takes parts that are whole."""
        self._whole.extend(parts)
        while self._whole:
            part = self._whole.popleft()
            if isinstance(part, Rejected):
                self._told.append(
                    Told(
                        sop_class_uid=part.sop_class_uid,
                        sop_instance_uid=part.sop_instance_uid,
                        code=part.code,
                        comment=codes.MEANINGS[part.code][:64],
                    )
                )
                continue
            self._batch.append(part)
            self._size += part.size
            share = self._part_of_batch
            if len(self._batch) * share >= BATCH_OBJECTS or self._size * share >= BATCH_BYTES:
                await self._hand_over()
                self._part_of_batch = max(1, share // 2)

    async def finish(self) -> list[Told]:
        """Hands over what is left; what is told of all parts."""
        await self._hand_over()
        while self._under_way:
            await self._collect()
        return self._told

    async def abandon(self) -> None:
        """Lets go of what was not handed over; what was is seen through."""
        paths = [one.path for one in (*self._whole, *self._batch) if isinstance(one, Received)]
        await asyncio.to_thread(self._custody.spool.remove, paths)
        if tasks := [task for _, task in self._under_way]:
            await asyncio.wait(tasks)  # which cancels none of them, whatever happens to this one
        for task in tasks:
            task.exception()

    async def _hand_over(self) -> None:
        uids = {one.sop_instance_uid for one in self._batch}
        # Of what has one UID the archive keeps the last: that goes after those before it, not beside them.
        while len(self._under_way) >= BATCHES_AT_A_TIME or any(uids & them for them, _ in self._under_way):
            await self._collect()
        if self._batch:
            batch, self._batch, self._size = self._batch, [], 0
            self._under_way.append((uids, asyncio.create_task(self._take(batch))))

    async def _collect(self) -> None:
        told = await asyncio.shield(self._under_way[0][1])
        self._under_way.popleft()
        self._told.extend(told)

    async def _take(self, batch: list[Received]) -> list[Told]:
        decisions = await self._custody.take(self._gate, batch, sender=self._sender, request=self.request)
        return [
            Told(
                sop_class_uid=one.sop_class_uid,
                sop_instance_uid=one.sop_instance_uid,
                study_uid=one.study_uid,
                series_uid=one.series_uid,
                code=decision.code,
                warning=decision.warning,
                comment=decision.comment,
            )
            for one, decision in zip(batch, decisions, strict=True)
        ]


_UNQUOTED: Final = re.compile(r"(;\s*type\s*=\s*)([^\s\";]+)", re.IGNORECASE)
"""A type without the quotes that its slash asks for (RFC 2387 3.1), as people write it."""


async def _pieces(request: Request[Any, Any, Any], *, silence: float) -> AsyncGenerator[bytearray, None]:
    """The body in pieces of about `AT_ONCE`.

    Raises:
        SlowSenderError: The sender is silent, or sends next to nothing, or takes for ever.
    """
    waiting = bytearray()
    begun = window = time.monotonic()
    arrived = 0
    async with aclosing(request.stream()) as chunks:
        while True:
            try:
                async with asyncio.timeout(silence):
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                raise SlowSenderError(
                    f"Nothing came for {silence:g} s (HELTIG_GATE_READ_SECONDS)."
                ) from error
            if chunk is None:
                break
            now = time.monotonic()
            arrived += len(chunk)
            if now - window >= RATE_WINDOW_SECONDS:
                if arrived < MIN_BYTES_PER_SECOND * (now - window) or now - begun > MOST_SECONDS:
                    raise SlowSenderError(f"Less than {MIN_BYTES_PER_SECOND} bytes a second came.")
                window, arrived = now, 0
            waiting += chunk
            if len(waiting) >= AT_ONCE:
                yield waiting
                waiting = bytearray()
                window += time.monotonic() - now  # what we were at meanwhile is not the sender's
    if waiting:
        yield waiting


def _boundary(request: Request[Any, Any, Any]) -> str:
    """The boundary of a body that we read.

    Raises:
        MediaTypeError: It is of another type, or compressed.
        MultipartError: It names none.
    """
    given = _UNQUOTED.sub(r'\1"\2"', request.headers.get("content-type", ""))
    kind, options = parse_options_header(given)
    root = options.get("type", "application/dicom").partition(";")[0].strip().lower()
    if kind.lower() != "multipart/related" or root != "application/dicom":
        raise MediaTypeError(
            'Send objects as multipart/related; type="application/dicom". Metadata with bulk data '
            f"({', '.join(_OTHER_TYPES)}) is not taken: an object is forwarded byte for byte as it was sent."
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise MediaTypeError("Send the body as it is, without a Content-Encoding.")
    boundary: str = options.get("boundary", "")
    return boundary


def _answer(
    request: Request[Any, Any, Any], services: Services, gate: Gate, told: list[Told]
) -> Response[bytes]:
    base = services.settings.public_url or str(request.base_url)
    dataset = response_of(told, root=f"{base.rstrip('/')}/gate/{quote(gate.archive, safe='')}")
    # Where nothing fits, JSON: what became of the objects has to be told (RFC 9110 12.4.1).
    media_type = chosen(request.headers.get("accept", ""), *MEDIA_TYPES) or JSON
    is_xml = media_type == XML
    headers = {"Cache-Control": "no-store"}
    if warning := warning_of(told):
        headers["Warning"] = warning
    return Response(
        as_xml(dataset) if is_xml else as_json(dataset),
        status_code=status_of(told),
        media_type=media_type,
        headers=headers,
    )
