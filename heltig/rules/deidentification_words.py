"""Words of de-identification: whether a value looks like a replacement."""

import re
from collections.abc import Sequence
from typing import Final

from heltig.rules.given_names import plain

_REPLACEMENT: Final = re.compile(
    r"(?:GE)?ANON(?:[YI]M\w*)?|АНОНИМ\w*|DE-?IDENT\w*|IDENT\w*|REMOVED?|REDACT\w*|DUMMY|UNKNOWN|NONE|NOBODY"
    r"|PATIENTS?(?:NAME|ID)?|SUBJECTS?|CASES?|TESTS?|TESTING|TESTPATIENT\w*|\w*(?:PH|F)ANTOO?M\w{0,2}|NN|XX|([A-Z])\1{2,}|HIDDEN"
    r"|MASKED|(?:GE)?PSEUDO(?:NYM\w*)?|RESEARCH|NULL|VOLUNTEERS?|DOE|WITHHELD|CLEANED|EMPTY|BLANK|LAST|FIRST"
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
    r"|不明|未知|匿名|佚名|无名|無名|患者|テスト|환자|익명|미상|무명"
)
"""A word of a replacement, in capitals without accents."""

_BESIDE: Final = frozenset(
    (
        "AND", "APPLICABLE", "AVAILABLE", "BEEN", "BY", "CENTER", "CENTRE", "CLINIC", "CTP", "DATA",
        "DEPARTMENT", "DEVICE", "DOCTOR", "FIELD", "FIVE", "FOR", "FOUR", "FROM", "HAS", "HOSPITAL",
        "INFORMATION", "INSTITUTE", "INSTITUTION", "JANE", "JOHN", "NOT", "ONE", "OPERATOR", "PHYSICIAN",
        "PROVIDED", "PT", "RSNA", "SCANNER", "SITE", "SPECIFIED", "STATION", "STUDY", "TAG", "TCIA", "THE",
        "THREE", "TWO", "UNIVERSITY", "VALUE", "WAS",
        "BABY", "BOY", "DE", "FEMALE", "FETUS", "GIRL", "INFANT", "MALE", "NEONATE", "NEWBORN", "SAIN",
        "SANO", "SUJET", "SUJETO", "TWIN", "MIDDLE", "MID", "PRE", "PREFIX", "SUFFIX", "TITLE",
        "READER", "TECH", "TECHNICIAN", "TECHNOLOGIST", "RADIOLOGIST", "USER",
        "MAX", "ERIKA", "OLA", "KARI", "UND", "VON", "DEL", "DELLA", "NAO", "NON", "NICHT", "NIET",
    )
)  # fmt: skip
"""Words that may stand beside one and tell nothing themselves."""

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
    said = [word for word in words if _REPLACEMENT.fullmatch(word)]
    return not words or (bool(said) and all(word in said or word in _BESIDE for word in words))


def says_dummy(words: Sequence[str]) -> bool:
    """One word of a name says that it is none, or none of them says anything else."""
    capitals = [plain(word) for word in words]
    said = {word for word in capitals if _REPLACEMENT.fullmatch(word)}
    others = [word for word in capitals if word not in said and word not in _BESIDE]
    return not others or not _MAY_BE_NAMES.issuperset(said)
