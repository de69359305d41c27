"""Two archives side by side, written as it is compared: nothing but counts is kept."""

import csv
from collections import Counter
from collections.abc import AsyncIterable
from functools import cache
from typing import IO, Any, Final, Literal, TypeAlias

import msgspec

from heltig.csv_text import safe
from heltig.pipeline.differences.comparing import STATUSES, Compared, SeriesDifference, Status
from heltig.reports.rendering import BASE_STYLE, environment
from heltig.reports.wording import counted

Format: TypeAlias = Literal["text", "csv", "json", "html"]

COLUMNS: Final = (
    "study", "status", "source_series", "source_instances", "destination_series", "destination_instances",
    "only_source", "only_destination", "differences",
)  # fmt: skip

WORDS: Final[dict[Status, str]] = {
    "equal": "equal",
    "alike": "of the same instances, attributes not compared",
    "different": "different",
    "only-source": "only in {source}",
    "only-destination": "only in {destination}",
    "not-read": "not pulled from both as they are now",
    "not-comparable": "not to be told: one of the archives shows too little",
}


async def write(
    found: AsyncIterable[Compared],
    format_: Format,
    file: IO[str],
    *,
    source: str,
    destination: str,
    everything: bool,
) -> Counter[Status]:
    """Writes studies as they come, and a summary; returns how many there are of each status.

    Args:
        found: The studies.
        format_: How: `json` is one object a line, the last of them the summary.
        file: Where to.
        source: The name of one archive.
        destination: Of the other.
        everything: Studies that are equal, too.
    """
    counts: Counter[Status] = Counter()
    names = {"source": source, "destination": destination}
    rows = csv.writer(file, lineterminator="\r\n")
    if format_ == "csv":
        rows.writerow(COLUMNS)
    elif format_ == "html":
        file.write(_macros().begin(**names, style=BASE_STYLE.read_text("utf-8")))
    async for one in found:
        counts[one.status] += 1
        if one.status == "equal" and not everything:
            continue
        match format_:
            case "csv":
                rows.writerow(_row(one))
            case "json":
                file.write(msgspec.json.encode(one).decode() + "\n")
            case "html":
                file.write(_macros().row(one, _differences(one), WORDS[one.status].format(**names)))
            case "text":
                file.write(_line(one) + "\n")
    summary = {status: counts[status] for status in STATUSES if counts[status]}
    match format_:
        case "json":
            file.write(
                msgspec.json.encode({**names, "studies": counts.total(), "counts": summary}).decode() + "\n"
            )
        case "html":
            told = [(number, WORDS[status].format(**names)) for status, number in summary.items()]
            file.write(_macros().end(counts.total(), told))
        case "text":
            said = ", ".join(
                f"{number:,} {WORDS[status].format(**names)}" for status, number in summary.items()
            )
            file.write(f"{counted(counts.total(), 'study', 'studies')}: {said}.\n" if said else "No study.\n")
    return counts


def _row(one: Compared) -> tuple[object, ...]:
    return (
        safe(one.study),
        one.status,
        one.source_series,
        one.source_instances,
        one.destination_series,
        one.destination_instances,
        one.only_source,
        one.only_destination,
        safe(_differences(one)),
    )


def _line(one: Compared) -> str:
    sides = (
        (one.source_series, one.source_instances),
        (one.destination_series, one.destination_instances),
    )
    sizes = " / ".join(
        "-" if series is None else f"{series} series, {instances} inst." for series, instances in sides
    )
    line = f"{one.status:<16}  {one.study}  {sizes}  {_differences(one)}".rstrip()
    return "".join(c if c.isprintable() else "?" for c in line)


def _differences(one: Compared) -> str:
    said = []
    if one.only_source:
        said.append(f"{counted(one.only_source, 'instance')} only in the source")
    if one.only_destination:
        said.append(f"{counted(one.only_destination, 'instance')} only in the destination")
    for series in one.differences:
        said.append(f"{series.series}: {_difference(series)}")
    return "; ".join(said)


def _difference(series: SeriesDifference) -> str:
    here, there = series.source_instances, series.destination_instances
    if series.attributes == ("SeriesInstanceUID",):
        return "instances that the other has in another series"
    if here != there:
        return f"{counted(here, 'instance')} in the source and {there:,} in the destination, of the same UIDs"
    return ", ".join(series.attributes) or "written otherwise, the same values"


@cache
def _macros() -> Any:
    """The macros of the template: what mypy cannot know."""
    return environment().get_template("comparison.html").module
