"""What can be done with an archive from its page: plain forms, taken from our own pages alone."""

from collections.abc import Mapping
from typing import Final

from heltig.auth.policy import refusal
from heltig.auth.principal import Principal

FORM_HEADERS: Final[Mapping[str, str]] = {"Referrer-Policy": "same-origin"}
"""Of pages with forms: under `no-referrer` browsers do not say that a form is from our own page."""

_TOLD: Final[Mapping[str, str]] = {
    "paused": "Paused: nothing is asked of it until it is resumed.",
    "resumed": "Resumed.",
}


def may_change(principal: Principal | None) -> bool:
    """Whether somebody may do any of it."""
    return refusal(principal, "POST", "/archives/{id}/pause") is None


def told(done: str) -> str:
    """What the page says of something that was done; empty for what is none of it."""
    return _TOLD.get(done, "")
