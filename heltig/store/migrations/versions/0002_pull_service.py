"""The tables of the pull service."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.add_column("jobs", sa.Column("first_error", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("jobs", "id", type_=sa.BigInteger())
        op.alter_column("uploads", "job_row", type_=sa.BigInteger())
        op.execute("ALTER SEQUENCE jobs_id_seq AS bigint")
    op.create_index("ix_jobs_succeeded", "jobs", ["kind", "finished"], **_where("state = 'succeeded'"))
    op.add_column("job_groups", sa.Column("weight", sa.Integer(), server_default="1", nullable=False))
    op.add_column("job_groups", sa.Column("most", sa.Integer(), nullable=True))
    op.add_column("job_groups", sa.Column("not_before", _TIME, nullable=True))
    op.create_index("ix_studies_first_seen", "studies", ["location_row", "first_seen"])
    op.add_column("archives", sa.Column("feed_url", sa.Text(), nullable=True))
    op.execute("UPDATE archives SET options = replace(options, '\"ca_bundle\":', '\"caBundle\":')")
    op.execute("UPDATE archives SET auth = '{\"kind\":\"none\"}' WHERE auth = '{}'")
    _what_waivers_cover()
    _observations()
    _archives()
    _backfills()


def _what_waivers_cover() -> None:
    """Findings that were told before have no digest, and waivers of before cover nothing any more."""
    for table in ("findings", "waivers"):
        op.add_column(table, sa.Column("digest", _text(32), server_default="", nullable=False))
    op.add_column("waivers", sa.Column("tags", sa.Text(), server_default="[]", nullable=False))


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _location(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["location_row"], ["locations.id"], name=f"fk_{table}_location_row")


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _observations() -> None:
    op.create_table(
        "observations",
        sa.Column("study_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("changed", _TIME, nullable=False),
        sa.Column("unsettled_since", _TIME, nullable=True),
        sa.Column("due", _TIME, nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        _location("observations"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_observations_study_row"),
        sa.PrimaryKeyConstraint("study_row", name="pk_observations"),
    )
    op.create_index(
        "ix_observations_due",
        "observations",
        ["location_row", "priority", "due"],
        **_where("due IS NOT NULL"),
    )
    op.create_index(
        "ix_observations_handed_on",
        "observations",
        ["study_row"],
        **_where("due IS NULL AND unsettled_since IS NOT NULL"),
    )
    op.create_table(
        "cursors",
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("name", _text(64), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("covered", _TIME, nullable=True),
        sa.Column("started", _TIME, nullable=True),
        sa.Column("finished", _TIME, nullable=True),
        sa.Column("due", _TIME, nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        _location("cursors"),
        sa.PrimaryKeyConstraint("location_row", "name", name="pk_cursors"),
        sqlite_with_rowid=False,
    )


def _archives() -> None:
    op.create_table(
        "breakers",
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("operation", _text(16), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("until", _TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("changed", _TIME, nullable=False),
        sa.CheckConstraint("state IN ('closed', 'open', 'half-open')", name=op.f("ck_breakers_state")),
        _location("breakers"),
        sa.PrimaryKeyConstraint("location_row", "operation", name="pk_breakers"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "measurements",
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("minute", _TIME, nullable=False),
        sa.Column("operation", _text(16), nullable=False),
        sa.Column("outcome", _text(16), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        _location("measurements"),
        sa.PrimaryKeyConstraint(
            "location_row", "minute", "operation", "outcome", "bucket", name="pk_measurements"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "workers",
        sa.Column("owner", _text(256), nullable=False),
        sa.Column("host", _text(256), nullable=False),
        sa.Column("version", _text(64), nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("heard", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_workers"),
    )


def _backfills() -> None:
    op.create_table(
        "backfills",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("dates", _text(32), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("actor", _text(256), nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("due", _TIME, nullable=False),
        sa.Column("listed", _TIME, nullable=True),
        sa.Column("finished", _TIME, nullable=True),
        sa.Column("cancelled", _TIME, nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        _location("backfills"),
        sa.PrimaryKeyConstraint("id", name="pk_backfills"),
    )
    op.create_index("ix_backfills_location", "backfills", ["location_row", "id"])
    op.create_table(
        "backfill_studies",
        sa.Column("backfill_row", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("outcome", _text(16), nullable=True),
        sa.Column("manufacturer", _text(128), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("finished", _TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["backfill_row"], ["backfills.id"], name="fk_backfill_studies_backfill_row"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_backfill_studies_study_row"),
        sa.PrimaryKeyConstraint("backfill_row", "study_row", name="pk_backfill_studies"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_backfill_studies_undone",
        "backfill_studies",
        ["backfill_row", "study_row"],
        **_where("finished IS NULL"),
    )
