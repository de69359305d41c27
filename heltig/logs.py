"""What a long-running process writes to its log: one line an event, as JSON or for people.

No patient data: events have names and ids of ours, never a URL's query or a request's body. Exceptions are
written as their class and where they were raised; only our own errors, whose text is free of it, have theirs.
"""

import logging
import sys
import traceback
import warnings
from typing import Any, Final, Literal, TypeAlias

import structlog
from structlog.typing import EventDict, Processor

from heltig.errors import HeltigError

LogFormat: TypeAlias = Literal["text", "json"]

_QUIET: Final = {
    "httpx": logging.WARNING,  # writes every URL with its query at INFO
    "httpcore": logging.WARNING,
    "uvicorn.access": logging.WARNING,  # likewise; `heltig.api.front` keeps the access log
    "uvicorn.error": logging.WARNING,  # at INFO it says that it starts and stops, which we say ourselves
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "pydicom": logging.CRITICAL + 1,  # quotes values that it does not like
}


def configure_logging(log_format: LogFormat | None = None) -> None:
    """Sends the log of this process to standard error.

    Args:
        log_format: `text` for people, `json` for programs; None takes `text` where standard error is a
            terminal.
    """
    is_terminal = sys.stderr.isatty()
    for_people = is_terminal if log_format is None else log_format == "text"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _fields_of_events,
        _exceptions_without_text,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=is_terminal)
        if for_people
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    warnings.filterwarnings("ignore", module=r"pydicom\b")  # likewise: standard error is our log
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _fields_of_events(logger: Any, name: str, event: EventDict) -> EventDict:
    """Takes in what `heltig.pipeline.pull.events` says beside an event's name.

    Those modules know the standard library's logging alone: structlog takes long to import.
    """
    fields = getattr(event.get("_record"), "fields", None)
    if isinstance(fields, dict):
        event.update(fields)
    return event


def _exceptions_without_text(logger: Any, name: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = described(error)
        event["frames"] = _frames(error)
    return event


def _frames(error: BaseException) -> list[str]:
    """Where an exception was raised, and those that a group of them holds."""
    found = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            found += [described(one), *_frames(one)]
    return found


def described(error: BaseException) -> str:
    """An exception in a line: the text of our own, the class of any other."""
    return f"{type(error).__name__}: {error}" if isinstance(error, HeltigError) else type(error).__name__
