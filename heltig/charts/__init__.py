"""Charts as inline SVG, made on the server: the same picture on a page, in a report and on paper.

Each function is pure: plain numbers and words in, markup out. Nothing of it needs a script or an inline
style, so that a strict content security policy lets it be. Colours come from the tokens of `charts.css`.
Every chart has a title and a description for who does not see it, and its figures as a table.
"""

from importlib.resources import files
from typing import Final

from heltig.charts.bars import Bar, bars
from heltig.charts.days import Day, Mark, sparkline, verdicts_by_day
from heltig.charts.heat_map import Cell, heat_map
from heltig.charts.heat_map import Row as HeatRow
from heltig.charts.slices import SliceStrip, Space, in_words, slice_strip
from heltig.charts.timeline import Span, timeline

STYLE: Final = files("heltig.charts") / "charts.css"
"""The tokens and classes that the charts need; after the base style of pages or reports."""

__all__ = [
    "STYLE",
    "Bar",
    "Cell",
    "Day",
    "HeatRow",
    "Mark",
    "SliceStrip",
    "Space",
    "Span",
    "bars",
    "heat_map",
    "in_words",
    "slice_strip",
    "sparkline",
    "timeline",
    "verdicts_by_day",
]
