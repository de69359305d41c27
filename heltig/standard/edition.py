"""Which edition of the DICOM standard the tables hold, and where they come from."""

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from heltig.errors import ConfigurationError

EDITION = "2024e"
"""Edition of PS3.3, PS3.5 and PS3.6 that the tables of this package hold."""

TABLES = Path(__file__).parent / "tables"
"""Folder of the compiled tables, written by `python -m heltig.standard.build`."""

NAMES = (
    "body_parts",
    "deidentification",
    "dictionary",
    "enumerations",
    "interests",
    "iods",
    "modules",
    "private_creators",
    "sop_classes",
    "uids",
)
"""All of them."""

Rows = TypeVar("Rows")


class Source(msgspec.Struct, frozen=True):
    """A file that a table was compiled from.

    Attributes:
        package: Distribution name on PyPI.
        version: Version of the distribution.
        edition: Edition of the standard that the file holds.
        file: Path of the file inside the distribution.
        sha256: SHA-256 of the file, in hex.
        licence: SPDX identifier of the distribution's licence.
    """

    package: str
    version: str
    edition: str
    file: str
    sha256: str
    licence: str


class Table(msgspec.Struct, Generic[Rows], frozen=True):
    """A compiled table with its provenance.

    Attributes:
        edition: Edition of the standard.
        notice: Copyright and licence notice of the sources.
        sources: The files that the rows were compiled from.
        added: Keys of the rows that the first source does not have, by the package they were taken from.
        rows: The table itself.
    """

    edition: str
    notice: list[str]
    sources: list[Source]
    added: dict[str, list[str]]
    rows: Rows


def read_table(name: str, rows: type[Rows]) -> Table[Rows]:
    """Read one compiled table that ships with the package.

    Args:
        name: The table's name, such as `dictionary`.
        rows: The type of its rows.

    Raises:
        ConfigurationError: The installation lacks it.
        msgspec.DecodeError: The file is not the table that this version of the package expects.
    """
    try:
        content = (TABLES / f"{name}.json").read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"this installation lacks the table {name} of the standard: install it anew"
        ) from error
    return msgspec.json.decode(content, type=Table[rows])  # type: ignore[valid-type]  # known when it runs


def provenance() -> dict[str, tuple[Source, ...]]:
    """Return the sources of every compiled table, by the table's name.

    Raises:
        ConfigurationError: The installation lacks one.
    """
    return {name: tuple(read_table(name, msgspec.Raw).sources) for name in NAMES}
