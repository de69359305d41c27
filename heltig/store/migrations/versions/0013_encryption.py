"""Evidence can be encrypted, and what is stored already be encrypted anew, with nothing else changed."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MARK = "00484531"
"""What an encrypted value begins with, in hex."""

_STAYS = {
    "contents": ("address", "size"),
    "snapshots": (
        "id", "study_row", "snapshot", "content_digest", "received", "reference_date", "instance_count",
    ),
    "verdicts": (
        "id", "study_row", "revision", "verdict_id", "snapshot", "ruleset_hash", "profile_hash",
        "reference_date", "judged", "readiness", "unwaived_readiness", "valid_until",
    ),
    "findings": (
        "verdict_row", "position", "rule", "severity", "level", "tags", "count", "reference", "remedy",
        "waived",
    ),
}  # fmt: skip
_VALUES = {"contents": "body", "snapshots": "facts"}


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "encryption_keys",
        sa.Column("key_id", _text(8), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_encryption_keys"),
    )
    op.execute("INSERT INTO encryption_keys (key_id) SELECT 'plain' WHERE EXISTS (SELECT 1 FROM snapshots)")
    for table in ("verdicts", "findings", "waivers"):
        op.add_column(table, sa.Column("encrypted", sa.LargeBinary(), nullable=True))
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    same = "IS NOT DISTINCT FROM" if on_postgresql else "IS"
    mark = f"decode('{_MARK}', 'hex')" if on_postgresql else f"x'{_MARK}'"
    for table, columns in _STAYS.items():
        if value := _VALUES.get(table):
            allowed = f"(substr(OLD.{value}, 1, 4) = {mark} OR substr(NEW.{value}, 1, 4) = {mark})"
        else:
            allowed = f"NOT (OLD.encrypted {same} NEW.encrypted)"
        for column in columns:
            allowed += f" AND OLD.{column} {same} NEW.{column}"
        name = f"{table}_refuse_update"
        if on_postgresql:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW WHEN (NOT ({allowed})) "
                "EXECUTE FUNCTION heltig_refuse()"
            )
        else:
            op.execute(f"DROP TRIGGER {name}")
            op.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} WHEN NOT ({allowed}) "
                f"BEGIN SELECT RAISE(ABORT, '{table}: UPDATE refused'); END"
            )


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
