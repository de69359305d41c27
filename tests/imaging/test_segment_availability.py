"""What is told of segmenters without starting any of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from heltig.imaging.segment.options import SEGMENTERS


def told(orders: Any, **environment: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "heltig.imaging.segment.availability"],
        input=json.dumps(orders) if orders else "",
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(Path(__file__).parents[2])}
        | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not ran.stderr
    return {one["id"]: one for one in json.loads(ran.stdout)}


def test_every_backend_with_its_defaults() -> None:
    found = told(None)
    assert set(found) == set(SEGMENTERS)
    assert found["classical"]["condition"] == "ok"
    assert found["totalsegmentator"]["condition"] == "missing_executable"
    assert found["deepbet"]["condition"] == "not_configured"
    assert "needs the option python" in found["deepbet"]["detail"]
    assert found["byo-dicom-seg"]["condition"] == "no_input"


def test_which_weights_are_there(tmp_path: Path) -> None:
    for number in (297, 305):
        (tmp_path / f"Dataset{number}_made").mkdir()
    (tmp_path / "TotalSegmentator").write_text("#!/bin/sh\ntouch started\n")
    (tmp_path / "TotalSegmentator").chmod(0o755)
    options = {"executable": str(tmp_path / "TotalSegmentator"), "weights": str(tmp_path), "fast": "yes"}
    found = told([{"id": "totalsegmentator", "options": options}])["totalsegmentator"]
    assert found["condition"] == "ok"
    assert found["modalities"] == ["CT", "MR"]
    assert found["weights"] == {
        "total": True,
        "tissue_types": False,
        "cerebral_bleed": False,
        "vertebrae_body": True,
        "total_mr": False,
    }
    licensed = told(
        [{"id": "totalsegmentator", "options": options | {"tasks": "tissue_types,total"}}],
        TOTALSEG_LICENSE="aca_NOT_A_LICENCE0",
    )["totalsegmentator"]
    assert licensed["condition"] == "missing_weights"
    assert "aca_" not in json.dumps(licensed)
    assert not list(Path().glob("started"))
