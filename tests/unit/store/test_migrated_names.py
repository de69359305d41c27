"""Names that an earlier version stored are found as this one searches for them."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from unit.store.databases import render, sqlite_url

from heltig.store import migrations
from heltig.store.engine import Store
from heltig.store.migrations import upgrade

_COLUMNS = {
    "patients": {
        "identity": b"x",
        **dict.fromkeys(("patient_id", "issuer_of_patient_id", "patient_birth_date", "patient_sex"), ""),
        "patient_name": "Grün^Öl",
        "name_folded": "grün^öl",
        "name_words": "",
    },
    "locations": {"id": 1, "kind": "archive", "name": "main"},
    "studies": {
        **dict.fromkeys(("location_row", "version", "revision", "rank", "blocks", "reviews", "notes"), 1),
        **dict.fromkeys(("study_key", "study_date", "study_time", "accession_number", "study_id"), ""),
        **dict.fromkeys(("study_description", "modalities_in_study"), ""),
        **dict.fromkeys(("series_count", "instance_count"), 1),
        **dict.fromkeys(("first_seen", "changed"), "2026-03-01 12:00:00.000000"),
        "state": "PENDING",
        "referring_physician_name": "Hôuse^Gregory",
    },
}


def _as_before(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "0006")
    for table, row in _COLUMNS.items():
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)  # noqa: S608


async def test_names_are_folded_again(tmp_path: Path) -> None:
    store = await Store.open(sqlite_url(tmp_path / "old.db"), render=render)
    await store.database.migrate(_as_before)
    await upgrade(store)
    found = await store.read(
        lambda t: t.connection.exec_driver_sql(
            "SELECT name_folded, referring_physician_folded FROM patients, studies"
        ).all()
    )
    await store.close()
    assert [tuple(row) for row in found] == [("grun^ol", "house^gregory")]
