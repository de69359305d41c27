"""The chain has the order of commits, whoever writes at the same time."""

import asyncio
import random
from pathlib import Path

from unit.audit.trails import Trail, opened, record

from heltig import audit
from heltig.store.transaction import WriteTransaction


async def test_eight_writers_of_which_some_roll_back_make_one_chain(trail: Trail, tmp_path: Path) -> None:
    others = [await opened(trail.url, tmp_path) for _ in range(3)]
    written: list[str] = list("abcdefghi")

    def work(transaction: WriteTransaction, name: str, *, entries: int, fails: bool) -> None:
        for number in range(entries):
            record(transaction, f"{name}.{number}")
        if fails:
            raise ValueError("no")

    async def write(writer: int) -> None:
        rng = random.Random(writer)
        through = [trail, *others][writer % 4].store
        for turn in range(15):
            name, entries = f"{writer}.{turn}", rng.randint(1, 3)
            try:
                await through.write_durably(
                    work, name, entries=entries, fails=writer == 7 or rng.random() < 0.2
                )
            except ValueError:
                continue
            written.extend(f"{name}.{number}" for number in range(entries))

    await asyncio.gather(*(write(writer) for writer in range(8)))
    for other in others:
        await other.store.close()
    found = await trail.verified()
    assert found.is_whole, found.breaks
    entries = await trail.store.read(audit.entries, after=1, limit=1000)
    assert sorted(entry.subject for entry in entries) == sorted(written)
    assert len(written) > 60
