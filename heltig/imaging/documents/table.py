"""Measurements as a table: one row each, as CSV that a spreadsheet takes for text and numbers."""

from typing import Final

from heltig import csv_text
from heltig.imaging.analysis import Analysis
from heltig.imaging.metrics.measurement import REASONS, WARNINGS, Measurement
from heltig.imaging.statements import GATE_USE, RESEARCH_USE

COLUMNS: Final = (
    *("case_id", "region", "name", "value", "unit", "status", "reason", "reason_in_words", "method"),
    *("window_from", "window_to", "slice_index", "slice_mm", "sop_instance_uid", "frame", "warnings"),
    *("warnings_in_words", "series_instance_uid", "contrast_phase", "kvp", "kernel", "version", "use"),
)

_USE: Final = f"{RESEARCH_USE} {GATE_USE}"


def measurements_csv(analysis: Analysis) -> str:
    """The table."""
    return csv_text.lines([COLUMNS, *(_row(analysis, one) for one in analysis.results.measurements)])


def _row(analysis: Analysis, one: Measurement) -> tuple[object, ...]:
    technique = analysis.volume.technique
    low, high = one.window or (None, None)
    place = one.place
    return (
        analysis.order.analysis_id,
        one.region,
        one.name,
        one.value,
        one.unit,
        one.status,
        one.reason,
        REASONS.get(one.reason, ""),
        one.method,
        low,
        high,
        place and place.index,
        place and place.height_mm,
        place and place.sop_instance_uid,
        place and place.frame,
        " ".join(one.warnings),
        " ".join(WARNINGS.get(warning, "") for warning in one.warnings),
        analysis.volume.series_instance_uid,
        analysis.results.phase.phase,
        technique.kvp,
        technique.kernel,
        one.version,
        _USE,
    )
