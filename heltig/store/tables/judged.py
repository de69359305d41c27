"""Tables of what was made of it, and of what others are told."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field

from heltig.store.records import KEY_LENGTH
from heltig.store.tables.base import BY_KEY, ROW_NUMBER, Table, one_of, where
from heltig.store.text import TEXT_LENGTH

# A query that is to use one of these indexes has to say the same in the same words.
IN_FAMILY = "family IS NOT NULL"
NEW_MEASURE = "action IN ('ruleset.use', 'profile.use')"


class RulesetTable(Table, table=True):
    """Rulesets that judged something."""

    __tablename__ = "rulesets"

    hash: str = Field(primary_key=True, max_length=64)
    version: str = Field(max_length=64)
    standard: str = Field(max_length=64)
    manifest: bytes  # compressed


class ProfileTable(Table, table=True):
    """Profiles that something was judged with."""

    __tablename__ = "profiles"

    hash: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=TEXT_LENGTH)
    text: bytes  # compressed


class VerdictTable(Table, table=True):
    """Verdicts, never changed: the next revision supersedes."""

    __tablename__ = "verdicts"
    __table_args__ = (
        UniqueConstraint("study_row", "revision"),
        one_of("readiness", "READY", "NEEDS_REVIEW", "BLOCKED"),
        Index("ix_verdicts_judged", "judged", "readiness"),
    )

    id: int | None = Field(default=None, primary_key=True)
    study_row: int = Field(foreign_key="studies.id")
    revision: int
    verdict_id: str = Field(max_length=64)
    snapshot: str = Field(max_length=64)
    ruleset_hash: str = Field(max_length=64, foreign_key="rulesets.hash")
    profile_hash: str = Field(max_length=64, foreign_key="profiles.hash")
    reference_date: date
    judged: datetime
    readiness: str = Field(max_length=16)
    unwaived_readiness: str = Field(max_length=16)
    valid_until: datetime | None
    facts: str = Field(sa_type=Text)
    index_facts: str = Field(sa_type=Text)
    waivers: str = Field(sa_type=Text)
    not_evaluable: str = Field(sa_type=Text)
    errors: str = Field(sa_type=Text)
    encrypted: bytes | None  # `heltig.store.encrypted_rows` says what is in it


class FindingTable(Table, table=True):
    """The findings of a verdict, in its order; never changed."""

    __tablename__ = "findings"
    __table_args__ = (
        one_of("severity", "block", "review", "note"),
        Index("ix_findings_rule", "rule", "waived"),
        BY_KEY,
    )

    verdict_row: int = Field(primary_key=True, foreign_key="verdicts.id")
    position: int = Field(primary_key=True)
    rule: str = Field(max_length=64)
    severity: str = Field(max_length=16)
    level: str = Field(max_length=16)
    message: str = Field(sa_type=Text)
    tags: str = Field(sa_type=Text)
    observed: str = Field(sa_type=Text)
    expected: str = Field(sa_type=Text)
    count: int
    instances: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    remedy: str = Field(sa_type=Text)
    waived: bool
    proposed: str = Field(sa_type=Text)
    digest: str = Field(max_length=32, sa_column_kwargs={"server_default": ""})
    encrypted: bytes | None


class StudyRuleTable(Table, table=True):
    """The rules that the current verdict of a study has unwaived findings of: what overviews count.

    `family` is that of the rule in one row a study and family, of those that do more than note; else NULL.
    """

    __tablename__ = "study_rules"
    __table_args__ = (
        one_of("severity", "block", "review", "note"),
        Index("ix_study_rules_rule", "rule", "severity", "first_seen"),
        Index("ix_study_rules_family", "location_row", "family", **where(IN_FAMILY)),
        Index("ix_study_rules_devices", "device_set_row", "family", **where(IN_FAMILY)),
        BY_KEY,
    )

    study_row: int = Field(primary_key=True, foreign_key="studies.id")
    rule: str = Field(primary_key=True, max_length=64)
    severity: str = Field(max_length=16)
    family: str | None = Field(max_length=64)
    location_row: int
    first_seen: datetime
    device_set_row: int | None  # as the study has it


class WaiverTable(Table, table=True):
    """Waivers; a row is never deleted, and only ever changed to say that it is revoked."""

    __tablename__ = "waivers"
    __table_args__ = (one_of("scope", "study", "series", "archive"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    rule: str = Field(max_length=64)
    observed: str = Field(sa_type=Text)
    scope: str = Field(max_length=16)
    location: str | None = Field(max_length=KEY_LENGTH + 16, index=True)
    study_key: str | None = Field(max_length=KEY_LENGTH, index=True)
    series_key: str | None = Field(max_length=KEY_LENGTH)
    reason: str = Field(sa_type=Text)
    author: str = Field(max_length=TEXT_LENGTH)
    created: datetime
    expires: datetime
    revoked: datetime | None
    revoked_by: str | None = Field(max_length=TEXT_LENGTH)
    tags: str = Field(sa_type=Text, sa_column_kwargs={"server_default": "[]"})
    digest: str = Field(max_length=32, sa_column_kwargs={"server_default": ""})
    encrypted: bytes | None


class LookupTable(Table, table=True):
    """One prepared answer a study and location, ready to be sent (`heltig.store.lookups` tells of places)."""

    __tablename__ = "lookups"
    __table_args__ = (UniqueConstraint("study_key", "location"), UniqueConstraint("study_row"))

    place: int = Field(primary_key=True, sa_type=ROW_NUMBER, sa_column_kwargs={"autoincrement": False})
    alone: bool
    study_row: int = Field(foreign_key="studies.id")
    study_key: str = Field(max_length=KEY_LENGTH)
    location: str = Field(max_length=KEY_LENGTH + 16)
    state: str = Field(max_length=16)
    readiness: str | None = Field(max_length=16)
    version: int
    revision: int
    verdict_id: str | None = Field(max_length=64)
    valid_until: str | None = Field(max_length=16)
    form: str = Field(max_length=16)
    body: bytes


class SequenceTable(Table, table=True):
    """The last number handed out of each sequence; of the audit trail the last tag, and its key's id, too."""

    __tablename__ = "sequences"

    name: str = Field(primary_key=True, max_length=16)
    value: int = Field(sa_type=BigInteger)
    tag: bytes | None
    key_id: str | None = Field(max_length=8)


class ChangeTable(Table, table=True):
    """The change feed."""

    __tablename__ = "changes"

    sequence: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(index=True)
    location: str = Field(max_length=KEY_LENGTH + 16)
    study_key: str = Field(max_length=KEY_LENGTH)
    study_uid: str | None = Field(max_length=KEY_LENGTH)
    state: str = Field(max_length=16)
    revision: int
    readiness: str | None = Field(max_length=16)
    verdict_id: str | None = Field(max_length=64)


class AuditTable(Table, table=True):
    """The audit trail: rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (
        one_of("outcome", "success", "refused", "failure"),
        Index("ix_audit_new_measure", "at", **where(NEW_MEASURE)),
    )

    sequence: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(index=True)
    actor: str = Field(max_length=TEXT_LENGTH)
    action: str = Field(max_length=64)
    subject: str = Field(max_length=TEXT_LENGTH)
    outcome: str = Field(max_length=16)
    origin: str = Field(max_length=TEXT_LENGTH)
    detail: str = Field(sa_type=Text)
    tag: bytes | None
    key_id: str | None = Field(max_length=8)


class AuditCheckpointTable(Table, table=True):
    """Where the audit trail begins after older entries were purged; entries up to one may be deleted."""

    __tablename__ = "audit_checkpoints"

    through: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: datetime
    count: int = Field(sa_type=BigInteger)
    tag: bytes
    key_id: str = Field(max_length=8)
    seal: bytes
