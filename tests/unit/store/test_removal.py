"""A study goes with every row that refers to it, in whatever table."""

from sqlalchemy import Connection, func, select, update
from unit.store.test_migrated_rows import fill

from heltig.store import removal
from heltig.store.engine import Store
from heltig.store.migrations import HEAD
from heltig.store.studies import pack_uids
from heltig.store.tables import Table, series
from heltig.store.transaction import ReadTransaction


def _fill(connection: Connection) -> None:
    fill(connection, HEAD)
    connection.execute(update(series).values(sop_instance_uids=pack_uids(("1.1",))))


async def test_no_table_refers_to_a_study_that_is_gone(store: Store) -> None:
    await store.database.migrate(_fill)
    assert await store.read(removal.free_device_sets, after=0, limit=9) == []
    assert await store.write(removal.remove_free_device_sets, [1]) == 0
    await store.write(removal.remove_study, 1)

    def left(transaction: ReadTransaction) -> set[str]:
        tables = Table.metadata.tables.values()
        return {
            table.name
            for table in tables
            if transaction.connection.execute(select(func.count()).select_from(table)).scalar_one()
        }

    studies = Table.metadata.tables["studies"]
    referring = {studies.name}
    while (
        more := {
            table.name
            for table in Table.metadata.tables.values()
            for key in table.foreign_keys
            if key.column.table.name in referring
        }
        - referring
    ):
        referring |= more
    assert len(referring) > 10
    assert not referring & await store.read(left)

    assert await store.read(removal.free_device_sets, after=0, limit=9) == [1]
    assert await store.write(removal.remove_free_device_sets, [1]) == 1
    assert not {"devices", "device_sets"} & await store.read(left)
