"""TotalSegmentator's phase classifier: when it is asked, what is made of its answer, and the real one.

HELTIG_TEST_PHASE_PYTHON names the python of an environment with TotalSegmentator's wheel, xgboost and
scikit-learn. A whole TotalSegmentator there is compared with, too.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from imaging.bodies import boxes, segmentation
from imaging.phantom import Phantom

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics import measure
from heltig.imaging.segment.phase_classifier import NECK, TRUNK, PhaseClassifier

KEYS = (
    "aorta",
    "liver",
    "inferior_vena_cava",
    "heart",
    "portal_vein_and_splenic_vein",
    "iliac_vena_left",
    "spleen",
)
SETS = {
    "native": dict(zip(KEYS, (40, 55, 40, 40, 40, 40, 50), strict=True)),
    "arterial": dict(zip(KEYS, (350, 65, 80, 250, 80, 70, 110), strict=True)),
    "portal_venous": dict(zip(KEYS, (150, 110, 140, 150, 170, 130, 120), strict=True)),
}


def body(**values: float) -> Phantom:
    """A box of each structure."""
    return boxes(
        (12 * len(values) + 4, 14, 12),
        (1, 1, 1),
        **{
            key: ((12 * n + 2, 2, 2), (12 * n + 12, 12, 10), value)
            for n, (key, value) in enumerate(values.items())
        },
    )


def environment(folder: Path, *distributions: str, seconds: str = "") -> Path:
    """A python that stands in for the one of the classifier's environment, and answers what it is told to."""
    python = folder / "bin/python"
    python.parent.mkdir(parents=True)
    answer = (
        f"import json, sys; open({str(folder / 'asked')!r}, 'a').write(sys.stdin.read() + '\\n'); {seconds}"
    )
    python.write_text(f"#!{sys.executable}\n{answer}\n")
    python.chmod(0o755)
    for name in distributions:
        (folder / f"lib/python3.11/site-packages/{name}.dist-info").mkdir(parents=True)
    return python


def reading(python: Path, tmp_path: Path, phantom: Phantom, **technique: Any) -> tuple[str, tuple[str, ...]]:
    inventory = Inventory(segmentation(phantom, **technique))
    found = PhaseClassifier(python=python, workdir=tmp_path / "work").reading(inventory)
    assert found.provider == "phase_totalsegmentator/1"
    return found.phase, found.evidence


@pytest.mark.parametrize(
    ("seconds", "phase"),
    [
        ([2, 4], "native"),
        ([9.9, 9.9], "native"),
        ([10, 10], "arterial"),
        ([20, 90], "arterial"),
        ([60, 60], "portal_venous"),
        ([150, 130], "portal_venous"),
    ],
)
def test_seconds_become_a_phase(tmp_path: Path, seconds: list[float], phase: str) -> None:
    python = environment(tmp_path, seconds=f"print({seconds})")
    found, evidence = reading(python, tmp_path, body(**SETS["native"]))
    assert found == phase
    assert evidence[1:3] == (f"min {min(seconds):g} s", f"max {max(seconds):g} s")


def test_it_is_given_medians_in_its_order(tmp_path: Path) -> None:
    python = environment(tmp_path, seconds="print([5])")
    reading(python, tmp_path, body(**SETS["arterial"]))
    asked = json.loads((tmp_path / "asked").read_text())
    given = dict(zip((*TRUNK, *NECK), asked, strict=True))
    assert {key: value for key, value in given.items() if value} == {
        key: value for key, value in SETS["arterial"].items() if key in TRUNK
    }


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "no aorta"),
        ({"liver": 55, "heart": 40, "inferior_vena_cava": 40}, "no aorta"),
        ({"aorta": 40, "liver": 55, "heart": 40}, "2 of 3 other structures"),
        (
            {"aorta": 40, "liver": 55, "iliac_vena_left": 40, "iliac_vena_right": 41},
            "2 of 3 other structures",
        ),
        ({**SETS["native"], "brain": 30}, "a brain without vessels of the neck"),
    ],
)
def test_it_is_not_asked_where_there_is_too_little(
    tmp_path: Path, values: dict[str, float], why: str
) -> None:
    """With no structure at all it would answer: native, for sure."""
    python = environment(tmp_path, seconds="print([1])")
    phantom = body(**values) if values else Phantom.of((20, 20, 20), (1, 1, 1), [])
    assert reading(python, tmp_path, phantom) == ("unknown", (why,))
    assert not (tmp_path / "asked").exists()


def test_vessels_of_the_neck_belong_to_a_brain(tmp_path: Path) -> None:
    python = environment(tmp_path, seconds="print([25])")
    values = {**SETS["arterial"], "brain": 40, **{key: 300 + n for n, key in enumerate(NECK)}}
    assert reading(python, tmp_path, body(**values))[0] == "arterial"
    assert json.loads((tmp_path / "asked").read_text())[-4:] == [300, 301, 302, 303]


@pytest.mark.parametrize("seconds", ["sys.exit(1)", "print('[]')", "print('no numbers')", "print('[NaN]')"])
def test_it_fails_alone(tmp_path: Path, seconds: str) -> None:
    python = environment(tmp_path, seconds=seconds)
    assert reading(python, tmp_path, body(**SETS["native"])) == ("unknown", ("SEGMENTER_FAILED",))


def test_contradicting_providers_are_all_recorded(tmp_path: Path) -> None:
    """Values say portal venous; a classifier that says native makes the phase unknown."""
    python = environment(tmp_path, seconds="print([3, 4, 5])")
    classifier = PhaseClassifier(python=python, workdir=tmp_path / "work")
    seen = segmentation(body(**SETS["portal_venous"]), series_description="Abdomen portal")
    phase = measure(seen, phase_providers=[classifier.reading]).phase
    assert (phase.phase, phase.disagree) == ("unknown", True)
    assert [one.phase for one in phase.readings] == ["portal_venous", "portal_venous", "native"]


def test_what_is_missing(tmp_path: Path) -> None:
    python = environment(tmp_path / "a", "totalsegmentator-2.18.0", "xgboost_cpu-3.0.5")
    one = PhaseClassifier(python=python, workdir=tmp_path)
    assert one.available() == ("missing_executable", "Its environment has no scikit_learn.")
    assert one.version == "phase_totalsegmentator/1 2.18.0"


# -- the real one


@pytest.fixture(scope="module")
def real() -> Path:
    named = os.environ.get("HELTIG_TEST_PHASE_PYTHON")
    if not named:
        pytest.skip(
            "HELTIG_TEST_PHASE_PYTHON names no python with TotalSegmentator's wheel (too much for CI)"
        )
    return Path(named)


@pytest.mark.parametrize("phase", SETS)
def test_the_real_one_answers_as_its_own_program(real: Path, tmp_path: Path, phase: str) -> None:
    assert PhaseClassifier(python=real, workdir=tmp_path).available().condition == "ok"
    phantom = body(**SETS[phase])
    found, evidence = reading(real, tmp_path, phantom)
    assert found == phase
    assert len(evidence) == 4
    program = real.with_name("totalseg_get_phase")
    if not list(real.parent.parent.glob("lib/python3*/site-packages/torch")):
        return
    nibabel.save(nibabel.Nifti1Image(phantom.voxels, phantom.affine), tmp_path / "in.nii.gz")
    values = {key: {"volume": 0.0, "intensity": float(SETS[phase].get(key, 0))} for key in TRUNK}
    (tmp_path / "statistics.json").write_text(json.dumps(values))
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.json").write_text(
        json.dumps({"totalseg_id": "totalseg_00000000", "send_usage_stats": False})
    )
    command = [program, "-i", tmp_path / "in.nii.gz", "-o", tmp_path / "out.json"]
    subprocess.run(
        [*command, "-s", tmp_path / "statistics.json", "-q", "-d", "cpu"],
        env={**os.environ, "TOTALSEG_HOME_DIR": str(home)},
        check=True,
        capture_output=True,
    )
    told = json.loads((tmp_path / "out.json").read_text())
    numbers = [float(text.split()[1]) for text in evidence]
    expected = [told["pi_time"], told["pi_time_min"], told["pi_time_max"], told["stddev"]]
    assert np.allclose(numbers, expected, atol=0.02, rtol=1e-3)
