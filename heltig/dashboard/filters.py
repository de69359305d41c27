"""What the worklist is filtered by: read from an address, written into one, asked of the store."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

import msgspec

from heltig.rules.catalogue import catalogue
from heltig.store.records import Location
from heltig.store.search import StudyQuery
from heltig.verdict import Readiness

LONGEST: Final = 128
"""Characters of a filter's text; a StudyInstanceUID has 64."""

_KINDS: Final = frozenset({"archive", "gate", "upload"})
_READINESS: Final[Mapping[str, Readiness]] = {
    "READY": "READY",
    "NEEDS_REVIEW": "NEEDS_REVIEW",
    "BLOCKED": "BLOCKED",
}

AGES: Final[Mapping[str, tuple[str, timedelta | None, timedelta | None]]] = {
    "1h": ("Within an hour", None, timedelta(hours=1)),
    "1d": ("Within a day", None, timedelta(days=1)),
    "7d": ("Within 7 days", None, timedelta(days=7)),
    "over-1d": ("Over a day ago", timedelta(days=1), None),
    "over-7d": ("Over 7 days ago", timedelta(days=7), None),
    "over-30d": ("Over 30 days ago", timedelta(days=30), None),
}
"""How long ago the last verdict was given: what people call it, the least and the most."""


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The filters of the worklist; an empty one lets everything pass.

    Attributes:
        text: Somewhere in the StudyInstanceUID or the StudyDescription. Neither patients nor accession
            numbers are searched for here: what is typed becomes part of an address.
        readiness: The last verdict.
        modality: One of the study's modalities.
        location: `archive:NAME` or `gate:NAME`; `upload` for all uploads.
        rule: The id of a rule that found something, or its beginning.
        age: How long ago the last verdict was given, one of `AGES`.
        page: The page of the list, from 1.
    """

    text: str = ""
    readiness: Readiness | None = None
    modality: str = ""
    location: str = ""
    rule: str = ""
    age: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filter":
        """The filter of an address. What makes no sense in it counts as not given."""
        location = _text(query, "location")
        kind, _, name = location.partition(":")
        return cls(
            text=_text(query, "text"),
            readiness=_READINESS.get(query.get("readiness", "")),
            modality=_text(query, "modality"),
            location=location if (kind in _KINDS and name) or location == "upload" else "",
            rule=_text(query, "rule").upper(),
            age=query.get("age", "") if query.get("age", "") in AGES else "",
            page=max(number(query, "page") or 1, 1),
        )

    def address(self, **changes: object) -> str:
        """The address of the worklist under this filter, relative to the worklist.

        Args:
            **changes: Fields that are to differ; the page is the first one unless it is given.
        """
        changed = msgspec.structs.replace(self, **{"page": 1, **changes})
        given = {name: value for name, value in msgspec.to_builtins(changed).items() if value is not None}
        return f"?{urlencode(given)}" if given else "./"

    @property
    def is_empty(self) -> bool:
        """Everything passes."""
        return msgspec.structs.replace(self, page=1) == Filter()

    def query(self, *, any_readiness: bool = False) -> StudyQuery:
        """The filter as the store takes it.

        Args:
            any_readiness: Leave the verdict out of account.
        """
        at = self.location
        return StudyQuery(
            text=self.text or None,
            readiness=(self.readiness,) if self.readiness and not any_readiness else (),
            modalities_in_study=(self.modality,) if self.modality else (),
            locations=(Location.parse(at),) if ":" in at else (),
            location_kinds=("upload",) if at == "upload" else (),
            rules=rules_beginning(self.rule) if self.rule else (),
            age=AGES[self.age][1:] if self.age else (None, None),
        )


def rules_beginning(text: str) -> tuple[str, ...]:
    """The rules whose id begins so; the text itself where there is none, so that nothing is found."""
    return tuple(id for id in catalogue() if id.startswith(text)) or (text,)


def number(query: Mapping[str, str], name: str) -> int | None:
    """A number of an address; None where it is none, or too long for one of ours."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _text(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").replace("\0", "").strip()[:LONGEST]
