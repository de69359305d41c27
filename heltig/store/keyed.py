"""Identifiers as keyed hashes, by which studies are matched without anybody seeing whose they are.

A hash is a short token, the same for the same value wherever it stands under one name: `h` and 15 characters,
75 bits of HMAC-SHA-256. It is one word in small letters, so that what folds names, or compares their words,
leaves it as it is, and it fits the shortest VR there is for an identifier (SH). What names nobody stays as it
is: empty values, names without a letter, numbers that stand where there is none.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from heltig.dicom.study import fallback_key
from heltig.errors import UsageError
from heltig.rules.identity import names_nobody
from heltig.rules.index_facts import Identity, IndexFact, name_words
from heltig.rules.parameters import Parameters
from heltig.store.records import Device, Patient, StudyAttributes
from heltig.store.study_query import StudyQuery
from heltig.store.text import TEXT_LENGTH, storable
from heltig.store.well_formed import attributes_told

OF_STUDIES: Final = ("accession_number", "study_id", "referring_physician_name")
"""The identifiers among what is known of every study."""

OF_PATIENTS: Final = (
    "patient_id",
    "issuer_of_patient_id",
    "patient_name",
    "patient_birth_date",
    "patient_sex",
)
"""What is known of every patient: all of it is an identifier, the sex where it is no sex."""

HIDDEN_OF_DEVICES: Final = ("station",)
"""The identifiers among what names a device: a StationName is what somebody calls the machine."""

_NAMES: Final = frozenset({"patient_name", "referring_physician_name"})
_SEXES: Final = frozenset({"M", "F", "O"})
_NOBODY: Final = Parameters()
_CHARACTERS: Final = 15
_TOKEN: Final = re.compile(f"h[a-z2-7]{{{_CHARACTERS}}}", re.ASCII)
_DIGITS: Final = 32
_PART: Final = 8
"""Bytes of a half of a fingerprint."""


class Keyed(msgspec.Struct, frozen=True):
    """What makes hashes of identifiers. It goes to the processes that judge.

    Attributes:
        key: Never in the database.
    """

    key: bytes

    def __repr__(self) -> str:
        return f"Keyed({self.id})"

    @property
    def id(self) -> str:
        """What the key is called: the beginning of a hash, which says nothing of it."""
        return hashlib.sha256(b"heltig identifier key\n" + self.key).hexdigest()[:8]

    def token(self, field: str, text: str) -> str:
        """What stands for an identifier.

        Args:
            field: Its field of `Patient`, `StudyAttributes` or `Device`.
            text: Its value as DICOM writes it.
        """
        text = storable(text, TEXT_LENGTH)
        same = name_words(text) if field in _NAMES else text
        is_sex = field == "patient_sex" and text in _SEXES
        if not same or is_sex or (field not in _NAMES and names_nobody(text, _NOBODY)):
            return text
        digest = hmac.digest(self.key, f"{field}\0{same}".encode(), "sha256")
        return "h" + base64.b32encode(digest).decode("ascii")[:_CHARACTERS].lower()

    def digest(self, digest: str) -> str:
        """The digest of a finding, which could be guessed from a short value, under the key."""
        return hmac.digest(self.key, digest.encode(), "sha256").hex()[:_DIGITS] if digest else ""

    def study_key(self, key: str) -> str:
        """The key of a study without a StudyInstanceUID, which is made of identifiers, under the key."""
        return fallback_key("study", [self.digest(key)])

    def fingerprint(self, seen: bytes) -> bytes:
        """What tells how a study was listed, under the key: who has the database could try out identifiers.

        Args:
            seen: As without a key; a half that is zero says nothing, and stays.
        """
        parts = (seen[start : start + _PART] for start in range(0, len(seen), _PART))
        return b"".join(
            hmac.digest(self.key, b"fingerprint\0" + part, "sha256")[:_PART] if any(part) else part
            for part in parts
        )

    def attributes(self, attributes: StudyAttributes) -> StudyAttributes:
        """What a search shows of a study, its identifiers hashed, and what is no date or code masked."""
        hashed = {name: self.token(name, getattr(attributes, name)) for name in OF_STUDIES}
        told = attributes_told(attributes)
        return replace(told, **hashed, patients=tuple(map(self.patient, attributes.patients)))

    def patient(self, patient: Patient) -> Patient:
        """A patient with all identifiers hashed."""
        return replace(patient, **{name: self.token(name, getattr(patient, name)) for name in OF_PATIENTS})

    def device(self, device: Device) -> Device:
        """A device with its identifiers hashed."""
        return replace(
            device, **{name: self.token(name, getattr(device, name)) for name in HIDDEN_OF_DEVICES}
        )

    def fact(self, fact: IndexFact) -> IndexFact:
        """What the index said while it held identifiers as they are."""
        field = _SHARED.get(fact.kind)
        value = self.token(field, fact.value) if field else fact.value
        who = {name: self.token(name, getattr(fact.patient, name)) for name in OF_PATIENTS}
        return replace(fact, value=value, patient=Identity(**who))

    def told(self, own: StudyAttributes, facts: Iterable[IndexFact]) -> tuple[IndexFact, ...]:
        """What the index says, for rules that compare it with the study itself: its own values in plain text.

        Args:
            own: What the study has.
            facts: As the index has them; others' identifiers stay hashed, and are other texts.
        """
        accession = own.accession_number
        plain = {("accession_number", self.token("accession_number", accession)): accession}
        for patient in own.patients:
            for name in OF_PATIENTS:
                text = getattr(patient, name)
                plain.setdefault((name, self.token(name, text)), text)
        told = []
        for fact in facts:
            field = _SHARED.get(fact.kind, "")
            who = {name: getattr(fact.patient, name) for name in OF_PATIENTS}
            same = {name: plain.get((name, text), text) for name, text in who.items()}
            value = plain.get((field, fact.value), fact.value)
            told.append(replace(fact, value=value, patient=Identity(**same)))
        return tuple(told)

    def query(self, query: StudyQuery) -> StudyQuery:
        """The same search over hashes.

        Raises:
            UsageError: It looks for a part of an identifier, or for a range.
        """
        changed: dict[str, object] = {}
        for name in (*OF_STUDIES, *OF_PATIENTS, *HIDDEN_OF_DEVICES):
            wanted = getattr(query, name)
            if isinstance(wanted, tuple):
                first, last = wanted
                if first != last:
                    raise UsageError(_WHOLE.format(name=name))
                changed[name] = (token := self.token(name, first), token)
            elif wanted is not None:
                if not wanted.strip("*"):
                    continue  # anything
                if name in HIDDEN_OF_DEVICES and _TOKEN.fullmatch(wanted):
                    continue  # chosen from a list that shows hashes
                if "*" in wanted or "?" in wanted:
                    raise UsageError(_WHOLE.format(name=name))
                changed[name] = self.token(name, wanted)
        return replace(query, **changed)


_SHARED: Final = {"accession": "accession_number", "patient_id": "patient_id", "patient": "patient_id"}
"""The kinds of facts whose shared value is an identifier."""

_WHOLE: Final = (
    "{name}: identifiers are kept as hashes here (HELTIG_IDENTIFIERS=hashed), so only whole values are "
    "found: no * or ?, no range."
)
