"""What the index of all studies says about one: the recorded input of context rules.

A fact names a value that the study shares with others, and one other that has it: another study, or another
patient with one of their studies. Facts depend on what is in the index, not on the order in which it came
there. Where more than `MOST` others share a value none is named: their number says enough, and a value that
thousands share (a device that gives all its images one UID) must not have thousands judged again with each
study that comes.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.dicom.cell import Cell
from heltig.rules.names import words

Kind: TypeAlias = Literal[
    "instance", "series", "study", "accession", "patient_id", "patient", "frame_of_reference"
]

KINDS: Final[tuple[Kind, ...]] = (
    "instance",
    "series",
    "study",
    "accession",
    "patient_id",
    "patient",
    "frame_of_reference",
)

MOST: Final = 20
"""Others that are named for one value."""


class Identity(msgspec.Struct, frozen=True, order=True):
    """A patient as one study names them, without surrounding spaces."""

    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""


class Other(msgspec.Struct, frozen=True, order=True):
    """Another study that shares a value.

    Attributes:
        location: Where it was seen, as text; empty for a study of the same batch.
        study: Its key.
        patient: Who it is about.
    """

    location: str
    study: str
    patient: Identity = Identity()


class IndexFact(msgspec.Struct, frozen=True, order=True):
    """One thing that the index knows.

    Attributes:
        kind: `instance`: SOP Instance UIDs of one of the study's series are in another study; `series`: a
            Series Instance UID is; `study`: another archive has this study otherwise; `accession`: another
            study has the AccessionNumber; `patient_id`: the PatientID is another name's and birth date's too;
            `patient`: the same name, birth date and sex have another PatientID; `frame_of_reference`: a study
            with another PatientID has the FrameOfReferenceUID.
        value: What is shared: of `instance` the key of the series that has them here, of `patient` the
            PatientID here.
        location: Where the other study was seen.
        study: Its key; of several that are alike the first by location and key.
        patient: Who it is about, where that matters.
        uids: Of `instance` the SOP Instance UIDs, none where it is all of the series; of `study` the series
            whose attributes differ.
        only_here: Of `study` the number of instances that the other archive does not have.
        only_there: Likewise the other way round.
        is_crowd: More than `MOST` others share the value; none is named.
    """

    kind: Kind
    value: str
    location: str = ""
    study: str = ""
    patient: Identity = Identity()
    uids: tuple[str, ...] = ()
    only_here: int = 0
    only_there: int = 0
    is_crowd: bool = False


def facts_of(kind: Kind, value: str, others: Mapping[Hashable, Sequence[Other]]) -> Iterator[IndexFact]:
    """The facts about one shared value.

    Args:
        kind: What is shared.
        value: The value.
        others: Those that share it, by what makes them one: each of these is named once.
    """
    if len(others) > MOST:
        yield IndexFact(kind, value, is_crowd=True)
        return
    for alike in others.values():
        first = min(alike)
        yield IndexFact(kind, value, first.location, first.study, first.patient)


def instance_facts(
    series: str, uids: Set[str], holders: Mapping[str, Sequence[Other]], crowds: Set[str]
) -> Iterator[IndexFact]:
    """The facts about the SOP Instance UIDs of one series: one for each study that has some of them.

    Args:
        series: The series' key.
        uids: Its SOP Instance UIDs.
        holders: Of each UID that others have, which studies do.
        crowds: The UIDs that more than `MOST` others have.
    """
    shared: dict[str, set[str]] = {}
    firsts: dict[str, Other] = {}
    for uid in uids - crowds:
        for other in holders.get(uid, ()):
            shared.setdefault(other.study, set()).add(uid)
            firsts[other.study] = min(firsts.get(other.study, other), other)
    for study, some in shared.items():
        named = () if some == uids else tuple(sorted(some))
        yield IndexFact("instance", series, firsts[study].location, study, uids=named)
    if crowded := uids & crowds:
        named = () if crowded == uids else tuple(sorted(crowded))
        yield IndexFact("instance", series, uids=named, is_crowd=True)


def name_words(patient_name: str) -> str:
    """A PatientName as bare words, by which names are compared; empty without one.

    The first component group that there is: a name may have no alphabetic one.
    """
    cell = Cell("PN", (patient_name,))
    return words(cell) or words(cell, 1) or words(cell, 2)


def is_other_person(here: Identity, there: Identity) -> bool:
    """Name and birth date both differ; what is empty differs from nothing."""
    names = name_words(here.patient_name), name_words(there.patient_name)
    dates = here.patient_birth_date, there.patient_birth_date
    return all(names) and all(dates) and names[0] != names[1] and dates[0] != dates[1]
