"""Templates: what pages and HTML reports share."""

import re
from importlib.resources import files
from typing import Final

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension

from heltig.reports.wording import change, counted, place

BASE_STYLE: Final = files("heltig.reports") / "style" / "base.css"
"""Colours, badges, findings and tables."""

LISTED: Final = 1000
"""Studies that a report of several lists, the worst; its other formats have all of them."""

SHOWN: Final = 50
"""Studies that are shown with all their findings."""

_PLAIN: Final = re.compile(r"[^A-Za-z0-9 .,:;()/-]")


class _Unindented(Extension):
    """Leaves the indentation of templates out of pages: a long list has more of it than of text."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return "\n".join(line.lstrip() for line in source.split("\n"))


def environment(*loaders: BaseLoader) -> Environment:
    """An environment that escapes everything and fails on what is not defined.

    Args:
        loaders: Where to look for templates beside those of this package (`parts.html`).
    """
    made = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("heltig.reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        extensions=[_Unindented],
        auto_reload=False,
    )
    made.filters.update(place=place, counted=counted, change=change)
    return made


def running_head(left: str, right: str) -> str:
    """The rule of a style sheet that puts a head, a foot and page numbers on paper.

    Args:
        left: What the report is about.
        right: Of when it is.
    """
    return (
        "@page { margin: 18mm 14mm 16mm; "
        f"@top-left {{ content: {_quoted(left)}; }} @top-right {{ content: {_quoted(right)}; }} "
        "@bottom-left { content: 'Operational QA of metadata, non-diagnostic'; } "
        "@bottom-right { content: 'Page ' counter(page) ' of ' counter(pages); } }\n"
    )


def _quoted(text: str) -> str:
    """A string of CSS, whatever is in the text."""
    cut = text if len(text) <= 90 else text[:89] + "…"
    return '"' + _PLAIN.sub(lambda found: f"\\{ord(found[0]):x} ", cut) + '"'
