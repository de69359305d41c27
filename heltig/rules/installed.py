"""Rules that a site installed beside Heltig: modules that entry points of the group `heltig.rules` name."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Final, NamedTuple

from heltig.errors import ConfigurationError

GROUP: Final = "heltig.rules"

_DECIDING: Final = frozenset((".py", ".json", ".toml", ".yml", ".yaml", ".csv", ".txt", ".so", ".pyd"))
"""The endings of files that code is made of, or reads what it goes by from."""


class Installed(NamedTuple):
    """A module of a site's rules, and the distribution that brought it where that is known."""

    module: ModuleType
    distribution: Distribution | None


@cache
def installed() -> tuple[Installed, ...]:
    """The modules of a site's own rules, in the order of the names of their entry points.

    Raises:
        ConfigurationError: One cannot be imported; the detail says where it stands still.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return tuple(Installed(_load(point), point.dist) for point in points)


def distribution_of(module: str) -> str:
    """Name and version of the distribution that brought a site's module; empty where that is not known."""
    top = module.partition(".")[0]
    for one in installed():
        if one.module.__name__.partition(".")[0] == top and one.distribution is not None:
            return f"{one.distribution.name} {one.distribution.version}"
    return ""


def digest_of_installed() -> bytes:
    """SHA-256 over the modules' names and the files that they may be made of.

    Those are all of the package that a module is in, from the top, and all other modules of its distribution:
    what a rule finds may be decided in any of them.
    """
    digest = hashlib.sha256()
    for one in installed():
        digest.update(one.module.__name__.encode() + b"\0")
        for name, path in sorted(set(_files_of(one))):
            digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def _load(point: EntryPoint) -> ModuleType:
    what = f"the rules of entry point {point.name} ({point.value})"
    try:
        module = point.load()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ConfigurationError(f"{what} cannot be loaded: {_said_of(error)}") from error
    if not isinstance(module, ModuleType):
        raise ConfigurationError(f"{what} cannot be loaded: it names no module, but {type(module).__name__}")
    return module


def _said_of(error: BaseException) -> str:
    """What went wrong while a module was imported, with file and line of where it did."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}, at {error.filename}:{error.lineno}"
    ours = Path(__file__).parents[1]  # where our own line refuses something, the line that called it is meant
    own = [
        frame
        for frame in extract_tb(error.__traceback__)
        if not Path(frame.filename).is_relative_to(ours)
        and "importlib" not in Path(frame.filename).parts
        and not frame.filename.startswith("<frozen")
    ]
    return f"{said}, at {own[-1].filename}:{own[-1].lineno}" if own else said


def _files_of(one: Installed) -> Iterator[tuple[str, Path]]:
    """Files with the names that they have wherever the distribution is installed."""
    root = _root(one.module)
    if root is not None and root.is_dir():
        found = [path for path in root.rglob("*") if path.is_file()]
        yield from ((path.relative_to(root.parent).as_posix(), path) for path in found if _decides(path))
    elif root is not None:
        yield root.name, root
    for file in (one.distribution and one.distribution.files) or ():
        path = Path(str(file.locate()))
        if file.suffix == ".py" and ".." not in file.parts and path.is_file():
            yield file.as_posix(), path


def _root(module: ModuleType) -> Path | None:
    """The folder of the topmost package that a module is in, or its file where it is in none."""
    file = getattr(module, "__file__", None)
    if not file:
        return None
    path = Path(file)
    if path.stem == "__init__":
        path = path.parent
    while (path.parent / "__init__.py").is_file():
        path = path.parent
    return path


def _decides(path: Path) -> bool:
    return path.suffix in _DECIDING and "__pycache__" not in path.parts
