"""What is in an evidence bundle: the names of its files, and their JSON."""

import re
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.pipeline.judging import RulesetName
from heltig.pipeline.report import ProfileName
from heltig.reports import checksums
from heltig.reports.verdict_line import line_of, redacted_device
from heltig.store.audit_trail import Line
from heltig.store.judged_studies import JudgedStudy
from heltig.store.records import Device, StoredVerdict, StudyAttributes, StudyState
from heltig.verdict import Inputs, Readiness, Verdict

FORM: Final = "heltig-bundle/2"
FORMS: Final = ("heltig-bundle/1", FORM)
"""Those that can be read; the first had no `STUDY`, so that nobody can make its reports again."""

MANIFEST: Final = "manifest.json"
CHECKSUMS: Final = checksums.NAME
VERDICT: Final = "verdict.json"
PROFILE: Final = "profile.json"
RULESET: Final = "ruleset.json"
WAIVERS: Final = "waivers.json"
FINDINGS: Final = "findings.csv"
REPORT: Final = "report.html"
AUDIT: Final = "audit.ndjson"
METADATA: Final = "metadata.json"
SNAPSHOT: Final = "snapshot/snapshot.json"
FACTS: Final = "snapshot/facts.msgpack"
README: Final = "README.txt"
STUDY: Final = "study.json"

NAMES: Final = frozenset(
    {
        MANIFEST, CHECKSUMS, VERDICT, PROFILE, RULESET, WAIVERS, FINDINGS, REPORT, AUDIT, METADATA, SNAPSHOT,
        FACTS, README, STUDY,
    }
)  # fmt: skip
SERIES: Final = re.compile(r"snapshot/series-[0-9]{6}\.msgpack", re.ASCII)

ALWAYS: Final = frozenset({VERDICT, PROFILE, RULESET, WAIVERS, FINDINGS, REPORT, README})
"""Files of every bundle; of the later form `STUDY`, too."""

OF_SNAPSHOT: Final = frozenset({SNAPSHOT, FACTS, METADATA})

Part: TypeAlias = Literal["snapshot", "audit", "identifiers"]


class File(msgspec.Struct, frozen=True):
    """A file of the bundle: its SHA-256 in hex digits and its bytes."""

    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename={
    "study_instance_uid": "studyInstanceUID", "reference_date": "referenceDate",
    "content_digest": "contentDigest", "left_out": "leftOut"}):  # fmt: skip
    """What a bundle is about, and its files.

    Attributes:
        form: One of `FORMS`.
        heltig: The version that wrote it.
        verdict: The verdict's id.
        left_out: What is not in it, and why: without `snapshot` nobody can judge it again.
        files: All others but `CHECKSUMS`, by name.
    """

    form: str
    heltig: str
    study_instance_uid: str | None
    key: str
    location: str
    revision: int
    judged: datetime
    readiness: Readiness
    verdict: str
    snapshot: str
    content_digest: str
    reference_date: date
    ruleset: RulesetName
    profile: ProfileName
    left_out: dict[Part, str]
    files: dict[str, File]


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with what it was made of, beside snapshot, profile and waivers."""

    revision: int
    judged: datetime
    verdict: Verdict
    inputs: Inputs

    @classmethod
    def of(cls, stored: StoredVerdict) -> "Judgement":
        """That of a stored verdict."""
        return cls(
            revision=stored.revision, judged=stored.judged, verdict=stored.verdict, inputs=stored.inputs
        )


class AboutStudy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What reports say of a study beside its verdict.

    Attributes:
        snapshot: The newest: another than that of the verdict, where the study changed since.
        owner: Who sees to it; empty where nobody does.
    """

    state: StudyState
    snapshot: str | None
    series: int
    instances: int
    first_seen: datetime
    attributes: StudyAttributes
    devices: tuple[Device, ...]
    owner: str

    @classmethod
    def of(cls, found: JudgedStudy, *, redact: bool) -> "AboutStudy":
        """That of a study as it stands.

        Args:
            found: The study.
            redact: Without what could name a patient.
        """
        study, about, devices = found.study, found.study.attributes, found.devices
        if redact:
            about = StudyAttributes(
                study_date=about.study_date and REDACTED,
                study_description=about.study_description and REDACTED,
                accession_number=about.accession_number and REDACTED,
                modalities_in_study=about.modalities_in_study,
            )
            devices = tuple(sorted(set(map(redacted_device, devices))))
        return cls(
            state=study.state,
            snapshot=study.snapshot,
            series=study.series,
            instances=study.instances,
            first_seen=study.first_seen,
            attributes=about,
            devices=devices,
            owner=line_of(found, redact=redact).owner,
        )


class SeriesFile(msgspec.Struct, frozen=True):
    """A series of the snapshot: its key, its file, and the digest of its normalised values."""

    key: str
    file: str
    instances: int
    digest: str


class SnapshotForm(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The snapshot without its evidence."""

    study_key: str
    study_uid: str | None
    location: str
    snapshot: str
    content_digest: str
    received: datetime
    reference_date: date
    series: tuple[SeriesFile, ...]


class ChainedLine(Line, frozen=True, kw_only=True, rename="camel"):
    """An entry of the audit trail, and the tag of the entry before it, which its own tag covers."""

    before: str | None


def as_json(content: object) -> bytes:
    """JSON for people to read too; the same for the same content."""
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"
