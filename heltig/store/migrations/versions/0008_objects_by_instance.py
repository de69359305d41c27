"""Objects by their SOP Instance UIDs, for those who ask whether we have them (storage commitment)."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_index("ix_objects_instance", "objects", ["sop_instance_uid"])
