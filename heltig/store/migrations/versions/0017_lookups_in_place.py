"""Prepared answers stand on SQLite where their study's key leads to: see `heltig.store.lookups`.

A million of them take a minute or two, and as much room on the disk again, which later rows use.
"""

import zlib

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_AWAY = 2**32
"""Added to the number of a study's row: the place of an answer that stands anywhere."""

_PLACES = f"""
    CREATE TEMPORARY TABLE places AS
    SELECT study_row,
        count(*) OVER of_hash = 1 AS alone,
        CASE WHEN study_row = min(study_row) OVER of_hash THEN hash ELSE {_AWAY} + study_row END AS place
    FROM (SELECT study_row, crc32(study_key) AS hash FROM lookups)
    WINDOW of_hash AS (PARTITION BY hash)
"""  # noqa: S608 - a number of ours
_COLUMNS = (
    "study_row, study_key, location, state, readiness, version, revision, verdict_id, valid_until, form, body"
)
_MOVED = f"""
    INSERT INTO lookups_in_place (place, alone, {_COLUMNS})
    SELECT place, alone, {_COLUMNS} FROM (SELECT place, alone, study_row AS row FROM places ORDER BY place)
    CROSS JOIN lookups ON study_row = row
"""  # noqa: S608 - names of ours


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    if op.get_bind().dialect.name == "sqlite":
        _move()
        return
    op.add_column("lookups", sa.Column("place", sa.BigInteger(), nullable=True))
    op.add_column("lookups", sa.Column("alone", sa.Boolean(), nullable=True))
    op.execute(sa.text("UPDATE lookups SET place = :away + study_row, alone = false").bindparams(away=_AWAY))
    op.alter_column("lookups", "place", nullable=False)
    op.alter_column("lookups", "alone", nullable=False)
    op.drop_constraint("pk_lookups", "lookups")
    op.create_primary_key("pk_lookups", "lookups", ["place"])
    op.create_unique_constraint("uq_lookups_study_row", "lookups", ["study_row"])


def _crc32(key: str) -> int:
    return zlib.crc32(key.encode())


def _move() -> None:
    op.create_table(
        "lookups_in_place",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("study_key", sa.String(128), nullable=False),
        sa.Column("location", sa.String(144), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("readiness", sa.String(16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("verdict_id", sa.String(64), nullable=True),
        sa.Column("valid_until", sa.String(16), nullable=True),
        sa.Column("form", sa.String(16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["study_row"], ["studies.id"], name="fk_lookups_study_row"),
        sa.PrimaryKeyConstraint("place", name="pk_lookups"),
        sa.UniqueConstraint("study_key", "location", name="uq_lookups_study_key_location"),
        sa.UniqueConstraint("study_row", name="uq_lookups_study_row"),
    )
    connection = op.get_bind()
    driver = connection.connection.dbapi_connection
    if driver is None:
        raise RuntimeError("A migration has a connection of its own.")
    driver.create_function("crc32", 1, _crc32, deterministic=True)
    op.execute(sa.text(_PLACES))
    op.execute(sa.text(_MOVED))
    op.execute(sa.text("DROP TABLE places"))
    op.drop_table("lookups")
    op.rename_table("lookups_in_place", "lookups")
    driver.create_function("crc32", 1, None)
