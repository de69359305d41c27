"""The studies that are PENDING, for those who see that somebody judges them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    is_pending = sa.text("state = 'PENDING'")
    op.create_index(
        "ix_studies_pending", "studies", ["changed"], sqlite_where=is_pending, postgresql_where=is_pending
    )
