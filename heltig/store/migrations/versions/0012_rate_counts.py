"""How often somebody did something in a minute."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "rate_counts",
        sa.Column("minute", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("rule", _text(16), nullable=False),
        sa.Column("who", _text(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "rule", "who", name="pk_rate_counts"),
        sqlite_with_rowid=False,
    )


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
