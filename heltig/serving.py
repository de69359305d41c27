"""Runs the service until it is told to stop: listeners, server, signals."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

import msgspec
import uvicorn

from heltig.api.wire import BoundedHttp
from heltig.app import create_app
from heltig.desks import Does
from heltig.errors import ConfigurationError, HeltigError
from heltig.pipeline.judging import ruleset_name
from heltig.rules.profile import DEFAULT, Profile
from heltig.setting_types import Address
from heltig.settings import Settings
from heltig.store.outdated import of_older_ruleset

SWITCH_SECONDS = 0.0005
"""After so long a thread that computes lets the event loop go on, which answers look-ups in a fifth of that.

Python's own 5 ms are for programs whose threads wait for nobody.
"""

GRACE_SECONDS = 3
"""How long requests get to end when the service stops; a stream that stays open would hold it for ever."""


class Listening(msgspec.Struct, frozen=True):
    """Where the service listens.

    Attributes:
        address: Its address.
        consult: That of the separate listener with `/consult` only, None without one.
        older_verdicts: Studies whose last verdict was given by another ruleset than the installed one.
    """

    address: Address
    consult: Address | None
    older_verdicts: int = 0

    @property
    def url(self) -> str:
        """The root of its URLs."""
        return f"http://{self.address}/"


def run(
    settings: Settings,
    *,
    profile: Profile = DEFAULT,
    does: Does = "all",
    started: Callable[[Listening], None] = lambda listening: None,
) -> None:
    """Serves until SIGINT or SIGTERM.

    Args:
        settings: The site's settings.
        profile: What studies are judged with.
        does: Which jobs it does itself.
        started: Called once requests are answered.

    Raises:
        ConfigurationError: An address cannot be listened on.
        StorageError: The database cannot be opened.
    """
    factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(settings, profile=profile, does=does, started=started))


async def serve(
    settings: Settings,
    *,
    profile: Profile = DEFAULT,
    does: Does = "all",
    started: Callable[[Listening], None] = lambda listening: None,
) -> None:
    """Does as `run`, in an event loop of the main thread that runs already."""
    main = _listen("HELTIG_HOST and HELTIG_PORT", Address(settings.host, settings.port))
    sockets, consult = [main], settings.consult_bind
    if consult is not None:
        sockets.append(_listen("HELTIG_CONSULT_BIND", consult))
        consult = Address(consult.host, _port(sockets[-1]))
    listening = Listening(Address(settings.host, _port(main)), consult)
    app = create_app(msgspec.structs.replace(settings, consult_bind=consult), profile=profile, does=does)
    server = _Server(
        uvicorn.Config(
            app,
            http=BoundedHttp,
            lifespan="off",  # it is ours: what goes wrong in it is told in our words
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        started=lambda: started(listening),
    )
    # Who is told to stop while it starts stops once it has started. The server raises the signal again that
    # ended it: without handlers of ours what is still to be closed then would not be.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    with ExitStack() as until_the_end:
        for one in sockets:
            until_the_end.enter_context(one)
        async with _plain_errors(), app.lifespan():
            if server.should_exit:
                return
            services = app.state["services"]
            await services.pool.start()
            older = await services.store.read(of_older_ruleset, ruleset_name().hash)
            listening = msgspec.structs.replace(listening, older_verdicts=older)
            gc.collect()
            gc.freeze()  # what was imported stays; to look through it takes 0.1 s while all wait
            sys.setswitchinterval(SWITCH_SECONDS)
            await server.serve(sockets=sockets)


@asynccontextmanager
async def _plain_errors() -> AsyncIterator[None]:
    """Takes errors of ours out of the groups that the framework makes of them."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, HeltigError):
            raise error from group
        raise


class _Server(uvicorn.Server):
    """A server that says when requests are answered."""

    def __init__(self, config: uvicorn.Config, *, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.should_exit:
            return
        await super().startup(sockets)
        if self.started:
            self._announce()


def _listen(setting: str, address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server((address.host, address.port), family=family, backlog=2048)
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        raise ConfigurationError(
            f"{setting}: {address} cannot be listened on ({reason}). Is the service running already? "
            "Choose another port, or 0 for a free one."
        ) from wrong
    listener.setblocking(False)
    return listener


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port
