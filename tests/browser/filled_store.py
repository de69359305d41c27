"""A database with the demo's synthetic studies, pulled from an archive in memory and judged.

Three studies are more than that: one was judged twice, one is at two locations, one waits to be judged again.
And there are archives in every state.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from browser.filled_archives import fill_archives
from synthetic import synthetic_studies
from unit.store.samples import judge, snapshot

from connectors.base import Faults, InMemoryArchive
from heltig.demo.studies import SyntheticStudy
from heltig.pipeline.keep import Scoring
from heltig.pipeline.publish import render
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.run import pull_archive
from heltig.rules.profile import DEFAULT, Profile
from heltig.store import states
from heltig.store.engine import Store
from heltig.store.migrations import upgrade
from heltig.store.records import Location

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MAIN = Location("archive", "main")
STUDIES = synthetic_studies()


def uid_of(name: str) -> str:
    """The StudyInstanceUID of one of the demo's studies."""
    return str(STUDIES[name].datasets[0]["0020000D"]["Value"][0])


def series_of(name: str) -> str:
    """The SeriesInstanceUID of the last instance of one of them."""
    return str(STUDIES[name].datasets[-1]["0020000E"]["Value"][0])


def _renamed(study: SyntheticStudy) -> SyntheticStudy:
    """The study as another archive has it: it gave the series other descriptions."""
    renamed = {"vr": "LO", "Value": ["For teaching"]}
    return replace(study, datasets=tuple({**one, "0008103E": renamed} for one in study.datasets))


class Here:
    """Does the work of judging processes in this one."""

    async def run(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)


async def fill(folder: Path) -> None:
    """Makes `heltig.db` in a folder."""
    store = await Store.open(f"sqlite+aiosqlite:///{folder / 'heltig.db'}", render=render)
    await upgrade(store)
    try:
        await pull(store, "main", list(STUDIES.values()), at=NOW - timedelta(hours=30))
        again = uid_of("uid-duplicate")
        await store.write(states.mark_pending, MAIN, again, study_uid=again, at=NOW - timedelta(hours=2))
        await _scoring(store, NOW - timedelta(hours=2), Profile(name="strict")).score_again(MAIN, again)
        await pull(store, "teaching", [_renamed(STUDIES["count-mismatch"])], at=NOW - timedelta(minutes=12))
        await fill_archives(store, now=NOW)
        uid = uid_of("xa-coronary")
        await store.write(states.mark_pending, MAIN, uid, study_uid=uid, at=NOW - timedelta(minutes=1))
    finally:
        await store.close()


async def fill_with_keys(folder: Path, *keys: str) -> None:
    """Makes `heltig.db` in a folder, with studies of these keys."""
    store = await Store.open(f"sqlite+aiosqlite:///{folder / 'heltig.db'}", render=render)
    await upgrade(store)
    try:
        for key in keys:
            await judge(store, snapshot(study=key))
    finally:
        await store.close()


async def pull(store: Store, name: str, studies: list[SyntheticStudy], *, at: datetime) -> None:
    """Pulls studies from an archive of that name; each is judged a few minutes after the one before."""
    archive = InMemoryArchive(
        name, faults=Faults(withheld=frozenset().union(*(study.withheld for study in studies)))
    )
    for study in studies:
        for dataset in study.datasets:
            archive.store(dataset)
    listing = await list_studies(archive, {})
    async for pulled in pull_archive(archive, listing.studies, scoring=_scoring(store, at, DEFAULT)):
        assert not pulled.error, pulled


def _scoring(store: Store, at: datetime, profile: Profile) -> Scoring:
    numbers = count()  # its next is one step, and so safe where two threads want the time at once

    def clock() -> datetime:
        return at + timedelta(minutes=5 * next(numbers))

    return Scoring(store, Here(), profile=profile, clock=clock, actor="test")
