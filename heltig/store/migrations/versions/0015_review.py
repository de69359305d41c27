"""Who sees to a study, comments on studies, and what two people decide together."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "study_owners",
        sa.Column("study_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", _text(256), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_by", _text(256), nullable=False),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_study_owners_study_row"),
        sa.PrimaryKeyConstraint("study_row", name="pk_study_owners"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_study_owners_owner", "study_owners", ["owner"])
    op.create_table(
        "comments",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("author", _text(256), nullable=False),
        sa.Column("written", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", _text(256), nullable=False),
        sa.Column("encrypted", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_comments_study_row"),
        sa.PrimaryKeyConstraint("id", name="pk_comments"),
    )
    op.create_index("ix_comments_study_row", "comments", ["study_row"])
    op.create_table(
        "consents",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("act", _text(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("asked_by", _text(256), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("decided_by", _text(256), nullable=False),
        sa.Column("decided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("encrypted", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("act IN ('release', 'discard')", name="act"),
        sa.CheckConstraint("state IN ('open', 'given', 'declined', 'withdrawn', 'lapsed')", name="state"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_consents_study_row"),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_study_row", "consents", ["study_row"])
    where = sa.text("state = 'open'")
    op.create_index(
        "ix_consents_open",
        "consents",
        ["study_row"],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
