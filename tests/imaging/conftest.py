"""Tests of the imaging part are skipped as a whole where its extra is not installed."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

_MISSING = [name for name in ("numpy", "scipy", "nibabel", "highdicom") if find_spec(name) is None]


class _Skipped(pytest.Module):
    """A module that is not imported, since it could not be."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        pytest.skip(f"needs the extra heltig[imaging]: {', '.join(_MISSING)}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return _Skipped.from_parent(parent, path=module_path) if _MISSING else None
