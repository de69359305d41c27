"""What it costs to look at an archive again in which nothing changed, however many studies are known of it.

    python tests/bench/watching.py 10000 100000 168000

CPU time of this process, a page of 200 rows at a time: to make fingerprints, and to compare them.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from unit.store.databases import database_url

from heltig.pipeline.discovery.batch import Batch
from heltig.pipeline.discovery.observe import news_in, observe, sightings
from heltig.pipeline.publish import render
from heltig.pipeline.pull.listing import ListedStudy
from heltig.store.archives import ArchiveOptions, location_of
from heltig.store.engine import Store

HERE, NOW, PAGE, PAGES = location_of("bench"), datetime(2026, 1, 1, tzinfo=UTC), 200, 20


def uid(number: int) -> str:
    return f"1.3.6.1.4.1.14519.5.2.1.{number * 7919 % 100003}.{number}"


def listed(number: int) -> ListedStudy:
    values = {
        "00080020": ("DA", f"20{number % 25:02}{number % 12 + 1:02}{number % 28 + 1:02}"),
        "00080050": ("SH", f"A{number}"),
        "00080061": ("CS", "CT"),
        "00100020": ("LO", f"P{number}"),
        "0020000D": ("UI", uid(number)),
        "00201206": ("IS", 2),
        "00201208": ("IS", 150),
    }
    row = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}
    return ListedStudy(uid(number), (json.dumps(row).encode(),))


def page(numbers: range | list[int]) -> Batch:
    return Batch(studies=tuple(map(listed, numbers)), cursor="1")


async def known(store: Store, first: int, last: int) -> float:
    """Writes studies down that are new; microseconds of CPU a study."""
    begun = time.process_time()
    for start in range(first, last, PAGE):
        batch = page(range(start, min(start + PAGE, last)))
        news = await store.read(news_in, HERE, batch, await sightings(batch, None), now=NOW)
        await store.write(observe, HERE, news, priority=0, now=NOW, options=ArchiveOptions())
    return (time.process_time() - begun) / (last - first) * 1e6


async def unchanged(store: Store, size: int) -> tuple[float, float]:
    """Looks at studies again; milliseconds of CPU a page for fingerprints, and for the database."""
    pick = random.Random(1)
    pages = [page(pick.sample(range(size), PAGE)) for _ in range(PAGES)]
    begun = time.process_time()
    seen = [await sightings(batch, None) for batch in pages]
    made = time.process_time()
    for batch, sighted in zip(pages, seen, strict=True):
        news = await store.read(news_in, HERE, batch, sighted, now=NOW)
        assert (news.seen, news.gone, news.unchanged) == ((), (), PAGE)
    return (made - begun) / PAGES * 1e3, (time.process_time() - made) / PAGES * 1e3


async def swept(store: Store, size: int) -> float:
    """Looks for studies that are not listed any more; seconds of CPU for the whole archive."""
    batch = Batch(cursor="1", swept=("", ""), swept_uids=frozenset(map(uid, range(size))))
    begun = time.process_time()
    news = await store.read(news_in, HERE, batch, [], now=NOW)
    assert not news.gone
    return time.process_time() - begun


async def main(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with database_url(Path(folder)) as url:
            store = await Store.open(url, render=render)
            before = 0
            for size in sizes:
                new = await known(store, before, size)
                made, compared = await unchanged(store, size)
                whole = await swept(store, size)
                print(
                    f"{size:>8,} known: {new:4.0f} us a new study; an unchanged page {made:.1f} ms for "
                    f"fingerprints, {compared:.1f} ms to compare; {whole:.2f} s to see that all are listed"
                )
                before = size
            await store.close()


if __name__ == "__main__":
    asyncio.run(main([int(size) for size in sys.argv[1:]] or [10_000, 100_000]))
