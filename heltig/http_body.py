"""The body of an archive's answer, read as it comes: decompressed, limited, paced and measured."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from heltig.errors import ArchiveAnswerTooLargeError, ArchiveError, ArchiveUnavailableError
from heltig.exchange import Exchange, Operation
from heltig.http_answer import Decompression
from heltig.http_client import Client, Response, head_of, received
from heltig.setting_types import Size

MIN_BYTES_PER_SECOND: Final = 1024
"""Below this an archive counts as silent, though each byte comes before the read timeout."""

RATE_WINDOW_SECONDS: Final = 30.0


class Answer:
    """An answer whose body is still to be read.

    Attributes:
        head: Its head.
    """

    def __init__(
        self,
        client: Client,
        operation: Operation,
        response: Response,
        *,
        clock: Callable[[], float],
        started: float,
    ) -> None:
        """Takes it over; `close` it in the end.

        Args:
            client: That it was asked with.
            operation: What it is for.
            response: The response.
            clock: Seconds that only grow, to see how slowly it comes.
            started: When it was asked for, by `time.monotonic`.
        """
        self.head = head_of(response)
        self._client = client
        self._operation = operation
        self._response = response
        self._clock = clock
        self._started = started
        self._received = 0
        self._held_up = 0.0
        self._error: ArchiveError | None = None

    async def body(self, max_bytes: int) -> AsyncGenerator[bytes, None]:
        """The body: decompressed, up to a limit, and not for ever."""
        try:
            async with aclosing(self._chunks(max_bytes)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ArchiveError as error:
            self._error = error
            raise

    async def close(self) -> None:
        """Says that nobody reads any more."""
        await self._response.aclose()
        seconds = max(0.0, time.monotonic() - self._started - self._held_up)
        self._client.observe(
            Exchange(
                operation=self._operation,
                error=self._error,
                is_begun=True,
                seconds=seconds,
                received=self._received,
            )
        )

    async def _chunks(self, max_bytes: int) -> AsyncGenerator[bytes, None]:
        place = self.head.place
        decompression = Decompression(self.head)
        handed_out = arrived = 0
        waited = 0.0
        before = self._clock()
        came_in = received(self._response, piece_seconds=self._client.piece_seconds)
        async with aclosing(came_in) as pieces:
            async for packed in pieces:
                # Only time spent waiting for the archive counts, not what our reader does between two pieces.
                waited += self._clock() - before
                came = time.monotonic()
                arrived += len(packed)
                self._received += len(packed)
                if waited >= RATE_WINDOW_SECONDS:
                    if arrived < MIN_BYTES_PER_SECOND * waited:
                        raise ArchiveUnavailableError(
                            f"{place}: the archive sends less than {MIN_BYTES_PER_SECOND} bytes a second. "
                            "Try again later."
                        )
                    waited, arrived = 0.0, 0
                await self._client.pace.received(len(packed))
                for piece in decompression.feed(packed):
                    handed_out += len(piece)
                    if handed_out > max_bytes:
                        raise ArchiveAnswerTooLargeError(
                            f"{place}: the answer is over the limit of {Size(max_bytes)}."
                        )
                    yield piece
                self._held_up += time.monotonic() - came
                before = self._clock()
        decompression.close()
