"""Reports of stored verdicts: of a study, a batch, an archive or a period, written as they are read.

Nothing of a report is kept but counts and the worst studies, however many there are.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from heltig import __version__, csv_text
from heltig.reports import verdict_html
from heltig.reports.study_pictures import StudyPictures
from heltig.reports.verdict_about import About
from heltig.reports.verdict_figures import Tally
from heltig.reports.verdict_line import VerdictLine
from heltig.reports.wording import change, place
from heltig.rules.finding import Finding

Format: TypeAlias = Literal["html", "json", "csv", "ndjson"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
}

COLUMNS: Final = (
    "study_instance_uid", "key", "location", "state", "readiness", "why", "revision", "judged_utc",
    "modalities", "manufacturers", "models", "stations", "series", "instances", "study_date",
    "accession_number", "patient_ids", "rule", "severity", "waived", "message", "attributes", "observed",
    "expected", "instances_affected", "example_instances", "clause", "remedy", "proposed_change",
    "ruleset_version", "ruleset_hash", "standard", "profile", "profile_hash", "reference_date", "snapshot",
    "verdict", "heltig", "owner",
)  # fmt: skip
"""Of the CSV: a row a finding; a study without one has a row, too."""


async def written(
    lines: AsyncIterable[VerdictLine],
    format_: Format,
    about: About,
    *,
    pictures: StudyPictures | None = None,
) -> AsyncIterator[str]:
    """A report, in pieces.

    Args:
        lines: The studies.
        format_: How.
        about: What it is about.
        pictures: Of the one study that it is about.
    """
    match format_:
        case "ndjson":
            async for line in lines:
                yield msgspec.json.encode(line).decode() + "\n"
        case "csv":
            yield _head()
            async for line in lines:
                yield csv_text.lines(_rows(line))
        case "json":
            async for piece in _json(lines, about):
                yield piece
        case "html":
            async for piece in verdict_html.written(lines, about, pictures=pictures):
                yield piece


def as_csv(lines: Iterable[VerdictLine]) -> str:
    """Some studies as CSV, at once."""
    return _head() + "".join(csv_text.lines(_rows(line)) for line in lines)


def _head() -> str:
    """The first line; its byte order mark tells a spreadsheet that this is UTF-8 and no local code page."""
    return "\ufeff" + csv_text.lines([COLUMNS])


async def _json(lines: AsyncIterable[VerdictLine], about: About) -> AsyncIterator[str]:
    """One document; the counts come last, when all is counted."""
    head = {"heltig": __version__, "timeZone": "UTC", **msgspec.to_builtins(about)}
    yield msgspec.json.encode(head).decode()[:-1] + ',"verdicts":['
    tally, separator = Tally(), "\n"
    async for line in lines:
        tally.add(line)
        yield separator + msgspec.json.encode(line).decode()
        separator = ",\n"
    yield '\n],"figures":' + msgspec.json.encode(tally.figures()).decode() + "}\n"


def _rows(line: VerdictLine) -> list[list[object]]:
    ruleset, profile = line.ruleset, line.profile
    begin: list[object] = [
        line.study_instance_uid or "",
        line.key,
        line.location,
        line.state,
        line.readiness or "",
        line.why,
        line.revision,
        _utc(line.judged),
        "; ".join(line.modalities),
        _joined(device.manufacturer for device in line.devices),
        _joined(device.model for device in line.devices),
        _joined(device.station for device in line.devices),
        line.series,
        line.instances,
        line.study_date,
        line.accession_number,
        _joined(patient.patient_id for patient in line.patients),
    ]
    end: list[object] = [
        ruleset.version if ruleset else "",
        ruleset.hash if ruleset else "",
        ruleset.standard if ruleset else "",
        profile.name if profile else "",
        profile.hash if profile else "",
        line.reference_date.isoformat() if line.reference_date else "",
        line.snapshot or "",
        line.verdict or "",
        line.heltig,
        line.owner,
    ]
    found = [_finding(finding) for finding in line.findings]
    return [[*begin, *middle, *end] for middle in found or [[""] * (len(COLUMNS) - len(begin) - len(end))]]


def _finding(finding: Finding) -> list[object]:
    return [
        finding.rule,
        finding.severity,
        finding.waived,
        finding.message,
        "; ".join(map(place, finding.tags)),
        finding.observed,
        finding.expected,
        finding.count,
        " ".join(finding.instances),
        finding.reference,
        finding.remedy,
        "; ".join(map(change, finding.proposed)),
    ]


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, texts)))


def _utc(time: datetime | None) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else ""
