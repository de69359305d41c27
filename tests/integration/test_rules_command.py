"""`heltig rules` as its users run it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from heltig.rules.catalogue import catalogue


def heltig(*arguments):
    command = [sys.executable, "-m", "heltig", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_every_rule_is_listed():
    ran = heltig("rules")
    assert ran.returncode == 0
    assert set(re.findall(r"^  ([A-Z][A-Z0-9.-]+) ", ran.stdout, re.MULTILINE)) == catalogue().keys()


def test_a_mistyped_rule_is_told_its_neighbours():
    ran = heltig("rules", "show", "PAT-ID-CONFLIKT")
    assert ran.returncode != 0
    assert "PAT-ID-CONFLICT" in ran.stderr


def test_timing_gives_each_rule_its_share_of_the_whole():
    ran = heltig("rules", "--timing")
    assert ran.returncode == 0
    rows = dict(re.findall(r"^(\S.*?) {2,}.* ([\d.]+)$", ran.stdout, re.MULTILINE))
    shares = {name: float(microseconds) for name, microseconds in rows.items()}
    whole = shares.pop("all")
    shared = {name for name in shares if name.startswith("shared: ")}
    assert shares.keys() - shared - {"bringing values to rules"} <= catalogue().keys()
    assert len(shares) > 50
    assert abs(sum(shares.values()) - whole) <= 0.05 * len(shares) + 0.1
    # No rule pays for what the others of its family use too.
    conformance = shares["shared: conformance_study.conformance"]
    assert max(cost for name, cost in shares.items() if name.startswith("IOD-")) < conformance


def test_nothing_to_time_is_told(tmp_path):
    ran = heltig("rules", "--timing", "--on", tmp_path)
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "no DICOM instance" in ran.stderr


def test_what_to_time_without_timing_is_refused():
    ran = heltig("rules", "--on", ".")
    assert ran.returncode == 2
    assert "--timing" in ran.stderr


@pytest.mark.parametrize("arguments", [[], ["show", "PAT-ID-EMPTY"], ["--help"]])
def test_what_cannot_be_written_is_told_in_a_line(arguments):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "heltig", "rules", *arguments]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 7
    assert ran.stderr.count("\n") == 1
    assert "standard output cannot be written" in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's >&- is needed")
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("rules", 0, ""),
        ("check .", 7, "heltig: standard output is closed; name a file with --output.\n"),
    ],
)
def test_a_closed_standard_output_is_no_fault_of_ours(tmp_path, arguments, code, told):
    command = f"exec {sys.executable} -m heltig {arguments} >&-"
    ran = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (code, told)
