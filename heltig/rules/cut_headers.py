"""Instances whose header is not there to its end: what they do not show may have been in the rest."""

from typing import Final

from heltig.dicom.study import StudyTable

_CUT: Final = frozenset({"truncated", "unreadable"})
_PIXEL_DATA: Final = ("7FE00008", "7FE00009", "7FE00010")
"""They come last: where one of them is reached, what is missing is no part of the header."""


def cut_headers(table: StudyTable) -> frozenset[int]:
    """The rows of instances that end, or become unreadable, before their pixel data.

    Of an attribute that such an instance does not have nobody knows whether the object has it. ENC-TRUNCATED
    tells of them.
    """
    if not table.faults:
        return frozenset()
    columns = [table.columns[tag] for tag in _PIXEL_DATA if tag in table.columns]
    return frozenset(
        row
        for row, faults in table.faults.items()
        if any(fault.kind in _CUT for fault in faults) and not any(column.codes[row] for column in columns)
    )
