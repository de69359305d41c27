"""C-STORE into `heltig listen`, what is acknowledged being on disk, beside DCMTK's storescp in the same run.

The sender is an unmodified dcmsend, with one association. The ways take turns; what a round of the sender
takes is measured, its start included. `python tests/bench/listener.py [ROUNDS]`
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.gate import series
from integration.dicom_senders import dcmtk, sent_files
from servers.heltig_listener import HeltigListener, heltig_listener

SIZES = {"64 x 64 (9 KB)": (64, 400, 200), "512 x 512 (0.5 MB)": (512, 200, 130)}
"""Pixels a side, instances of a round, and the aim in instances a second."""

FEW = 40
"""Instances of a round of storescp: it takes a tenth of a second for each."""


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """DCMTK's own receiver; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(["/usr/bin/storescp", "-od", folder, "-aet", "HELTIG", str(port)])
    try:
        while dcmtk("echoscu", "-aec", "HELTIG", "127.0.0.1", str(port)).returncode:
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


def rate(port: int, folder: Path, instances: int) -> float:
    """Instances a second of a round."""
    started = time.perf_counter()
    done = dcmtk("dcmsend", "-aec", "HELTIG", "+sd", "127.0.0.1", str(port), str(folder))
    spent = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    return instances / spent


def cpu(listener: HeltigListener) -> float:
    """Seconds that the listener was at work so far, its judging processes not included."""
    fields = Path(f"/proc/{listener.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def configure(home: Path) -> None:
    """Gives a gate to an archive that nobody asks."""
    arguments = ["archives", "add", "main", "http://127.0.0.1:9", "--gate", "hold", "--strategy", "none"]
    environ = {**os.environ, "HELTIG_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "heltig", *arguments], env=environ, check=True, capture_output=True)


def main(rounds: int) -> None:
    print("| pixels | way | instances/s | aim | ms CPU of the listener an instance |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        configure(folder / "home")
        (folder / "storescp").mkdir()
        with (
            heltig_listener(folder / "home", "main", idle_seconds="3600") as ours,
            storescp(folder / "storescp") as theirs,
        ):
            for name, (side, instances, aim) in SIZES.items():
                found: dict[str, list[float]] = {"storescp": [], "heltig listen": []}
                spent = 0.0
                for number in range(rounds):
                    files = series(side, instances)
                    place = folder / f"{side}-{number}"
                    sent = sent_files(place, files)
                    before = cpu(ours)
                    found["heltig listen"].append(rate(ours.port, sent, instances))
                    spent += cpu(ours) - before
                    few = sent_files(folder / f"{side}-{number}-few", files[:FEW])
                    found["storescp"].append(rate(theirs, few, FEW))
                print(f"| {name} | storescp | {statistics.median(found['storescp']):,.0f} | | |")
                own = f"{1000 * spent / (rounds * instances):.2f}"
                median = statistics.median(found["heltig listen"])
                best = max(found["heltig listen"])
                print(f"| {name} | heltig listen | {median:,.0f} (best {best:,.0f}) | {aim} | {own} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
