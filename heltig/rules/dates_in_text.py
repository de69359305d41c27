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
            "JAN JANUARY JANUAR JANUARI JANVIER ENE ENERO GENNAIO GEN JANEIRO JANNER STYCZNIA ЯНВАРЯ LEDNA",
            "FEB FEBRUARY FEBRUAR FEBRUARI FEVRIER FEVR FEV FEBRERO FEBBRAIO FEVEREIRO LUTEGO ФЕВРАЛЯ UNORA",
            "MAR MARCH MARZ MAERZ MRZ MARS MARZO MARCO MAART MRT MARTS MARCA МАРТА BREZNA",
            "APR APRIL AVRIL AVR ABRIL ABR APRILE KWIETNIA АПРЕЛЯ DUBNA",
            "MAY MAI MAYO MAGGIO MAG MAIO MEI MAJ MAJA МАЯ KVETNA",
            "JUN JUNE JUNI JUIN JUNIO GIUGNO GIU JUNHO CZERWCA ИЮНЯ CERVNA",
            "JUL JULY JULI JUILLET JUIL JULIO LUGLIO LUG JULHO LIPCA ИЮЛЯ CERVENCE",
            "AUG AUGUST AUGUSTUS AUGUSTI AOUT AGOSTO AGO SIERPNIA АВГУСТА SRPNA",
            "SEP SEPT SEPTEMBER SEPTEMBRE SEPTIEMBRE SETTEMBRE SET SETEMBRO WRZESNIA СЕНТЯБРЯ ZARI",
            "OCT OCTOBER OKTOBER OKT OCTOBRE OCTUBRE OTTOBRE OTT OUTUBRO OUT PAZDZIERNIKA ОКТЯБРЯ RIJNA",
            "NOV NOVEMBER NOVEMBRE NOVIEMBRE NOVEMBRO LISTOPADA НОЯБРЯ LISTOPADU",
            "DEC DECEMBER DEZEMBER DEZ DECEMBRE DICIEMBRE DIC DICEMBRE DEZEMBRO DESEMBER DES GRUDNIA ДЕКАБРЯ",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
"""Months by their names and how these are cut."""

_WORD: Final = r"(?P<m>[^\W\d_]{3,13})"
_YEAR: Final = r"(?P<y>(?:19|20)\d\d)"
_FIRST: Final = r"(?P<m>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6})"
_BEFORE: Final = r"(?<![\d.])"
_AFTER: Final = r"(?!\d|\.\d)"
_ALONE: Final = r"(?<![\w./-])", r"(?![\w/-]|\.\d)"


def _full(form: str) -> re.Pattern[str]:
    return re.compile(_BEFORE + form + _AFTER)


_FULL: Final[tuple[tuple[Evidence, re.Pattern[str]], ...]] = (
    ("certain", _full(rf"{_YEAR}(?P<s>[-/.])(?P<m>\d\d)(?P=s)(?P<d>\d\d)")),
    ("certain", _full(rf"(?P<d>\d\d?)(?P<s>[-./])(?P<m>\d\d?)(?P=s){_YEAR}")),
    ("certain", _full(rf"{_YEAR}(?P<m>\d\d)(?P<d>\d\d)")),
    ("certain", _full(rf"{_YEAR}[年년] ?(?P<m>\d\d?)[月월] ?(?P<d>\d\d?)[日일]")),
    (
        "certain",
        _full(
            rf"(?P<d>\d\d?)(?:st|nd|rd|th|er|º)?(?:\.? |[-./])?(?:de |of )?{_WORD}(?:\. |[-./ ,]{{1,2}})?"
            rf"(?:de |of )?{_YEAR}"
        ),
    ),
    ("certain", _full(rf"{_YEAR}[-./ ]?{_WORD}[-./ ](?P<d>\d\d?)")),
    ("certain", _full(rf"{_FIRST}\.?[- ](?P<d>\d\d?)(?:st|nd|rd|th)?(?:, ?|[- ]){_YEAR}")),
    ("possible", _full(rf"(?i:{_FIRST})\.?[- ](?P<d>\d\d?)(?:, ?|[- ]){_YEAR}")),
)
"""Dates with a full year. A month in front is `MAR 12 2010`, too: metal artefact reduction."""

_SHORT: Final = re.compile(rf"{_ALONE[0]}(?P<d>\d\d?)(?P<s>[-./])(?P<m>\d\d?)(?P=s)(?P<y>\d\d){_ALONE[1]}")
_SHORT_WORD: Final = re.compile(rf"{_ALONE[0]}(?P<d>\d\d?)(?P<s>[-. ]?){_WORD}(?P=s)(?P<y>\d\d){_ALONE[1]}")

_SOME_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_SOME_SHORT: Final = re.compile(r"\d([-./])\d\d?\1\d\d|\d[-. ]?[^\W\d_]{3,13}[-. ]?\d\d")

_VERSION: Final = re.compile(
    r"(?i)(?:\bv|\bver|version|rev|release|software|sw|build|ratio|phase|filter)[\W_]*\Z"
)
_FAR: Final = 24
"""Characters before a date in which a word may stand that says what it is."""


def dates_in(text: str) -> Iterator[tuple[Evidence, str]]:
    """Days in a text: `certain` where their year is written in full.

    The first of January, which replaces others, and the dates of versions are left out.
    """
    seen = set()
    for evidence, form in _FULL if _SOME_YEAR.search(text) else ():
        for found in form.finditer(text):
            is_date = _is_date(found["y"], found["m"], found["d"]) and not _is_of_version(found)
            if is_date and found.start() not in seen:
                seen.add(found.start())
                yield evidence, found[0]
    if not _SOME_SHORT.search(text):
        return
    for found in _SHORT.finditer(text):
        if _is_date(f"20{found['y']}", found["m"], found["d"]) and _is_no_row(found):
            yield "possible", found[0]
    for found in _SHORT_WORD.finditer(text):
        is_near = found["s"] != " " or int(found["y"]) >= _OF_BIRTHS  # `12 May 20 mm`
        if is_near and _is_date(f"20{found['y']}", found["m"], found["d"]) and not _is_of_version(found):
            yield "possible", found[0]


_OF_BIRTHS: Final = 40
"""Two digits of a year in which somebody was born, and from which on they are seldom anything else."""


def _is_no_row(found: re.Match[str]) -> bool:
    """Three numbers are no version and no row of values, as far as can be told from them."""
    numbers = [int(found[part]) for part in "dmy"]
    if _is_of_version(found) or all(number % 10 == 0 for number in numbers):
        return False
    if found["s"] == "-" and not len(found["d"]) == len(found["m"]) == 2:
        return False
    return numbers[2] >= _OF_BIRTHS or (found["s"] == "/" and max(numbers[:2]) > 12)


def _is_of_version(found: re.Match[str]) -> bool:
    return _VERSION.search(found.string, max(0, found.start() - _FAR), found.start()) is not None


def _is_date(year: str, month: str, day: str) -> bool:
    if not month.isdigit():
        return _is_day(year, str(_MONTHS.get(plain(month), 0)), day)
    return _is_day(year, month, day) or _is_day(year, day, month)


def _is_day(year: str, month: str, day: str) -> bool:
    found = parse_da(f"{year}{month:0>2}{day:0>2}")
    return found is not None and (found.month, found.day) != (1, 1)
