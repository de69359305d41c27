"""Analyses for research, their files, and what of them goes to archives."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_STATES = (
    *("queued", "selecting", "converting", "segmenting", "measuring", "rendering", "publishing"),
    *("done", "refused", "failed"),
)
_STAYS = (
    *("id", "analysis_id", "study_row", "snapshot", "verdict_id", "readiness", "asked", "identified"),
    *("requested_by", "ordered", "state", "stages", "code", "observed", "fingerprint", "series_uid"),
    *("same_as", "place", "job", "finished"),
)
"""Of an analysis that has finished: all but what is encrypted anew."""


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "analyses",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("analysis_id", _text(36), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("snapshot", _text(64), nullable=False),
        sa.Column("verdict_id", _text(64), nullable=True),
        sa.Column("readiness", _text(16), nullable=True),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("identified", sa.Boolean(), nullable=False),
        sa.Column("requested_by", _text(256), nullable=False),
        sa.Column("override_reason", sa.Text(), nullable=False),
        sa.Column("ordered", _TIME, nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("stages", sa.Text(), nullable=False),
        sa.Column("code", _text(64), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("fingerprint", _text(64), nullable=False),
        sa.Column("series_uid", _text(128), nullable=False),
        sa.Column("same_as", _text(36), nullable=False),
        sa.Column("place", _text(64), nullable=False),
        sa.Column("job", sa.BigInteger(), nullable=False),
        sa.Column("finished", _TIME, nullable=True),
        sa.Column("encrypted", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(_one_of(_STATES), name="state"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_analyses_study_row"),
        sa.PrimaryKeyConstraint("id", name="pk_analyses"),
        sa.UniqueConstraint("analysis_id", name="uq_analyses_analysis_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_analyses_study_row", "analyses", ["study_row"])
    op.create_index("ix_analyses_fingerprint", "analyses", ["fingerprint"])
    op.create_index("ix_analyses_under_way", "analyses", ["id"], **_where("finished IS NULL"))
    op.create_table(
        "analysis_outputs",
        sa.Column("analysis_row", _NUMBER, nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.Column("media_type", _text(128), nullable=False),
        sa.Column("sha256", _text(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["analysis_row"], ["analyses.id"], name="fk_analysis_outputs_analysis_row"),
        sa.PrimaryKeyConstraint("analysis_row", "name", name="pk_analysis_outputs"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "publications",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("analysis_row", _NUMBER, nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.Column("sop_class_uid", _text(128), nullable=False),
        sa.Column("sop_instance_uid", _text(128), nullable=False),
        sa.Column("target", _text(128), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("changed", _TIME, nullable=False),
        sa.CheckConstraint(_one_of(("waiting", "stored", "verified", "failed")), name="state"),
        sa.ForeignKeyConstraint(["analysis_row"], ["analyses.id"], name="fk_publications_analysis_row"),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
        sa.UniqueConstraint(
            "analysis_row", "name", "target", name="uq_publications_analysis_row_name_target"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_publications_instance", "publications", ["sop_instance_uid"])
    op.create_index(
        "ix_publications_unsent", "publications", ["target", "id"], **_where("state IN ('waiting', 'stored')")
    )
    _refuse_changes()


def _refuse_changes() -> None:
    """An analysis that has finished is not changed any more, nor is any file of one."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    same = "IS NOT DISTINCT FROM" if on_postgresql else "IS"
    stays = " AND ".join(f"OLD.{column} {same} NEW.{column}" for column in _STAYS)
    for table, allowed in (("analyses", f"OLD.finished IS NULL OR ({stays})"), ("analysis_outputs", "1 = 0")):
        name = f"{table}_refuse_update"
        if on_postgresql:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW WHEN (NOT ({allowed})) "
                "EXECUTE FUNCTION heltig_refuse()"
            )
        else:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} WHEN NOT ({allowed}) "
                f"BEGIN SELECT RAISE(ABORT, '{table}: UPDATE refused'); END"
            )


def _one_of(values: tuple[str, ...]) -> str:
    return f"state IN ({', '.join(repr(value) for value in values)})"


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
