"""What feeds answer, and the cursors that they are read on by, as typed structures."""

from types import UnionType
from typing import TypeVar, cast

import msgspec

from heltig.errors import ArchiveAnswerError, CursorLostError
from heltig.http_answer import NOT_JSON, Head

Model = TypeVar("Model")


def answer_as(model: type[Model], head: Head, body: bytes) -> Model:
    """The answer of a feed.

    Raises:
        ArchiveAnswerError: It is something else.
    """
    try:
        return msgspec.json.decode(body, type=model)
    except NOT_JSON as wrong:
        raise ArchiveAnswerError(
            f"{head.place}: this is not the answer of such a change feed. Check the archive's strategy."
        ) from wrong


def cursor_as(model: type[Model] | UnionType, cursor: str) -> Model:
    """What a cursor means.

    Raises:
        CursorLostError: It is not one of this feed.
    """
    try:
        return cast(Model, msgspec.json.decode(cursor, type=model))
    except (msgspec.DecodeError, msgspec.ValidationError) as wrong:
        raise CursorLostError(
            "How far the changes were read is written in a way that is not known."
        ) from wrong


def written(cursor: msgspec.Struct) -> str:
    """The text of a cursor."""
    return msgspec.json.encode(cursor).decode()
