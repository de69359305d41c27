"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NEVER_CHANGED = ("verdicts", "findings", "snapshots", "snapshot_series", "contents", "changes", "audit")
_NEVER_DELETED = ("audit", "waivers")


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    _make_tables()
    sequences = sa.table("sequences", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.bulk_insert(sequences, [{"name": name, "value": 0} for name in ("changes", "audit", "waivers")])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION heltig_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '%: % refused', TG_TABLE_NAME, TG_OP; END $$"
        )
    for table in _NEVER_CHANGED:
        _refuse("UPDATE", table)
    for table in _NEVER_DELETED:
        _refuse("DELETE", table)


def _refuse(act: str, table: str) -> None:
    name = f"{table}_refuse_{act.lower()}"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW EXECUTE FUNCTION heltig_refuse()"
        )
    else:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: {act} refused'); END"
        )


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _make_tables() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.Column("prefix", _text(16), nullable=False),
        sa.Column("hash", _text(64), nullable=False),
        sa.Column("role", _text(32), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", _text(256), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", _text(256), nullable=False),
        sa.Column("action", _text(64), nullable=False),
        sa.Column("subject", _text(256), nullable=False),
        sa.Column("outcome", _text(16), nullable=False),
        sa.Column("origin", _text(256), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('success', 'refused', 'failure')", name=op.f("ck_audit_outcome")),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "changes",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("location", _text(144), nullable=False),
        sa.Column("study_key", _text(128), nullable=False),
        sa.Column("study_uid", _text(128), nullable=True),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("readiness", _text(16), nullable=True),
        sa.Column("verdict_id", _text(64), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name="pk_changes"),
    )
    op.create_table(
        "contents",
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_contents"),
    )
    op.create_table(
        "instances",
        sa.Column("uid_key", sa.BigInteger(), nullable=False),
        sa.Column("series_row", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("uid_key", "series_row", name="pk_instances"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_groups",
        sa.Column("name", _text(128), nullable=False),
        sa.Column("served", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_job_groups"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _text(64), nullable=False),
        sa.Column("key", _text(256), nullable=True),
        sa.Column("group", _text(128), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", _text(256), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled')",
            name=op.f("ck_jobs_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_jobs_ended_badly",
        "jobs",
        ["state", "id"],
        sqlite_where=sa.text("state IN ('failed', 'dead')"),
        postgresql_where=sa.text("state IN ('failed', 'dead')"),
    )
    op.create_index(
        "ix_jobs_ready",
        "jobs",
        ["group", "priority", "id"],
        sqlite_where=sa.text("state = 'queued' AND not_before IS NULL"),
        postgresql_where=sa.text("state = 'queued' AND not_before IS NULL"),
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["lease_until"],
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["not_before"],
        sqlite_where=sa.text("state = 'queued' AND not_before IS NOT NULL"),
        postgresql_where=sa.text("state = 'queued' AND not_before IS NOT NULL"),
    )
    op.create_index(
        "uq_jobs_live",
        "jobs",
        ["kind", "key"],
        unique=True,
        sqlite_where=sa.text("state IN ('queued', 'running')"),
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "locations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _text(16), nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.CheckConstraint("kind IN ('archive', 'gate', 'upload')", name=op.f("ck_locations_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_locations"),
        sa.UniqueConstraint("kind", "name", name="uq_locations_kind_name"),
    )
    op.create_table(
        "patients",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("patient_id", _text(256), nullable=False),
        sa.Column("issuer_of_patient_id", _text(256), nullable=False),
        sa.Column("patient_name", _text(256), nullable=False),
        sa.Column("name_folded", _text(256), nullable=False),
        sa.Column("name_words", _text(256), nullable=False),
        sa.Column("patient_birth_date", _text(256), nullable=False),
        sa.Column("patient_sex", _text(256), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_patients"),
        sa.UniqueConstraint("identity", name="uq_patients_identity"),
    )
    op.create_index("ix_patients_name", "patients", ["name_folded", "patient_birth_date"])
    op.create_index("ix_patients_patient_id", "patients", ["patient_id"])
    op.create_index("ix_patients_words", "patients", ["name_words", "patient_birth_date"])
    op.create_table(
        "profiles",
        sa.Column("hash", _text(64), nullable=False),
        sa.Column("name", _text(256), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_profiles"),
    )
    op.create_table(
        "rulesets",
        sa.Column("hash", _text(64), nullable=False),
        sa.Column("version", _text(64), nullable=False),
        sa.Column("standard", _text(64), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_rulesets"),
    )
    op.create_table(
        "sequences",
        sa.Column("name", _text(16), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sequences"),
    )
    op.create_table(
        "waivers",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", _text(64), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("scope", _text(16), nullable=False),
        sa.Column("location", _text(144), nullable=True),
        sa.Column("study_key", _text(128), nullable=True),
        sa.Column("series_key", _text(128), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", _text(256), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", _text(256), nullable=True),
        sa.CheckConstraint("scope IN ('study', 'series', 'archive')", name=op.f("ck_waivers_scope")),
        sa.PrimaryKeyConstraint("id", name="pk_waivers"),
    )
    op.create_index("ix_waivers_location", "waivers", ["location"])
    op.create_index("ix_waivers_study_key", "waivers", ["study_key"])
    op.create_table(
        "archives",
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("qido_url", sa.Text(), nullable=False),
        sa.Column("wado_url", sa.Text(), nullable=False),
        sa.Column("stow_url", sa.Text(), nullable=True),
        sa.Column("auth", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("capabilities", sa.Text(), nullable=True),
        sa.Column("probed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["location_row"], ["locations.id"], name="fk_archives_location_row"),
        sa.PrimaryKeyConstraint("location_row", name="pk_archives"),
    )
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("study_key", _text(128), nullable=False),
        sa.Column("study_uid", _text(128), nullable=True),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("snapshot", _text(64), nullable=True),
        sa.Column("content_digest", _text(64), nullable=True),
        sa.Column("readiness", _text(16), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("judged", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("reviews", sa.Integer(), nullable=False),
        sa.Column("notes", sa.Integer(), nullable=False),
        sa.Column("series_count", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("study_date", _text(256), nullable=False),
        sa.Column("study_time", _text(256), nullable=False),
        sa.Column("accession_number", _text(256), nullable=False),
        sa.Column("study_description", _text(256), nullable=False),
        sa.Column("study_id", _text(256), nullable=False),
        sa.Column("referring_physician_name", _text(256), nullable=False),
        sa.Column("modalities_in_study", _text(256), nullable=False),
        sa.CheckConstraint(
            "readiness IN ('READY', 'NEEDS_REVIEW', 'BLOCKED')", name=op.f("ck_studies_readiness")
        ),
        sa.CheckConstraint("state IN ('PENDING', 'JUDGED', 'WITHDRAWN')", name=op.f("ck_studies_state")),
        sa.ForeignKeyConstraint(["location_row"], ["locations.id"], name="fk_studies_location_row"),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("location_row", "study_key", name="uq_studies_location_row_study_key"),
    )
    op.create_index("ix_studies_accession_number", "studies", ["accession_number"])
    op.create_index("ix_studies_study_date", "studies", ["study_date", "id"])
    op.create_index("ix_studies_study_uid", "studies", ["study_uid"])
    op.create_index(
        "ix_studies_valid_until",
        "studies",
        ["valid_until"],
        sqlite_where=sa.text("valid_until IS NOT NULL"),
        postgresql_where=sa.text("valid_until IS NOT NULL"),
    )
    op.create_index(
        "ix_studies_worst",
        "studies",
        [
            "rank",
            "judged",
            "id",
            "state",
            "location_row",
            "modalities_in_study",
            "study_description",
            "study_key",
            "valid_until",
        ],
    )
    op.create_table(
        "uploads",
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("digest", _text(64), nullable=False),
        sa.Column("profile_hash", _text(64), nullable=False),
        sa.Column("target", _text(128), nullable=False),
        sa.Column("job_row", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["job_row"], ["jobs.id"], name="fk_uploads_job_row"),
        sa.ForeignKeyConstraint(["location_row"], ["locations.id"], name="fk_uploads_location_row"),
        sa.PrimaryKeyConstraint("location_row", name="pk_uploads"),
    )
    op.create_index("ix_uploads_digest", "uploads", ["digest"])
    op.create_table(
        "lookups",
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("study_key", _text(128), nullable=False),
        sa.Column("location", _text(144), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("readiness", _text(16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("verdict_id", _text(64), nullable=True),
        sa.Column("valid_until", _text(16), nullable=True),
        sa.Column("form", _text(16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_lookups_study_row"),
        sa.PrimaryKeyConstraint("study_row", name="pk_lookups"),
        sa.UniqueConstraint("study_key", "location", name="uq_lookups_study_key_location"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("series_key", _text(128), nullable=False),
        sa.Column("series_uid", _text(128), nullable=True),
        sa.Column("modality", _text(256), nullable=False),
        sa.Column("series_number", _text(256), nullable=False),
        sa.Column("series_description", _text(256), nullable=False),
        sa.Column("frame_of_reference_uid", _text(128), nullable=True),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sop_instance_uids", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_series_study_row"),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("study_row", "series_key", name="uq_series_study_row_series_key"),
    )
    op.create_index("ix_series_frame_of_reference_uid", "series", ["frame_of_reference_uid"])
    op.create_index("ix_series_series_uid", "series", ["series_uid"])
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("snapshot", _text(64), nullable=False),
        sa.Column("content_digest", _text(64), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference_date", sa.Date(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_snapshots_study_row"),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
        sa.UniqueConstraint("study_row", "snapshot", name="uq_snapshots_study_row_snapshot"),
    )
    op.create_table(
        "study_patients",
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("patient_row", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["patient_row"], ["patients.id"], name="fk_study_patients_patient_row"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_study_patients_study_row"),
        sa.PrimaryKeyConstraint("study_row", "position", name="pk_study_patients"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_study_patients_patient_row", "study_patients", ["patient_row"])
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("verdict_id", _text(64), nullable=False),
        sa.Column("snapshot", _text(64), nullable=False),
        sa.Column("ruleset_hash", _text(64), nullable=False),
        sa.Column("profile_hash", _text(64), nullable=False),
        sa.Column("reference_date", sa.Date(), nullable=False),
        sa.Column("judged", sa.DateTime(timezone=True), nullable=False),
        sa.Column("readiness", _text(16), nullable=False),
        sa.Column("unwaived_readiness", _text(16), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("index_facts", sa.Text(), nullable=False),
        sa.Column("waivers", sa.Text(), nullable=False),
        sa.Column("not_evaluable", sa.Text(), nullable=False),
        sa.Column("errors", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "readiness IN ('READY', 'NEEDS_REVIEW', 'BLOCKED')", name=op.f("ck_verdicts_readiness")
        ),
        sa.ForeignKeyConstraint(["profile_hash"], ["profiles.hash"], name="fk_verdicts_profile_hash"),
        sa.ForeignKeyConstraint(["ruleset_hash"], ["rulesets.hash"], name="fk_verdicts_ruleset_hash"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_verdicts_study_row"),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.UniqueConstraint("study_row", "revision", name="uq_verdicts_study_row_revision"),
    )
    op.create_table(
        "findings",
        sa.Column("verdict_row", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", _text(64), nullable=False),
        sa.Column("severity", _text(16), nullable=False),
        sa.Column("level", _text(16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("instances", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("waived", sa.Boolean(), nullable=False),
        sa.Column("proposed", sa.Text(), nullable=False),
        sa.CheckConstraint("severity IN ('block', 'review', 'note')", name=op.f("ck_findings_severity")),
        sa.ForeignKeyConstraint(["verdict_row"], ["verdicts.id"], name="fk_findings_verdict_row"),
        sa.PrimaryKeyConstraint("verdict_row", "position", name="pk_findings"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_findings_rule", "findings", ["rule", "waived"])
    op.create_table(
        "snapshot_series",
        sa.Column("snapshot_row", sa.Integer(), nullable=False),
        sa.Column("series_key", _text(128), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["address"], ["contents.address"], name="fk_snapshot_series_address"),
        sa.ForeignKeyConstraint(["snapshot_row"], ["snapshots.id"], name="fk_snapshot_series_snapshot_row"),
        sa.PrimaryKeyConstraint("snapshot_row", "series_key", name="pk_snapshot_series"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_snapshot_series_address", "snapshot_series", ["address"])
