"""Pages that ask once before something is done: what will happen, why it is done, and a way back."""

from typing import Final

import msgspec
from litestar import Response
from litestar.response import Redirect

from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest
from heltig.dashboard.pages import page
from heltig.dashboard.refused import refuse, refused


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        here: The place of the navigation that it belongs to.
        title: What is to be done.
        about: To what, in a few words; empty where the title says it.
        happens: What will happen, sentence by sentence.
        button: What the button says.
        back: Where nothing is done, relative to the address of the question.
        is_final: It cannot be undone.
        wants_reason: Somebody has to say why.
        most_reason: Characters of that.
        label: What the field for it is called.
    """

    here: str
    title: str
    about: str
    happens: tuple[str, ...]
    button: str
    back: str
    is_final: bool = False
    wants_reason: bool = False
    most_reason: int = 0
    label: str = "Why"


REASON: Final = "reason"
"""The field in which somebody says why."""


def ask(request: AnyRequest, question: Question) -> Response[str]:
    """The page of a question; where its answer was refused, with that and why.

    Args:
        request: The request.
        question: What is asked; its form goes to the address of the request.
    """
    before = refused(request)
    return page(
        request,
        "asking.html",
        headers=FORM_HEADERS,
        question=question,
        wrong=before.wrong.get(REASON, ""),
        typed=before.typed.get(REASON, ""),
    )


def ask_again(request: AnyRequest, reason: str, *, wrong: str) -> Redirect:
    """Back to the question, which then says what is wrong with the reason that was given."""
    return refuse(request, typed={REASON: reason}, wrong={REASON: wrong})


def went(address: str, done: str) -> Redirect:
    """To a page that says what was done: loading it again does nothing again. Relative, for proxies."""
    separator = "&" if "?" in address else "?"
    return went_to(f"{address}{separator}done={done}")


def went_to(address: str) -> Redirect:
    """To a page by GET. Relative, for proxies."""
    return Redirect(address, status_code=303, headers=dict(FORM_HEADERS))
