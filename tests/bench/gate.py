"""STOW-RS through the gate against STOW-RS straight to the archive behind it, a real Orthanc.

What a sender waits for is measured: seconds from the first byte of a request to the end of its answer. The
ways take turns, each with a new study a round. `python tests/bench/gate.py [ROUNDS]`
"""

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pydicom
from pydicom.uid import generate_uid

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from integration.gated import Gated, body_of, content_type, files_of, gated
from servers.orthanc import Orthanc, running_orthanc

A_REQUEST = 50
SIZES = {"64 x 64": 64, "512 x 512": 512}
MODES = ("observe", "enforce", "hold")
AIMS = {"observe": "1.1", "enforce": "1.25", "hold": ""}


def series(side: int, instances: int) -> list[bytes]:
    """The files of a new study: CT slices with pixels of a side's length."""
    study, own, frame = generate_uid(), generate_uid(), generate_uid()
    template = pydicom.dcmread(io.BytesIO(files_of("ct-chest")[5]))
    files = []
    for number in range(instances):
        template.StudyInstanceUID, template.SeriesInstanceUID = study, own
        template.FrameOfReferenceUID = frame
        template.SOPInstanceUID = generate_uid()
        template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
        template.InstanceNumber = number + 1
        template.ImagePositionPatient = [0, 0, 2 * number]
        template.SliceLocation = 2 * number
        template.Rows = template.Columns = side
        template.PixelData = bytes(side * side * template.BitsAllocated // 8)
        made = io.BytesIO()
        template.save_as(made)
        files.append(made.getvalue())
    return files


def seconds(send: Callable[[bytes], httpx.Response], files: Sequence[bytes]) -> float:
    body = body_of(files, boundary="b")
    started = time.perf_counter()
    answer = send(body)
    spent = time.perf_counter() - started
    assert answer.status_code == 200, (answer.status_code, answer.text[:500])
    return spent


def started_by(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return children + [process for child in children for process in started_by(child)]


def cpu(gate: Gated) -> float:
    """Seconds that the server and its judging processes were at work so far."""
    server = gate.server.process.pid
    processes = [server, *started_by(server)]
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(
    gate: Gated, orthanc: Orthanc, side: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each request, by way; and of all of them the gate's own CPU seconds."""
    headers = {"Content-Type": content_type("b"), "Accept": "application/dicom+json"}
    straight = httpx.Client(
        auth=(orthanc.username, orthanc.password), trust_env=False, timeout=120, headers=headers
    )
    found: dict[str, list[float]] = {}
    spent: dict[str, float] = {}
    with straight:
        for _ in range(rounds):
            new = series(side, A_REQUEST)
            found.setdefault("straight", []).append(
                seconds(lambda body: straight.post(f"{orthanc.root}/studies", content=body), new)
            )
            for mode in MODES:
                gate.change(gate=mode)
                gate.store(series(64, 1))  # a changed entry gets new connections
                gate.until(lambda: not gate.spooled())
                new = series(side, A_REQUEST)
                before = cpu(gate)
                found.setdefault(mode, []).append(
                    seconds(lambda body: gate.client.post(gate.path, content=body, headers=headers), new)
                )
                spent[mode] = spent.get(mode, 0.0) + cpu(gate) - before
                gate.until(lambda: not gate.spooled())
    return found, spent


def main(rounds: int) -> None:
    print("| size | way | instances/s | times straight | aim | ms CPU of the gate an instance |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "orthanc"
        folder.mkdir()
        with (
            running_orthanc(folder) as orthanc,
            gated(
                Path(scratch) / "home",
                orthanc.root,
                password=orthanc.password,
                gate="observe",
                gateIdleSeconds=0.2,
            ) as gate,
        ):
            measure(gate, orthanc, 64, 1)  # processes start, connections are made
            for name, side in SIZES.items():
                found, spent = measure(gate, orthanc, side, rounds)
                for way, times in found.items():
                    ratio = statistics.median(
                        ours / theirs for ours, theirs in zip(times, found["straight"], strict=True)
                    )
                    rate = A_REQUEST / statistics.median(times)
                    own = f"{1000 * spent[way] / (rounds * A_REQUEST):.2f}" if way in spent else ""
                    print(f"| {name} | {way} | {rate:,.0f} | {ratio:.2f} | {AIMS.get(way, '')} | {own} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
