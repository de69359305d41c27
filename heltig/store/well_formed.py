"""What is told of a study to all who see studies, as far as it is what it should be.

Dates, times, modalities and numbers name nobody. Where one has another form anything may stand, a name too.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from heltig.standard.terms import known_terms
from heltig.store.records import Series, SeriesBlob, StudyAttributes

MASK: Final = "[redacted]"
"""Stands for what is none."""

_DATE: Final = re.compile(r"[12][0-9]{3}([-.]?)[0-9]{2}\1[0-9]{2}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,6})?)?)?", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,12}", re.ASCII)


def is_date(text: str) -> bool:
    """Whether a text is a date (DA), also in the form of ACR-NEMA or ISO 8601.

    >>> [is_date(text) for text in ("20260131", "2026.01.31", "", "DOE JANE")]
    [True, True, False, False]
    """
    return bool(_DATE.fullmatch(text.strip()))


def is_time(text: str) -> bool:
    """Whether a text is a time (TM), also with colons."""
    return bool(_TIME.fullmatch(text.strip()))


def is_number(text: str) -> bool:
    """Whether a text is a whole number (IS)."""
    return bool(_NUMBER.fullmatch(text.strip()))


def is_code(text: str) -> bool:
    """Whether a text is a term of the standard (CS): a Modality."""
    return text.strip() in known_terms()


def attributes_told(about: StudyAttributes, *, mask: str = MASK) -> StudyAttributes:
    """A study's attributes, with a mask for what is no date, no time and no modality.

    Args:
        about: As instances or an archive have them.
        mask: What stands for such.
    """
    date, time = about.study_date, about.study_time
    modalities = {one if is_code(one) else mask for one in about.modalities_in_study}
    return replace(
        about,
        study_date=date if _are(date, is_date) else mask,
        study_time=time if _are(time, is_time) else mask,
        modalities_in_study=tuple(sorted(modalities - {""})),
    )


def series_told(series: Series, *, mask: str = MASK) -> Series:
    """A series, with a mask for what is no modality and no number."""
    modality, number = series_texts(series.modality, series.series_number, mask=mask)
    return replace(series, modality=modality, series_number=number)


def blob_told(series: SeriesBlob) -> SeriesBlob:
    """A series on its way into the store, likewise."""
    modality, number = series_texts(series.modality, series.series_number)
    return replace(series, modality=modality, series_number=number)


def series_texts(modality: str, number: str, *, mask: str = MASK) -> tuple[str, str]:
    """The Modality and the SeriesNumber of a series, likewise."""
    return modality if _are(modality, is_code) else mask, number if _are(number, is_number) else mask


def _are(text: str, is_one: Callable[[str], bool]) -> bool:
    """Whether all values are such; an empty one says nothing."""
    return all(not value.strip() or is_one(value) for value in text.split("\\"))
