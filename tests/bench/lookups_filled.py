"""A home with many judged studies, made quickly: rows as they would be after all were pulled.

Each has a prepared answer of the size and form of a real one, and nothing of the evidence.
"""

import hashlib
import random
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from heltig.auth import keys
from heltig.auth.keys import NewKey
from heltig.cli.database import open_database
from heltig.pipeline.publish import Prepared, prepared
from heltig.settings import Settings
from heltig.store.lookups import Lookups

sys.path.append(str(Path(__file__).parents[1]))
from unit.store.samples import judge, snapshot

FIRST = "1.2.840.99.1000000000"
AT_ONCE = 50_000


def uid(number: int) -> str:
    """The StudyInstanceUID of a study, as scattered as real ones."""
    return f"1.2.840.99.{1_000_000_001 + number * 7_919_999_983 % 8_999_999_999}"


async def filled(home: Path, studies: int) -> str:
    """Sees that a home has so many studies; returns a new API key of an archive."""
    async with open_database(Settings(home=home)) as store:
        if not await Lookups(store).find(FIRST):
            await judge(store, snapshot(study=FIRST))
        now = datetime.now(UTC)
        name = f"bench-{random.getrandbits(64):x}"
        new = NewKey(name=name, role="archive", expires=now + timedelta(days=1))
        key = await store.write_durably(keys.create, new, actor="bench", origin="", now=now)
    with sqlite3.connect(home / "heltig.db", isolation_level=None) as database:
        _fill(database, studies)
    return key


def _fill(database: sqlite3.Connection, studies: int) -> None:
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-500000")
    database.execute("DELETE FROM jobs")  # what an earlier run left to be pulled
    taken = {place for (place,) in database.execute("SELECT place FROM lookups")}
    (present,) = database.execute("SELECT count(*) FROM lookups").fetchone()
    for table in ("studies", "lookups"):
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        wanted = f"SELECT {', '.join(columns)} FROM {table} WHERE study_key = ?"  # noqa: S608
        (sample,) = database.execute(wanted, [FIRST])
        row = dict(zip(columns, sample, strict=True))
        places = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} VALUES ({places})"  # noqa: S608 - names of our own tables
        for start in range(present, studies, AT_ONCE):
            database.execute("BEGIN")
            database.executemany(statement, _rows(table, row, start, min(start + AT_ONCE, studies), taken))
            database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(
    table: str, sample: dict[str, object], start: int, end: int, taken: set[int]
) -> Iterator[tuple[object, ...]]:
    answer = prepared(sample["body"]) if table == "lookups" else None  # type: ignore[arg-type]
    for number in range(start, end):
        key = uid(number)
        row = {**sample, "study_key": key}
        if answer is None:
            row |= {"id": number + 10, "study_uid": key, "accession_number": f"A{number:09}"}
        else:
            dataset = answer.dataset.replace(FIRST.encode(), key.encode())
            tag = hashlib.sha256(key.encode()).hexdigest()
            row |= {
                "place": _place(key, taken, away=2**32 + number + 10),
                "study_row": number + 10,
                "body": msgspec.msgpack.encode(Prepared(tag, dataset, answer.comment)),
            }
        yield tuple(row.values())


def _place(key: str, taken: set[int], *, away: int) -> int:
    place = zlib.crc32(key.encode())
    if place in taken:
        return away
    taken.add(place)
    return place
