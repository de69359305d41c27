"""Which rules found something in each study as it stands, and what overviews count by time."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_FILL = """
INSERT INTO study_rules (study_row, rule, severity, family, location_row, first_seen)
SELECT study_row, rule, CASE worst WHEN 2 THEN 'block' WHEN 1 THEN 'review' ELSE 'note' END,
       CASE WHEN worst > 0 AND place = 1 THEN family END, location_row, first_seen
FROM (
    SELECT study_row, rule, worst, family, location_row, first_seen,
           row_number() OVER (
               PARTITION BY study_row, family ORDER BY CASE WHEN worst > 0 THEN 0 ELSE 1 END, rule
           ) AS place
    FROM (
        SELECT s.id AS study_row, f.rule AS rule, {family} AS family, s.location_row, s.first_seen,
               max(CASE f.severity WHEN 'block' THEN 2 WHEN 'review' THEN 1 ELSE 0 END) AS worst
        FROM studies s
        JOIN verdicts v ON v.study_row = s.id AND v.revision = s.revision
        JOIN findings f ON f.verdict_row = v.id
        WHERE s.state <> 'WITHDRAWN' AND NOT f.waived
        GROUP BY s.id, f.rule, s.location_row, s.first_seen
    ) AS standing
) AS placed
"""
_FAMILY = {
    "sqlite": "substr(f.rule, 1, instr(f.rule || '-', '-') - 1)",
    "postgresql": "split_part(f.rule, '-', 1)",
}


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    op.create_table(
        "study_rules",
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("rule", _text(64), nullable=False),
        sa.Column("severity", _text(16), nullable=False),
        sa.Column("family", _text(64), nullable=True),
        sa.Column("location_row", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("severity IN ('block', 'review', 'note')", name="severity"),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_study_rules_study_row"),
        sa.PrimaryKeyConstraint("study_row", "rule", name="pk_study_rules"),
        sqlite_with_rowid=False,
    )
    op.execute(_FILL.format(family=_FAMILY[op.get_bind().dialect.name]))
    op.create_index("ix_study_rules_rule", "study_rules", ["rule", "severity", "first_seen"])
    _index_where("ix_study_rules_family", "study_rules", ["location_row", "family"], "family IS NOT NULL")
    op.create_index("ix_verdicts_judged", "verdicts", ["judged", "readiness"])
    _index_where("ix_studies_without_verdict", "studies", ["location_row"], "rank = 0 OR state = 'WITHDRAWN'")
    _index_where("ix_audit_new_measure", "audit", ["at"], "action IN ('ruleset.use', 'profile.use')")


def _index_where(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
