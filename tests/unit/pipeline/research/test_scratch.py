"""Folders of runs: gone at their end, and taken away by the next run where theirs was killed."""

import os
from pathlib import Path

import pytest

from heltig.pipeline.research.scratch import scratch

LONG_AGO = (1_000_000_000, 1_000_000_000)


def test_it_goes_at_the_end(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        assert folder.parent == tmp_path
        (folder / "object.dcm").touch()
    with pytest.raises(ValueError, match="broke"), scratch(tmp_path):
        raise ValueError("broke")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next_one(tmp_path: Path) -> None:
    left, linked, young = (tmp_path / f".heltig-unfinished-{name}" for name in ("left", "linked", "young"))
    home = tmp_path / ".heltig-home"
    home.mkdir()
    os.utime(home, LONG_AGO)
    (left / "objects").mkdir(parents=True)
    (left / "objects/1.dcm").touch()
    young.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    linked.symlink_to(elsewhere)
    os.utime(left, LONG_AGO)
    os.utime(elsewhere, LONG_AGO)
    os.utime(linked, LONG_AGO, follow_symlinks=False)
    with scratch(tmp_path) as at_work:
        os.utime(at_work, LONG_AGO)  # a run of an hour
        with scratch(tmp_path):
            assert at_work.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {young.name, linked.name, "elsewhere", home.name}
