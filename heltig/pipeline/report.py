"""What `heltig check` says, as data: the form of its JSON and the source of every other format."""

from datetime import date

import msgspec
from msgspec.structs import force_setattr

from heltig.pipeline.judging import Judged, RulesetName
from heltig.rules.finding import Finding, NotEvaluable, RuleError
from heltig.verdict import Readiness, readiness_of, worst


class ProfileName(msgspec.Struct, frozen=True):
    """The profile that was judged under."""

    name: str
    hash: str


class SkippedMember(msgspec.Struct, frozen=True):
    """A file or ZIP member that gave no instance, and why."""

    path: str
    kind: str
    reason: str


class CheckedInput(msgspec.Struct, frozen=True):
    """One PATH as it was handed in: `members == instances + len(skipped)`.

    Attributes:
        path: As it was given.
        members: Files and ZIP members found.
        instances: Those that gave an instance.
        skipped: The others.
        findings: What the rules say about the package itself.
        readiness: What these lead to.
    """

    path: str
    members: int
    instances: int
    skipped: tuple[SkippedMember, ...]
    findings: tuple[Finding, ...]
    readiness: Readiness = "READY"

    def __post_init__(self) -> None:
        """Fills in what follows from the rest."""
        force_setattr(self, "readiness", readiness_of(self.findings))


class CheckedStudy(msgspec.Struct, frozen=True, rename={"study_instance_uid": "studyInstanceUID",
    "not_evaluable": "notEvaluable"}):  # fmt: skip
    """One judged study; without a StudyInstanceUID it has only its key."""

    study_instance_uid: str | None
    key: str
    readiness: Readiness
    snapshot: str
    series: int
    instances: int
    findings: tuple[Finding, ...]
    not_evaluable: tuple[NotEvaluable, ...]
    errors: tuple[RuleError, ...]


class CheckReport(msgspec.Struct, frozen=True, rename={"reference_date": "referenceDate"}):
    """All of it; studies worst first.

    `readiness` is the worst of the studies and the inputs: the exit code says the same.
    """

    heltig: str
    ruleset: RulesetName
    profile: ProfileName
    reference_date: date
    inputs: tuple[CheckedInput, ...]
    studies: tuple[CheckedStudy, ...]
    readiness: Readiness = "READY"

    def __post_init__(self) -> None:
        """Fills in what follows from the rest."""
        force_setattr(
            self,
            "readiness",
            worst([*(s.readiness for s in self.studies), *(i.readiness for i in self.inputs)]),
        )


def checked_study(judged: Judged) -> CheckedStudy:
    """A judged study as the report shows it."""
    return CheckedStudy(
        study_instance_uid=judged.uid,
        key=judged.key,
        readiness=judged.verdict.readiness,
        snapshot=judged.snapshot,
        series=judged.series,
        instances=judged.instances,
        findings=judged.verdict.findings,
        not_evaluable=judged.verdict.not_evaluable,
        errors=judged.verdict.errors,
    )
