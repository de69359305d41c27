"""Values that may stand in an object that we make: what a study says goes in only where it is legal.

pydicom would take any, and tell the log and the warnings what it does not like: patient data. So it is given
nothing that it does not like.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from heltig.dicom.dates import parse_da, parse_tm
from heltig.standard.dictionary import tag_of

_UNWRITABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff\ufffd]")
"""Control characters, the backslash between values, and what stands for bytes that are no characters."""

_SEXES: Final = ("M", "F", "O")


def put(dataset: Dataset, keyword: str, value: object) -> None:
    """Set an attribute of a data set, without pydicom looking at the value."""
    element = DataElement(int(tag_of(keyword), 16), dictionary_VR(keyword), value, validation_mode=IGNORE)
    dataset[element.tag] = element


def legal(keyword: str, text: str) -> str:
    """A single value as the standard lets it be written (PS3.5 6.2); empty where it is not.

    Args:
        keyword: An attribute of VR DA, TM, SH, LO or PN, or PatientSex.
        text: Its value, several of them with backslashes between.
    """
    if _UNWRITABLE.search(text):
        return ""
    text = text.strip(" ")
    return text if _LEGAL[dictionary_VR(keyword)](text) else ""


def _is_name(text: str) -> bool:
    groups = text.split("=")
    return (
        text.strip("^= ") != ""
        and len(groups) <= 3
        and all(len(group) <= 64 and group.count("^") <= 4 for group in groups)
    )


_LEGAL: Final[Mapping[str, Callable[[str], bool]]] = {
    "CS": lambda text: text in _SEXES,
    "DA": lambda text: parse_da(text) is not None,
    "TM": lambda text: parse_tm(text) is not None,
    "SH": lambda text: len(text) <= 16,
    "LO": lambda text: len(text) <= 64,
    "PN": _is_name,
}
