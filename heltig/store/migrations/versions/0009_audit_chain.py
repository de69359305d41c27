"""The audit trail is chained by keyed tags, and older entries can be purged behind a signed checkpoint."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEPT = ("sequence", "at", "actor", "action", "subject", "outcome", "origin", "detail")
_ONLY_SEALED = "OLD.tag IS NULL AND NEW.tag IS NOT NULL AND " + " AND ".join(
    f"OLD.{column} = NEW.{column}" for column in _KEPT
)
"""Entries of older tables get their tags once, when the chain begins."""

_PURGED = "OLD.sequence <= (SELECT COALESCE(MAX(through), 0) FROM audit_checkpoints)"


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "audit_checkpoints",
        sa.Column("through", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", _text(8), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("through", name="pk_audit_checkpoints"),
    )
    op.create_table(
        "service_starts",
        sa.Column("process", _text(256), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("process", name="pk_service_starts"),
    )
    for table in ("audit", "sequences"):
        op.add_column(table, sa.Column("tag", sa.LargeBinary(), nullable=True))
        op.add_column(table, sa.Column("key_id", _text(8), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION heltig_guard_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' THEN IF {_ONLY_SEALED} THEN RETURN NEW; END IF; "
        f"ELSIF {_PURGED} THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION '%: % refused', TG_TABLE_NAME, TG_OP; END $$"
    )
    for act in ("UPDATE", "DELETE"):
        op.execute(f"DROP TRIGGER audit_refuse_{act.lower()} ON audit")
        op.execute(
            f"CREATE TRIGGER audit_refuse_{act.lower()} BEFORE {act} ON audit "
            "FOR EACH ROW EXECUTE FUNCTION heltig_guard_audit()"
        )
        op.execute(
            f"CREATE TRIGGER audit_checkpoints_refuse_{act.lower()} BEFORE {act} ON audit_checkpoints "
            "FOR EACH ROW EXECUTE FUNCTION heltig_refuse()"
        )


def _guard_on_sqlite() -> None:
    for act, allowed in (("UPDATE", _ONLY_SEALED), ("DELETE", _PURGED)):
        op.execute(f"DROP TRIGGER audit_refuse_{act.lower()}")
        op.execute(
            f"CREATE TRIGGER audit_refuse_{act.lower()} BEFORE {act} ON audit WHEN NOT ({allowed}) "
            f"BEGIN SELECT RAISE(ABORT, 'audit: {act} refused'); END"
        )
        op.execute(
            f"CREATE TRIGGER audit_checkpoints_refuse_{act.lower()} BEFORE {act} ON audit_checkpoints "
            f"BEGIN SELECT RAISE(ABORT, 'audit_checkpoints: {act} refused'); END"
        )


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
