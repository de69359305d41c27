"""Archives in every state, with what they answered, for the pages that show them.

There are no such archives, so nothing is due: the service that shows them has nothing to ask of them.
"""

from datetime import datetime, timedelta
from random import Random

from unit.store import pulling

from heltig.credentials import BasicAuth
from heltig.store import tables
from heltig.store.archive_options import ArchiveOptions
from heltig.store.engine import Store
from heltig.store.locations import ensure
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

DAYS = 42
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def fill_archives(store: Store, *, now: datetime) -> None:
    """Adds archives, as if they had been watched for some weeks."""
    evening = ArchiveOptions(hours=("mon-fri 19:00-06:00", "sat,sun 00:00-24:00"), timezone="Europe/Berlin")
    await pulling.add_archive(
        store,
        "main",
        title="Main PACS, radiology",
        auth=BasicAuth(username="heltig", secret="env:MAIN_PASSWORD"),
        options=ArchiveOptions(concurrency=4, requests_per_second=20, strategy="orthanc"),
        capabilities={
            "offset": True,
            "page_cap": 100,
            "filters": True,
            "counts": True,
            "metadata": "study",
            "all_attributes": False,
            "notes": ["Its clock is 4 s behind ours."],
        },
        probed=now - 9 * HOUR,
    )
    await pulling.add_archive(store, "teaching", title="Teaching files", paused=True)
    probed = now - HOUR
    await pulling.add_archive(store, "cardiology", probed=probed)
    await pulling.add_archive(
        store, "longterm", title="Long-term archive, before 2015", options=evening, probed=probed
    )
    await pulling.add_archive(store, "outpatients", title="Outpatients", probed=probed)
    await pulling.add_archive(store, "new", options=ArchiveOptions(strategy="none"), probed=probed)
    await _cursors(store, now)
    for number, name in enumerate(("main", "cardiology", "longterm", "outpatients")):
        await _studies(store, name, 40 // (number + 1), now=now)
        await _answers(store, name, now=now)
    await _trouble(store, now)


async def _cursors(store: Store, now: datetime) -> None:
    put = pulling.put_cursor
    fresh = {"covered": now - 20 * timedelta(seconds=1), "finished": now - 15 * timedelta(seconds=1)}
    await put(store, "main", "feed", position='{"seq":4711}', due=now + MINUTE, **fresh)
    cold = '{"day":"20140307"}'
    await put(
        store,
        "main",
        "cold",
        position=cold,
        covered=now - 30 * HOUR,
        finished=now - 29 * HOUR,
        started=now - HOUR,
        due=now + MINUTE,
    )
    await put(store, "cardiology", "hot", covered=now - HOUR, finished=now - HOUR, due=now + MINUTE)
    await put(store, "longterm", "hot", covered=now - 6 * HOUR, finished=now - 6 * HOUR, due=now + 7 * HOUR)
    old = {"covered": now - 47 * MINUTE, "finished": now - 47 * MINUTE, "due": now + MINUTE}
    await put(store, "outpatients", "hot", error="It answers 500 to a search for studies.", **old)


async def _trouble(store: Store, now: datetime) -> None:
    await pulling.put_breaker(
        store,
        "cardiology",
        "search",
        until=now + 4 * MINUTE,
        error="It does not answer within 30 s.",
        changed=now - MINUTE,
    )
    await pulling.put_breaker(
        store, "cardiology", "metadata", state="closed", until=None, error=None, changed=now - 3 * HOUR
    )
    for state in ("queued", "queued", "queued", "dead"):
        await pulling.put_job(store, "made-up", "main", state=state, at=now - 2 * MINUTE)

    def backfill(transaction: WriteTransaction) -> None:
        row = ensure(transaction, Location("archive", "main"))
        values = {
            "location_row": row,
            "dates": "20140101-20141231",
            "again": False,
            "actor": "admin",
            "started": now - HOUR,
            "due": now + HOUR,
            "notes": "[]",
        }
        backfill = transaction.insert_row(tables.backfills, values)
        of_it = tables.studies.select().where(tables.studies.c.location_row == row).limit(40)
        for number, study in enumerate(transaction.connection.execute(of_it).all()):
            done = now if number < 27 else None
            transaction.insert_row(
                tables.backfill_studies,
                {
                    "backfill_row": backfill,
                    "study_row": study.id,
                    "manufacturer": "",
                    "instances": 0,
                    "finished": done,
                },
            )

    await store.write(backfill)


async def _studies(store: Store, name: str, most: int, *, now: datetime) -> None:
    """Studies that wait, fewer at weekends: seen day by day."""
    random = Random(name)

    def put(transaction: WriteTransaction) -> None:
        location = ensure(transaction, Location("archive", name))
        for day in range(DAYS):
            seen = now - day * 24 * HOUR - HOUR
            busy = most if seen.weekday() < 5 else most // 4
            for number in range(random.randint(busy // 2, busy)):
                transaction.insert_row(
                    tables.studies, _study(location, f"{name}.{day}.{number}", first_seen=seen)
                )

    await store.write(put)
    if name == "main":
        for number, due in enumerate([now + MINUTE] * 3):
            await pulling.put_observation(store, name, f"2.25.{number}", due=due)


def _study(location: int, key: str, *, first_seen: datetime) -> dict[str, object]:
    texts = ("study_date", "study_time", "accession_number", "study_description", "study_id")
    numbers = ("version", "revision", "rank", "blocks", "reviews", "notes", "series_count", "instance_count")
    return {
        "location_row": location,
        "study_key": key,
        "state": "WITHDRAWN",
        "first_seen": first_seen,
        "changed": first_seen,
        "referring_physician_name": "",
        "modalities_in_study": "",
        **dict.fromkeys(texts, ""),
        **dict.fromkeys(numbers, 0),
    }


async def _answers(store: Store, name: str, *, now: datetime) -> None:
    random = Random(name)
    slow = 3 if name == "cardiology" else 1
    for ago in (MINUTE, 5 * MINUTE, HOUR, 9 * HOUR):
        for operation, typical, number in (
            ("search", 0.03, 40),
            ("metadata", 0.4, 90),
            ("changes", 0.01, 20),
        ):
            times = [slow * typical * random.lognormvariate(0, 0.7) for _ in range(number)]
            await pulling.put_answers(
                store, name, *times, operation=operation, at=now - ago, received=int(typical * 1e6)
            )
    if name in ("cardiology", "outpatients"):
        await pulling.put_answers(
            store, name, *[30.0] * 25, operation="search", outcome="failed", at=now - MINUTE
        )
