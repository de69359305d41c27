"""The encoding of a data set as its own elements give it."""

from functools import lru_cache

from heltig.dicom.cell import Encoding, Syntax


@lru_cache(maxsize=256)
def encoding_of(syntax: Syntax, charset: tuple[str, ...], signed: bool) -> Encoding:
    """One object for one encoding, since a study has a few and a table compares them for every cell."""
    return Encoding(syntax, charset, signed)


@lru_cache(maxsize=64)
def charset_of(value: bytes) -> tuple[str, ...]:
    """The values of Specific Character Set (PS3.3 C.12.1.1.2)."""
    text = value.decode("ascii", "replace").rstrip(" \0")
    return tuple(term.strip(" \0") for term in text.split("\\")) if text else ()
