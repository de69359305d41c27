"""Run by Alembic for every command on the tables' versions; `upgrade` gives it the connection."""

from alembic import context

from heltig.store.tables import Table

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
