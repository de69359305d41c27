"""Programs within limits: what they may use, what they see, and that nothing of them is left."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heltig.imaging.contained import LONGEST_LINE, Ended, Limits, environment, run, running

WAIT_S = 30.0
PLENTY = Limits(seconds=60)


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-u", "-c", program, *arguments]


def ran(program: str, *arguments: str, limits: Limits = PLENTY, **more: Any) -> Ended:
    return run(python(program, *arguments), limits=limits, environment=environment(), **more)


def gone(pid: int) -> bool:
    """Whether a process is no more, or dead and about to be taken in."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def becomes_true(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT_S
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


FAMILY = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print(os.getpid())
if not os.fork():
    print(os.getpid())
    if not os.fork():
        os.setsid()  # leaves session and group
        if os.fork():
            os._exit(0)  # and its parent
        print(os.getpid())
    time.sleep(600)
{after}
"""
"""Three processes that ignore signals, one of which is in a session of its own, without a parent."""


def test_input_output_and_exit_code() -> None:
    ended = ran(
        "import sys; print(sys.stdin.read().upper(), end=''); sys.stderr.write('told'); sys.exit(7)",
        stdin=b"abc" * 100_000,
        limits=Limits(seconds=60, output_bytes=1 << 20),
    )
    assert (ended.cause, ended.exit_code, ended.errors) == ("exit", 7, b"told")
    assert ended.output == b"ABC" * 100_000


def test_input_that_is_not_read() -> None:
    ended = ran("import os; os.close(0); print('done')", stdin=bytes(1 << 20))
    assert (ended.exit_code, ended.output) == (0, b"done\n")


def test_the_environment_is_what_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HELTIG_SECRET_KEY", "a secret")
    monkeypatch.setenv("SOME_TOKEN", "another one")
    ended = run(
        python("import json, os; print(json.dumps([dict(os.environ), os.getcwd()]))"),
        limits=PLENTY,
        environment=environment(OWN="given"),
        cwd=tmp_path,
    )
    seen, folder = json.loads(ended.output)
    assert seen["OWN"] == "given"
    assert set(seen) <= {"OWN", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}
    assert Path(folder) == tmp_path.resolve()


def test_no_file_of_ours_is_open_in_it() -> None:
    ended = ran("import os; print(*sorted(map(int, os.listdir('/proc/self/fd'))))")
    assert ended.output == b"0 1 2 3\n"  # the last one is the folder that it lists


def test_session_and_group_are_its_own() -> None:
    ended = ran("import os; print(os.getsid(0), os.getpgid(0), os.getpid())")
    session, group, process = map(int, ended.output.split())
    assert session != os.getsid(0)
    assert group == process


@pytest.mark.parametrize("program", ["no-such-program", "/"])
def test_what_cannot_be_started(program: str) -> None:
    with pytest.raises(OSError, match=r"No such file|Permission denied"):
        run([program], limits=PLENTY, environment=environment())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ran("", cwd=tmp_path / "none")


def test_a_program_that_ends_by_a_signal() -> None:
    ended = ran("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (ended.cause, ended.exit_code) == ("exit", -signal.SIGSEGV)


def test_time_ends_with_all_of_the_family() -> None:
    pids: list[int] = []
    ended = ran(
        FAMILY.format(after="time.sleep(600)"),
        limits=Limits(seconds=3),
        on_line=lambda line: pids.append(int(line)),
    )
    assert (ended.cause, ended.exit_code) == ("timeout", -signal.SIGKILL)
    assert 3 <= ended.seconds < 30
    assert len(pids) == 3
    assert all(map(gone, pids))


def test_its_end_is_that_of_all_it_started() -> None:
    after = "while not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    pids: list[int] = []
    marker = Path(os.environ.get("TMPDIR", "/tmp")) / f"contained-{os.getpid()}"  # noqa: S108

    def note(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 3:
            marker.touch()

    try:
        ended = ran(FAMILY.format(after=after), str(marker), on_line=note)
    finally:
        marker.unlink(missing_ok=True)
    assert (ended.cause, ended.exit_code) == ("exit", 0)
    assert all(map(gone, pids))


def test_memory_is_limited_in_each_process() -> None:
    eat = "import os; os.wait() if os.fork() else None; bytearray(1 << 30)"
    ended = ran(eat, limits=Limits(seconds=60, memory_bytes=256 << 20))
    assert ended.exit_code == 1
    assert ended.errors.count(b"MemoryError") == 2


def test_processor_time_is_limited() -> None:
    ended = ran("while True: pass", limits=Limits(seconds=60, cpu_seconds=1))
    assert (ended.cause, ended.exit_code) == ("exit", -signal.SIGKILL)


def test_the_size_of_files_is_limited(tmp_path: Path) -> None:
    target = tmp_path / "large"
    write = "import sys; file = open(sys.argv[1], 'wb', 0); file.write(bytes(1 << 20)); file.write(b'more')"
    ended = ran(write, str(target), limits=Limits(seconds=60, file_bytes=1 << 20))
    assert (ended.exit_code, b"File too large" in ended.errors) == (1, True)
    assert target.stat().st_size == 1 << 20


def test_output_for_ever_is_kept_in_bounds() -> None:
    ended = ran(
        "import sys\nwhile True: print('x' * 1000); sys.stderr.write('y' * 1000)",
        limits=Limits(seconds=1, output_bytes=1000),
    )
    assert ended.cause == "timeout"
    assert ended.output.strip(b"x") in (b"", b"\n")
    assert (len(ended.output), ended.errors) == (1000, b"y" * 1000)


def test_lines_come_while_it_runs() -> None:
    lines: list[tuple[float, str]] = []
    ended = ran(
        "import sys, time; print('first'); time.sleep(1); sys.stdout.write('é\\n\\nlast')",
        on_line=lambda line: lines.append((time.monotonic(), line)),
    )
    assert [line for _, line in lines] == ["first", "é", "", "last"]
    assert lines[1][0] - lines[0][0] > 0.5
    assert ended.output == "first\né\n\nlast".encode()


def test_a_line_without_end_is_cut() -> None:
    lines: list[str] = []
    ran("print('z' * 1_000_000); print('next')", on_line=lines.append)
    assert lines == ["z" * LONGEST_LINE, "next"]


def test_an_error_of_the_caller_ends_it() -> None:
    pids: list[int] = []

    def refuse(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 3:
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        ran(FAMILY.format(after="time.sleep(600)"), on_line=refuse)
    assert all(map(gone, pids))


async def test_the_event_loop_goes_on() -> None:
    lines: list[tuple[str, str]] = []
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    turning = asyncio.create_task(turn())
    ended = await running(
        python("import sys, time; time.sleep(0.5); print(sys.stdin.read())"),
        limits=PLENTY,
        environment=environment(),
        stdin=b"given",
        on_line=lambda line: lines.append((threading.current_thread().name, line)),
    )
    turning.cancel()
    assert (ended.exit_code, lines) == (0, [("MainThread", "given")])
    assert turns > 10


async def test_cancelling_ends_all_of_it() -> None:
    before = set(threading.enumerate())  # tests before this one may have left some
    pids: list[int] = []
    all_there = asyncio.Event()

    def note(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 3:
            all_there.set()

    task = asyncio.create_task(
        running(
            python(FAMILY.format(after="time.sleep(600)")),
            limits=PLENTY,
            environment=environment(),
            on_line=note,
        )
    )
    await asyncio.wait_for(all_there.wait(), WAIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(map(gone, pids))
    assert set(threading.enumerate()) <= before


async def test_it_cannot_be_started_in_the_loop() -> None:
    with pytest.raises(FileNotFoundError):
        await running(["no-such-program"], limits=PLENTY, environment=environment())


CALLER = """
import sys
from heltig.imaging.contained import Limits, environment, run
command = [sys.executable, "-I", "-S", "-u", "-c", sys.argv[1]]
run(command, limits=Limits(600), environment=environment(), on_line=lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize("victim", ["caller", "supervisor"])
def test_nothing_is_left_when_a_process_between_is_killed(victim: str) -> None:
    """The caller may die in any way, by kill -9 or for want of memory; so may the supervisor."""
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, FAMILY.format(after="time.sleep(600)")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert caller.stdout
    with caller, caller.stdout:
        pids = [int(caller.stdout.readline()) for _ in range(3)]
        supervisor = int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(caller.pid if victim == "caller" else supervisor, signal.SIGKILL)
        in_group = pids if victim == "caller" else pids[:2]
        try:
            assert all(becomes_true(lambda pid=pid: gone(pid)) for pid in [*in_group, supervisor])  # type: ignore[misc]
        finally:
            for pid in pids:
                if not gone(pid):
                    os.kill(pid, signal.SIGKILL)
            caller.kill()


def test_one_program_contains_another() -> None:
    """As an analysis contains its segmenters: the end of the outer one is that of the inner one."""
    pids: list[int] = []

    def note(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 3:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        run(
            [sys.executable, "-c", CALLER, FAMILY.format(after="time.sleep(600)")],
            limits=PLENTY,
            environment=environment(PYTHONPATH=str(Path(__file__).parents[2])),
            on_line=note,
        )
    assert all(becomes_true(lambda pid=pid: gone(pid)) for pid in pids)  # type: ignore[misc]


@pytest.mark.parametrize(("inner", "exit_code"), [(256 << 20, 1), (None, 1), (2 << 30, 0)])
def test_what_is_contained_may_have_more_memory_than_what_contains_it(
    inner: int | None, exit_code: int
) -> None:
    program = f"""
import sys
from heltig.imaging.contained import Limits, environment, run
command = [sys.executable, "-I", "-S", "-c", "bytearray(700 << 20)"]
print(run(command, limits=Limits(60, memory_bytes={inner}), environment=environment()).exit_code)
"""
    ended = run(
        [sys.executable, "-c", program],
        limits=Limits(60, memory_bytes=512 << 20),
        environment=environment(PYTHONPATH=str(Path(__file__).parents[2])),
    )
    assert ended.output == f"{exit_code}\n".encode()


def test_it_needs_only_the_standard_library() -> None:
    show = "import sys, heltig.imaging.contained; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True).stdout
    assert not {"numpy", "msgspec", "pydicom", "heltig.errors"} & set(shown.split())
