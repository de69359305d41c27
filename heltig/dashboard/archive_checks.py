"""What is wrong with a form by which an archive is configured, field by field."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from heltig.dashboard.archive_fields import CHOSEN, FIELDS, Field
from heltig.errors import UsageError

T = TypeVar("T")

AT_LARGE: Final = ""
"""In place of a field: what is wrong with the form as a whole."""

_STAND_INS: Final[Mapping[str, str]] = {
    "name": "a",
    "qidoUrl": "https://archive.invalid",
    "auth.username": "a",
    "auth.tokenUrl": "https://archive.invalid",
    "auth.clientId": "a",
    "auth.secret": "env:HELTIG_SECRET_A",
}
"""What is checked in place of what is wrong and has to be there, to find what else is."""

_BOUND: Final = re.compile(r"Expected `(?:int|float)` (>=|<=) (.+)\.")
_WHERE: Final = re.compile(r"(?P<field>[\w.]+)(?:\[(?:\d+|\.\.\.)\])*: (?P<what>.*)", re.DOTALL)
_REFERENCE: Final = re.compile(r"env:HELTIG_SECRET_\w+|file:/.+")


class Checked(msgspec.Struct, frozen=True):
    """What came of checking a form.

    Attributes:
        found: What it gives; None where something is wrong.
        wrong: What is wrong, by field, see `AT_LARGE`.
    """

    found: Any
    wrong: dict[str, str]


def check(patch: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> Checked:
    """Has a form read, again and again without what is wrong, until all that is wrong is known.

    Args:
        patch: The form, as `archive_fields.patch_of` gives it.
        read: Makes of it what is wanted; its UsageError begins with the field.
    """
    wrong: dict[str, str] = {}
    while True:
        try:
            found = read(patch)
        except UsageError as error:
            field, said = _said(error.detail)
            if field in wrong or field == AT_LARGE:
                if not wrong:
                    wrong[AT_LARGE] = said
                return Checked(None, wrong)
            wrong[field] = said
            patch = _without(patch, field)
        else:
            return Checked(None if wrong else found, wrong)


def echoed(typed: Mapping[str, str]) -> dict[str, str]:
    """What was typed, as the form shows it again: nothing that may be a secret."""
    shown = {name: text for name, text in typed.items() if name in FIELDS or name == CHOSEN}
    for name, field in FIELDS.items():
        text = shown.get(name, "")
        if field.kind == "secret" and not _REFERENCE.fullmatch(text):
            shown[name] = ""
        elif field.kind == "url" and "@" in text:
            shown[name] = _without_user(text)
    return shown


def _said(detail: str) -> tuple[str, str]:
    """The field that an error is about, and what it says of it."""
    found = _WHERE.fullmatch(detail)
    field = FIELDS.get(found["field"]) if found else None
    if found and found["field"] == CHOSEN:
        return CHOSEN, "Choose one."
    if found is None or field is None:
        return AT_LARGE, detail
    return field.name, _in_words(field, found["what"])


def _in_words(field: Field, what: str) -> str:
    if what == "is missing.":
        return "This has to be there."
    if bound := _BOUND.fullmatch(what):
        number = bound[2].removesuffix(".0")
        return f"At {'least' if bound[1] == '>=' else 'most'} {number}, please."
    if what.startswith("Expected") and field.kind in ("whole", "number"):
        return "Give a whole number." if field.kind == "whole" else "Give a number, such as 2.5."
    if field.name == "auth.username" and what.startswith("Expected"):
        return "A user name has no colon."
    is_word = what.partition(" ")[0].isalpha()
    return what[:1].upper() + what[1:] if is_word else what


def _without(patch: Mapping[str, Any], field: str) -> dict[str, Any]:
    part, _, inner = field.rpartition(".")
    if part and field != CHOSEN:
        return {**patch, part: _changed(patch[part], inner, _STAND_INS.get(field))}
    return _changed(patch, part or field, _STAND_INS.get(field))


def _changed(patch: Mapping[str, Any], name: str, value: str | None) -> dict[str, Any]:
    """A patch with another value, or without one."""
    others = {other: one for other, one in patch.items() if other != name}
    return others if value is None else {**others, name: value}


def _without_user(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
