"""The pull service as it runs: `heltig worker` processes that find, pull, judge and keep all of an archive.

    python tests/bench/pull_service.py                          # 300 studies, one worker, SQLite
    python tests/bench/pull_service.py --studies 5000           # about a million instances: an hour
    python tests/bench/pull_service.py --least 100 --workers 2
    python tests/bench/pull_service.py --most 4000              # instances a second that the archive gives
    python tests/bench/pull_service.py --tiny 2000              # what a job costs beside its work
    python tests/bench/pull_service.py --orthanc 60             # made up studies of 100 in a real Orthanc
    python tests/servers/postgresql.py python tests/bench/pull_service.py

Studies are those of the Imaging Data Commons, see tests/bench/real_metadata.py; --folder names a dump that is
there already. The archive is a process of its own. Counted is from when a twentieth of the studies is judged:
by then all is loaded, and found. CPU time and memory are those of workers and their judging processes. What
takes the time of a download alone is asked for before and after each run; --rounds repeats both.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import loopback_archive
import synthetic
from measuring import machine
from real_metadata import dump

from heltig.credentials import BasicAuth
from heltig.demo.part10 import part10
from heltig.pipeline.publish import render
from heltig.store import archives
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.engine import Store

sys.path.append(str(Path(__file__).parents[1]))
from servers.orthanc import PASSWORD, USERNAME, running_orthanc
from unit.store.databases import SERVER, database_url

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024
FIND = "SELECT count(*), sum(instance_count) FROM studies WHERE state = 'JUDGED'"


class Use(NamedTuple):
    """CPU seconds, and MiB resident, of a worker with its children."""

    cpu: float
    memory: float


class Result(NamedTuple):
    """What a run came to."""

    studies: int
    instances: int
    wall: float
    cpu: float
    database: float
    memory: list[float]


@contextmanager
def workers(number: int, home: Path, url: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Runs workers, of one judging process each; gives them."""
    environ = {**os.environ, "HELTIG_HOME": str(home), "HELTIG_DATABASE_URL": url, "HELTIG_WORKERS": "1"}
    environ["HELTIG_SECRET_ARCHIVE"] = PASSWORD
    command = [sys.executable, "-m", "heltig", "worker"]
    with contextlib.ExitStack() as stack:
        running = []
        for _ in range(number):
            process = subprocess.Popen(
                command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            running.append(process)
        yield running


def use_of(process: int) -> Use:
    """What a process and its children have used; what shared pages hold is counted once a process."""
    found = [_use_of(one) for one in (process, *_children(process))]
    return Use(sum(use.cpu for use in found), sum(use.memory for use in found))


def _use_of(process: int) -> Use:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        cpu = sum(map(int, fields[11:15])) / TICKS  # its own and that of children that have ended
        return Use(cpu, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / MIB)
    return Use(0, 0)


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        # Threads start processes too.
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += (thread / "children").read_text().split()
        children = {int(child) for child in found}
        return [*children, *(below for child in children for below in _children(child))]
    return []


async def pull_all(root: str, number: int, expected: int) -> Result:
    """Has all of an archive pulled by so many workers."""
    with tempfile.TemporaryDirectory() as folder:
        async with database_url(Path(folder)) as url:
            store = await Store.open(url, render=render)
            options = ArchiveOptions(quiet_seconds=0, strategy="listing", concurrency=2 * number)
            auth = BasicAuth(username=USERNAME, secret="env:HELTIG_SECRET_ARCHIVE")
            archive = Archive(name="bench", qido_url=root, wado_url=root, auth=auth, options=options)
            await store.write(archives.add, archive)
            try:
                with workers(number, Path(folder), url) as running:
                    return await _watch(store, running, expected)
            finally:
                await store.close()


async def _watch(store: Store, running: list[subprocess.Popen[bytes]], expected: int) -> Result:
    """Waits until all studies are judged; counts from the moment when a twentieth of them was."""

    def find(transaction: Any) -> Any:
        return transaction.connection.exec_driver_sql(FIND).one()

    def backend(transaction: Any) -> Any:
        return transaction.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()

    server = _parent(await store.read(backend)) if SERVER else 0
    memory: list[float] = []
    began: tuple[float, ...] | None = None
    while True:
        await asyncio.sleep(0.5)
        studies, instances = await store.read(find)
        used = [use_of(worker.pid) for worker in running]
        cpu = sum(use.cpu for use in used)
        now = studies, instances or 0, time.monotonic(), cpu, use_of(server).cpu if server else 0.0
        if studies * 20 > expected:
            began = began or now
            memory.append(max(use.memory for use in used))
        if began and studies >= expected:
            studies, instances, *spent = (end - begin for begin, end in zip(began, now, strict=True))
            return Result(int(studies), int(instances), *spent, memory)
        if any(worker.poll() is not None for worker in running):
            raise RuntimeError("A worker has ended.")


async def download(root: str, at_a_time: int) -> tuple[float, float]:
    """The same bodies, read by httpx and not looked at: wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    async with httpx.AsyncClient(base_url=root, auth=(USERNAME, PASSWORD), timeout=60) as client:
        rows = (await client.get("studies")).json()
        left = [row["0020000D"]["Value"][0] for row in rows]

        async def some() -> None:
            while left:
                study = left.pop()
                await client.get("studies", params={"StudyInstanceUID": study})
                await client.get(f"studies/{study}/series")
                async with client.stream("GET", f"studies/{study}/metadata") as answer:
                    async for _ in answer.aiter_bytes():
                        pass

        await asyncio.gather(*(some() for _ in range(at_a_time)))
    return time.perf_counter() - wall, time.process_time() - cpu


def report(result: Result, alone: tuple[float, float], instances: int) -> None:
    """Prints what a run came to, against downloading these instances of so many alone."""
    wall, cpu = (spent * result.instances / instances for spent in alone)
    late = result.memory[len(result.memory) // 2 :]
    print(f"{result.studies:,} studies, {result.instances:,} instances")
    print(f"- {result.instances / result.wall:,.0f} instances a second (wall {result.wall:,.1f} s)")
    print(f"- {result.studies / result.wall * 60:,.0f} studies a minute")
    print(f"- CPU {result.cpu / result.instances * 1e6:,.1f} µs an instance", end=", ")
    print(f"{result.cpu / result.studies * 1e3:,.1f} ms a study")
    print(
        f"- of the database server {result.database / result.instances * 1e6:,.1f} µs an instance", end=", "
    )
    print(f"{result.database / result.studies * 1e3:,.1f} ms a study")
    print(f"- downloading alone: wall {wall:,.1f} s, CPU {cpu / result.instances * 1e6:,.1f} µs an instance")
    print(f"- wall against downloading alone: {result.wall / wall:.2f} ×")
    print(
        f"- memory of a worker, MiB: peak {max(result.memory):,.0f}, second half {min(late):,.0f} to", end=""
    )
    print(f" {max(late):,.0f}")


@contextmanager
def source(given: argparse.Namespace) -> Iterator[str]:
    """Runs the archive that is asked for; gives its root."""
    with tempfile.TemporaryDirectory() as scratch:
        if given.orthanc:
            with running_orthanc(Path(scratch)) as orthanc:
                orthanc.store(_files(given.orthanc))
                yield orthanc.root
            return
        if given.tiny:
            arguments = ["--tiny", str(given.tiny)]
        else:
            folder = given.folder or scratch
            if not given.folder:
                dump(Path(scratch), studies=given.studies)
            arguments = ["--folder", folder, "--least", str(given.least), "--most", given.most]
        with loopback_archive.running(*arguments) as root:
            yield root


def _files(studies: int) -> Iterator[bytes]:
    """Studies of a hundred images with a single pixel, since their metadata is all that is asked for."""
    for study in range(studies):
        for instance in synthetic.instances(100, study=study):
            yield part10(instance, {"7FE00010": b"\0\0"})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--folder")
    parser.add_argument("--least", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--most", default="0")
    parser.add_argument("--tiny", type=int, default=0)
    parser.add_argument("--orthanc", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    print(machine("heltig", "httpx", "msgspec"))
    with source(given) as root:
        query = {"includefield": "NumberOfStudyRelatedInstances"}
        rows = httpx.get(f"{root}/studies", params=query, auth=(USERNAME, PASSWORD), timeout=60).json()
        instances = sum(row["00201208"]["Value"][0] for row in rows)
        at_a_time = 2 * given.workers
        asyncio.run(download(root, at_a_time))  # what an archive puts at hand the first time
        before = asyncio.run(download(root, at_a_time))
        for _ in range(given.rounds):
            print(f"\nload of the machine before: {os.getloadavg()[0]:.1f}")
            result = asyncio.run(pull_all(root, given.workers, len(rows)))
            after = asyncio.run(download(root, at_a_time))
            alone = (before[0] + after[0]) / 2, (before[1] + after[1]) / 2
            report(result, alone, instances)
            before = after


if __name__ == "__main__":
    main()
