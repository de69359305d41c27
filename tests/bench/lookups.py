"""Look-ups with a million studies stored, by API key: beside a bare ASGI answer and a usual ORM service.

    python tests/bench/lookups.py [--studies 1000000] [--seconds 5] [--rounds 3] [--home DIR]

All servers are uvicorn processes with the same loop and parser, asked by wrk in turns, each request about
another study: how many answers a second, and the server's processor time for one. Then 1,000 UIDs in one
request, and 1,000 requests a second that do not wait for one another, alone and while studies are pulled.
`--home` keeps the studies for the next run. Needs wrk; FastAPI (`pip install fastapi`) for the ORM service,
which is left out where it is missing.
"""

import argparse
import asyncio
import http.client
import importlib.util
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

import loopback_archive  # noqa: E402
from lookups_filled import filled, uid  # noqa: E402
from servers.heltig_server import heltig_server  # noqa: E402

BARE = """
BODY = b"x" * 770
HEADERS = [(b"content-type", b"application/dicom+json"), (b"content-length", b"770")]

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
"""

SCRIPT = """
math.randomseed(os.time())
local headers = {["Authorization"] = "Bearer %(key)s", ["Accept"] = "application/dicom+json"}
local uids = {}
for line in io.lines("%(uids)s") do uids[#uids + 1] = line end
request = function()
  return wrk.format("GET", "%(before)s" .. uids[math.random(#uids)] .. "%(after)s", headers)
end
"""
PATHS = {"readiness": ("/dicom-web/studies/", "/readiness"), "consult": ("/consult/studies/", "")}

RATE = 1000
PULLED = 20_000
"""Studies of an archive that is read meanwhile: more than are pulled in the time."""


class Measured(NamedTuple):
    """Answers a second, and microseconds of the server's processor time for one."""

    rate: float
    cost: float


@contextmanager
def plain_server(folder: Path, app: str, **environ: str) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["-m", "uvicorn", app, "--port", str(port), "--no-access-log", "--log-level", "error"]
    process = subprocess.Popen([sys.executable, *command], cwd=folder, env={**os.environ, **environ})
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(url: str, process: int, script: Path, *, seconds: int) -> Measured:
    before = processor_seconds(process)
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if wrong := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise SystemExit(f"{wrong[1]} answers were not 2xx:\n{said}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    requests = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    return Measured(rate, (processor_seconds(process) - before) / requests * 1e6)


def compare(servers: dict[str, tuple[str, int, Path]], *, seconds: int, rounds: int) -> None:
    """Prints each server's answers a second and cost, medians, and the medians of the rounds' ratios."""
    found: dict[str, list[Measured]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, (url, process, script) in servers.items():
            found[name].append(measure(url, process, script, seconds=seconds))
    print("| answered by | a second | CPU µs | of bare ASGI | times FastAPI + ORM |\n|---|---|---|---|---|")
    for name, measured in found.items():
        middle = [statistics.median(column) for column in zip(*measured, strict=True)]
        ratios = [_ratio(measured, found.get(other)) for other in ("bare ASGI", "FastAPI + ORM")]
        print(f"| {name} | {middle[0]:,.0f} | {middle[1]:,.0f} | {ratios[0]} | {ratios[1]} |")


def _ratio(measured: list[Measured], floor: list[Measured] | None) -> str:
    if not floor or measured is floor:
        return ""
    pairs = list(zip(measured, floor, strict=True))
    rate = statistics.median(one.rate / other.rate for one, other in pairs)
    cost = statistics.median(other.cost / one.cost for one, other in pairs)
    return f"{rate:.2f}, by CPU {cost:.2f}"


def steady(url: str, key: str, studies: int, *, seconds: int) -> str:
    """What a second process found that asks so many times a second."""
    command = [sys.executable, str(HERE / "lookups_load.py"), url, key, "--rate", str(RATE)]
    command += ["--seconds", str(seconds), "--studies", str(studies)]
    times = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return ", ".join(f"{name} {value} ms" for name, value in times.items())


def in_bulk(url: str, key: str, studies: int) -> str:
    """Milliseconds for 1,000 UIDs in one request, seen by the client."""
    at = urlsplit(url)
    client = http.client.HTTPConnection(at.hostname or "", at.port)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    times = []
    for _ in range(60):
        body = json.dumps([uid(random.randrange(1, studies)) for _ in range(1000)])
        began = time.perf_counter()
        client.request("POST", "/dicom-web/studies/readiness", body, headers)
        answer = client.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1e3)
        if answer.status != 200:
            raise SystemExit(f"bulk: {answer.status}")
    times.sort()
    return f"p50 {times[30]:.1f} ms, p95 {times[57]:.1f} ms"


def _read_through(file: Path) -> None:
    """Has a file in the memory of the machine, as that of a server is which runs for a while."""
    with file.open("rb") as opened:
        while opened.read(1 << 24):
            pass


def heltig(home: Path, *command: str) -> None:
    environ = {**os.environ, "HELTIG_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-m", "heltig", *command], env=environ, check=True, stdout=subprocess.DEVNULL
    )


def run(home: Path, given: argparse.Namespace) -> None:
    home.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    key = asyncio.run(filled(home, given.studies))
    size = sum(file.stat().st_size for file in home.glob("heltig.db*"))
    print(
        f"{given.studies:,} studies, {size / 1e9:.1f} GB, {time.monotonic() - began:.0f} s to fill;", end=" "
    )
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n", flush=True)
    _read_through(home / "heltig.db")
    (home / "bare.py").write_text(BARE)
    uids = home / "uids.txt"
    uids.write_text("\n".join(uid(random.randrange(1, given.studies)) for _ in range(50_000)))
    scripts = {}
    for name, (before, after) in PATHS.items():
        scripts[name] = home / f"{name}.lua"
        text = SCRIPT % {"key": key, "uids": uids, "before": before, "after": after}
        scripts[name].write_text(text)
    with heltig_server(home, auth_mode="api-key") as server, plain_server(home, "bare:app") as bare:
        ours = (server.url, server.process.pid)
        servers = {"bare ASGI": (*bare, scripts["readiness"])}
        servers |= {f"/{name}": (*ours, script) for name, script in scripts.items()}
        if importlib.util.find_spec("fastapi") is None:
            print("FastAPI is not installed: the ORM service is left out.")
            compare(servers, seconds=given.seconds, rounds=given.rounds)
        else:
            environ = {"HELTIG_TEST_BENCH_HOME": str(home)}
            with plain_server(HERE, "lookups_orm:app", **environ) as orm:
                servers["FastAPI + ORM"] = (*orm, scripts["readiness"])
                compare(servers, seconds=given.seconds, rounds=given.rounds)
        print(f"\n1,000 UIDs in one request: {in_bulk(server.url, key, given.studies)}")
        print(f"{RATE} requests a second, alone: ", end="", flush=True)
        print(steady(server.url, key, given.studies, seconds=given.seconds))
        with loopback_archive.running("--tiny", str(PULLED)) as archive:
            name = f"bench{random.getrandbits(32):x}"
            heltig(home, "archives", "add", name, archive, "--strategy", "none")
            pulling = [sys.executable, "-m", "heltig", "pull", name, "--backfill"]
            environ = {**os.environ, "HELTIG_HOME": str(home)}
            with subprocess.Popen(pulling, env=environ, stdout=subprocess.DEVNULL) as process:
                time.sleep(4)  # until it is at full speed
                print(f"{RATE} requests a second, while studies are pulled: ", end="", flush=True)
                print(steady(server.url, key, given.studies, seconds=given.seconds))
                process.terminate()
            heltig(home, "archives", "remove", name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(given.home or Path(folder), given)


if __name__ == "__main__":
    main()
