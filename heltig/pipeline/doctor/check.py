"""What the doctor says of one thing."""

from typing import Literal, TypeAlias

import msgspec

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Check(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing that was looked at.

    Attributes:
        about: What, in a word or two.
        state: How it is; `skipped` where it could not or need not be looked at.
        found: What was found, in a sentence.
        remedy: What to do; empty where nothing has to be done.
    """

    about: str
    state: State
    found: str
    remedy: str = ""


def ok(about: str, found: str) -> Check:
    """It is as it should be."""
    return Check(about=about, state="ok", found=found)


def warning(about: str, found: str, remedy: str) -> Check:
    """It works, but not as well or as safely as it could."""
    return Check(about=about, state="warning", found=found, remedy=remedy)


def failed(about: str, found: str, remedy: str) -> Check:
    """Heltig, or a part of it, does not work like this."""
    return Check(about=about, state="failed", found=found, remedy=remedy)


def skipped(about: str, found: str) -> Check:
    """It was not looked at."""
    return Check(about=about, state="skipped", found=found)
