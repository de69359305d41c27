"""A small DICOMweb archive on loopback: QIDO-RS and WADO-RS metadata over HTTP, with faults to switch on.

It serves `heltig demo`, and it plays the faults that real archives show now and then but never on demand.
"""

import asyncio
import base64
import hmac
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl

import uvicorn

from heltig.demo import query
from heltig.demo.answer import DICOM_JSON, WELL, Answer, Faults, Send, send_answer
from heltig.demo.query import Instance

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

ROOT = "/dicom-web"
_SEARCH = re.compile(
    r"(?:/studies/(?P<study>[^/]+))?(?:/series/(?P<series>[^/]+))?/(?P<resource>studies|series|instances)"
)
_METADATA = re.compile(
    r"/studies/(?P<study>[^/]+)(?:/series/(?P<series>[^/]+)(?:/instances/(?P<sop>[^/]+))?)?/metadata"
)


@dataclass(frozen=True)
class Request:
    """A request as it came in: `path` below the root of the service, `query` undecoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


class LoopbackArchive:
    """An archive that holds instances in memory and serves them on 127.0.0.1 at a free port.

    Use it as an async context manager. It runs in a thread of its own, so that synchronous clients can
    talk to it too; `app` is the bare ASGI application, which answers without the context manager as well.

    Args:
        instances: DICOM JSON; an element may be a `msgspec.Raw`, for text that no encoder writes.
        user: With `password`, demand basic authentication.
        password: The password of `user`.
        token: Demand this bearer token.

    Attributes:
        faults: What to do wrong; change or replace it at any time.
        requests: Every request so far.
    """

    def __init__(
        self, instances: Iterable[Instance] = (), *, user: str = "", password: str = "", token: str = ""
    ) -> None:
        self.faults = Faults()
        self.requests: list[Request] = []
        self._instances: list[Instance] = list(instances)
        self._authorization = ""
        if user:
            self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        elif token:
            self._authorization = f"Bearer {token}"
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Root of the QIDO-RS and WADO-RS services.

        Raises:
            RuntimeError: The archive does not run.
        """
        if self._socket is None:
            raise RuntimeError("the archive has an address only inside 'async with'")
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}{ROOT}"

    def add(self, instances: Iterable[Instance]) -> None:
        """Store more instances, as late ones arrive."""
        self._instances = [*self._instances, *instances]

    def remove(self, study: str) -> None:
        """Delete every instance of a study."""
        self._instances = [i for i in self._instances if query.first_value(i, query.STUDY_UID) != study]

    async def __aenter__(self) -> Self:
        # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer takes 40 ms more.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        config = uvicorn.Config(
            self.app, interface="asgi3", lifespan="off", ws="none", log_config=None, access_log=False,
            date_header=False, server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        # The socket listens already: connections wait in its backlog until the server accepts them.
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="loopback-archive", daemon=True
        )
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            await asyncio.to_thread(self._thread.join)
        self._socket = self._server = self._thread = None

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application (HTTP only)."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"].removeprefix(ROOT)
        request = Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers)
        self.requests.append(request)
        spoilt = self.faults if self.faults.strike(path) else WELL
        if scope["path"] == path:
            answer = Answer(404, text=f"the service is below {ROOT}")
        elif spoilt.status is not None:
            retry = (("retry-after", spoilt.retry_after),) if spoilt.retry_after else ()
            answer = Answer(spoilt.status, text="the archive is out of order", headers=retry)
        else:
            # Host is not to be trusted with the port: dicomweb-client leaves it out.
            base = self.url if self._socket else f"http://{headers.get('host', '127.0.0.1')}{ROOT}"
            answer = self._answer(request, base)
        await send_answer(answer, send, spoilt=spoilt, gzip="gzip" in headers.get("accept-encoding", ""))

    def _answer(self, request: Request, base: str) -> Answer:
        given = request.headers.get("authorization", "")
        if self._authorization and not hmac.compare_digest(given.encode(), self._authorization.encode()):
            scheme = self._authorization.partition(" ")[0]
            return Answer(401, text="authorization is needed", headers=(("www-authenticate", scheme),))
        metadata, search = _METADATA.fullmatch(request.path), _SEARCH.fullmatch(request.path)
        if request.method != "GET":
            return Answer(405, text="this archive is read-only", headers=(("allow", "GET"),))
        if not _accepts_json(request.headers.get("accept", "*/*")):
            return Answer(406, text=f"this archive writes {DICOM_JSON} only")
        if metadata is not None:
            return self._metadata(self._select(*metadata.group("study", "series", "sop")), base)
        if search is not None:
            found = self._select(*search.group("study", "series"))
            parameters = parse_qsl(request.query, keep_blank_values=True)
            return self._search(found, search["resource"], parameters, base)
        return Answer(404, text="no such resource")

    def _select(self, *uids: str | None) -> list[Instance]:
        levels = zip((query.STUDY_UID, query.SERIES_UID, query.SOP_UID), uids, strict=False)
        keys = [(tag, uid) for tag, uid in levels if uid is not None]
        return [i for i in self._instances if all(query.first_value(i, tag) == uid for tag, uid in keys)]

    def _metadata(self, found: list[Instance], base: str) -> Answer:
        shown = [i for i in found if query.first_value(i, query.SOP_UID) not in self.faults.withheld]
        if not shown:
            return Answer(404, text="no such study, series or instance")
        if self._too_large(len(shown)):
            return Answer(413, text="too many instances in one answer")
        return Answer(datasets=(_with_bulk_uris(instance, base) for instance in shown))

    def _search(
        self, found: list[Instance], resource: str, parameters: list[tuple[str, str]], base: str
    ) -> Answer:
        limit, offset = (next((v for k, v in parameters if k == n), None) for n in ("limit", "offset"))
        if not all(number is None or number.isdecimal() for number in (limit, offset)):
            return Answer(400, text="limit and offset are non-negative integers")
        include = query.included_tags(parameters)
        if resource == "studies":
            rows = query.study_rows(found, base, include=include, by_patient=self.faults.rows_by_patient)
        elif resource == "series":
            rows = query.series_rows(found, base, include=include)
        else:
            rows = query.instance_rows(found, base, include=include)
        rows = query.match_rows(rows, parameters)
        rows = rows if self.faults.ignore_offset else rows[int(offset or 0) :]
        if self._too_large(len(rows) if limit is None else min(int(limit), len(rows))):
            return Answer(413, text="too many results, narrow the search")
        most = [int(limit)] if limit is not None else []
        most += [self.faults.page_cap] if self.faults.page_cap is not None else []
        page = rows[: min(most)] if most else rows
        headers = []
        if len(rows) > len(page) and self.faults.warn_of_more:
            text = f"There are {len(rows) - len(page)} additional results that can be requested"
            headers.append(("warning", f'299 {base} "{text}"'))
        if not page and self.faults.empty_status == 204:
            return Answer(204)
        if self.faults.omit_counts:
            page = [{tag: row[tag] for tag in row if tag not in query.COUNTS} for row in page]
        return Answer(datasets=[dict(sorted(row.items())) for row in page], headers=tuple(headers))

    def _too_large(self, count: int) -> bool:
        return self.faults.too_large_above is not None and count > self.faults.too_large_above


def _accepts_json(accept: str) -> bool:
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return bool(kinds & {DICOM_JSON, "application/json", "application/*", "*/*"})


def _with_bulk_uris(instance: Instance, base: str) -> Mapping[str, Any]:
    """Bulk data URIs point below this archive, wherever it happens to run."""
    uids = (query.first_value(instance, tag) for tag in (query.STUDY_UID, query.SERIES_UID, query.SOP_UID))
    place = "{}/studies/{}/series/{}/instances/{}/bulk".format(base, *uids)
    bulk = {
        tag: {"vr": element["vr"], "BulkDataURI": f"{place}/{tag}"}
        for tag, element in instance.items()
        if isinstance(element, Mapping) and "BulkDataURI" in element
    }
    return {**instance, **bulk}
