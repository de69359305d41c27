"""Names are searched for without regard to accents, those of referring physicians like those of patients."""

import sqlalchemy as sa
from alembic import op

from heltig.store.names import folded

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_AT_ONCE = 10_000


def upgrade() -> None:
    """Forward only: a database goes back by restoring a backup."""
    text = sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")
    op.add_column("studies", sa.Column("referring_physician_folded", text, nullable=False, server_default=""))
    _fold("patients", "patient_name", "name_folded")
    _fold("studies", "referring_physician_name", "referring_physician_folded")


def _fold(table: str, source: str, target: str) -> None:
    names = sa.table(table, sa.column("id"), sa.column(source), sa.column(target))
    page = (
        sa.select(names.c.id, names.c[source], names.c[target])
        .where(names.c.id > sa.bindparam("last"))
        .order_by(names.c.id)
        .limit(_AT_ONCE)
    )
    change = sa.update(names).where(names.c.id == sa.bindparam("row")).values({target: sa.bindparam("name")})
    last = -1
    while rows := op.get_bind().execute(page, {"last": last}).all():
        last = rows[-1].id
        changes = [{"row": id, "name": name} for id, given, held in rows if (name := folded(given)) != held]
        if changes:
            op.get_bind().execute(change, changes)
