"""Rings for workers in other processes, over Redis.

A message says that there is work of some kind, and nothing else. It may be lost at any moment: whoever works
looks into the database now and then, too.
"""

import asyncio
import contextlib
import logging
from typing import Any, Final

import msgspec
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, RedisError, TimeoutError

QUEUE: Final = "heltig:doorbell"

UNREACHABLE: Final = (RedisError, OSError)
"""What is raised while Redis is not there."""

_RETRIES: Final = 1
"""Of a command, and in it of a connection. More would hide for long that Redis is away."""

_PATIENCE_SECONDS: Final = 5
"""A server may take a connection, and never answer.

The client's own limit of time for a command is not used: before Python 3.12 it forgets that it was cancelled
where the command ends at that moment.
"""

_ANSWERED_SOON: Final = 0.02  # seconds: how long it takes a worker to answer a message
_AGAIN: Final = 50

logger = logging.getLogger(__name__)


def redis_at(url: str) -> ArqRedis:
    """A client of a Redis. It connects with its first command, and has to be closed whether or not it did.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://PATH`.
    """
    pool = ConnectionPool.from_url(
        url,
        socket_connect_timeout=_PATIENCE_SECONDS,
        retry=Retry(ExponentialBackoff(cap=2, base=0.1), _RETRIES),
        retry_on_error=[ConnectionError, TimeoutError, OSError],
    )
    return ArqRedis(pool, job_serializer=pack, job_deserializer=unpack, default_queue_name=QUEUE)


def pack(message: dict[str, Any]) -> bytes:
    """Writes a message, by no means that could make whoever reads it run something."""
    return msgspec.msgpack.encode(message, enc_hook=lambda other: type(other).__name__)


def unpack(message: bytes) -> dict[str, Any]:
    """Reads a message."""
    return msgspec.msgpack.decode(message, type=dict[str, Any])


async def look(url: str) -> str:
    """The version of a Redis that answers.

    Raises:
        RedisError: It does not, or not to us (`UNREACHABLE`).
        OSError: Likewise.
    """
    redis = redis_at(url)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return str((await redis.info("server"))["redis_version"])
    finally:
        await redis.aclose(close_connection_pool=True)


class Doorbell:
    """Rings, one message for all the work of a kind that comes while nobody has answered yet."""

    def __init__(self, url: str) -> None:
        self._redis = redis_at(url)
        self._wanted: set[str] = set()
        self._has_wanted = asyncio.Event()
        self._is_away = False

    def ring(self, kind: str) -> None:
        """Says that there is work of a kind; `run` sends it."""
        self._wanted.add(kind)
        self._has_wanted.set()

    async def run(self) -> None:
        """Sends what is rung for, until it is cancelled. What cannot be sent is not kept."""
        try:
            while True:
                await self._has_wanted.wait()
                self._has_wanted.clear()
                kinds, self._wanted = self._wanted, set()
                try:
                    for kind in sorted(kinds):
                        async with asyncio.timeout(_PATIENCE_SECONDS):
                            await self._send(kind)
                    self._is_away = False
                except Exception as error:  # whatever Redis does, it must not stop who works
                    if not self._is_away:
                        logger.warning(
                            "Redis is away (%s): workers look for themselves.", type(error).__name__
                        )
                    self._is_away = True
        finally:
            with contextlib.suppress(*UNREACHABLE):
                await self._redis.aclose(close_connection_pool=True)

    async def _send(self, kind: str) -> None:
        message = f"heltig:{kind}"
        for _ in range(_AGAIN):
            if await self._redis.enqueue_job(kind, _job_id=message) is not None:
                return
            if not await self._redis.exists(in_progress_key_prefix + message):
                return  # one that nobody has answered yet
            # Who answers may have looked before there was what we ring for.
            await asyncio.sleep(_ANSWERED_SOON)
