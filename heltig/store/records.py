"""What goes into the store and comes out of it: plain structs, no tables.

Times are aware and in UTC. Hashes and digests are SHA-256 in 64 hex digits. Attributes of a study are text as
DICOM writes it, names too (PS3.5 6.2), whether or not they are well-formed.
"""

from datetime import date, datetime
from typing import Literal, TypeAlias

import msgspec

from heltig.verdict import Inputs, Readiness, Verdict, Waiver

StudyState: TypeAlias = Literal["UNKNOWN", "PENDING", "JUDGED", "WITHDRAWN"]
LocationKind: TypeAlias = Literal["archive", "gate", "upload"]

KEY_LENGTH = 128
"""Characters of a study's, series' or location's key. A longer one is cut and ends in its hash."""


class Location(msgspec.Struct, frozen=True, order=True):
    """Where a study was seen: an archive, a gate route or one upload. As text `archive:main`."""

    kind: LocationKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Location":
        """The location that `str` gave.

        Raises:
            msgspec.ValidationError: There is no such kind of location.
        """
        kind, _, name = text.partition(":")
        return cls(msgspec.convert(kind, LocationKind), name)


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """One patient as a study names them; two spellings of a name are two of these.

    Attributes:
        instances: Number of the study's instances that do.
    """

    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    instances: int = 0


class Device(msgspec.Struct, frozen=True, order=True):
    """A device as instances name it; what they do not name is empty.

    Attributes:
        manufacturer: Manufacturer (0008,0070).
        model: ManufacturerModelName (0008,1090).
        station: StationName (0008,1010). It may name a person or an institution: it is an identifier.
    """

    manufacturer: str = ""
    model: str = ""
    station: str = ""


class StudyAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """What a search shows of a study (PS3.18 10.6.3.3); of several values the commonest.

    Attributes:
        patients: All that its instances name, the commonest first.
        modalities_in_study: Sorted.
    """

    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    study_description: str = ""
    study_id: str = ""
    referring_physician_name: str = ""
    modalities_in_study: tuple[str, ...] = ()
    patients: tuple[Patient, ...] = ()


class SeriesBlob(msgspec.Struct, frozen=True, kw_only=True):
    """One series of a snapshot; `heltig.store.packing.pack_series` makes it.

    Attributes:
        series_key: SeriesInstanceUID, or the fallback key of a series without one.
        series_uid: SeriesInstanceUID as the source has it, None without one.
        digest: SHA-256 of the normalised values: tells whether the series changed.
        address: SHA-256 of the evidence: its name in the store.
        body: The evidence, compressed.
        size: Bytes of the evidence before that.
        instances: Number of instances, those without a UID and duplicates too.
        sop_instance_uids: The distinct ones.
    """

    series_key: str
    series_uid: str | None
    digest: str
    address: str
    body: bytes
    size: int
    instances: int
    sop_instance_uids: tuple[str, ...]
    modality: str = ""
    series_number: str = ""
    series_description: str = ""
    frame_of_reference_uid: str = ""


class NewSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A study's evidence on its way into the store.

    Attributes:
        study_key: StudyInstanceUID, or the fallback key of a study without one.
        study_uid: StudyInstanceUID as the source has it, None without one.
        snapshot: The snapshot's id.
        content_digest: SHA-256 of the normalised values of all series.
        received: When the source was read.
        reference_date: "Today" to the rules, kept for every later judgement.
        facts: The source facts (what it could show, its QIDO rows, unreadable files), in the caller's
            encoding.
        devices: Those that its instances name, each once.
    """

    location: Location
    study_key: str
    study_uid: str | None
    snapshot: str
    content_digest: str
    received: datetime
    reference_date: date
    facts: bytes
    attributes: StudyAttributes
    series: tuple[SeriesBlob, ...]
    devices: tuple[Device, ...] = ()


class PutSnapshot(msgspec.Struct, frozen=True):
    """What became of a new snapshot.

    Attributes:
        snapshot: The id under which the evidence stands: an older one when nothing changed.
        changed: The study has another content than before.
        pending: It waits to be judged, whether for that or for another reason.
        version: The study's version, which its verdict has to name.
    """

    snapshot: str
    changed: bool
    pending: bool
    version: int


class SnapshotSeries(msgspec.Struct, frozen=True):
    """One series of a stored snapshot, with its evidence as it was packed."""

    series_key: str
    digest: str
    address: str
    instances: int
    content: bytes


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A stored snapshot. `series` is sorted by key."""

    location: Location
    study_key: str
    study_uid: str | None
    snapshot: str
    content_digest: str
    received: datetime
    reference_date: date
    facts: bytes
    series: tuple[SnapshotSeries, ...]


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A study at one location, as it stands now.

    Attributes:
        version: Counts every change of snapshot, state or verdict.
        revision: Number of its verdicts, 0 before the first.
        snapshot: The newest; its verdict is still to come while the study is PENDING.
        readiness: Of the last verdict.
        judged: When that was made.
        valid_until: From this minute on it does not hold: a waiver ends, or was revoked. None without an end.
        blocks: Unwaived findings of severity `block` in it; `reviews` and `notes` likewise.
        first_seen: When the study was first heard of here.
        changed: When its version last changed.
    """

    location: Location
    study_key: str
    study_uid: str | None
    state: StudyState
    version: int
    revision: int
    snapshot: str | None
    content_digest: str | None
    readiness: Readiness | None
    judged: datetime | None
    valid_until: datetime | None = None
    blocks: int
    reviews: int
    notes: int
    series: int
    instances: int
    first_seen: datetime
    changed: datetime
    attributes: StudyAttributes

    def at(self, now: datetime) -> "Study":
        """The study as it stands at a time: PENDING once its verdict no longer holds."""
        if self.state == "JUDGED" and self.valid_until is not None and self.valid_until <= now:
            return msgspec.structs.replace(self, state="PENDING")
        return self


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A series of a study's newest snapshot."""

    series_key: str
    series_uid: str | None
    modality: str
    series_number: str
    series_description: str
    instances: int
    sop_instance_uids: tuple[str, ...]


class NewVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict to be published.

    Attributes:
        version: The study's version that was judged: if it changed since, the verdict is refused as stale.
        waivers: Those that were in force, sorted: if others are by now, the verdict is refused as stale.
        judged: The time of judging.
        actor: Who or what judged, for the audit trail; `origin` likewise, from where.
    """

    location: Location
    study_key: str
    version: int
    verdict: Verdict
    inputs: Inputs
    judged: datetime
    actor: str
    origin: str = ""
    waivers: tuple[Waiver, ...] = ()


class RulesetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A ruleset that judged something. `manifest` says what was in it, in the caller's encoding."""

    hash: str
    version: str
    standard: str
    manifest: bytes = b""


class ProfileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that something was judged with. `text` is all of it."""

    hash: str
    name: str
    text: bytes = b""


class StoredVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a study's verdict. `ruleset` and `profile` come without their contents."""

    location: Location
    study_key: str
    study_uid: str | None
    revision: int
    judged: datetime
    verdict: Verdict
    inputs: Inputs
    ruleset: RulesetInfo
    profile: ProfileInfo


class Published(msgspec.Struct, frozen=True):
    """A study as others get to see it: what a prepared answer is made of.

    Attributes:
        verdict: The last verdict, None before the first.
    """

    study: Study
    verdict: StoredVerdict | None
