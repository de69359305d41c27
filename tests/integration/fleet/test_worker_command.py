"""`heltig worker` in a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from heltig.jobs.queue import JobQueue, utc_now
from heltig.store import jobs, workers
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.one_host import SILENCE, Host, OneHost


@contextmanager
def worker_process(home: Path, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "heltig", "worker"],
        env={**os.environ, "HELTIG_HOME": str(home), "HELTIG_WORKERS": "1", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        if process.returncode is None:
            process.communicate()


async def succeeds(store: Store, number: int) -> None:
    async with asyncio.timeout(60):
        while True:
            job = await store.read(jobs.find, number)
            if job is not None and job.state == "succeeded":
                return
            await asyncio.sleep(0.02)


async def test_it_works_jobs_off_until_it_is_told_to_stop(
    queue: JobQueue, url: str, redis_url: str, tmp_path: Path
) -> None:
    number = await queue.store.write(queue.enqueue, NewJob(kind="waiver-end", key="sweep"))
    environ = {"HELTIG_REDIS_URL": redis_url, "HELTIG_DATABASE_URL": url}
    with worker_process(tmp_path, **environ) as process:
        await succeeds(queue.store, number)
        seen = await queue.store.read(workers.heard_of, since=utc_now() - SILENCE)
        assert [worker.owner.split("/")[1] for worker in seen] == [str(process.pid)]
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    assert output.startswith("Heltig ")
    assert "error" not in output
    assert await queue.store.read(workers.heard_of, since=utc_now() - SILENCE) == []


def test_on_another_host_it_refuses_sqlite_and_names_postgresql(tmp_path: Path) -> None:
    elsewhere = msgspec.structs.replace(Host.here(tmp_path), kernel="another", name="elsewhere")
    OneHost(tmp_path / "heltig.db", elsewhere).take()
    with worker_process(tmp_path) as process:
        output, _ = process.communicate()
    assert process.returncode == 2
    assert "in use on elsewhere" in output
    assert "HELTIG_DATABASE_URL=postgresql" in output
    assert not (tmp_path / "heltig.db").exists()


def test_with_another_home_it_refuses_a_database_in_use(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    OneHost(tmp_path / "heltig.db", Host.here(tmp_path / "server")).take()
    url = f"sqlite+aiosqlite:///{tmp_path}/heltig.db"
    with worker_process(tmp_path / "worker", HELTIG_DATABASE_URL=url) as process:
        output, _ = process.communicate()
    assert process.returncode == 2
    assert f"HELTIG_HOME={tmp_path}/server" in output
