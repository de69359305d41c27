"""What to look for among studies: a search as data, without the database that answers it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.store.records import Location, LocationKind, StudyState
from heltig.verdict import Readiness

Age: TypeAlias = Literal["1h", "1d", "7d", "over-1d", "over-7d", "over-30d"]

AGES: Final[Mapping[str, tuple[timedelta | None, timedelta | None]]] = {
    "1h": (None, timedelta(hours=1)),
    "1d": (None, timedelta(days=1)),
    "7d": (None, timedelta(days=7)),
    "over-1d": (timedelta(days=1), None),
    "over-7d": (timedelta(days=7), None),
    "over-30d": (timedelta(days=30), None),
}
"""How long ago the last verdict was given, by what addresses call it: the least and the most."""

OF_DEVICES: Final = ("manufacturer", "model", "station")
"""What of a query is about devices."""


class StudyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What studies have to match: everything that is given.

    Text is matched as PS3.4 C.2.2.2 has it: `*` stands for any characters, `?` for one, anything else for
    itself; names as `heltig.store.names` has it, the rest with regard to case.

    Attributes:
        study_keys: StudyInstanceUIDs or fallback keys, any of them.
        locations: Any of them; `location_kinds` likewise.
        states: Any of them, as they are at the time of the search; none given leaves out what was never
            judged or is WITHDRAWN.
        readiness: Of the last verdict, any of them.
        age: The least and the most that has passed since the last verdict; None where that end is open.
        rules: The last verdict has an unwaived finding of any of these rules.
        study_date: First and last day as YYYYMMDD, both included; an empty one is open.
        study_time: First and last time as HHMMSS or longer, likewise. Where both are ranges that are open at
            the same ends, they are one range of moments (PS3.4 C.2.2.2.5): from the first time of the first
            day to the last time of the last.
        modalities_in_study: The study has any of them.
        manufacturer: One of its devices is of this one, without regard to the case of Latin letters; an empty
            text stands for devices that name none. `model` and `station` are of the same device.
        text: Somewhere in the study's key or its description; the case of Latin letters does not matter.
        patient_id: Any of the study's patients has it; `patient_name` and the rest likewise.
        patient_birth_date: As `study_date`.
        owner: Who sees to the study; empty for those that nobody sees to.
        empty: Names of attributes above that have no value.
    """

    study_keys: tuple[str, ...] = ()
    locations: tuple[Location, ...] = ()
    location_kinds: tuple[LocationKind, ...] = ()
    states: tuple[StudyState, ...] = ()
    readiness: tuple[Readiness, ...] = ()
    age: tuple[timedelta | None, timedelta | None] = (None, None)
    rules: tuple[str, ...] = ()
    study_date: tuple[str, str] | None = None
    study_time: tuple[str, str] | None = None
    modalities_in_study: tuple[str, ...] = ()
    manufacturer: str | None = None
    model: str | None = None
    station: str | None = None
    text: str | None = None
    accession_number: str | None = None
    study_description: str | None = None
    study_id: str | None = None
    referring_physician_name: str | None = None
    patient_id: str | None = None
    issuer_of_patient_id: str | None = None
    patient_name: str | None = None
    patient_birth_date: tuple[str, str] | None = None
    patient_sex: str | None = None
    owner: str | None = None
    empty: frozenset[str] = frozenset()
