"""Look-ups a second: `heltig serve` with API keys beside a bare ASGI answer of the same bytes, in one run.

    python tests/bench/look_ups.py [--studies 20000] [--seconds 5]

Needs wrk. Both run on uvicorn in a process of their own, wrk on the same machine. Each look-up asks about
another study.
"""

import argparse
import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from servers.heltig_server import heltig_server  # noqa: E402
from unit.store.samples import judge, snapshot  # noqa: E402

from heltig.auth import keys  # noqa: E402
from heltig.auth.keys import NewKey  # noqa: E402
from heltig.cli.database import open_database  # noqa: E402
from heltig.settings import Settings  # noqa: E402

BARE = """
BODY = b"x" * {size}
HEADERS = [(b"content-type", b"application/dicom+json"), (b"content-length", b"{size}")]

async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": HEADERS}})
    await send({{"type": "http.response.body", "body": BODY}})
"""

SCRIPT = """
math.randomseed(os.time())
local headers = {{["Authorization"] = "{authorization}"}}
request = function()
  return wrk.format("GET", string.format("{path}", math.random(0, {last})), headers)
end
"""


async def fill(home: Path, studies: int) -> str:
    """Judges studies into a database; returns an API key."""
    async with open_database(Settings(home=home)) as store:
        for number in range(studies):
            await judge(store, snapshot(study=f"1.2.840.99.{number}"))
        now = datetime.now(UTC)
        new = NewKey(name="bench", role="archive", expires=now + timedelta(days=1))
        return await store.write_durably(keys.create, new, actor="bench", origin="", now=now)


@contextmanager
def bare_server(folder: Path, size: int) -> Iterator[tuple[str, int]]:
    (folder / "bare.py").write_text(BARE.format(size=size))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["-m", "uvicorn", "bare:app", "--port", str(port), "--lifespan", "off", "--no-access-log"]
    process = subprocess.Popen([sys.executable, *command, "--log-level", "error"], cwd=folder)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


class Measured:
    """Requests a second, the server's processor time for one in µs, and percentiles of the latency."""

    def __init__(self, rate: float, microseconds: float, latency: str) -> None:
        self.rate = rate
        self.microseconds = microseconds
        self.latency = latency

    def shown(self, name: str, floor: "Measured | None" = None) -> str:
        ratio = (
            f"× {self.rate / floor.rate:.2f}, {floor.microseconds / self.microseconds:.2f}" if floor else ""
        )
        return f"{name:<12}{self.rate:>7.0f}/s {self.microseconds:>5.0f} µs  {ratio:<15}{self.latency}"


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(url: str, process: int, script: Path, *, seconds: int) -> Measured:
    before = processor_seconds(process)
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if wrong:
        raise SystemExit(f"{wrong[1]} answers were not 2xx:\n{said}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    requests = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    percentiles = re.findall(r"^\s+(50|99)%\s+(\S+)", said, re.MULTILINE)
    latency = ", ".join(f"p{percent} {value}" for percent, value in percentiles)
    return Measured(rate, (processor_seconds(process) - before) / requests * 1e6, latency)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        key = asyncio.run(fill(home, given.studies))
        paths = {
            "readiness": "/dicom-web/studies/1.2.840.99.%d/readiness",
            "consult": "/consult/studies/1.2.840.99.%d",
        }
        scripts = {}
        for name, path in paths.items():
            scripts[name] = home / f"{name}.lua"
            text = SCRIPT.format(authorization=f"Bearer {key}", path=path, last=given.studies - 1)
            scripts[name].write_text(text)
        with heltig_server(home, auth_mode="api-key") as server, bare_server(home, 770) as bare:
            print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.studies} studies")
            for _ in range(2):
                floor = measure(*bare, scripts["readiness"], seconds=given.seconds)
                print(floor.shown("bare ASGI"))
                for name, script in scripts.items():
                    found = measure(server.url, server.process.pid, script, seconds=given.seconds)
                    print(found.shown(name, floor))


if __name__ == "__main__":
    main()
