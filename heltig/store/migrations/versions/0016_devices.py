"""Which devices studies come from. What is stored already is read for it by the service, while it works."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_WORST = (
    "rank", "judged", "id", "state", "location_row", "modalities_in_study", "study_description", "study_key",
    "valid_until", "device_set_row",
)  # fmt: skip


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "device_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_device_sets"),
        sa.UniqueConstraint("identity", name="uq_device_sets_identity"),
    )
    op.create_table(
        "devices",
        sa.Column("device_set_row", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("manufacturer", _text(64), nullable=False),
        sa.Column("model", _text(64), nullable=False),
        sa.Column("station", _text(64), nullable=False),
        sa.ForeignKeyConstraint(["device_set_row"], ["device_sets.id"], name="fk_devices_device_set_row"),
        sa.PrimaryKeyConstraint("device_set_row", "position", name="pk_devices"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_devices_manufacturer", "devices", ["manufacturer", "model", "station"])
    op.add_column("studies", sa.Column("device_set_row", sa.Integer(), nullable=True))
    op.add_column("study_rules", sa.Column("device_set_row", sa.Integer(), nullable=True))
    op.drop_column("backfill_studies", "manufacturer")
    op.drop_index("ix_studies_worst", "studies")
    op.create_index("ix_studies_worst", "studies", list(_WORST))
    _index_where("ix_studies_devices", "studies", ["device_set_row"], "rank > 0 AND state <> 'WITHDRAWN'")
    _index_where(
        "ix_studies_without_devices", "studies", ["id"], "device_set_row IS NULL AND snapshot IS NOT NULL"
    )
    _index_where("ix_study_rules_devices", "study_rules", ["device_set_row", "family"], "family IS NOT NULL")


def _index_where(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
