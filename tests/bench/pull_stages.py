"""What each stage of the pull service costs: every job of an archive, one after the other in one process.

    python tests/bench/pull_stages.py FOLDER [--least 100] [--profile FILE]
    python tests/bench/pull_stages.py --tiny 1000
    python tests/servers/postgresql.py python tests/bench/pull_stages.py FOLDER

FOLDER is what `idc_dicomweb.py dump` makes, see tests/bench/real_metadata.py. CPU time of this process,
in which, other than in the service, judging is done too; a study is packed for the way to the judging
process and back all the same, and that is a stage of its own. The archive is another process.
"""

import argparse
import asyncio
import cProfile
import gc
import pickle
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import loopback_archive

from heltig.jobs.queue import JobQueue, utc_now
from heltig.jobs.runner import Runner
from heltig.pipeline.archives.measuring import Measurements
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.profiles import load_profile
from heltig.pipeline.publish import render
from heltig.pipeline.pull import job as pull_job
from heltig.pipeline.pull.service import ArchiveProfiles, PullService
from heltig.settings import Settings
from heltig.store import archives
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.engine import Store

sys.path.append(str(Path(__file__).parents[1]))
from unit.store.databases import database_url

T = TypeVar("T")

STAGES = ("discovery", "settling", "pull", "packing for the judging process", "judging", "store and jobs")


class Stages:
    """CPU time by stage; an inner stage's is not its outer one's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._stack: list[str] = ["rest"]
        self._since = time.process_time()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what happens within as of a stage."""
        self._account()
        self._stack.append(name)
        try:
            yield
        finally:
            self._account()
            self._stack.pop()

    def _account(self) -> None:
        now = time.process_time()
        self.seconds[self._stack[-1]] += now - self._since
        self._since = now


class Inline:
    """In place of the judging processes: works here, on a copy of what would be sent."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def run(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """See `heltig.pipeline.keep.Processes`."""
        with self._stages.stage("packing for the judging process"):
            args, kwargs = pickle.loads(pickle.dumps((args, kwargs)))  # noqa: S301 - ours
        with self._stages.stage("judging"):
            result = work(*args, **kwargs)
        with self._stages.stage("packing for the judging process"):
            answer: T = pickle.loads(pickle.dumps(result))  # noqa: S301 - ours
        return answer


@asynccontextmanager
async def service(url: str, root: str, stages: Stages) -> AsyncIterator[tuple[PullService, Runner, Store]]:
    """A pull service that watches one archive and does nothing by itself."""
    store = await Store.open(url, render=render)
    queue = JobQueue(store, clock=utc_now)
    options = ArchiveOptions(quiet_seconds=0, strategy="listing", concurrency=2)
    await store.write(archives.add, Archive(name="a", qido_url=root, wado_url=root, options=options))
    settings = Settings(home=Path("/nonexistent"))
    measurements = Measurements(store, clock=utc_now)
    opens = OpenArchives(store, settings, environ={}, clock=utc_now, measurements=measurements)
    profiles = ArchiveProfiles(store, load_profile("default"), clock=utc_now)
    made = PullService(
        opens, queue, Inline(stages), profile_of=profiles.of, clock=utc_now, queue_most=1_000_000
    )
    pull = pull_job.pull_study

    async def timed(*args: Any, **kwargs: Any) -> Any:
        with stages.stage("pull"):
            return await pull(*args, **kwargs)

    pull_job.pull_study = timed
    try:
        yield made, Runner(queue, dict(made.handlers())), store
    finally:
        pull_job.pull_study = pull
        await opens.close()
        await store.close()


async def measure(root: str, profile: cProfile.Profile | None) -> tuple[Stages, int, int]:
    """Everything of an archive: its costs, studies and instances."""
    stages = Stages()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            database_url(Path(folder)) as url,
            service(url, root, stages) as (pulls, runner, store),
        ):
            await pulls.look()
            await runner.drain()  # which finds out by which strategies the archive is watched
            with stages.stage("discovery"):
                await pulls.look()
                await runner.drain()
            with stages.stage("settling"):
                await pulls.look()
            if profile:
                profile.enable()
            with stages.stage("store and jobs"):
                await runner.drain()
            if profile:
                profile.disable()

            def count(transaction: Any) -> tuple[int, int]:
                sql = "SELECT count(*), sum(instance_count) FROM studies WHERE state = 'JUDGED'"
                return tuple(transaction.connection.exec_driver_sql(sql).one())

            studies, instances = await store.read(count)
    return stages, studies, instances


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--least", default="0")
    parser.add_argument("--tiny")
    parser.add_argument("--profile")
    given = parser.parse_args()
    source = ("--tiny", given.tiny) if given.tiny else ("--folder", given.folder, "--least", given.least)
    gc.set_threshold(50_000, 20, 20)  # as the processes of Heltig do
    profile = cProfile.Profile() if given.profile else None
    with loopback_archive.running(*source) as root:
        stages, studies, instances = asyncio.run(measure(root, profile))
    print(f"{studies:,} studies, {instances:,} instances\n")
    print("| stage | µs a study | µs an instance | instances a second |\n|---|---|---|---|")
    whole = 0.0
    for name in STAGES:
        spent = stages.seconds[name] * 1e6
        whole += spent
        print(
            f"| {name} | {spent / studies:,.0f} | {spent / instances:.1f} | {instances / spent * 1e6:,.0f} |"
        )
    print(f"| all | {whole / studies:,.0f} | {whole / instances:.1f} | {instances / whole * 1e6:,.0f} |")
    if profile:
        profile.dump_stats(given.profile)


if __name__ == "__main__":
    main()
