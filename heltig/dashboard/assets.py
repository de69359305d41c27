"""Style sheets, scripts and the icon, under names that change with their content: browsers may keep them.

`htmx.min.js` is htmx 4.0.1 as its authors publish it; its licence lies beside it.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from heltig import charts
from heltig.reports.rendering import BASE_STYLE

_STATIC: Final = files("heltig.dashboard") / "static"

_COMMENT: Final = re.compile(rb"/\*.*?\*/", re.DOTALL)
_SPACE: Final = re.compile(rb"(?<=[{};,])\s+| (?={)|\s+(?=})")
_PARTS: Final = {
    "heltig.css": (BASE_STYLE, _STATIC / "pages.css", _STATIC / "navigation.css"),
    "operations.css": (charts.STYLE, _STATIC / "operations.css"),
    "heltig.js": (_STATIC / "pages.js",),
    "keyboard.js": (_STATIC / "keyboard.js",),
    "drafts.js": (_STATIC / "drafts.js",),
    "worklist.css": (_STATIC / "worklist.css",),
    "worklist.js": (_STATIC / "worklist.js",),
    "upload.js": (_STATIC / "upload.js",),
    "htmx.js": (_STATIC / "htmx.min.js",),
    "research.css": (_STATIC / "research.css",),
    "research.js": (_STATIC / "research.js",),
    "icon.svg": (_STATIC / "icon.svg",),
}
_MEDIA_TYPES: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    """A static file.

    Attributes:
        file_name: Its name in addresses, with 12 digits of its SHA-256.
        media_type: What it is.
        body: Its bytes, and those of its gzip form in `packed`.
    """

    file_name: str
    media_type: str
    body: bytes
    packed: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """All of them, by the name that templates use."""
    return {
        name: _asset(name, b"\n".join(part.read_bytes() for part in parts)) for name, parts in _PARTS.items()
    }


@cache
def assets_by_file_name() -> Mapping[str, Asset]:
    """All of them, by the name that addresses have."""
    return {asset.file_name: asset for asset in assets().values()}


def _asset(name: str, body: bytes) -> Asset:
    stem, _, kind = name.partition(".")
    if kind == "css":
        body = _SPACE.sub(b"", _COMMENT.sub(b"", body))  # a fifth of it
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(f"{stem}-{digest}.{kind}", _MEDIA_TYPES[kind], body, gzip.compress(body, mtime=0))
