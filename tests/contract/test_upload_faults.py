"""Every defect of packages that the fault injector makes is found, and its controls have none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.connectors.upload.made import Judged, judged

TOOLS = Path(os.environ.get("HELTIG_TEST_TOOLS") or Path(__file__).parents[2].parent / "shared/tools")
BASE = "gh_FNNDSC__SAG-anon"

EXPECTED = {
    "zip_slip": {"traversal": 2},
    "zip_absolute_path": {"absolute-path": 1},
    "zip_symlink": {"special-member": 1},
    "zip_nested": {"inner-package": 1},
    "zip_bomb": {"bomb": 1},
    "zip_many_entries": {"empty-member": 20_000},
    "zip_encrypted_member": {"encrypted": 1},
    "zip_bad_crc": {"checksum": 1},
    "zip_truncated": {"damaged-package": 1},
    "zip_duplicate_names": {"duplicate-name": 1},
    "zip_case_collision": {"case-collision": 1},
    "zip_bad_name": {"bad-name": 1, "empty-member": 1},
    "zip_unsupported_method": {"compression": 1},
    "zip_non_dicom_members": {"system-file": 2},
    "zip_dicomdir": {"dicomdir": 1, "dicomdir-unlisted": 5},
}

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def injected(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = TOOLS / "fault_inject.py"
    if not script.is_file():
        pytest.skip("the fault injector is not here; name its folder in HELTIG_TEST_TOOLS")
    out = tmp_path_factory.mktemp("injected") / "out"
    command = [sys.executable, script, "run", "--in", corpus / BASE, "--out", out, "--seed", "7", "--zip"]
    options = ["--only", ",".join(EXPECTED), "--max-files", "8", "--bomb-mb", "20"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return out


def deeply(package: Path, scratch: Path) -> Judged:
    (result,) = judged(package, scratch=scratch, deep=True)
    return result


@pytest.mark.parametrize("control", ["00_control", "00_control_rewrite", "00_control_deid"])
def test_controls_have_nothing(injected: Path, tmp_path: Path, control: str) -> None:
    result = deeply(injected / control / "upload.zip", tmp_path)
    assert result.facts == ()
    assert result.report.instances == 8


@pytest.mark.parametrize("defect", EXPECTED)
def test_each_defect_is_found_and_the_other_members_are_read(
    injected: Path, tmp_path: Path, defect: str
) -> None:
    assert json.loads((injected / defect / "label.json").read_text())["applicable"]
    result = deeply(injected / defect / "upload.zip", tmp_path)
    kinds = [fact.kind for fact in result.facts]
    assert {kind: kinds.count(kind) for kind in kinds} == EXPECTED[defect]
    if defect != "zip_truncated":
        assert result.report.instances >= 7
