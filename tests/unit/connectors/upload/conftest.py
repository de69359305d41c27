from collections.abc import Callable
from pathlib import Path

import pytest
from unit.connectors.upload.made import Judged, judged

from connectors.upload import Limits

Judge = Callable[..., Judged]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def judge(tmp_path: Path, scratch: Path) -> Judge:
    """Judges the bytes of one file, `study.zip` if no other name is given, or what lies at a path."""

    def run(
        what: bytes | Path, *, name: str = "study.zip", limits: Limits | None = None, deep: bool = False
    ) -> Judged:
        if isinstance(what, bytes):
            path = tmp_path / name
            path.write_bytes(what)
        else:
            path = what
        (result,) = judged(path, scratch=scratch, limits=limits, deep=deep)
        return result

    return run
