"""Secrets by reference: what is stored and shown is where a secret lies, never the secret."""

import os
from collections.abc import Mapping
from pathlib import Path

from heltig.errors import ConfigurationError


def read_secret(reference: str, environ: Mapping[str, str] = os.environ) -> str:
    """Reads a secret: `env:NAME` from the environment, `file:PATH` from a file without its last line break.

    Raises:
        ConfigurationError: There is none, or it has characters that no HTTP header can carry.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        value = environ.get(name, "")
    elif kind == "file" and name:
        try:
            value = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as wrong:
            raise ConfigurationError(f"{reference}: this secret cannot be read as a text file.") from wrong
    else:
        # Not shown: it may be the secret itself.
        raise ConfigurationError("A secret is not given itself: give env:NAME or file:PATH.")
    if not value or not value.isprintable():
        raise ConfigurationError(f"{reference}: this secret is empty, or not one line of text.")
    return value
