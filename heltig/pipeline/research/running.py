"""Runs the program of an analysis, in a process apart, and follows what it tells."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

import heltig
from heltig.errors import UsageError
from heltig.imaging import contained
from heltig.imaging.contained import Limits
from heltig.imaging.order import DISK_FULL, Order, Told, encoded
from heltig.pipeline.research.asked import EndedError
from heltig.settings import Settings

MODULE: Final = "heltig.imaging.case"

NEEDED: Final = ("highdicom", "nibabel", "numpy", "scipy", "PIL")
"""What the extra `heltig[imaging]` brings."""

_decode: Final = msgspec.json.Decoder(Told).decode


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What makes analyses.

    Attributes:
        command: The program and its arguments.
        limits: What it may use.
        environment: What it gets beside the usual.
    """

    command: tuple[str, ...]
    limits: Limits
    environment: dict[str, str] = {}

    @classmethod
    def of(cls, settings: Settings) -> "Program":
        """That of a site."""
        python = settings.analysis_python
        # Where TotalSegmentator keeps its weights, and its licence: see docs/imaging.md.
        environment = {name: value for name, value in os.environ.items() if name.startswith("TOTALSEG_")}
        if python is None:
            # The same Heltig, wherever this one was imported from.
            environment["PYTHONPATH"] = str(Path(heltig.__file__).parent.parent)
        return cls(
            command=(str(python or sys.executable), "-m", MODULE),
            limits=Limits(seconds=settings.analysis_seconds, memory_bytes=settings.analysis_memory),
            environment=environment,
        )


def is_installed(settings: Settings) -> bool:
    """Whether what makes analyses is installed, as far as that is known without starting it."""
    if settings.analysis_python is not None:
        return os.access(settings.analysis_python, os.X_OK)
    return all(importlib.util.find_spec(name) is not None for name in (*NEEDED, MODULE))


async def make(
    order: Order,
    program: Program,
    *,
    told: Callable[[Told], Awaitable[bool]],
    stop: asyncio.Event | None = None,
) -> Told | None:
    """Makes an analysis.

    Args:
        order: What is to be done.
        program: What does it.
        told: Hears each line; False stops the program.
        stop: Stops it, too.

    Returns:
        The last that it told: that it is done, or refused; None where it was stopped.

    Raises:
        EndedError: It ended otherwise.
    """
    lines = asyncio.Queue[str | None]()
    running = asyncio.create_task(
        contained.running(
            program.command,
            limits=program.limits,
            environment=contained.environment(**program.environment),
            cwd=order.output.parent.absolute(),
            stdin=encoded(_from_anywhere(order)),
            on_line=lines.put_nowait,
        )
    )
    running.add_done_callback(lambda _: lines.put_nowait(None))
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    stopping.add_done_callback(lambda _: lines.put_nowait(None))
    last: Told | None = None
    try:
        while (line := await lines.get()) is not None:
            if (said := _told(line)) is not None:
                last = said
                if not await told(said):
                    return None
        if stopping.done():
            return None
        ended = await running
    except OSError as wrong:
        raise EndedError("NOT_INSTALLED", wrong.strerror or "") from wrong
    finally:
        stopping.cancel()
        if not running.done():
            running.cancel()
            await asyncio.wait([running])
    in_time = ended.cause != "timeout"
    if in_time and last is not None and last.state in ("done", "refused") and ended.exit_code == 0:
        return last
    raise _why_it_ended(ended, has_spoken=last is not None)


def _why_it_ended(ended: contained.Ended, *, has_spoken: bool) -> EndedError:
    """What became of a program that did not say how it ended."""
    if ended.cause == "timeout":
        return EndedError("TIMED_OUT", f"{ended.seconds:.0f} s")
    if not has_spoken and ended.exit_code == 1 and b"No module named" in ended.errors:
        return EndedError("NOT_INSTALLED")
    if ended.exit_code == UsageError.exit_code:
        return EndedError("ORDER_WRONG")
    if ended.exit_code == DISK_FULL:
        return EndedError("DISK_FULL")
    return EndedError("ENDED_EARLY", f"exit code {ended.exit_code}, after {ended.seconds:.0f} s")


def _from_anywhere(order: Order) -> Order:
    """An order whose paths hold in the folder that the program runs in, too."""
    return msgspec.structs.replace(
        order,
        objects=order.objects.absolute(),
        output=order.output.absolute(),
        policy=order.policy.absolute() if order.policy else None,
        printed=order.printed.absolute() if order.printed else None,
    )


def _told(line: str) -> Told | None:
    """What a line says; None where it is none of the protocol's."""
    try:
        return _decode(line)
    except msgspec.MsgspecError:
        return None
