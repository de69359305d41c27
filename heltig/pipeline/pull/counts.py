"""Does as much come of a study as its archive lists?"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from heltig.dicom.cell import DataSet
from heltig.dicom.study import SERIES_INSTANCE_UID, StudyTable, element
from heltig.pipeline.pull.problems import LOST

_STUDY_SERIES: Final = "00201206"
_STUDY_INSTANCES: Final = "00201208"
_SERIES_INSTANCES: Final = "00201209"


def agrees(table: StudyTable) -> bool:
    """Whether what came of a study is what its archive lists, as far as the archive counts.

    The instances that came, the sum over the series listed and the count of the study are one number, and the
    series that came are those listed. Rows of one study under two patients add up.

    Args:
        table: The study, arranged.
    """
    source = table.source
    if any(failure.kind in LOST for failure in source.failures):
        return False
    came = Counter({series.uid or "": len(series.rows) for series in table.series})
    instances = _sum(source.study_rows, _STUDY_INSTANCES)
    if instances is not None and instances != table.rows:
        return False
    if len(source.study_rows) == 1 and _sum(source.study_rows, _STUDY_SERIES) not in (None, len(came)):
        return False
    listed = _by_series(source.series_rows)
    if not listed:
        return True
    return listed.keys() == came.keys() and all(n in (None, came[uid]) for uid, n in listed.items())


def _by_series(rows: Iterable[DataSet]) -> dict[str, int | None]:
    counts: dict[str, int | None] = {}
    for row in rows:
        uid = element(row, SERIES_INSTANCE_UID).text
        number, before = _sum([row], _SERIES_INSTANCES), counts.get(uid)
        counts[uid] = before if number is None else number + (before or 0)
    return counts


def _sum(rows: Iterable[DataSet], tag: str) -> int | None:
    """The sum of an attribute; None where no row has it."""
    numbers = [element(row, tag).numbers for row in rows]
    counts = [int(number[0]) for number in numbers if number and number[0] is not None]
    return sum(counts) if counts else None
