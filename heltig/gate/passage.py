"""One request on its way through a gate to an archive, and the answer on its way back, as it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import structlog
from litestar import Request
from litestar.exceptions import HTTPException
from litestar.types import HTTPScope, Receive, Scope, Send

from heltig import http
from heltig.api.looks import shows
from heltig.api.services import Services
from heltig.auth.policy import Refusal
from heltig.auth.principal import Principal
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchivePausedError,
    ConfigurationError,
    HeltigError,
    NotFoundError,
    StorageError,
)
from heltig.gate.archive_errors import without_address
from heltig.gate.pass_through_answer import Answer, answer_of
from heltig.gate.pass_through_named import naming
from heltig.gate.pass_through_request import Asked, asked_of
from heltig.gate.pass_through_resource import plain_uid
from heltig.gate.pass_through_verdict import UNKNOWN, Verdicts
from heltig.gate.rewriting import Roots
from heltig.gate.stow import GateClosedError
from heltig.pipeline.archives.opened import OpenedToRead
from heltig.store.archives import location_of

STALLED_SECONDS: Final = 60.0
"""A client that takes nothing for so long is left."""

_MOST_BYTES: Final = 2**50
"""Of what goes on as it is there is no limit: nothing of it is kept."""

_SUBJECT: Final = "asked for by others"
"""Whatever others ask for that an archive fails at counts as one study to its breakers: with some queries of
theirs they could keep everybody from it."""

_THEIRS: Final = frozenset({400, 406, 409, 410, 411, 412, 413, 414, 415, 416, 422})
"""What an archive answers about the request; the client is told so, in our words."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.gate")


class StudyBlockedError(HeltigError):
    """Nothing of a BLOCKED study goes through this gate."""

    status = 403
    problem_type = "/problems/study-blocked"
    title = "Study BLOCKED"


class Passage:
    """A request that is passed on. Answers it, as an ASGI application."""

    def __init__(self, request: Request[Any, Any, Any], services: Services, archive: str) -> None:
        """Makes it; nothing is asked yet.

        Args:
            request: The request.
            services: The running service.
            archive: The name of the archive behind the gate.
        """
        self._request = request
        self._services = services
        self._archive = archive
        base = services.settings.public_url or str(request.base_url)
        self._gate = f"{base.rstrip('/')}/gate/{quote(archive, safe='')}"
        self._verdicts = Verdicts(archive, services.store, services.lookups, minute=services.minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, until it is answered or the client is gone."""
        passing = asyncio.create_task(self._pass(self._request.scope, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((passing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
        finally:
            for task in (passing, leaving):
                task.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)

    async def _pass(self, scope: HTTPScope, send: Send) -> None:
        sending = _Sending(send, has_body=scope["method"] != "HEAD")
        try:
            await self._exchange(asked_of(scope), sending)
        except ArchiveError as error:
            if not sending.has_begun:
                raise self._for_client(error) from error
            self._broken_off(error.detail)
        except ConfigurationError as error:
            raise self._without_address(error) from error
        except StorageError as error:
            if not sending.has_begun:
                raise
            self._broken_off(error.detail)
        except TimeoutError:
            if not sending.has_begun:
                raise
            self._broken_off("The client takes nothing.")

    def _broken_off(self, reason: str) -> None:
        """Leaves the answer without its end, which the server shows by closing the connection."""
        request_id = self._request.scope["state"].get("request_id", "")
        log.warning("gate.broken-off", gate=self._archive, request=request_id, reason=reason)

    def _for_client(self, error: ArchiveError) -> Exception:
        """What a client is told of how an archive fails: never the archive's own words, nor its address."""
        match error:
            case ArchiveAnswerError(__cause__=ArchiveAccessError() as access):
                return self._without_address(access)
            case ArchiveAnswerError(answer_status=int(status)) if status in _THEIRS:
                text = f"The archive refuses this request: {status} {HTTPStatus(status).phrase}."
                return HTTPException(status_code=status, detail=text)
        told = self._without_address(error)
        if isinstance(error, ArchivePausedError):
            return GateClosedError(told.detail, retry_after=told.retry_after)
        return told

    def _without_address(self, error: ArchiveError | ConfigurationError) -> HeltigError:
        request: str = self._request.scope["state"].get("request_id", "")
        return without_address(error, self._archive, request=request)

    async def _exchange(self, asked: Asked, sending: "_Sending") -> None:
        settings = self._services.settings
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(self._services.archives.use_to_read(self._archive))
            if opened.options.gate is None:
                raise NotFoundError(
                    f"Archive {self._archive} has no gate. `heltig archives change {self._archive} --gate` "
                    "opens one."
                )
            readiness = await self._readiness(asked, opened)
            await stack.enter_async_context(opened.guard(asked.resource.kind, _SUBJECT))
            client = opened.qido if asked.resource.kind == "search" else opened.wado
            base = asked.address(str(client.base_url))
            passing = http.pass_on(
                client,
                base,
                headers=asked.headers,
                max_bytes=settings.metadata_max_size if asked.media_type else _MOST_BYTES,
                operation=asked.resource.kind,
            )
            try:
                head, chunks = await stack.enter_async_context(passing)
            except ArchiveCredentialsError:
                raise
            except ArchiveAccessError as error:  # of what somebody else asks for: no failure of searches
                raise ArchiveAnswerError(error.detail, answer_status=403) from error
            answer = answer_of(
                head,
                asked,
                roots=Roots([str(opened.qido.base_url), str(opened.wado.base_url)], self._gate),
                base=base,
                verdicts=self._verdicts,
                readiness=readiness,
            )
            if asked.resource.kind == "search" and asked.resource.study is None:
                chunks = naming(chunks, partial(shows, self._request.scope))
            await sending.send(answer, chunks)

    async def _readiness(self, asked: Asked, opened: OpenedToRead) -> str:
        """How the study stands that is asked for.

        Raises:
            StudyBlockedError: It is not given out.
        """
        study = asked.resource.study
        if study is None:
            return ""
        status, is_blocked = await self._verdicts.of(study)
        if opened.options.gate_blocked == "pass" or asked.resource.kind == "search":
            return status
        plain = plain_uid(study)
        is_another_spelling = status == UNKNOWN and plain != study
        if plain != study and not is_blocked:
            _, is_blocked = await self._verdicts.of(plain)
        if is_blocked or is_another_spelling:
            await self._note_refusal()
            raise StudyBlockedError(
                "This study is BLOCKED, and this gate gives nothing out of such studies. "
                f"/dicom-web/studies/{{study}}/readiness?archive={self._archive} has the findings."
                if is_blocked
                else "This is no UID (PS3.5 9.1): an archive may read another one in it, which is BLOCKED."
            )
        return status

    async def _note_refusal(self) -> None:
        request = self._request
        principal: Principal = request.user
        await self._services.refusals.note(
            Refusal("blocked", ""),
            actor=principal.name,
            origin=request.client.host if request.client else "",
            route=f"GET {request.scope['path_template']} of {location_of(self._archive)}",
            at=self._services.clock(),
        )


class _Sending:
    """An answer that is sent.

    Attributes:
        has_begun: Its head is gone: it cannot be another answer any more.
    """

    def __init__(self, send: Send, *, has_body: bool) -> None:
        self.has_begun = False
        self._send = send
        self._has_body = has_body

    async def send(self, answer: Answer, chunks: AsyncIterator[bytes]) -> None:
        """Sends it whole.

        Raises:
            ArchiveError: What comes of it breaks off, or is not what it should be.
            StorageError: The database did not say how studies stand.
            TimeoutError: Nobody takes it.
        """
        if answer.body is not None and self._has_body:
            async with aclosing(answer.body.of(chunks)) as pieces:
                async for piece in pieces:
                    if piece:
                        await self._begin(answer)
                        await self._say({"type": "http.response.body", "body": piece, "more_body": True})
        await self._begin(answer)
        await self._say({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, answer: Answer) -> None:
        if not self.has_begun:
            self.has_begun = True
            await self._say(
                {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
            )

    async def _say(self, message: Any) -> None:
        async with asyncio.timeout(STALLED_SECONDS):
            await self._send(message)


async def _left(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
