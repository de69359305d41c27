"""Many studies pulled: side by side, and none ends the run for the others."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from servers.dicomweb import study
from unit.pipeline.scoring import ThisProcess, scoring

from connectors.base import Faults, InMemoryArchive
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveRateLimitedError,
    ArchiveUnavailableError,
    StorageError,
    UpgradedError,
)
from heltig.pipeline.pull.listing import ListedStudy, list_studies
from heltig.pipeline.pull.run import AHEAD, MOST_FAILURES, PulledStudy, pull_archive
from heltig.store import changes, studies
from heltig.store.engine import Store
from heltig.store.records import Location

HERE = Location("archive", "memory")


def filled(count: int = 6, faults: Faults | None = None, kind: type[InMemoryArchive] = InMemoryArchive):
    archive = kind(faults=faults)
    for n in range(count):
        for one in study(f"1.2.{n}"):
            archive.store(one)
    return archive


async def run(
    archive: InMemoryArchive, store: Store, processes: ThisProcess | None = None, **options: Any
) -> dict[str, PulledStudy]:
    listing = await list_studies(archive, {})
    results = pull_archive(archive, listing.studies, scoring=scoring(store, processes), **options)
    return {result.uid: result async for result in results}


async def test_every_study_is_pulled_and_kept(store: Store) -> None:
    archive = filled()
    pulled = await run(archive, store)
    assert {uid: (p.outcome, p.series, p.instances) for uid, p in pulled.items()} == {
        f"1.2.{n}": ("judged", 2, 6) for n in range(6)
    }
    again = await run(archive, store)
    assert {p.outcome for p in again.values()} == {"unchanged"}
    assert {uid: p.readiness for uid, p in again.items()} == {uid: p.readiness for uid, p in pulled.items()}
    assert await store.read(changes.latest) == 6


async def test_what_is_not_ready_names_its_rules(store: Store) -> None:
    pulled = await run(filled(2, Faults(withheld=frozenset({"1.2.1.1.1"}))), store)
    assert "SRC-SERIES-COUNT" in pulled["1.2.1"].rules
    assert "SRC-SERIES-COUNT" not in pulled["1.2.0"].rules
    assert "SRC-QIDO-COUNT" not in pulled["1.2.1"].rules  # the series says it
    assert pulled["1.2.1"].blocks > 0


@pytest.mark.parametrize("concurrency", [1, 2, 4])
async def test_so_many_studies_are_asked_for_at_a_time(store: Store, concurrency: int) -> None:
    class Counting(InMemoryArchive):
        now = most = 0
        enough = asyncio.Event()

        async def search_series(self, study: str) -> list[bytes]:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == concurrency:
                self.enough.set()
            async with asyncio.timeout(60):
                await self.enough.wait()
            for _ in range(500):  # one more would look something up in the database before it asks
                await asyncio.sleep(0)
            self.now -= 1
            return await super().search_series(study)

    archive = filled(kind=Counting)
    await run(archive, store, concurrency=concurrency)
    assert archive.most == concurrency


class Unwell(InMemoryArchive):
    """An archive that has an error for some studies."""

    errors: Mapping[str, Exception] = {}

    async def search_series(self, study: str) -> list[bytes]:
        if study in self.errors:
            raise self.errors[study]
        return await super().search_series(study)


async def test_what_goes_wrong_with_one_study_is_its_own_outcome(store: Store) -> None:
    archive = filled(kind=Unwell)
    archive.errors = {
        "1.2.1": ArchiveUnavailableError("http://archive.example/studies/1.2.1/series: not now."),
        "1.2.2": ArchiveAccessError("http://archive.example/studies/1.2.2/series: 403."),
        "1.2.3": KeyError("Doe^Jane"),
    }
    pulled = await run(archive, store, concurrency=1)
    assert {uid for uid, p in pulled.items() if p.outcome == "judged"} == {"1.2.0", "1.2.4", "1.2.5"}
    assert pulled["1.2.1"].error == "http://archive.example/studies/1.2.1/series: not now."
    assert pulled["1.2.3"].outcome == "failed"
    assert "KeyError at test_pull_run.py" in pulled["1.2.3"].error
    assert "Doe" not in pulled["1.2.3"].error
    assert await store.read(studies.find, HERE, "1.2.1") is None


@pytest.mark.parametrize(
    "error", [ArchiveUnavailableError("silent"), ArchiveAccessError("401"), ArchiveRateLimitedError("429")]
)
async def test_an_archive_that_fails_for_study_after_study_ends_the_run(
    store: Store, error: Exception
) -> None:
    archive = filled(20, kind=Unwell)
    archive.errors = dict.fromkeys((f"1.2.{n}" for n in range(2, 20)), error)
    asked: list[str] = []
    with pytest.raises(type(error)):
        await run(archive, store, concurrency=1, asked=asked.append)
    assert await store.read(changes.latest) == 2
    assert 2 + MOST_FAILURES <= len(asked) <= 2 + MOST_FAILURES + 2 * AHEAD  # some before the good ones came


async def test_an_archive_that_answers_something_else_from_some_point_on_ends_the_run(store: Store) -> None:
    class LoggedOut(InMemoryArchive):
        asked = 0

        async def search_studies(self, query, *, limit, offset):
            self.asked += 1
            if self.asked > 5:
                raise ArchiveAnswerError("a web page, perhaps to log in")
            return await super().search_studies(query, limit=limit, offset=offset)

    with pytest.raises(ArchiveAnswerError):
        await run(filled(20, kind=LoggedOut), store)
    assert 0 < await store.read(changes.latest) < 5


async def test_a_judging_process_that_dies_takes_one_study_with_it(store: Store) -> None:
    class Dying(ThisProcess):
        async def run(self, work, /, *args, **kwargs):
            if args[0].key == "1.2.1":
                raise StorageError("A process that judges died.")
            return await super().run(work, *args, **kwargs)

    pulled = await run(filled(3), store, Dying())
    assert [pulled[uid].outcome for uid in sorted(pulled)] == ["judged", "failed", "judged"]


async def test_an_upgrade_during_a_run_ends_it_with_advice(store: Store) -> None:
    class Newer(ThisProcess):
        async def run(self, work, /, *args, **kwargs):
            scored = await super().run(work, *args, **kwargs)
            if args[0].key == "1.2.0":
                return scored
            return msgspec.structs.replace(
                scored, inputs=msgspec.structs.replace(scored.inputs, ruleset="0" * 64)
            )

    with pytest.raises(UpgradedError, match="upgraded while it ran: start it again"):
        await run(filled(20), store, Newer(), concurrency=1)
    assert await store.read(changes.latest) == 1


async def test_a_study_that_is_gone_is_withdrawn(store: Store) -> None:
    archive = filled(2)
    await run(archive, store)
    archive.remove("1.2.1")
    for expected in ("gone", "gone"):
        listed = [ListedStudy("1.2.1", ())]
        (result,) = [r async for r in pull_archive(archive, listed, scoring=scoring(store))]
        assert result.outcome == expected
    found = await store.read(studies.find, HERE, "1.2.1")
    assert found is not None
    assert found.state == "WITHDRAWN"
    assert await store.read(changes.latest) == 3


async def test_a_study_that_never_was_is_not_found_and_nothing_is_stored(store: Store) -> None:
    results = pull_archive(filled(1), [ListedStudy("9.9", ())], scoring=scoring(store))
    (result,) = [r async for r in results]
    assert (result.outcome, result.error) == ("not found", "Archive memory does not have this study.")
    assert await store.read(studies.find, HERE, "9.9") is None
    assert await store.read(changes.latest) == 0


async def test_whoever_has_seen_enough_may_leave(store: Store) -> None:
    results = pull_archive(filled(20), (await list_studies(filled(20), {})).studies, scoring=scoring(store))
    async for _ in results:
        break
    await results.aclose()
    assert len(asyncio.all_tasks()) == 1
