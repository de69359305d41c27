"""Clients of every role at once against a real `heltig serve`, which may be ended meanwhile.

    python tests/bench/mixed_load.py                          # 200 clients for five minutes, 2,000 studies
    python tests/bench/mixed_load.py --restart 20             # ended every 20 s, by SIGTERM or SIGKILL
    python tests/bench/mixed_load.py --pause 0                # as fast as answers come
    python tests/servers/postgresql.py python tests/bench/mixed_load.py --workers 2

An archive of made up studies is pulled and judged first. Each answer is looked at: it is what was asked for,
or 401 or 403 where a role may not, or 429; while there is no server a connection may be cut. Afterwards every
upload that was accepted has to be judged, what was acknowledged of an upload in pieces has to be there, the
audit trail has to be whole, and nothing half-written may be left. Clients share the cores with the server.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import loopback_archive
from loopback_archive import first, made_up_row
from measuring import machine
from mixed_clients import ROLES, Client
from mixed_site import Site, loopback_port
from mixed_wire import Wire
from mixed_world import Upload, World

from heltig.auth import keys
from heltig.auth.keys import NewKey
from heltig.cli.database import open_database
from heltig.demo.samples import part10_files
from heltig.demo.studies import make_study
from heltig.setting_types import SecretUrl
from heltig.settings import Settings
from heltig.store import archives
from heltig.store.archives import Archive, ArchiveOptions

sys.path.append(str(Path(__file__).parents[1]))
from unit.store.databases import SERVER, database_url

DEADLINE = 300.0
"""Seconds that what was accepted may take to be judged after the load."""


async def prepare(settings: Settings, root: str, clients: int) -> list[tuple[str, str]]:
    """An archive to pull from, and a role and a key for each client; the last is an administrator's."""
    shares = [role for role, number in ROLES.items() for _ in range(number)]
    roles = [shares[len(shares) * n // clients] for n in range(clients)] + ["admin"]
    made = []
    async with open_database(settings) as store:
        options = ArchiveOptions(quiet_seconds=0, strategy="listing", concurrency=4)
        await store.write(archives.add, Archive(name="bench", qido_url=root, wado_url=root, options=options))
        now = datetime.now(UTC)
        for number, role in enumerate(roles):
            if role == "nobody":
                made.append((role, ""))
                continue
            new: Any = NewKey(name=f"{role}-{number}", role=role, expires=now + timedelta(days=1))  # type: ignore[arg-type]
            made.append(
                (role, await store.write_durably(keys.create, new, actor="bench", origin="", now=now))
            )
    return made


async def states(wire: Wire, studies: list[str]) -> dict[str, str]:
    """The state of each study."""
    found = {}
    for start in range(0, len(studies), 5000):
        body = json.dumps(studies[start : start + 5000]).encode()
        answer = await wire.ask("POST", "/dicom-web/studies/readiness", body, Content_Type="application/json")
        assert answer.status == 200, answer
        for uid, one in zip(studies[start:], answer.json(), strict=False):
            found[uid] = one["00991009"]["Value"][0]
    return found


async def judged(wire: Wire, studies: list[str], within: float) -> list[str]:
    """Waits until all are judged; those that are not in the end."""
    end = time.monotonic() + within
    while missing := [uid for uid, state in (await states(wire, studies)).items() if state != "JUDGED"]:
        if time.monotonic() > end:
            break
        await asyncio.sleep(0.5)
    return missing


async def finish(wire: Wire, upload: Upload) -> str | None:
    """Sends the rest of an upload in pieces; says what is wrong."""
    shown = await wire.ask("GET", upload.place)
    at = int(shown.headers.get("upload-offset", -1))
    if at < upload.offset:
        return f"{upload.place}: {shown.status}, offset {at} after {upload.offset} was acknowledged"
    if at < len(upload.package):
        kind = "application/offset+octet-stream"
        rest = upload.package[at:]
        sent = await wire.ask("PATCH", upload.place, rest, Upload_Offset=str(at), Content_Type=kind)
        if sent.status != 204:
            return f"{upload.place}: {sent.status} to what was left"
    upload.accepted = True
    return None


async def verify(wires: list[Wire], world: World, parts: int) -> dict[str, Any]:
    """Looks for all that was accepted."""
    *owners, admin = wires
    wrong = []
    left = [one for one in world.sent if one.place and not one.accepted]
    for one in left:
        answers = [await finish(owner, one) for owner in owners]  # only who began it sees it
        if all(answers):
            wrong.append(min((text for text in answers if text), key=len))
    accepted = [one.study for one in world.sent if one.accepted]
    missing = await judged(admin, accepted, DEADLINE)
    for uid in random.sample(accepted, min(200, len(accepted))):
        found = await admin.ask("GET", f"/dicom-web/studies/{uid}/metadata")
        if found.status != 200 or len(found.json()) != parts:
            wrong.append(f"{uid}: {found.status}, not {parts} instances")
    failed = (await admin.ask("GET", "/api/v1/jobs?state=failed&limit=10")).json()["items"]
    return {
        "uploads accepted": len(accepted),
        "of them in pieces": len([one for one in world.sent if one.place and one.accepted]),
        "pieces finished afterwards": len(left),
        "never accepted": len([one for one in world.sent if not one.accepted]),
        "accepted and not judged": len(missing),
        "jobs that failed": [(one["kind"], one["error"]) for one in failed],
        "wrong": wrong,
    }


def on_disk(home: Path, environ: dict[str, str]) -> dict[str, Any]:
    """What a site that was stopped looks like."""
    command = [sys.executable, "-m", "heltig", "audit", "verify"]
    run = subprocess.run(
        command,
        env={**os.environ, **environ, "HELTIG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found: dict[str, Any] = {"audit verify": (run.returncode, (run.stdout + run.stderr).strip())}
    if (home / "heltig.db").exists():
        with closing(sqlite3.connect(home / "heltig.db")) as database:
            found["integrity_check"] = database.execute("PRAGMA integrity_check").fetchone()[0]
            found["foreign_key_check"] = len(database.execute("PRAGMA foreign_key_check").fetchall())
    spool = home / "spool"
    found["left in spool"] = {
        part.name: len([file for file in part.rglob("*") if file.is_file()])
        for part in sorted(spool.iterdir())
        if part.is_dir() and part.name != "ended"
    }
    return found


def tell(world: World, seconds: float, site: Site) -> None:
    """Prints times of answers and what was used."""
    every = [one for what, times in world.times.items() if not what.endswith("judged") for one in times]
    print(f"\n{'':<24}{'answers':>9}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}  ms")
    for what, times in [("all but waits for jobs", every), *sorted(world.times.items())]:
        cut = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
        marks = "".join(f"{1000 * one:>9.1f}" for one in (cut[49], cut[89], cut[98], max(times)))
        print(f"{what:<24}{len(times):>9,}{marks}")
    number = sum(world.statuses.values())
    print(f"\n{number:,} answers, {number / seconds:,.0f} a second; {world.cuts} cut while it was down")
    by_status: dict[int, int] = {}
    for (_, status), count in world.statuses.items():
        by_status[status] = by_status.get(status, 0) + count
    print("by status", dict(sorted(by_status.items())))
    memory = [one[1] for one in site.used if one[1]]
    thirds = [memory[len(memory) * n // 3 : len(memory) * (n + 1) // 3] for n in range(3)]
    print("MiB resident of server and judging process, maximum by thirds of the time:", end=" ")
    print(", ".join(f"{max(one):.0f}" for one in thirds if one))
    cpu = sum(max(0.0, b[0] - a[0]) for a, b in zip(site.used, site.used[1:], strict=False))
    print(f"CPU of the server: {cpu / seconds:.2f} of a core")
    print(f"wrong answers: {len(world.wrong)}")
    for text in world.wrong[:20]:
        print("  ", text[:600])


async def load(given: argparse.Namespace, home: Path, url: str | None, root: str) -> bool:
    """The whole run; whether all was as it has to be."""
    environ = {"HELTIG_AUTH_MODE": "api-key", "HELTIG_WORKERS": "1"}
    settings = Settings(home=home)
    if url:
        environ["HELTIG_DATABASE_URL"] = url
        settings = Settings(home=home, database_url=SecretUrl(url))
    holders = await prepare(settings, root, given.clients)
    study = make_study("dx-hand")
    parts = list(part10_files(study))
    names = {"0020000D": "", "0020000E": "", "00080018": "", "00100020": "", "00080050": ""}
    listed = [first(dict(one), tag) for tag in names for one in study.datasets]
    world = World(
        studies=[first(made_up_row(n), "0020000D") for n in range(given.studies)],
        parts=parts,
        names=list(dict.fromkeys(listed)),
        pause=given.pause,
    )
    port = loopback_port()
    site = await asyncio.to_thread(Site, home, port, environ, given.workers)
    wires = [
        Wire(port, source="127.0.0.1", headers={"Authorization": f"Bearer {key}"})
        for role, key in holders
        if role in ("qa_operator", "admin")
    ]
    try:
        with site.workers():
            began = time.monotonic()
            print(f"filling with {given.studies} studies; {machine()}", flush=True)
            missing = await judged(wires[-1], world.studies, 120 + given.studies / 2)
            assert not missing, f"{len(missing)} were not pulled:\n{site.server.output[-3000:]}"
            print(f"pulled and judged in {time.monotonic() - began:.0f} s", flush=True)
            clients = [
                Client(world, port, role=role, number=n, key=key)
                for n, (role, key) in enumerate(holders[:-1])
            ]
            began = time.monotonic()
            until = began + given.seconds
            running = [asyncio.create_task(client.run()) for client in clients]
            watching = asyncio.create_task(site.watch(world))
            ends = await site.restart(world, given.restart, until) if given.restart else 0
            await asyncio.sleep(max(0.0, until - time.monotonic()))
            seconds = time.monotonic() - began
            world.is_over = True
            await asyncio.wait_for(asyncio.gather(*running), 400)
            await watching
            print(f"{given.clients} clients, {seconds:.0f} s, the server ended {ends} times; {machine()}")
            tell(world, seconds, site)
            found = await verify(wires, world, len(parts))
    finally:
        await asyncio.to_thread(site.end, signal.SIGTERM)
        (home / "server.log").write_text("".join(site.output))
    found |= await asyncio.to_thread(on_disk, home, environ)
    print()
    for what, value in found.items():
        print(f"{what}: {value}")
    faults = [line for line in "".join(site.output).splitlines() if "fault" in line or "Traceback" in line]
    print(f"faults in the log: {len(faults)}", *faults[:5], sep="\n  ")
    return not (
        world.wrong or found["wrong"] or found["accepted and not judged"] or found["audit verify"][0]
        or found["jobs that failed"] or faults or found.get("integrity_check", "ok") != "ok"
    )  # fmt: skip


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--pause", type=float, default=0.5, help="mean seconds between answer and request")
    parser.add_argument("--restart", type=float, default=0, help="seconds from one end to the next, about")
    parser.add_argument("--workers", type=int, default=0, help="`heltig worker`s beside it; with PostgreSQL")
    parser.add_argument("--home", type=Path, help="kept, and not a temporary folder")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        loopback_archive.running("--tiny", str(given.studies)) as root,
    ):
        home = given.home or Path(folder) / "home"
        home.mkdir(mode=0o700, parents=True)
        if SERVER:
            async with database_url(home) as url:
                is_well = await load(given, home, url, root)
        else:
            is_well = await load(given, home, None, root)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    asyncio.run(main())
