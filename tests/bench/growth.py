"""What grows with the number of studies: a look at an archive where nothing is new, look-ups and searches.

    python tests/bench/growth.py poll 10000 100000 168000
    python tests/bench/growth.py search 10000 1000000
    python tests/servers/postgresql.py python tests/bench/growth.py search 1000000

Studies are written into the tables directly, as they would be after all were pulled, but for their evidence.
Polls are CPU time of this process, the archive being another; look-ups and searches are wall times on one
connection, p50 and p95 of 200, each for another study; beside them the CPU time of this process.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import loopback_archive
from loopback_archive import first, made_up_row
from pull_stages import Stages, service

from heltig.jobs.queue import utc_now
from heltig.pipeline.discovery.fingerprint import fingerprint
from heltig.pipeline.publish import render
from heltig.pipeline.pull.listing import ListedStudy
from heltig.store import cursors, search, tables
from heltig.store.archives import location_of
from heltig.store.engine import Store
from heltig.store.lookups import Lookups
from heltig.store.names import folded
from heltig.store.study_query import StudyQuery
from heltig.store.transaction import WriteTransaction

sys.path.append(str(Path(__file__).parents[1]))
from unit.store.databases import database_url

AT_ONCE = 10_000
TIMES = 200
DIGEST = "a" * 64
HERE = location_of("a")


async def fill(store: Store, number: int) -> None:
    """So many judged studies of archive `a`."""
    for start in range(0, number, AT_ONCE):
        await store.write(_fill, range(start, min(number, start + AT_ONCE)))


async def _tidy(store: Store) -> None:
    """Has PostgreSQL count what is there, as it does by itself within minutes."""

    def count(transaction: WriteTransaction) -> None:
        if not transaction.is_alone:
            transaction.connection.exec_driver_sql("ANALYZE")

    await store.write(count)


def _fill(transaction: WriteTransaction, numbers: range) -> None:
    execute = transaction.connection.execute
    location = execute(tables.locations.select().where(tables.locations.c.name == HERE.name)).first()
    if location is None:
        transaction.insert_row(tables.locations, {"kind": HERE.kind, "name": HERE.name})
        location = execute(tables.locations.select().where(tables.locations.c.name == HERE.name)).one()
    now = utc_now()
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("studies", "patients", "study_patients", "lookups", "observations")
    }
    for number in numbers:
        row = made_up_row(number)
        uid, id = first(row, "0020000D"), number + 1
        name, patient_id = row["00100010"]["Value"][0]["Alphabetic"], first(row, "00100020")
        verdict = {"version": 2, "revision": 1, "readiness": "READY", "valid_until": None, "state": "JUDGED"}
        study = {
            "id": id,
            "location_row": location.id,
            "study_key": uid,
            "study_uid": uid,
            "snapshot": DIGEST,
            "content_digest": DIGEST,
            "rank": 1,
            "judged": now,
            "blocks": 0,
            "reviews": 0,
            "notes": 0,
            "series_count": 1,
            "instance_count": 1,
            "first_seen": now,
            "changed": now,
            "study_date": first(row, "00080020"),
            "study_time": first(row, "00080030"),
            "accession_number": first(row, "00080050"),
            "study_description": first(row, "00081030"),
            "study_id": first(row, "00200010"),
            "referring_physician_name": "",
            "modalities_in_study": "\\CR\\",
        }
        listed = ListedStudy(uid, (json.dumps(row, separators=(",", ":")).encode(),))
        seen = {"fingerprint": fingerprint(listed), "changed": now, "unsettled_since": None, "due": None}
        rows["studies"].append(study | verdict)
        rows["observations"].append({"study_row": id, "location_row": location.id, "priority": 0} | seen)
        answer = {"study_row": id, "study_key": uid, "location": str(HERE), "form": render.form}
        answer |= {"place": id, "alone": True}
        rows["lookups"].append(answer | verdict | {"verdict_id": DIGEST, "body": b"x" * 900})
        if number % 3 == 0:
            patient = {
                "id": number // 3 + 1,
                "identity": uid.encode(),
                "patient_id": patient_id,
                "issuer_of_patient_id": "",
                "patient_name": name,
                "name_folded": folded(name),
                "name_words": folded(name).replace("^", " "),
                "patient_birth_date": first(row, "00100030"),
                "patient_sex": "O",
            }
            rows["patients"].append(patient)
        link = {"study_row": id, "position": 0, "patient_row": number // 3 + 1, "instance_count": 1}
        rows["study_patients"].append(link)
    for table, some in rows.items():
        if some:
            execute(getattr(tables, table).insert(), some)


async def poll(number: int) -> None:
    """Prints what a look at an archive costs of which everything is known."""
    with tempfile.TemporaryDirectory() as folder, loopback_archive.running("--listed", str(number)) as root:
        async with database_url(Path(folder)) as url:
            store = await Store.open(url, render=render)
            await fill(store, number - number % 3)  # `made_up_row` gives a patient to three studies
            await store.close()
            async with service(url, root, Stages()) as (pulls, runner, store):
                await pulls.look()
                await runner.drain()  # which finds out by which strategies the archive is watched
                for name in ("hot", "warm", "cold"):
                    await _round(pulls.handlers()["discover"], store, name)  # what is loaded is loaded now
                    spent, seen, new = await _round(pulls.handlers()["discover"], store, name)
                    each = f", {spent / seen * 1e6:,.1f} µs a study" if seen else ""
                    print(f"{number:>9,} known, {name}: {spent * 1e3:,.1f} ms CPU, {seen:,} listed", end="")
                    print(f"{each}, {new} new")


async def _round(
    discover: Callable[[Any], Awaitable[Any]], store: Store, name: str
) -> tuple[float, int, int]:
    """CPU seconds of a whole round, and how many studies it saw."""
    job: Any = SimpleNamespace(payload={"archive": HERE.name, "strategy": name})
    seen = new = 0
    began = time.process_time()
    while True:
        result = await discover(job)
        seen += result["unchanged"] + result["new"] + result["changed"]
        new += result["new"] + result["changed"]
        cursor = await store.read(cursors.find, HERE, name)
        if cursor is None or cursor.started is None:
            return time.process_time() - began, seen, new


async def look_up(number: int) -> None:
    """Prints how long look-ups and searches take."""
    with tempfile.TemporaryDirectory() as folder:
        async with database_url(Path(folder)) as url:
            store = await Store.open(url, render=render)
            await fill(store, number)
            await _tidy(store)
            if url.startswith("sqlite"):
                size = (Path(folder) / "heltig.db").stat().st_size
                print(f"{number:>9,} studies: {size / number:,.0f} bytes a study")
            lookups = Lookups(store)
            chance = random.Random(1)

            async def find(row: dict[str, Any]) -> int:
                return len(await lookups.find(first(row, "0020000D")))

            def by(query: Callable[[dict[str, Any]], StudyQuery]) -> Callable[[Any], Awaitable[int]]:
                async def run(row: dict[str, Any]) -> int:
                    wanted = {"now": utc_now(), "limit": 50}
                    return len(await store.read(search.search, query(row), **wanted))

                return run

            ways: dict[str, Callable[[dict[str, Any]], Awaitable[int]]] = {
                "look-up": find,
                "patient id": by(lambda row: StudyQuery(patient_id=first(row, "00100020"))),
                "patient id, prefix": by(
                    lambda row: StudyQuery(patient_id=first(row, "00100020")[:-2] + "*")
                ),
                "name, prefix": by(lambda row: StudyQuery(patient_name=_name(row)[:-6] + "*")),
                "accession": by(lambda row: StudyQuery(accession_number=first(row, "00080050"))),
                "accession, prefix": by(
                    lambda row: StudyQuery(accession_number=first(row, "00080050")[:-2] + "*")
                ),
                "date": by(lambda row: StudyQuery(study_date=(first(row, "00080020"),) * 2)),
                "date and modality": by(
                    lambda row: StudyQuery(
                        study_date=(first(row, "00080020"),) * 2, modalities_in_study=("CR",)
                    )
                ),
            }
            for name, way in ways.items():
                times, found, cpu = [], 0, time.process_time()
                for _ in range(TIMES):
                    row = made_up_row(chance.randrange(number))
                    began = time.perf_counter()
                    found += await way(row)
                    times.append((time.perf_counter() - began) * 1e3)
                cpu = (time.process_time() - cpu) / TIMES * 1e3
                times.sort()
                middle, late = times[TIMES // 2], times[TIMES * 95 // 100]
                print(f"  {name}: p50 {middle:.2f} ms, p95 {late:.2f} ms, CPU {cpu:.2f} ms", end="")
                print(f", {found / TIMES:.1f} found; load {os.getloadavg()[0]:.1f}")
            await store.close()


def _name(row: dict[str, Any]) -> str:
    return str(row["00100010"]["Value"][0]["Alphabetic"])


async def main() -> None:
    what, *numbers = sys.argv[1:]
    for number in numbers:
        await {"poll": poll, "search": look_up}[what](int(number))


if __name__ == "__main__":
    asyncio.run(main())
