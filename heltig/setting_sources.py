"""Where settings come from: the environment, else the TOML file that `HELTIG_CONFIG` names.

An empty variable counts as unset. A name that is no setting is refused, so that a misspelt limit cannot stay
without effect. Two families of names are no settings: `HELTIG_SECRET_*`, for what an `env:` reference names
(see `heltig.secret`), and `HELTIG_TEST_*`.
"""

import difflib
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from heltig.errors import ConfigurationError
from heltig.setting_types import Address, Days, SecretUrl, Size
from heltig.settings import Settings

PREFIX = "HELTIG_"
FOREIGN_PREFIXES = ("HELTIG_SECRET_", "HELTIG_TEST_")
CONFIG_VARIABLE = "HELTIG_CONFIG"

Source: TypeAlias = Literal["environment", "file"]


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings from the environment and the file that it names.

    Raises:
        ConfigurationError: Names every key that is unknown or has a value that cannot be used.
    """
    return load_with_sources(environ)[0]


def load_with_sources(environ: Mapping[str, str]) -> tuple[Settings, dict[str, Source]]:
    """Does as `load_settings`; says too where each value comes from that is no default, by field."""
    problems: list[str] = []
    values: dict[str, object] = {}
    sources: dict[str, Source] = {}
    kinds = {field.name: field.type for field in msgspec.structs.fields(Settings)}

    def take(key: str, given: object, *, name: str, source: Source) -> None:
        try:
            values[key] = _convert(given, kinds[key])
            sources[key] = source
        except ValueError as wrong:  # msgspec.ValidationError is one
            problems.append(f"{name}: {wrong}. {annotation_of(kinds[key])[1].description}")

    for key, given in _read_file(environ.get(CONFIG_VARIABLE)).items():
        if key in kinds:
            take(key, given, name=f"{environ[CONFIG_VARIABLE]}: {key}", source="file")
        else:
            near = "".join(f"; the nearest one is {other}" for other in _nearest(key, kinds))
            problems.append(f"{environ[CONFIG_VARIABLE]}: {key} is not a setting{near}.")

    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(FOREIGN_PREFIXES) or name == CONFIG_VARIABLE:
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in kinds or name != variable_of(key):
            near = "".join(f"; the nearest one is {variable_of(other)}" for other in _nearest(key, kinds))
            problems.append(f"{name} is not a setting{near}.")
        elif text := environ[name].strip():
            is_list = typing.get_origin(annotation_of(kinds[key])[0]) is tuple
            listed = [part.strip() for part in text.split(",")] if is_list else text
            take(key, listed, name=name, source="environment")

    if problems:
        raise ConfigurationError("\n".join(problems))
    return Settings(**values), sources  # type: ignore[arg-type]  # converted to the fields' types above


def _read_file(path: str | None) -> dict[str, object]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as wrong:
        raise ConfigurationError(
            f"{CONFIG_VARIABLE}: {path} cannot be read ({wrong.strerror}). Name a TOML file."
        ) from wrong
    except ValueError as wrong:  # not UTF-8, or not TOML
        raise ConfigurationError(f"{CONFIG_VARIABLE}: {path} is not TOML: {wrong}") from wrong


def variable_of(key: str) -> str:
    """The environment variable of a setting, by its key."""
    return PREFIX + key.upper()


def _nearest(key: str, known: Mapping[str, object]) -> list[str]:
    return difflib.get_close_matches(key, known, n=1)


def _convert(given: object, annotated: Any) -> object:
    kind, meta = annotation_of(annotated)
    for one in typing.get_args(typing.get_args(annotated)[0]):
        if typing.get_origin(one) is Annotated:  # where there may be None, limits stand with the value
            kind = one
    if kind is Path:
        return Path(str(given)).expanduser()
    if kind in (Size, Days, Address, SecretUrl):
        return kind.parse(given)
    return msgspec.convert(given, Annotated[kind, meta], strict=False)


def annotation_of(annotated: Any) -> tuple[Any, Meta]:
    """Splits a field's annotation into its type, without None and limits of its own, and its Meta."""
    kind, meta = typing.get_args(annotated)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    return kind, meta
