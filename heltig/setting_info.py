"""The settings for people to read: what `heltig settings` and docs/settings.md show."""

import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from heltig.setting_sources import Source, annotation_of, load_with_sources, variable_of
from heltig.setting_types import Address, Days, SecretUrl, Size
from heltig.settings import Settings


class SettingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, for people to read.

    Attributes:
        variable: Its name in the environment.
        key: Its name in the TOML file.
        type: What it holds, in a word or two.
        default: Its default, as text.
        doc: What it is for.
        value: Its value in force, as text, without passwords.
        source: Where that value comes from.
    """

    variable: str
    key: str
    type: str
    default: str
    doc: str
    value: str
    source: Literal["default"] | Source


def describe(environ: Mapping[str, str] = os.environ) -> list[SettingInfo]:
    """Lists every setting with its documentation and the value in force.

    Raises:
        ConfigurationError: As `load_settings`.
    """
    settings, sources = load_with_sources(environ)
    infos = []
    for field in msgspec.structs.fields(Settings):
        kind, meta = annotation_of(field.type)
        infos.append(
            SettingInfo(
                variable=variable_of(field.name),
                key=field.name,
                type=_type_name(kind, field.name),
                default=(meta.extra or {}).get("default") or _shown(field.default),
                doc=meta.description or "",
                value=_shown(getattr(settings, field.name)),
                source=sources.get(field.name, "default"),
            )
        )
    return infos


def _type_name(kind: Any, name: str) -> str:
    if typing.get_origin(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "list, separated by commas"
    return {
        Path: "path",
        bool: "`true` or `false`",
        int: "number",
        float: "hours" if name.endswith("_hours") else "seconds",
        str: "text",
        Size: "size",
        Days: "days, or `forever`",
        Address: "`HOST:PORT`",
        SecretUrl: "URL",
    }[kind]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
