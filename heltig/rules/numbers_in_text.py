"""Telephone, record, account and personal numbers and addresses of mail in texts, and how sure they are."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from heltig.rules.deidentification_terms import is_term
from heltig.rules.personal_numbers import Evidence, number_in_text

_FAR: Final = 24
"""Characters before a number that say what it is."""

_DIGIT: Final = re.compile(r"\d")
_FEWEST_DIGITS: Final = 7
_DIALLED: Final = r"\(?\+?\d(?:[ ()./-]{0,2}\d){5,14}(?![\d.]*\d)"
_PHONES: Final[tuple[tuple[Evidence, re.Pattern[str]], ...]] = (
    (
        "certain",
        re.compile(
            r"(?i)(?<![^\W_])(?:tel(?=[.:])|telef[oó]no?|telefoon|t[eé]l[eé]phone|phone|mobile|cell ?phone"
            r"|handy(?:nr|nummer)?|telefon(?:nr|nummer)|fax|tlf|tfn)\b\.?(?: ?(?:no|nr|number)\b)?[.:]? {0,2}"
            rf"({_DIALLED})"
        ),
    ),
    (
        "possible",
        re.compile(
            r"(?i)(?<![^\W_])(?:tel|ph|puh|mob|gsm|call|called|calls|ring|contact|cell|r[üu]e?ckruf|ruf|anrufen|appeler|llamar)\b"
            r"[.:]{0,2} {0,2}(?:(?:at|on|me|him|her|daughter|son|wife|husband|family) )?"
            rf"({_DIALLED})"
        ),
    ),
    ("certain", re.compile(r"(?<![\w.+])(\+[1-9](?:[ ()/.-]{0,2}\d){8,13})(?![\d.]*\d)")),
    ("certain", re.compile(r"(?<![\w.])((?:\(\d{3}\) ?|[2-9]\d\d-)\d{3}[-.]\d{4})(?!\d|[.-]\d)")),
    ("possible", re.compile(r"(?<![\w.])(0[1-9](?:[ .]\d\d){4}|\(0\d{2,4}\) ?\d{4,8})(?!\d|[.-]\d| \d)")),
    ("possible", re.compile(r"(?<![\w.])([2-9]\d\d\.[2-9]\d\d\.\d{4})(?!\d|[.-]\d)")),
    ("possible", re.compile(r"(?<![\w.])(01[567]\d[ /-]\d{7,8})(?!\d|[./-]\d)")),
    ("possible", re.compile(r"(?<![\w.])(00[2-9]\d(?:[ ()/-]{1,2}\d{2,}){2,4})(?!\d|[./-]\d| \d)")),
)
_COUNTRY: Final = re.compile(
    r"\+(?:1(?=[2-9])|7|2(?:0|7|[1-689]\d)|3(?:[0-469]|[578]\d)|4(?:[013-9]|2\d)|5(?:[1-8]|[09]\d)|6(?:[0-6]|[7-9]\d)"
    r"|8(?:[1246]|[058]\d)|9(?:[0-58]|[679]\d))"
)
"""The code of a country (ITU-T E.164)."""


def phones_in(text: str) -> Iterator[tuple[Evidence, str]]:
    """Telephone numbers: groups of digits that are no row of values."""
    if len(_DIGIT.findall(text)) < _FEWEST_DIGITS or not (
        _FORM_OF_PHONES.search(text) or _has_one_of(_WORDS_OF_PHONES, text)
    ):
        return
    for evidence, form in _PHONES:
        for found in form.finditer(text):
            dialled = found[1]
            digits = re.sub(r"\D", "", dialled)
            country = _COUNTRY.match(f"+{digits}") if dialled.startswith("+") else None
            if (
                _is_row(dialled, country, is_sure=evidence == "certain")
                or len(digits) < (8 if evidence == "possible" else _FEWEST_DIGITS)
                or (dialled.startswith("00") and not _is_from_abroad(dialled))
                or (dialled.startswith("+") and (country is None or _before(_SIGNED, found) is not None))
            ):
                continue
            word = _before(_WORD_BEFORE, found) if country else None
            yield "possible" if word and is_term(word[1]) else evidence, found[0]


def _is_from_abroad(dialled: str) -> bool:
    """Two zeros, the code of a country, and as many digits as a number with its area has.

    Groups of one length are a number of something else, filled up with zeros.
    """
    groups = re.findall(r"\d+", dialled)
    digits = "".join(groups)
    is_code = len(set(map(len, groups))) == 1
    return len(digits) >= _FEWEST_FROM_ABROAD and not is_code and _COUNTRY.match(f"+{digits[2:]}") is not None


_FEWEST_FROM_ABROAD: Final = 12
_FORM_OF_PHONES: Final = re.compile(
    r"\+\d|\d{3}[-.]\d{4}|\(0\d|0\d[ .]\d\d[ .]|01[567]\d[ /-]\d{7}|(?<!\d)00[2-9]\d[ (/-]"
)
_WORDS_OF_PHONES: Final = (
    *(
        "tel",
        "tél",
        "phone",
        "mob",
        "handy",
        "fax",
        "tlf",
        "tfn",
        "ph",
        "puh",
        "gsm",
        "call",
        "ring",
        "contact",
    ),
    *("cell", "ruf", "appeler", "llamar"),
)


def _has_one_of(words: Sequence[str], text: str) -> bool:
    """Told sooner than by a regular expression, and most texts have none."""
    lower = text.lower()
    return any(word in lower for word in words)


_SIGNED: Final = re.compile(r"[+-]\d[\d.]*[ ,;/]+\Z")
"""A number with a sign right before: one of several values."""

_WORD_BEFORE: Final = re.compile(r"([^\W\d_]+)[\W_]*\Z")


def _before(what: re.Pattern[str], found: re.Match[str]) -> re.Match[str] | None:
    """What stands right before a number."""
    return what.search(found.string, max(0, found.start(1) - _FAR), found.start(1))


def _is_row(dialled: str, country: re.Match[str] | None, *, is_sure: bool) -> bool:
    """Values side by side: all end in 0, or three in 5 or 0, or, after a vague word, in steps of one size."""
    groups = re.findall(r"\d+", dialled)
    if country and groups[0] == country[0][1:]:
        del groups[0]
    numbers = [int(group) for group in groups]
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    return len(numbers) > 1 and (
        all(number % 10 == 0 for number in numbers)
        or (len(numbers) > 2 and all(number % 5 == 0 for number in numbers))
        or (len(numbers) > 2 and len(steps) == 1 and not is_sure)
    )


_MAIL: Final = re.compile(
    r"(?<![\w.+-])([\w.+-]{2,})(@| ?[(\[][aA][tT][)\]] ?)((?:[A-Za-z0-9-]+\.)+)([A-Za-z]{2,8})(?![\w-])",
    re.ASCII,
)
_OF_PROGRAMS: Final = frozenset({"git", "hg", "svn", "root", "localhost", "noreply", "no-reply"})
_OF_NOBODY: Final = frozenset(
    {"info", "support", "service", "contact", "office", "mail", "help", "admin", "sales"}
)
_COUNTRIES: Final = """
ae al am ar at au az ba bd be bg bo br by ca ch cl cn co cr cy cz de dk do dz ec ee eg es eu fi fr ge gh gr
gt hk hr hu id ie il in ir is it jo jp ke kr kw kz lb li lk lt lu lv ly ma md me mk mt mx my ng nl no np nz
om pa pe ph pk pl pt py qa ro rs ru sa se sg si sk sn sv sy th tn tr tw tz ua ug uk us uy uz ve vn za zw
"""
_OTHERS: Final = """
app arpa biz care clinic cloud com dental dev doctor edu email gov health hospital info int mil name net
online org pro science
"""
_COUNTRY_DOMAINS: Final = frozenset(_COUNTRIES.split())
_TOP_LEVELS: Final = _COUNTRY_DOMAINS.union(_OTHERS.split())


def mails_in(text: str) -> Iterator[tuple[Evidence, str]]:
    """Addresses of mail below domains that there are; those of programs are left out."""
    for found in _MAIL.finditer(text) if _SIGN_OF_MAILS.search(text) else ():
        local, domain, top = found[1].lower(), found[3].split(".")[-2].lower(), found[4].lower()
        if local in _OF_PROGRAMS or top not in _TOP_LEVELS or len(domain) < 3:
            continue
        is_odd = top in _COUNTRY_DOMAINS and (is_term(local) or is_term(domain) or not domain.isalpha())
        is_sure = found[2] == "@" and not is_odd and local not in _OF_NOBODY
        yield "certain" if is_sure else "possible", found[0]


_SIGN_OF_MAILS: Final = re.compile(r"@|[(\[][aA][tT][)\]]")


_IDENTIFIER: Final = r"[A-Z]{0,3}[-/]?\d(?:[ /-]?\d){3,}"
_END: Final = r"(?!\d|\.\d)"
_OF_RECORDS: Final = (
    r"(?i:MRN|NHS|CHI|SSN|CPR|CPR-?nr|CPR-?nummer|fnr|f[øo]dselsnummer|personnummer|medical record|UHID"
    r"|accession|acc ?#|patient(?:en)?[ _-]?(?:id|no|nr|nummer|number)|fall-?(?:nr|nummer)|dossier"
    r"|hist[oó]ria cl[ií]nica|cartella clinica|(?:hospital|insurance)[ _-]?(?:no|nr|number))"
    r"(?i:[ _-]?(?:no|nr|number))?|Pat[.-]{0,2} ?(?:ID|[Ii]d|[Nn]o|[Nn]r)|(?i:pat\. ?(?:id|no|nr))\.?"
)
_OF_OTHERS_TOO: Final = r"(?i:PID|PAT(?:ID| no| nr|[.-]? ?id)|UR ?no|med(?:ical)?\.? ?rec\.?)"
_RECORDS: Final[tuple[tuple[Evidence, re.Pattern[str]], ...]] = (
    ("certain", re.compile(rf"(?<![^\W\d_])(?:{_OF_RECORDS})(?![^\W_])[\W_]{{0,4}}({_IDENTIFIER}){_END}")),
    ("certain", re.compile(rf"(?<![^\W\d_])MRN_?({_IDENTIFIER}){_END}")),
    (
        "possible",
        re.compile(rf"(?<![^\W\d_])(?:{_OF_OTHERS_TOO})\b[\W_]{{0,4}}(\d(?:[ -]?\d){{5,}}){_END}"),
    ),
    ("possible", re.compile(rf"(?<![^\W\d_])(?i:pt|pat|patient)\.? ?# ?(\d{{4,}}){_END}")),
)
_ALONE: Final = re.compile(r"(?<![\w.-])(?:ID|Id)(?: |: ?| ?# ?| ?= ?)(\d{7,})(?![\w.-]|[ /]\d)")
"""A number behind `ID` with no word before it that would say whose."""
_WORDS_OF_RECORDS: Final = (
    *("mrn", "nhs", "chi", "ssn", "cpr", "nummer", "record", "acc", "pat", "hosp", "ins", "pid", "ur", "nr"),
    *(
        "med rec",
        "med. rec",
        "medrec",
        "medical rec",
        "uhid",
        "hist",
        "dossier",
        "cartella",
        "pt#",
        "pt #",
        "pt.#",
        "pt. #",
    ),
)
_OF_CONTROL: Final = re.compile(
    r"(?i)\W*(?:control|loop|regulat|gain|tuning|setting|param|feedback|temperature|motor)"
)
_FULL_LENGTH: Final = {"NHS": 10, "CHI": 10, "SSN": 9, "CPR": 10, "FNR": 11}
"""Digits of numbers whose short names mean other things, too (`CPR`: curved planar reformation)."""


def records_in(text: str) -> Iterator[tuple[Evidence, str]]:
    """Numbers of records, after a word that says so."""
    for evidence, form in _RECORDS if _has_one_of(_WORDS_OF_RECORDS, text) else ():
        for found in form.finditer(text):
            digits = sum(map(str.isdigit, found[1]))
            wanted = _FULL_LENGTH.get(found[0][:3].upper())
            if (wanted is None or digits == wanted) and not _OF_CONTROL.match(text, found.end()):
                yield evidence, found[0]
    for found in _ALONE.finditer(text) if "ID" in text or "Id" in text else ():
        if not _WORD_BEFORE.search(text, max(0, found.start() - _FAR), found.start()):
            yield "possible", found[0]


def personal_numbers_in(text: str) -> Iterator[tuple[Evidence, str]]:
    """Numbers as states give them.

    What others look like is none behind a word of imaging: `ROI 123-45-6789`.
    """
    number = number_in_text(text)
    if number is None:
        return
    start = text.index(number.text)
    before = _WORD_BEFORE.search(text, max(0, start - _FAR), start)
    if number.evidence == "certain" or before is None or not is_term(before[1]):
        yield number.evidence, number.text


_ACCOUNT: Final = re.compile(r"(?<![^\W_])([A-Z]{2})\d\d(?: ?[A-Z0-9]){11,30}", re.ASCII)
_LENGTHS_OF_ACCOUNTS: Final = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18
FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19
SK24 SM27 TN24 TR26 UA29 VA22 VG24 XK20
"""
_CHARACTERS: Final = {entry[:2]: int(entry[2:]) for entry in _LENGTHS_OF_ACCOUNTS.split()}
"""Characters of an account's number, by its country."""


def accounts_in(text: str) -> Iterator[tuple[Evidence, str]]:
    """Numbers of bank accounts (IBAN, ISO 13616): as long as their country has them, and the check fits."""
    for found in _ACCOUNT.finditer(text):
        left, end = _CHARACTERS.get(found[1], 0), found.start()
        while left and end < found.end():
            left -= text[end] != " "
            end += 1
        number = text[found.start() : end]
        is_whole = not left and end > found.start() and not text[end : end + 1].isalnum()
        if is_whole and _is_checked(number.replace(" ", "")):
            yield "certain", number


def _is_checked(account: str) -> bool:
    """The country and check digits moved to the end, letters from 10 on, leave 1 when divided by 97."""
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1
