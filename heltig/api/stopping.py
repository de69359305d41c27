"""Answers of a server that is stopped: whoever still waits for one is told to ask again.

The server ends what goes on three seconds after it was told to stop (`heltig.serving.GRACE_SECONDS`), uploads
that wait for their verdicts among it. What was accepted by then is kept; sent again it is the same upload.
"""

import asyncio
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from heltig.api.headers import STATUS
from heltig.api.problems import send_problem

RETRY_SECONDS: Final = 5
"""A server that is started again answers by then."""


class Stopping:
    """An ASGI application within `SafeHeaders`: a request that is ended with the server gets an answer."""

    def __init__(self, app: ASGIApp) -> None:
        """Makes it.

        Args:
            app: The service.
        """
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Has a request answered; nobody but the server cancels that."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["state"][STATUS]:  # it has begun
                raise
            await send_problem(
                send,
                503,
                "/problems/stopping",
                "The service is being stopped",
                detail="It was told to stop before this was done. Send the same again.",
                retry_after=RETRY_SECONDS,
            )
