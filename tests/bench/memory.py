"""Memory while studies are read and judged: one of 100,000 instances, and 1,000 of 100 one after the other.

Run by hand: `python tests/bench/memory.py`. Each case is measured in a process of its own, which gets the
JSON through a pipe, so that making the input costs it nothing.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import synthetic
from measuring import Row, machine, print_table, within

LARGE = 100_000
STUDIES, SMALL = 1_000, 100
WARM_UP = 50  # studies after which whatever is made once has been made

_PIECE = 1024 * 1024


def measured(case: str, pieces: Iterable[bytes]) -> list[int]:
    """Feed a process of its own and return what it prints: bytes before and at the peak."""
    process = subprocess.Popen(
        [sys.executable, __file__, case], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    for piece in pieces:
        process.stdin.write(piece)
    process.stdin.close()
    told = process.stdout.read()
    if process.wait():
        raise RuntimeError(f"the measured process ended with exit code {process.returncode}")
    return [int(number) for number in told.split()]


def one_large() -> None:
    """Read and judge one study from standard input."""
    judge_body(iter([synthetic.body(SMALL)]))
    print(resident("VmRSS"))
    judge_body(iter(lambda: sys.stdin.buffer.read(_PIECE), b""))
    print(resident("VmHWM"))


def many_small() -> None:
    """Read and judge one study after the other, a line of standard input each."""
    for number, body in enumerate(sys.stdin.buffer):
        judge_body(iter([body]))
        if number + 1 == WARM_UP:
            print(resident("VmHWM"))
    print(resident("VmHWM"))


def judge_body(chunks: Iterator[bytes]) -> None:
    from heltig_way import PROFILE, TODAY, read_chunks

    from heltig.pipeline.judging import judge

    for table in read_chunks(chunks):
        judge(table, PROFILE, reference_date=TODAY)


def resident(field: str) -> int:
    """Memory of this process in bytes: `VmRSS` now, `VmHWM` at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def rows() -> Iterator[Row]:
    before, peak = measured("one", synthetic.chunks(LARGE))
    each = (peak - before) / LARGE
    what = f"one study of {LARGE:,}, judged: bytes an instance above the {_mb(before)} before"
    yield within(2560, "≤ 2,560", what, f"{each:,.0f}", each)
    bodies = (synthetic.body(SMALL, study=number) + b"\n" for number in range(STUDIES))
    before, peak = measured("many", bodies)
    grown = (peak - before) / before
    what = f"{STUDIES:,} studies of {SMALL}: peak over that of the first {WARM_UP}, {_mb(before)}"
    yield within(0.05, "flat", what, f"+{grown:.1%}", grown)


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def main() -> None:
    cases = {"one": one_large, "many": many_small}
    if len(sys.argv) > 1:
        cases[sys.argv[1]]()
        return
    print(machine("heltig", "msgspec"))
    print_table("Memory", rows())


if __name__ == "__main__":
    main()
