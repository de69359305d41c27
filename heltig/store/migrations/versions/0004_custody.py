"""The tables of gates."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "gate_studies",
        sa.Column("study_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("due", _TIME, nullable=True),
        sa.Column("snapshot", _text(64), nullable=True),
        sa.Column("quarantined", _TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["location_row"], ["locations.id"], name="fk_gate_studies_location_row"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_gate_studies_study_row"),
        sa.PrimaryKeyConstraint("study_row", name="pk_gate_studies"),
    )
    op.create_index("ix_gate_studies_due", "gate_studies", ["due"], **_where("due IS NOT NULL"))
    op.create_index(
        "ix_gate_studies_quarantined", "gate_studies", ["quarantined"], **_where("quarantined IS NOT NULL")
    )
    op.create_table(
        "objects",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", _text(128), nullable=False),
        sa.Column("sop_class_uid", _text(128), nullable=False),
        sa.Column("series_uid", _text(128), nullable=False),
        sa.Column("transfer_syntax_uid", _text(128), nullable=False),
        sa.Column("digest", _text(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.Column("file", _text(256), nullable=True),
        sa.Column("spool", _text(64), nullable=False),
        sa.Column("sender", _text(256), nullable=False),
        sa.Column("request", _text(256), nullable=False),
        sa.Column("received", _TIME, nullable=False),
        sa.CheckConstraint(
            "state IN ('held', 'forwarding', 'quarantined', 'forwarded', 'discarded')",
            name=op.f("ck_objects_state"),
        ),
        sa.ForeignKeyConstraint(["study_row"], ["gate_studies.study_row"], name="fk_objects_study_row"),
        sa.PrimaryKeyConstraint("id", name="pk_objects"),
        sa.UniqueConstraint(
            "study_row", "sop_instance_uid", "digest", name="uq_objects_study_row_sop_instance_uid_digest"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_objects_kept", "objects", ["study_row"], **_where("file IS NOT NULL"))
    op.create_index("ix_objects_file", "objects", ["file"], unique=True, **_where("file IS NOT NULL"))


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
