"""Dates in texts, as people write them, and how sure they are."""

import re
from collections.abc import Iterator
from typing import Final

from heltig.dicom.dates import parse_da
from heltig.rules.given_names import plain
from heltig.rules.personal_numbers import Evidence

_MONTHS: Final = {
    word: number
    for number, words in enumerate(
        (
            "JAN JANUARY JANUAR JANUARI JANVIER ENE ENERO GENNAIO GEN JANEIRO JANNER STYCZNIA LEDNA",
            "FEB FEBRUARY FEBRUAR FEBRUARI FEVRIER FEVR FEV FEBRERO FEBBRAIO FEVEREIRO LUTEGO UNORA",
            "MAR MARCH MARZ MAERZ MRZ MARS MARZO MARCO MAART MRT MARTS MARCA BREZNA",
            "APR APRIL AVRIL AVR ABRIL ABR APRILE KWIETNIA DUBNA",
            "MAY MAI MAYO MAGGIO MAG MAIO MEI MAJ MAJA KVETNA",
            "JUN JUNE JUNI JUIN JUNIO GIUGNO GIU JUNHO CZERWCA CERVNA",
            "JUL JULY JULI JUILLET JUIL JULIO LUGLIO LUG JULHO LIPCA CERVENCE",
            "AUG AUGUST AUGUSTUS AUGUSTI AOUT AGOSTO AGO SIERPNIA SRPNA",
            "SEP SEPT SEPTEMBER SEPTEMBRE SEPTIEMBRE SETTEMBRE SET SETEMBRO WRZESNIA ZARI",
            "OCT OCTOBER OKTOBER OKT OCTOBRE OCTUBRE OTTOBRE OTT OUTUBRO OUT PAZDZIERNIKA RIJNA",
            "NOV NOVEMBER NOVEMBRE NOVIEMBRE NOVEMBRO LISTOPADA LISTOPADU",
            "DEC DECEMBER DEZEMBER DEZ DECEMBRE DICIEMBRE DIC DICEMBRE DEZEMBRO DESEMBER DES GRUDNIA",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
"""Months by their names and how these are cut."""

_NUMBERS: Final = re.compile(
    r"(?<![\d.])(?:(?P<y>(?:19|20)\d\d)(?P<s>[-/.])(?P<m>\d\d)(?P=s)(?P<d>\d\d)"
    r"|(?P<d2>\d\d?)(?P<s2>[-./])(?P<m2>\d\d?)(?P=s2)(?P<y2>(?:19|20)\d\d)"
    r"|(?P<y3>(?:19|20)\d\d)(?P<m3>\d\d)(?P<d3>\d\d))(?!\d|\.\d)"
)
_WORDS: Final = re.compile(
    r"(?<![\d.])(?:(?P<d>\d\d?)(?:st|nd|rd|th|er|º)?(?:\.? |[-./])?(?:de |of )?(?P<m>[^\W\d_]{3,13})"
    r"(?:\. |[-./ ,]{1,2})?(?:de |of )?(?P<y>(?:19|20)\d\d)"
    r"|(?P<m2>[^\W\d_]{3,13})(?:\. |[-. ])(?P<d2>\d\d?)(?:st|nd|rd|th)?(?:, ?|[-. ])(?P<y2>(?:19|20)\d\d)"
    r"|(?P<y3>(?:19|20)\d\d)[-./ ]?(?P<m3>[^\W\d_]{3,13})[-./ ](?P<d3>\d\d?))(?!\d|\.\d)"
)
_SHORT: Final = re.compile(
    r"(?<![\w./-])(?:(?P<d>\d\d?)(?P<s>[./])(?P<m>\d\d?)(?P=s)(?P<y>\d\d)"
    r"|(?P<d2>\d\d?)(?P<s2>[-. ])(?P<m2>[^\W\d_]{3,9})(?P=s2)(?P<y2>\d\d))(?![\w/-]|\.\d)"
)
_FAR: Final = 24
"""Characters before a date in which a word may stand that says what it is."""

_FORMS: Final[tuple[tuple[Evidence, re.Pattern[str], str], ...]] = (
    ("certain", _NUMBERS, ""),
    ("certain", _WORDS, ""),
    ("possible", _SHORT, "20"),
)
_VERSION: Final = re.compile(
    r"(?i)(?:\bv|\bver|version|rev|release|software|sw|build|ratio|phase|filter)[\W_]*\Z"
)


def dates_in(text: str) -> Iterator[tuple[Evidence, str]]:
    """Days in a text: `certain` where their year is written in full. Those of versions are left out."""
    for evidence, forms, century in _FORMS:
        for found in forms.finditer(text):
            year, month, day = _parts(found)
            if not month.isdigit():
                is_date = _is_day(century + year, str(_MONTHS.get(plain(month), 0)), day)
            else:
                is_date = _is_day(century + year, month, day) or _is_day(century + year, day, month)
                is_date = is_date and (not century or max(len(day), len(month)) == 2 or int(year) > 31)
            if is_date and not _VERSION.search(text, max(0, found.start() - _FAR), found.start()):
                yield evidence, found[0]


def _parts(found: re.Match[str]) -> tuple[str, str, str]:
    """Year, month and day, whichever form they were written in."""
    named = found.groupdict()
    return next(
        (named[f"y{form}"], named[f"m{form}"], named[f"d{form}"])
        for form in ("", "2", "3")
        if named.get(f"y{form}") is not None
    )


def _is_day(year: str, month: str, day: str) -> bool:
    return parse_da(f"{year}{month:0>2}{day:0>2}") is not None
