"""Numbers that states and health services give to people, told by form, birth date and check digits.

How sure a number is depends on how many others pass as one. In a text a number with a state's own
separators is `certain`: there, few others are written so. As an identifier it is `certain` where hardly one
in a thousand random ones of its form passes; a birth date and one check digit are passed by one in some
hundred, and by one in ten of those that begin with a date. These are `possible`, for pseudonyms are such
numbers, too. Numbers with neither a birth date nor a long check (BSN, the Turkish number, an NHS number
without spaces) are not told apart from others, and left alone.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from heltig.rules import check_digits as check

Evidence: TypeAlias = Literal["certain", "possible"]
"""How sure it is that a text tells of somebody."""


class Number(NamedTuple):
    """A number found.

    Attributes:
        text: As it is written.
        evidence: How sure it is that it is one.
        has_check: It has a birth date or two check digits, and a check digit that fits: others are more often
            pseudonyms than numbers.
    """

    text: str
    evidence: Evidence
    has_check: bool = True


def personal_number(text: str) -> Number | None:
    """The number of a person that an identifier is, or holds.

    Args:
        text: The value of an attribute such as PatientID.
    """
    value = text.strip()
    if sum(map(str.isdigit, value)) < _FEWEST_DIGITS:
        return None
    written = _written_in(value, is_identifier=True)
    if written is not None and written.evidence == "certain":
        return written
    bare = next((scheme for scheme in _BARE if scheme.form.fullmatch(value) and scheme.fits(value)), None)
    if bare is not None:
        return Number(value, bare.evidence, bare.has_check)
    if written is None and _TEN_DIGITS.fullmatch(value) and check.danish_unchecked(value):
        return Number(value, "possible", has_check=False)
    return written


def number_in_text(text: str) -> Number | None:
    """The number of a person somewhere in a text, written with separators as its state writes it."""
    return _written_in(text, is_identifier=False)


def _written_in(text: str, *, is_identifier: bool) -> Number | None:
    possible = None
    if not _MAYBE_WRITTEN.search(text):
        return None
    for scheme in _WRITTEN:
        for found in scheme.form.finditer(text):
            evidence = scheme.judge(found[0])
            if evidence == "certain" and not (is_identifier and scheme.is_unsure(found[0])):
                return Number(found[0], "certain")
            if evidence is not None and (possible is None or not possible.has_check):
                possible = Number(found[0], "possible", scheme.has_check(found[0]))
    return possible


_FEWEST_DIGITS: Final = 7
_TEN_DIGITS: Final = re.compile(r"\d{10}", re.ASCII)


def _six_and_four(text: str) -> Evidence | None:
    """Of Denmark or Sweden: the Danish have no check digit that all of them pass."""
    if check.is_moment(text):
        return None
    if check.day_first(text) or check.swedish(text):
        return "certain"
    return "possible" if check.year_first(text, days=(0, 60)) else None


def _has_check_of_six_and_four(text: str) -> bool:
    digits = text[:6] + text[7:]
    return check.danish(digits) or check.swedish(digits)


def _with_century(text: str) -> Evidence | None:
    if check.is_moment(text) or not check.year_first(text[2:], days=(0, 60)):
        return None
    return "certain" if check.swedish(text) else "possible"


def _finnish(text: str) -> Evidence | None:
    """The check character may be a digit: then it is a Danish number or a moment, unless it fits."""
    if check.finnish(text) and not check.is_moment(text):
        return "certain"
    return "possible" if check.day_first(text) and not text[-1].isdigit() else None


def _korean(text: str) -> Evidence | None:
    """Since 2020 the last six digits are random: not all have the check digit."""
    if check.korean(text):
        return "certain"
    return "possible" if check.year_first(text) else None


def _mexican(text: str) -> Evidence | None:
    if check.mexican(text):
        return "certain"
    return "possible" if check.year_first(text[4:10]) else None


def _if(fits: Callable[[str], bool], evidence: Evidence = "certain") -> Callable[[str], Evidence | None]:
    return lambda text: evidence if fits(text) else None


def _always(_: str) -> bool:
    return True


def _never(_: str) -> bool:
    return False


def _if_day_comes_first(fits: Callable[[str], bool]) -> Callable[[str], bool]:
    """It fits and does not begin with a year, month and day, as pseudonyms with the day of a study do."""
    return lambda text: fits(text) and not check.year_first(text)


class _Written(NamedTuple):
    """Numbers with separators.

    Attributes:
        form: How they are written.
        judge: How sure one is in a text.
        is_unsure: As an identifier it is `possible` at best.
        has_check: See `Number.has_check`.
    """

    form: re.Pattern[str]
    judge: Callable[[str], Evidence | None]
    is_unsure: Callable[[str], bool]
    has_check: Callable[[str], bool]


class _Bare(NamedTuple):
    form: re.Pattern[str]
    fits: Callable[[str], bool]
    evidence: Evidence
    has_check: bool


def _written(
    form: str,
    judge: Callable[[str], Evidence | None],
    *,
    is_unsure: Callable[[str], bool] = _always,
    has_check: Callable[[str], bool] | None = None,
) -> _Written:
    return _Written(
        re.compile(rf"(?<![\w.+/-])(?:{form})(?![\w+/-]|\.\d)", re.ASCII),
        judge,
        is_unsure,
        has_check or (lambda text: judge(text) == "certain"),
    )


def _bare(
    form: str, fits: Callable[[str], bool], evidence: Evidence = "possible", *, has_check: bool = True
) -> _Bare:
    return _Bare(re.compile(form, re.ASCII), fits, evidence, has_check)


_MEXICAN_STATES: Final = (
    "AS|B[CS]|C[CHLMS]|D[FG]|G[RT]|HG|JC|M[CNS]|N[ELT]|OC|PL|Q[RT]|S[LPR]|T[CLS]|VZ|YN|ZS"
)
_WRITTEN: Final = (
    _written(r"\d{6}[-+]\d{4}", _six_and_four, has_check=_has_check_of_six_and_four),
    _written(r"(?:18|19|20)\d{6}[-+]\d{4}", _with_century),
    _written(
        r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Ya-fhj-npr-y]",
        _finnish,
        is_unsure=lambda text: text[-1].isdigit() or check.year_first(text),
        has_check=check.finnish,
    ),
    _written(r"\d{6}-\d{5}", _if(check.latvian)),
    _written(r"\d{6}/\d{4}", _if(check.czech)),
    _written(r"\d{6}-[1-8]\d{6}", _korean),
    _written(r"\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d", _if(check.belgian), is_unsure=_never),
    _written(
        r"[12] \d\d (?:0[1-9]|1[0-2]) (?:\d\d|2[AB]) \d{3} \d{3} \d\d", _if(check.french), is_unsure=_never
    ),
    _written(
        r"[A-Za-z]{6}\d\d[A-EHLMPR-Ta-ehlmpr-t]\d\d[A-Za-z]\d{3}[A-Za-z]",
        _if(check.italian),
        is_unsure=_never,
    ),
    _written(r"756\.\d{4}\.\d{4}\.\d\d", _if(check.swiss), is_unsure=_never),
    _written(
        rf"[A-Za-z]{{4}}\d{{6}}[HMXhmx](?i:{_MEXICAN_STATES})[A-Za-z]{{3}}[0-9A-Za-z]\d",
        _mexican,
        is_unsure=_never,
    ),
    _written(r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]", _if(check.chilean), has_check=_never),
    _written(r"\d{4} \d{6}", _if(check.austrian, "possible"), has_check=_always),
    _written(r"\d{3}\.\d{3}\.\d{3}-\d\d", _if(check.brazilian)),
    _written(r"\d{3}-\d{3}-\d{3}[ -]\d\d", _if(check.russian)),
    _written(r"\d{3}[ -]\d{3}[ -]\d{4}", _if(check.nhs, "possible")),
    _written(r"\d{3}-\d\d-\d{4}", _if(check.american, "possible")),
)
"""Numbers with their separators. The last two are forms that other numbers have, too."""

_MAYBE_WRITTEN: Final = re.compile(
    r"\d{6}[-+/A-FU-Y]\d{3}|\d{3}[ .-]\d{3}[ .-]\d{2}|\d{3}-\d\d-\d{4}|\d{4} \d{6}|\d\d\.\d\d\.\d\d-\d{3}"
    r"|[12] \d\d \d\d \d|[A-Za-z]\d\d[A-Za-z]\d\d[A-Za-z]\d{3}[A-Za-z]|756\.\d{4}\."
    r"|[A-Za-z]\d{6}[HMXhmx][A-Za-z]{5}|\d\.\d{3}\.\d{3}-",
    re.ASCII,
)
"""What one of them has in it: most texts have nothing of it."""

_BARE: Final = (
    _bare(r"\d{6} ?\d{5}", _if_day_comes_first(check.norwegian), "certain"),
    _bare(r"[12]\d\d(?:0[1-9]|1[0-2])(?:\d\d|2[AB])\d{8}", check.french, "certain"),
    _bare(r"\d{13}", _if_day_comes_first(check.yugoslav), "certain"),
    _bare(r"756\d{10}", check.swiss, "certain"),
    _bare(r"\d{17}[\dXx]", check.chinese, "certain"),
    _bare(r"(?:19|20)\d{10}", lambda text: _with_century(text) == "certain"),
    _bare(r"\d{6} ?\d{5}", check.norwegian),
    _bare(r"\d{13}", check.yugoslav),
    _bare(r"\d{11}", check.belgian),
    _bare(r"\d{13}", check.south_african),
    _bare(r"\d{10}", check.danish),
    _bare(r"\d{10}", check.swedish),
    _bare(r"\d{10}", check.czech),
    _bare(r"\d{10}", check.bulgarian),
    _bare(r"\d{11}", check.polish),
    _bare(r"[1-6]\d{10}", check.baltic),
    _bare(r"\d{11}", check.latvian),
    _bare(r"\d{11}", check.greek),
    _bare(r"[1-9]\d{12}", check.romanian),
    _bare(r"\d{6}[1-8]\d{6}", check.korean),
    _bare(r"(?:\d{8}|[XYZ]\d{7})-?[A-Z]", check.spanish, has_check=False),
    _bare(r"[STFG]\d{7}[A-Z]", check.singaporean, has_check=False),
    _bare(r"\d{7,8}-[\dK]", check.chilean, has_check=False),
    _bare(r"[23]\d{13}", check.egyptian, has_check=False),
    _bare(r"\d{6}-\d\d-\d{4}", check.malaysian, has_check=False),
    _bare(r"[2-9]\d{3}([ -])\d{4}\1\d{4}", check.indian, has_check=False),
    _bare(r"[1-7]\d{4}-\d{7}-\d", _always, has_check=False),  # Pakistan: no check, but a form of its own
)
"""Numbers without separators, the surest first; and with separators that others have in texts, too."""
