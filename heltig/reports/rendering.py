"""Templates: what pages and HTML reports share."""

from importlib.resources import files
from typing import Final

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension

from heltig.reports.wording import change, counted, place

BASE_STYLE: Final = files("heltig.reports") / "style" / "base.css"
"""Colours, badges, findings and tables."""


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
