"""Whether a number fits what a state demands of those it gives to people: a birth date and check digits.

Each function takes a number in the form of its state, with or without separators, and says whether it could
have been given out.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Final


def _digits(text: str) -> list[int]:
    return [int(character) for character in text if character.isdigit()]


def _weighted(digits: Sequence[int], weights: Sequence[int]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def _luhn(digits: Sequence[int]) -> bool:
    doubled = [digit * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _is_date(day: int, month: int, year: int) -> bool:
    """A day of a century that the number may leave out; every fourth year has a leap day."""
    try:
        date(year if year >= 100 else 2000 + year, month, day)
    except ValueError:
        return False
    return True


def _pairs(text: str) -> tuple[int, int, int]:
    digits = _digits(text)
    return digits[0] * 10 + digits[1], digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]


def day_first(text: str) -> bool:
    """The number begins with a day, month and year."""
    day, month, year = _pairs(text)
    return _is_date(day, month, year)


def year_first(text: str, *, months: Sequence[int] = (0,), days: Sequence[int] = (0,)) -> bool:
    """The number begins with a year, month and day, of which the month or day may have something added."""
    year, month, day = _pairs(text)
    return any(_is_date(day - less_days, month - less, year) for less in months for less_days in days)


def is_moment(text: str) -> bool:
    """A day since 1990 and a time of it, as programs write them: `200417-0930`, `20200417-0930`."""
    digits = "".join(filter(str.isdigit, text))
    if len(digits) == 12 and digits < "1990":
        return False
    year, hour, minute = int(digits[-10:-8]), int(digits[-4:-2]), int(digits[-2:])
    return not 40 <= year < 90 and year_first(digits[-10:]) and hour < 24 and minute < 60


def swedish(text: str) -> bool:
    """Six digits of a birth date and four, or of one whose day has 60 added; Luhn."""
    digits = _digits(text)[-10:]
    return year_first("".join(map(str, digits)), days=(0, 60)) and _luhn(digits)


def norwegian(text: str) -> bool:
    """Two check digits; D-numbers have 40 added to the day."""
    digits = _digits(text)
    day, month, year = _pairs(text)
    dated = _is_date(day, month, year) or _is_date(day - 40, month, year)
    first = _weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
    return dated and first and _weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


_FINNISH_CHECK: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def finnish(text: str) -> bool:
    """A letter that says the century, and a check character."""
    number = int(text[:6] + text[7:10])
    return day_first(text) and int(text[7:10]) > 1 and _FINNISH_CHECK[number % 31] == text[10].upper()


def danish(text: str) -> bool:
    """With the check digit that nearly all have who were born before 2007."""
    return _weighted(_digits(text), (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and danish_unchecked(text)


def danish_unchecked(text: str) -> bool:
    """The seventh digit says the century of a birth that has been."""
    _, _, year = _pairs(text)
    return day_first(text) and (text[6] not in "5678" or year <= 57)


def czech(text: str) -> bool:
    """A remainder of eleven; women have 50 added to the month. Slovakia has the same."""
    digits = "".join(filter(str.isdigit, text))
    return int(digits[:9]) % 11 % 10 == int(digits[9]) and year_first(digits, months=(0, 50))


def bulgarian(text: str) -> bool:
    """The number of a person in Bulgaria."""
    digits = _digits(text)
    check = _weighted(digits[:9], (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return check == digits[9] and year_first(text, months=(0, 40))


def polish(text: str) -> bool:
    """The month says the century."""
    digits = _digits(text)
    fits = _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    return fits and year_first(text, months=(0, 20, 40, 60, 80))


def baltic(text: str) -> bool:
    """Estonia and Lithuania."""
    digits = _digits(text)
    check = _weighted(digits[:10], (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = _weighted(digits[:10], (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return check == digits[10] and year_first(text[1:])


def latvian(text: str) -> bool:
    """The number of a person in Latvia."""
    digits = _digits(text)
    check = (1101 - _weighted(digits, (1, 6, 3, 7, 9, 10, 5, 8, 4, 2))) % 11 % 10
    return check == digits[10] and day_first(text)


def greek(text: str) -> bool:
    """The number of a person in Greece."""
    return day_first(text) and _luhn(_digits(text))


def belgian(text: str) -> bool:
    """The number of a person in Belgium."""
    digits = "".join(filter(str.isdigit, text))
    number, check = int(digits[:9]), int(digits[9:])
    fits = check in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)
    return fits and year_first(digits)


def french(text: str) -> bool:
    """With its key; Corsica has letters."""
    digits = re.sub(r"\W", "", text).upper().replace("2A", "19").replace("2B", "18")
    return digits.isdigit() and 97 - int(digits[:13]) % 97 == int(digits[13:])


_ODD_PLACES: Final = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
        *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21), *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18),
        *(20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
    ), strict=True)
)  # fmt: skip


def italian(text: str) -> bool:
    """The codice fiscale: the day has 40 added for women."""
    if not 1 <= int(text[9:11]) % 40 <= 31 or int(text[9:11]) > 71:
        return False
    total = 0
    for place, character in enumerate(text[:15].upper()):
        even = int(character) if character.isdigit() else ord(character) - ord("A")
        total += even if place % 2 else _ODD_PLACES[character]
    return chr(ord("A") + total % 26) == text[15].upper()


def spanish(text: str) -> bool:
    """DNI and NIE."""
    digits = re.sub(r"\W", "", text).upper().translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits[:8]) % 23] == text[-1].upper()


def romanian(text: str) -> bool:
    """The number of a person in Romania."""
    digits = _digits(text)
    check = _weighted(digits[:12], (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    county = digits[7] * 10 + digits[8]
    return (1 if check == 10 else check) == digits[12] and 1 <= county <= 52 and year_first(text[1:])


def yugoslav(text: str) -> bool:
    """The JMBG of Yugoslavia, which its successors keep."""
    digits = _digits(text)
    check = (11 - _weighted(digits[:12], (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11 % 10
    day, month, year = int(text[:2]), int(text[2:4]), int(text[4:7])
    century = 1000 if year > 880 else 2000
    return check == digits[12] and (year > 880 or year < 60) and _is_date(day, month, century + year)


def swiss(text: str) -> bool:
    """The AHV number: an EAN-13."""
    digits = _digits(text)
    return _weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


def austrian(text: str) -> bool:
    """The number of a person in Austria."""
    digits = _digits(text)
    check = _weighted([*digits[:3], *digits[4:]], (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11
    return check == digits[3] and day_first("".join(map(str, digits[4:])))


def nhs(text: str) -> bool:
    """England and Wales."""
    digits = _digits(text)
    return (11 - _weighted(digits[:9], range(10, 1, -1)) % 11) % 11 == digits[9]


def chinese(text: str) -> bool:
    """The number of a person in China."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    check = "10X98765432"[_weighted(_digits(text[:17]), weights) % 11]
    return check == text[17].upper() and text[6:8] in ("18", "19", "20") and year_first(text[8:])


def korean(text: str) -> bool:
    """The number of a person in Korea."""
    digits = _digits(text)
    check = (11 - _weighted(digits[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return check == digits[12] and year_first(text)


def south_african(text: str) -> bool:
    """The number of a person in South Africa."""
    return year_first(text) and text[10] in "01" and _luhn(_digits(text))


def brazilian(text: str) -> bool:
    """The CPF."""
    digits = _digits(text)
    return (
        all(_weighted(digits[:n], range(n + 1, 1, -1)) * 10 % 11 % 10 == digits[n] for n in (9, 10))
        and len(set(digits)) > 1
    )


def russian(text: str) -> bool:
    """The SNILS."""
    digits = _digits(text)
    return _weighted(digits[:9], range(9, 0, -1)) % 101 % 100 == digits[9] * 10 + digits[10]


def american(text: str) -> bool:
    """Numbers that were never given out are none."""
    return text[:3] not in ("000", "666") and text[0] != "9" and text[4:6] != "00" and text[7:] != "0000"


def mexican(text: str) -> bool:
    """The CURP: a birth date, and a check digit that seventeen places make."""
    places = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    value = text.upper()
    total = _weighted([places.index(character) for character in value[:17]], range(18, 1, -1))
    return str(-total % 10) == value[17] and year_first(value[4:10])


def malaysian(text: str) -> bool:
    """A birth date and a place; no check digit. Programs write recent days like it."""
    place = int(text[7:9])
    return year_first(text) and (1 <= place <= 16 or 21 <= place <= 59 or place >= 82)


def singaporean(text: str) -> bool:
    """Of citizens and foreigners, but for those that begin with M."""
    value = text.upper()
    total = _weighted(_digits(value), (2, 7, 6, 5, 4, 3, 2)) + 4 * (value[0] in "TG")
    return ("JZIHGFEDCBA" if value[0] in "ST" else "XWUTRQPNMLK")[total % 11] == value[8]


def chilean(text: str) -> bool:
    """The RUT."""
    digits = "".join(filter(str.isdigit, text[:-1]))
    check = -_weighted(_digits(digits[::-1]), (2, 3, 4, 5, 6, 7, 2, 3)) % 11
    return "0123456789K"[check] == text[-1].upper()


def egyptian(text: str) -> bool:
    """A century, a birth date and a governorate."""
    governorate = int(text[7:9])
    return year_first(text[1:]) and (1 <= governorate <= 35 or governorate == 88)


_VERHOEFF: Final = tuple(
    tuple((a + b) % 5 + b // 5 * 5 if a < 5 else (a - b) % 5 + (1 - b // 5) * 5 for b in range(10))
    for a in range(10)
)
_PERMUTED: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def indian(text: str) -> bool:
    """The Aadhaar: Verhoeff's check digit."""
    check = 0
    for place, digit in enumerate(reversed(_digits(text))):
        for _ in range(place % 8):
            digit = _PERMUTED[digit]
        check = _VERHOEFF[check][digit]
    return check == 0
