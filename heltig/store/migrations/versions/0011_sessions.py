"""Sessions of people who logged in at an OpenID provider."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", _text(64), nullable=False),
        sa.Column("login_hash", _text(64), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", _text(256), nullable=False),
        sa.Column("name", _text(256), nullable=False),
        sa.Column("granted", sa.Text(), nullable=False),
        sa.Column("provider_session", _text(256), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("last_seen", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.Column("ended", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("hash", name="uq_sessions_hash"),
        sa.UniqueConstraint("login_hash", name="uq_sessions_login_hash"),
        sqlite_autoincrement=True,
    )
    for column in ("subject", "provider_session", "expires"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column])


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
