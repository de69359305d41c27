"""QIDO-RS and WADO-RS through the gate against the same straight from the archive behind it, a real Orthanc.

What a client waits for is measured: seconds until it has the whole answer. The ways take turns. The
CPU of the gate is told for each request and for each MB. `python tests/bench/pass_through.py [ROUNDS]`
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.gate import cpu, series
from integration.gated import Gated, gated
from servers.orthanc import Orthanc, running_orthanc

MB = 1_000_000
OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
PIXELS = 'multipart/related; type="application/octet-stream"'
JSON = "application/dicom+json"
FRAMES = 50


class Way:
    """How answers come.

    Attributes:
        seconds: What each round took.
        received: Bytes of one round.
        cpu: Seconds of CPU of the gate, all rounds together.
    """

    def __init__(self, client: httpx.Client, root: str) -> None:
        self.seconds: list[float] = []
        self.received = 0
        self.cpu = 0.0
        self._client = client
        self._root = root

    def run(self, paths: list[str], accept: str) -> None:
        """Asks for some resources, one after the other."""
        started = time.perf_counter()
        self.received = 0
        for path in paths:
            with self._client.stream("GET", f"{self._root}/{path}", headers={"Accept": accept}) as answer:
                answer.raise_for_status()
                self.received += sum(len(piece) for piece in answer.iter_raw())
        self.seconds.append(time.perf_counter() - started)


def resources(orthanc: Orthanc, straight: httpx.Client) -> dict[str, tuple[list[str], str]]:
    """What is asked for, by the name it has in the table."""
    tasks: dict[str, tuple[list[str], str]] = {}
    for row in straight.get(f"{orthanc.root}/series").raise_for_status().json():
        study, own = (row[tag]["Value"][0] for tag in ("0020000D", "0020000E"))
        below = f"studies/{study}/series/{own}"
        instances = straight.get(f"{orthanc.root}/{below}/instances").raise_for_status().json()
        uids = [one["00080018"]["Value"][0] for one in instances]
        size = "512 x 512" if instances[0]["00280010"]["Value"][0] == 512 else "64 x 64"
        tasks[f"study, {len(uids)} of {size}"] = ([f"studies/{study}"], OBJECTS)
        tasks[f"metadata, {len(uids)} instances of {size}"] = ([f"studies/{study}/metadata"], JSON)
        frames = [f"{below}/instances/{uid}/frames/1" for uid in uids[:FRAMES]]
        tasks[f"{len(frames)} frames of {size}, each by itself"] = (frames, PIXELS)
    tasks["search for studies, 20 times"] = (["studies"] * 20, JSON)
    return tasks


def measure(gate: Gated, orthanc: Orthanc, rounds: int) -> None:
    auth = (orthanc.username, orthanc.password)
    plain = {"Accept-Encoding": "identity"}
    with httpx.Client(auth=auth, trust_env=False, timeout=300, headers=plain) as straight:
        for task, (paths, accept) in resources(orthanc, straight).items():
            ways = Way(straight, orthanc.root), Way(gate.client, f"{gate.server.url}/gate/main")
            for _ in range(rounds):
                ways[0].run(paths, accept)
                before = cpu(gate)
                ways[1].run(paths, accept)
                ways[1].cpu += cpu(gate) - before
            ratios = [ours / theirs for theirs, ours in zip(*(way.seconds for way in ways), strict=True)]
            size = ways[1].received / MB
            rates = " | ".join(f"{size / statistics.median(way.seconds):,.0f}" for way in ways)
            spent = 1000 * ways[1].cpu / rounds
            print(
                f"| {task} | {size:,.1f} | {rates} | {statistics.median(ratios):.2f} "
                f"| {spent / len(paths):,.1f} | {spent / size:,.1f} |",
                flush=True,
            )


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "orthanc"
        folder.mkdir()
        with (
            running_orthanc(folder) as orthanc,
            gated(Path(scratch) / "home", orthanc.root, password=orthanc.password, gate="observe") as gate,
        ):
            orthanc.store(series(64, 500))
            orthanc.store(series(512, 200))
            print("| what | MB | MB/s straight | through | times straight | ms CPU a request | ms CPU a MB |")
            print("|---|---|---|---|---|---|---|")
            measure(gate, orthanc, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
