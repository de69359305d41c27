"""The output folder of an analysis."""

from pathlib import Path

import msgspec

from heltig.imaging.analysis import Analysis
from heltig.imaging.metrics.flat import flat_view


def write_outputs(analysis: Analysis, folder: Path) -> None:
    """Write all files of an analysis.

    Raises:
        OSError: A file cannot be written.
    """
    flat = flat_view(analysis.results, analysis.order.analysis_id)
    (folder / "resultados.json").write_bytes(msgspec.json.encode(flat))
