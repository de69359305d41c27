"""The synthetic studies: clean ones, and others that are broken in one instructive way each."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from heltig.demo.attributes import dicom_json
from heltig.demo.cases import BROKEN, CLEAN, Case
from heltig.demo.exam import Exam
from heltig.demo.query import SOP_UID, Instance, first_value
from heltig.verdict import Readiness


@dataclass(frozen=True)
class SyntheticStudy:
    """One study as an archive shows it, and what the rules are to say about it.

    Attributes:
        name: Short name, unique within the set; also that of its sample folder or ZIP.
        title: What it is and what is wrong with it.
        expectation: The readiness that the default profile gives it.
        rules: Rules that find what is wrong, on DICOMweb metadata; none for a clean study.
        datasets: Its instances in DICOM JSON.
        withheld: SOP Instance UIDs that the archive counts and does not show.
        file_values: Value bytes by tag, in every file, where they are not what `datasets` shows.
        file_rules: Rules that find what is wrong in its files.
    """

    name: str
    title: str
    expectation: Readiness
    rules: tuple[str, ...]
    datasets: tuple[Instance, ...]
    withheld: frozenset[str] = frozenset()
    file_values: Mapping[str, bytes] = field(default_factory=dict)
    file_rules: tuple[str, ...] = ()

    @property
    def file_expectation(self) -> Readiness:
        """The readiness that the default profile gives its files: what only an archive shows is not there."""
        return self.expectation if self.file_rules or not self.rules else "READY"


def make_studies(seed: int = 1) -> tuple[SyntheticStudy, ...]:
    """Make all synthetic studies: the same seed gives the same studies, byte for byte.

    Args:
        seed: Fixes UIDs, dates and accession numbers.
    """
    return tuple(_make(seed, case) for case in (*CLEAN, *BROKEN))


def make_study(name: str, seed: int = 1) -> SyntheticStudy:
    """Make one of them alone, the same as among the others.

    Args:
        name: Its short name.
        seed: Fixes UIDs, dates and accession numbers.
    """
    return next(_make(seed, case) for case in (*CLEAN, *BROKEN) if case.name == name)


def _make(seed: int, case: Case) -> SyntheticStudy:
    instances = case.build(_exam(seed, case))
    if case.spoil is not None:
        case.spoil(instances)
    datasets = tuple(dicom_json(instance) for instance in instances)
    hidden = datasets[len(datasets) - case.withheld :]
    return SyntheticStudy(
        case.name, case.title, case.expectation, case.rules, datasets,
        withheld=frozenset(first_value(dataset, SOP_UID) for dataset in hidden),
        file_values=case.file_values,
        file_rules=case.rules if case.file_rules is None else case.file_rules,
    )  # fmt: skip


def _exam(seed: int, case: Case) -> Exam:
    chance = random.Random(f"{seed}:{case.name}")  # noqa: S311 - no secret is made of it
    first = datetime(case.year, 1, 8, 7)  # noqa: DTZ001 - DICOM dates are local times
    start = first + timedelta(days=chance.randrange(340), seconds=chance.randrange(36_000))
    accession = f"A{start:%y}{chance.randrange(10**7):07}"
    return Exam(seed, case.name, case.person, case.site, start, case.description, accession)
