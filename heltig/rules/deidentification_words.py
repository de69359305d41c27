"""Words of de-identification: whether a value looks like a replacement."""

import re
from collections.abc import Sequence
from typing import Final

from heltig.rules.given_names import plain

_REPLACEMENT: Final = re.compile(
    r"(?:GE)?ANON(?:[YI]M\w*)?|АНОНИМ\w*|DE-?IDENT\w*|IDENT\w*|REMOVED?|REDACT\w*|DUMMY|UNKNOWN|NONE|NOBODY"
    r"|PATIENTS?(?:NAME|ID)?|SUBJ(?:ECTS?)?|CASES?|TESTS?|TESTING|TESTPATIENT\w*|\w*(?:PH|F)ANTOO?M\w{0,2}|NN|XX|([A-Z])\1{2,}|HIDDEN"
    r"|MASKED|(?:GE)?PSEUDO(?:NYM\w*)?|RESEARCH|NULL|VOLUNTEERS?|(?:JOHN|JANE)?DOE|WITHHELD|CLEANED|EMPTY|BLANK|LAST|FIRST"
    r"|(?:LAST|FIRST|FAMILY|GIVEN)?NAME|SAMPLES?|EXAMPLES?|DEFAULT|DEMO|HEALTHY|CONTROLS?|\w+SAMPLES|UNNAMED|NONAME|PSEUDOID|SIMULATED"
    r"|SYNTHETIC|SIMULATION|VIRTUAL|TEMP|TBD|HUMAN"
    # unknown
    r"|UNBEKANNT\w*|INCONNUE?|DESCONOCID[OA]|DESCONHECID[OA]|SCONOSCIUT[OA]|IGNOT[OA]|ONBEKENDE?|OKAND|UKEN[DN]T"
    r"|UKJENT|TUNTEMATON|NIEZNAN[YA]|NEZNAM[YA]|NEPOZNAT[OA]?|NEZNAN[OA]?|ISMERETLEN|NECUNOSCUT|BILINMEYEN"
    r"|TUNDMATU|NEZINOM[AS]+|NEZINAMS|НЕИЗВЕСТ\w+|НЕВІДОМ\w+|ΑΓΝΩΣΤ\w+"
    # patient, test person, volunteer
    r"|PATIENTIN|PAZIENTE|PACIENTE|PACIENTS?|PACJENT(?:KA)?|PASIENT|POTILAS|BETEG|HASTA|ПАЦИЕНТ\w*|PROBANDI?N?"
    r"|VERSUCHSPERSON|VOLONTAIRE|VOLUNTARI[OA]|VOLONTARI[OA]|VRIJWILLIGER|FREIWILLIGER?|FRIVILLIG|FORSOGSPERSON"
    # name, test, removed, nothing
    r"|(?:NACH|VOR|FAMILIEN)?NAMEN?|NOM|PRENOM|NOMBRE|APELLIDOS?|NOME|COGNOME|SOBRENOME|(?:VOOR|ACHTER)?NAAM"
    r"|(?:FOR|ETTER|EFTER)?NAVN|(?:FOR|EFTER)?NAMN|(?:ETU|SUKU)NIMI|IMIE|NAZWISKO|JMENO|PRIJMENI|(?:MAX|ERIKA)?"
    r"MUSTER(?:MANN|FRAU)?|PRUEBA|PROVA|ESSAI|PROEF|PROVE|PROBE|TESZT|TESTI|TESTPERSON|ENTFERNT|GELOESCHT|SUPPRIME"
    r"|ELIMINAD[OA]|REMOVID[OA]|RIMOSSO|VERWIJDERD|FJERNET|BORTTAGEN|POISTETTU|USUNIETO|ODSTRANENO"
    r"|KEINE?R?|AUCUNE?|NINGUN[OA]?|NESSUN[OA]?|GEEN|INGEN|NENHUMA?|BRAK|LEER|VACI[OA]|VUOTO|VAZIO|CITIZEN|FULANO"
    r"|NORDMANN"
    r"|(?:不明|不详|不詳|未知|匿名|佚名|无名|無名|某|患者|病人|病例|症例|受[试試]者|被験者|志愿者|志願者|健常者"
    r"|测试|測試|試験|模体|体模|氏名|姓名|名前|姓|名|氏|性別|男性|女性|无|無|なし|空|[删刪]除|削除|已|済|化|号|號|番"
    r"|第?[一二三四五六七八九十]+[号號番例名]|テスト|ダミー|サンプル|ボランティア|ファントム|トクメイ|とくめい|フメイ|ふめい|カンジャ|かんじゃ"
    r"|환자|익명|미상|무명|테스트|불명|이름|성명|없음|지원자|시험|팬텀|가명)+"
)
"""A word of a replacement, in capitals without accents."""

_OF_DATA: Final = frozenset(
    (
        "APPLICABLE", "AVAILABLE", "CENTER", "CENTRE", "CLINIC", "CTP", "DATA", "DEPARTMENT", "DEVICE",
        "DOCTOR", "FIELD", "FIVE", "FOUR", "HOSPITAL", "INFORMATION", "INSTITUTE", "INSTITUTION", "ONE",
        "OPERATOR", "PHYSICIAN", "PROVIDED", "PT", "RSNA", "SCANNER", "SITE", "SPECIFIED", "STATION",
        "STUDY", "TAG", "TCIA", "THREE", "TWO", "UNIVERSITY", "VALUE",
        "MIDDLE", "MID", "PRE", "PREFIX", "SUFFIX", "TITLE",
        "READER", "TECH", "TECHNICIAN", "TECHNOLOGIST", "RADIOLOGIST", "USER",
    )
)  # fmt: skip
"""Words of those who handle data: of nobody whom it is about."""

_BESIDE: Final = _OF_DATA.union(
    (
        "AND", "BEEN", "BY", "FOR", "FROM", "HAS", "NOT", "THE", "WAS",
        "BABY", "BOY", "DE", "FEMALE", "FETUS", "GIRL", "INFANT", "MALE", "NEONATE", "NEWBORN", "SAIN",
        "SANO", "SUJET", "SUJETO", "TWIN",
        "UND", "VON", "DEL", "DELLA", "NAO", "NON", "NICHT", "NIET",
    )
)  # fmt: skip
"""Words that may stand beside one and tell nothing themselves."""

_WHOLE_NAMES: Final = {
    "DOE": frozenset(("JOHN", "JANE", "JOHNNY")),
    "MUSTERMANN": frozenset(("MAX", "ERIKA", "MARTINA")),
    "MUSTERFRAU": frozenset(("ERIKA", "MARTINA")),
    "MUSTER": frozenset(("MAX", "ERIKA", "HANS", "PETRA")),
    "NORDMANN": frozenset(("OLA", "KARI")),
    "CITIZEN": frozenset(("JOHN", "JANE")),
}
"""Family names of nobody, with the given names that they have. Beside another word these are names."""

_MAY_BE_NAMES: Final = frozenset(
    (
        "BLANK",
        "CASE",
        "CASES",
        "FIRST",
        "LAST",
        "CITIZEN",
        "NORDMANN",
        "MUSTER",
        "LEER",
        "PROBE",
        "PROVA",
        "PROVE",
    )
)
"""Words of replacements that are family names, too: beside another word they say nothing."""

_WORD: Final = re.compile(r"[^\W\d_]{3,}")


def is_dummy(text: str) -> bool:
    """A text is a replacement: it has no words, or one that says so and none that says anything else."""
    words = [plain(word) for word in _WORD.findall(text)]
    return not words or (any(map(_REPLACEMENT.fullmatch, words)) and not unexplained(words))


def says_dummy(words: Sequence[str]) -> bool:
    """One word of a name says that it is none, or none of them says anything else."""
    said = {word for word in map(plain, words) if _REPLACEMENT.fullmatch(word)}
    return not unexplained(words) or not _MAY_BE_NAMES.issuperset(said)


def unexplained(words: Sequence[str]) -> list[str]:
    """The words that are no replacement, do not stand beside one and are no part of the name of nobody."""
    capitals = set(map(plain, words))
    nobody = {given for family in capitals.intersection(_WHOLE_NAMES) for given in _WHOLE_NAMES[family]}
    return [
        word
        for word, written in zip(words, map(plain, words), strict=True)
        if written not in _BESIDE and written not in nobody and not _REPLACEMENT.fullmatch(written)
    ]


def is_of_data(word: str) -> bool:
    """A word of those who handle data, such as `Clinic` or `Reader`."""
    return plain(word) in _OF_DATA


def is_nobody(word: str) -> bool:
    """A family name of nobody, such as `Doe` or `Mustermann`, whatever given name is beside it."""
    return plain(word) in _WHOLE_NAMES
