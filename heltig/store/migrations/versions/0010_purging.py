"""Indexes without which each study or job that goes has whole tables searched for what refers to it."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_index("ix_backfill_studies_study_row", "backfill_studies", ["study_row"])
    op.create_index("ix_uploads_job_row", "uploads", ["job_row"])
