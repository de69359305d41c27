"""What the worklist is filtered by: read from an address, written into one, asked of the store."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from heltig.errors import UsageError
from heltig.pipeline.review import owner_wanted
from heltig.rules.catalogue import catalogue
from heltig.store.records import Location
from heltig.store.study_query import AGES, StudyQuery
from heltig.verdict import Readiness

T = TypeVar("T", bound=str)

LONGEST: Final = 128
"""Characters of a filter's text; a StudyInstanceUID has 64."""

_DONE: Final = ("done", "studies", "left")
"""What an address says of what was done."""

_KINDS: Final = frozenset({"archive", "gate", "upload"})
_READINESS: Final[Mapping[str, Readiness]] = {
    "READY": "READY",
    "NEEDS_REVIEW": "NEEDS_REVIEW",
    "BLOCKED": "BLOCKED",
}

AGES_CALLED: Final[Mapping[str, str]] = {
    "1h": "Within an hour",
    "1d": "Within a day",
    "7d": "Within 7 days",
    "over-1d": "Over a day ago",
    "over-7d": "Over 7 days ago",
    "over-30d": "Over 30 days ago",
}
"""How long ago the last verdict was given: what people call it."""

NOT_NAMED: Final = "(none)"
"""In place of a manufacturer, model or station: devices that name none."""


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The filters of the worklist; an empty one lets everything pass.

    Attributes:
        text: Somewhere in the StudyInstanceUID or the StudyDescription. Neither patients nor accession
            numbers are searched for here: what is typed becomes part of an address.
        readiness: The last verdict.
        modality: One of the study's modalities.
        manufacturer: Of one of the study's devices, as a whole or with `*` and `?`; `NOT_NAMED` where it
            names none. `model` and `station` are of the same device.
        location: `archive:NAME` or `gate:NAME`; `upload` for all uploads.
        rule: The id of a rule that found something, or its beginning.
        age: How long ago the last verdict was given, one of `AGES`.
        owner: Who sees to the study: a name, `mine` or `nobody`.
        page: The page of the list, from 1.
    """

    text: str = ""
    readiness: Readiness | None = None
    modality: str = ""
    manufacturer: str = ""
    model: str = ""
    station: str = ""
    location: str = ""
    rule: str = ""
    age: str = ""
    owner: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filter":
        """The filter of an address.

        Raises:
            UsageError: Something in it makes no sense.
        """
        insist_on_names(query, *cls.__struct_fields__, *_DONE)
        location = text(query, "location")
        kind, _, name = location.partition(":")
        if location not in ("", "upload") and not (kind in _KINDS and name):
            raise UsageError("location: give `archive:NAME`, `gate:NAME`, `upload:NAME` or `upload`.")
        for field, known in (("readiness", _READINESS), ("age", AGES)):
            if query.get(field) and query[field] not in known:
                raise UsageError(f"{field}: give one of {', '.join(known)}.")
        return cls(
            text=text(query, "text"),
            readiness=_READINESS.get(query.get("readiness", "")),
            modality=text(query, "modality"),
            manufacturer=text(query, "manufacturer"),
            model=text(query, "model"),
            station=text(query, "station"),
            location=location,
            rule=text(query, "rule").upper(),
            age=query.get("age", ""),
            owner=text(query, "owner"),
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

    @property
    def is_of_cause(self) -> bool:
        """It is about what is wrong, or with which device."""
        return bool(self.rule or self.manufacturer or self.model or self.station)

    def query(self, *, any_readiness: bool = False, me: str = "") -> StudyQuery:
        """The filter as the store takes it.

        Args:
            any_readiness: Leave the verdict out of account.
            me: The name of whoever looks.
        """
        at = self.location
        return StudyQuery(
            text=self.text or None,
            readiness=(self.readiness,) if self.readiness and not any_readiness else (),
            modalities_in_study=(self.modality,) if self.modality else (),
            manufacturer=_named(self.manufacturer),
            model=_named(self.model),
            station=_named(self.station),
            locations=(Location.parse(at),) if ":" in at else (),
            location_kinds=("upload",) if at == "upload" else (),
            rules=rules_beginning(self.rule) if self.rule else (),
            age=AGES[self.age] if self.age else (None, None),
            owner=owner_wanted(self.owner, me) if self.owner else None,
        )


def _named(text: str) -> str | None:
    """What names a device, as the store takes it."""
    return None if not text else "" if text == NOT_NAMED else text


def rules_beginning(text: str) -> tuple[str, ...]:
    """The rules whose id begins so; the text itself where there is none, so that nothing is found."""
    return tuple(id for id in catalogue() if id.startswith(text)) or (text,)


def number(query: Mapping[str, str], name: str) -> int | None:
    """A number of an address; None where it has none.

    Raises:
        UsageError: It is no number, or too long for one of ours.
    """
    text = query.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UsageError(f"{name}: give a whole number, of nine digits at most.")
    return int(text) if text else None


def one_of(query: Mapping[str, str], name: str, known: Iterable[T], *, otherwise: T) -> T:
    """The value of an address that is one of a few.

    Args:
        query: The address's query.
        name: Of the parameter.
        known: Values that it may have.
        otherwise: What is meant where it is not given.

    Raises:
        UsageError: It is another one.
    """
    text, values = query.get(name, ""), tuple(known)
    for value in values:
        if value == text:
            return value
    if text:
        raise UsageError(f"{name}: give one of {', '.join(values)}.")
    return otherwise


def text(query: Mapping[str, str], name: str, *, most: int = LONGEST) -> str:
    """A text of an address, without white space around it, cut where it is longer than a page takes.

    Raises:
        UsageError: It has a NUL, which no text of ours has.
    """
    given = query.get(name, "")
    if "\0" in given:
        raise UsageError(f"{name}: give a text without control characters.")
    return given.strip()[:most]


def insist_on_names(query: Mapping[str, str], *names: str) -> None:
    """Takes an address whose parameters are those of its page: another one would be a list not asked for.

    Raises:
        UsageError: One is called otherwise.
    """
    for name in query:
        if name not in names:
            near = get_close_matches(name, names, 1)
            help = f"did you mean {near[0]}?" if near else f"this page takes {', '.join(names)}."
            raise UsageError(f"There is no parameter {name!r} here; {help}")
