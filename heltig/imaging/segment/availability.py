"""Which segmenters could run here, as JSON: for `heltig doctor`, which does not import the imaging part.

    echo '[{"id": "totalsegmentator", "options": {"tasks": "total"}}]' |
        python -m heltig.imaging.segment.availability

Without orders it tells of every backend with its defaults. Only files are looked at: nothing is started,
nothing is downloaded.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from heltig.errors import UsageError
from heltig.imaging.order import SegmenterOrder
from heltig.imaging.segment.options import SEGMENTERS
from heltig.imaging.segment.registry import segmenter
from heltig.imaging.segment.segmenter import Condition
from heltig.imaging.segment.totalsegmentator import TotalSegmentator

Readiness: TypeAlias = Condition | Literal["not_configured"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a backend.

    Attributes:
        id: Its name.
        condition: `ok`, what is missing, or `not_configured`: an option is missing or wrong.
        detail: What to do, in words.
        version: Its version, where it is installed.
        modalities: Of the series it takes.
        licence: Whose terms hold for its results.
        weights: Whether the weights of each of its tasks are there.
    """

    id: str
    condition: Readiness
    detail: str = ""
    version: str = ""
    modalities: tuple[str, ...] = ()
    licence: str = ""
    weights: Mapping[str, bool] = {}


def reports(orders: Sequence[SegmenterOrder]) -> list[Report]:
    """What is known of the backends of some orders; of all backends where there is no order."""
    return [_report(order) for order in orders or [SegmenterOrder(id=name) for name in SEGMENTERS]]


def _report(order: SegmenterOrder) -> Report:
    try:
        backend = segmenter(order, objects=(), workdir=Path())
    except UsageError as problem:
        return Report(id=order.id, condition="not_configured", detail=problem.detail)
    available, capabilities = backend.available(), backend.capabilities()
    return Report(
        id=order.id,
        condition=available.condition,
        detail=available.detail,
        version=backend.version,
        modalities=tuple(sorted(capabilities.modalities)),
        licence=capabilities.licence,
        weights=backend.weights_there() if isinstance(backend, TotalSegmentator) else {},
    )


def main() -> None:
    """Read orders from standard input and write what is known of their backends."""
    given = sys.stdin.buffer.read()
    orders = msgspec.json.decode(given, type=list[SegmenterOrder]) if given.strip() else []
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(reports(orders))) + b"\n")


if __name__ == "__main__":
    main()
