"""The ZIP in the body of an upload: the body itself, or the one file of a form; never held as a whole."""

from collections.abc import AsyncIterator
from typing import Any, Final

from litestar import Request
from multipart import (  # type: ignore[import-untyped]  # it has no type information
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from heltig.errors import InputTooLargeError, UsageError
from heltig.setting_types import Size

ZIP_TYPES: Final = ("application/zip", "application/x-zip-compressed", "application/octet-stream")
FORM_TYPE: Final = "multipart/form-data"

_FORM_OVERHEAD: Final = 64 * 1024
"""Bytes that a form may have beside its file."""

_LONGEST_FIELD: Final = 256
"""Bytes of a field that is no file; what is longer is left out."""


class MediaTypeError(UsageError):
    """The body is of a media type that is not read."""

    status = 415
    problem_type = "/problems/media-type"
    title = "Media type not supported"


def zip_chunks(
    request: Request[Any, Any, Any], *, limit: Size, fields: dict[str, str] | None = None
) -> AsyncIterator[bytes]:
    """The bytes of the ZIP that a request brings.

    Args:
        request: The request.
        fields: Takes what a form has beside its file: all that stands before the file is in it once the
            first bytes have come.
        limit: The most bytes, to refuse before anything is sent what says that it is larger.

    Raises:
        MediaTypeError: The body is neither a ZIP nor a form.
        InputTooLargeError: Its length is over the limit.
        UsageError: While reading: the form is broken, or has not exactly one file.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ZIP_TYPES[0]))
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit + _FORM_OVERHEAD:
        raise InputTooLargeError(
            f"The ZIP is larger than {limit} (HELTIG_UPLOAD_MAX_SIZE). Send less at a time."
        )
    if kind in ZIP_TYPES:
        return request.stream()
    if kind == FORM_TYPE and options.get("boundary"):
        return _file_of_form(request.stream(), options["boundary"], {} if fields is None else fields)
    raise MediaTypeError(f"Send the ZIP as {ZIP_TYPES[0]}, or as the one file of a {FORM_TYPE}.")


async def _file_of_form(
    body: AsyncIterator[bytes], boundary: str, fields: dict[str, str]
) -> AsyncIterator[bytes]:
    files, is_file, name = 0, False, ""
    try:
        with PushMultipartParser(boundary, max_segment_count=16) as parser:
            async for chunk in body:
                if not chunk or parser.closed:
                    continue
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        is_file, name = event.filename is not None, event.name
                        files += is_file
                        if files > 1:
                            raise UsageError("The form has more than one file: send one ZIP at a time.")
                    elif event and is_file:
                        yield bytes(event)
                    elif event and len(fields.get(name, "")) + len(event) <= _LONGEST_FIELD:
                        fields[name] = fields.get(name, "") + bytes(event).decode("utf-8", "replace")
    except MultipartError as error:
        raise UsageError("The form is broken, or ended before its end. Send it again.") from error
    if not files:
        raise UsageError("The form has no file. Send the ZIP as a file, in a field of any name.")
