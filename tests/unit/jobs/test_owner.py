"""Which owners of a lease are gone for sure."""

import os
import socket
import subprocess
import sys

import msgspec
import pytest

from heltig.jobs.owner import Owner


def owner_elsewhere() -> tuple[str, int]:
    """An owner in a process of before."""
    code = "from heltig.jobs.owner import Owner; print(Owner.here())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text = done.stdout.strip()
    return text, int(text.split("/")[1])


def test_an_owner_whose_process_ended_is_gone() -> None:
    text, _ = owner_elsewhere()
    assert Owner.here().outlived(text)


@pytest.mark.skipif(sys.platform != "linux", reason="about what Linux tells of processes")
def test_an_owner_whose_process_nobody_waited_for_is_gone() -> None:
    here = Owner.here()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        other = f"{here.host}/{process.pid}/other/1"
        assert not here.outlived(other)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays in the table of processes
        assert here.outlived(other)


def test_runners_of_this_process_are_not_gone() -> None:
    first, second = Owner.here(), Owner.here()
    assert first != second
    assert not first.outlived(str(second))


def test_a_process_that_had_our_number_before_is_gone() -> None:
    here = Owner.here()
    before = msgspec.structs.replace(here, process="an earlier one")
    assert here.outlived(str(before))


def test_nothing_is_known_of_other_hosts() -> None:
    here = Owner.here()
    assert not here.outlived(str(msgspec.structs.replace(here, host="elsewhere", pid=2**22 + 1)))


@pytest.mark.skipif(sys.platform != "linux", reason="about containers")
def test_a_container_of_the_same_name_has_other_processes() -> None:
    """Its process 1 is not ours, whether or not ours lives."""
    here = Owner.here()
    name, _, table = here.host.rpartition("-")
    assert (name, len(table)) == (socket.gethostname(), 8)
    assert not here.outlived(str(msgspec.structs.replace(here, host=f"{name}-00000000", pid=2**22 + 1)))


def test_a_process_that_lives_is_not_gone() -> None:
    here = Owner.here()
    assert not here.outlived(f"{here.host}/{os.getppid()}/other/1")


@pytest.mark.parametrize("text", ["", "worker-1", "a/b/c/d/e"])
def test_other_texts_are_nobody_we_know(text: str) -> None:
    assert not Owner.here().outlived(text)
