"""TotalSegmentator: how it is called and read, by a stand-in for it, and by the real one where there is one.

HELTIG_TEST_TOTALSEGMENTATOR names the program of a real installation. Its weights are not needed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imaging.bodies import summary
from imaging.phantom import Box, Phantom

from heltig.imaging.labels import STRUCTURES, TASKS
from heltig.imaging.metrics import measure
from heltig.imaging.refusal import Refused
from heltig.imaging.segment import totalsegmentator
from heltig.imaging.segment.totalsegmentator import TotalSegmentator
from heltig.imaging.segmentation import Segmentation

LICENCE = "aca_NOT_A_LICENCE0"

PHANTOM = Phantom.of(
    (40, 30, 12),
    (1, 1, 2),
    [
        Box("liver", (2, 2, 1), (15, 15, 10), 60),
        Box("spleen", (20, 5, 3), (27, 12, 9), 45),
        Box("vertebrae_L4", (20, 20, 2), (28, 28, 10), 200),
        Box("subcutaneous_fat", (30, 2, 2), (36, 28, 10), -100),
        Box("skeletal_muscle", (28, 2, 2), (30, 28, 10), 50),
    ],
)
ALL_WEIGHTS = (150, 291, 292, 293, 294, 295, 297, 298, 305, 481, 850, 851, 852)


def weights(folder: Path, *numbers: int, how: str = "") -> Path:
    for number in numbers or ALL_WEIGHTS:
        (folder / f"Dataset{number}_made").mkdir(parents=True)
    if how:
        (folder / "Dataset291_made" / "stand-in.json").write_text(json.dumps({"how": how}))
    return folder


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in as a program."""
    program = tmp_path_factory.mktemp("bin") / "StandInForTotalSegmentator"
    source = Path(__file__).with_name("stand_in_totalsegmentator.py").read_text()
    program.write_text(f"#!{sys.executable}\n{source}")
    program.chmod(0o755)
    return program


def backend(stand_in: Path, tmp_path: Path, *numbers: int, how: str = "", **more: Any) -> TotalSegmentator:
    return TotalSegmentator(
        workdir=tmp_path / "work",
        executable=stand_in,
        weights=weights(tmp_path / "weights", *numbers, how=how),
        **more,
    )


def refused(one: TotalSegmentator, **volume: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refusal:
        one.segment(PHANTOM.volume(**volume))
    return refusal.value.code, refusal.value.observed


def reported(tmp_path: Path, task: str) -> list[str]:
    return json.loads((tmp_path / f"work/totalsegmentator-1/{task}/run.json").read_text())["arguments"]


def test_masks_and_provenance(stand_in: Path, tmp_path: Path) -> None:
    volume = PHANTOM.volume()
    result = backend(stand_in, tmp_path, 291, 292, 293, 294, 295).segment(volume)
    for key in ("liver", "spleen", "vertebrae_L4"):
        assert np.array_equal(result.maps[0].mask(key), PHANTOM.mask(key))
    made = result.provenance
    assert (made.tool, made.version, made.device, made.exit_code) == ("totalsegmentator", "2.18.0", "cpu", 0)
    assert made.models == tuple(f"Dataset{number}_made" for number in (291, 292, 293, 294, 295))
    assert made.arguments == {"tasks": "total", "fast": "no", "nnunetv2": "2.6.4", "torch": "2.13.0"}
    assert len(made.inputs) == 1
    assert not made.resampled_from
    assert not result.notes
    direct = measure(Segmentation(volume, [PHANTOM.label_map(STRUCTURES)]))
    through = measure(Segmentation(volume, result.maps))
    organs = ("liver", "spleen", "vertebrae_L4")
    assert {place: one for place, one in summary(through).items() if place[1] in organs} == {
        place: one for place, one in summary(direct).items() if place[1] in organs
    }


def test_the_command_line(stand_in: Path, tmp_path: Path) -> None:
    """Tasks may find the same voxels: they stand on several maps."""
    one = backend(stand_in, tmp_path, tasks=("total", "vertebrae_body"), fast=True)
    assert len(one.segment(PHANTOM.volume()).maps) == 2
    folder = tmp_path / "work/totalsegmentator-1"
    start = ["-i", f"{folder}/in.nii.gz", "-o", f"{folder}/total/seg.nii.gz", "--ml", "-ta", "total"]
    end = ["-d", "cpu", "-nr", "1", "-ns", "1", "--report", f"{folder}/total/run.json"]
    assert reported(tmp_path, "total") == [*start, "--fast", *end]
    assert "--fast" not in reported(tmp_path, "vertebrae_body")


def test_several_tasks(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOTALSEG_LICENSE", LICENCE)
    tasks = ("tissue_types", "vertebrae_body", "cerebral_bleed")
    one = backend(stand_in, tmp_path, tasks=tasks)
    assert one.available().condition == "ok"
    result = one.segment(PHANTOM.volume())
    found = Segmentation(PHANTOM.volume(), result.maps)
    assert found.count("vertebrae_body") == PHANTOM.count("vertebrae_L4")
    assert found.count("subcutaneous_fat") == PHANTOM.count("subcutaneous_fat")
    assert "intracerebral_hemorrhage" in found.structures
    assert found.count("intracerebral_hemorrhage") == 0
    assert not result.notes
    left = [path for path in tmp_path.rglob("*") if path.is_file() and LICENCE.encode() in path.read_bytes()]
    assert not left, "the licence is written nowhere that stays"
    assert LICENCE not in str(result.provenance)


def test_magnetic_resonance_has_its_own_task(stand_in: Path, tmp_path: Path) -> None:
    result = backend(stand_in, tmp_path).segment(PHANTOM.volume(modality="MR"))
    assert result.provenance.arguments["tasks"] == "total_mr"
    assert np.array_equal(result.maps[0].mask("liver"), PHANTOM.mask("liver"))


def test_a_coarser_grid_is_resampled_and_said(stand_in: Path, tmp_path: Path) -> None:
    result = backend(stand_in, tmp_path, how="coarse").segment(PHANTOM.volume())
    assert result.maps[0].labels.shape == PHANTOM.shape
    assert [grid.shape for grid in result.provenance.resampled_from] == [(20, 15, 12)]


def test_labels_that_the_report_does_not_name(stand_in: Path, tmp_path: Path) -> None:
    result = backend(stand_in, tmp_path, how="more labels").segment(PHANTOM.volume())
    assert ("NOT_IN_TABLE", "99") in [tuple(note) for note in result.notes]


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("fail", ("SEGMENTER_FAILED", "exit code 1")),
        ("hang", ("SEGMENTER_TIMEOUT", "3 s")),
        ("no labels", ("SEGMENTER_FAILED", "no file of labels")),
        ("no report", ("SEGMENTER_FAILED", "no report of the run")),
    ],
)
def test_it_fails(stand_in: Path, tmp_path: Path, how: str, found: tuple[str, str]) -> None:
    assert refused(backend(stand_in, tmp_path, how=how, seconds=3 if how == "hang" else 60)) == found


def test_what_is_missing(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOTALSEG_LICENSE", raising=False)
    one = backend(stand_in, tmp_path, 291, 292, 293, 294)
    assert one.available() == ("missing_weights", "There are no weights 295 for total.")
    assert refused(one) == ("SEGMENTER_NOT_READY", "missing_weights")
    assert not (tmp_path / "work").exists(), "nothing was started"
    folder = weights(tmp_path / "more", 481, 150)
    licensed = TotalSegmentator(
        workdir=tmp_path, executable=stand_in, weights=folder, tasks=("tissue_types",)
    )
    assert licensed.available().condition == "missing_licence"
    assert "TOTALSEG_LICENSE" in licensed.available().detail
    cropping = TotalSegmentator(
        workdir=tmp_path, executable=stand_in, weights=folder, tasks=("cerebral_bleed",)
    )
    assert "298" in cropping.available().detail
    nowhere = TotalSegmentator(workdir=tmp_path, executable=tmp_path / "none", weights=folder)
    assert nowhere.available().condition == "missing_executable"
    assert nowhere.version == "unknown"


def test_weights_are_looked_for_where_it_keeps_them(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = TotalSegmentator(workdir=tmp_path, executable=stand_in, fast=True)
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
    monkeypatch.setenv("TOTALSEG_HOME_DIR", str(tmp_path / "home"))
    assert one.available().condition == "missing_weights"
    weights(tmp_path / "home/nnunet/results", 297)
    assert one.available().condition == "ok"
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path / "nothing"))
    assert one.available().condition == "missing_weights"


def test_tasks_of_another_modality(stand_in: Path, tmp_path: Path) -> None:
    one = backend(stand_in, tmp_path, tasks=("total_mr",))
    assert one.capabilities().modalities == {"MR"}
    assert refused(one) == ("SEGMENTER_MODALITY", "CT")


def test_the_version_is_read_from_its_environment(tmp_path: Path) -> None:
    program = tmp_path / "bin/TotalSegmentator"
    (tmp_path / "lib/python3.11/site-packages/TotalSegmentator-2.18.0.dist-info").mkdir(parents=True)
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert TotalSegmentator(workdir=tmp_path, executable=program).version == "2.18.0"


# -- the real one


@pytest.fixture(scope="module")
def real() -> Path:
    named = os.environ.get("HELTIG_TEST_TOTALSEGMENTATOR")
    if not named:
        pytest.skip(
            "HELTIG_TEST_TOTALSEGMENTATOR names no installed TotalSegmentator (gigabytes, not for CI)"
        )
    return Path(named)


def test_the_real_one_takes_our_options(real: Path, tmp_path: Path) -> None:
    told = subprocess.run([real, "--help"], capture_output=True, text=True, check=True).stdout
    one = TotalSegmentator(workdir=tmp_path, tasks=("total",), fast=True)
    options = [word for word in one._arguments("total", tmp_path) if word.startswith("-")]
    assert len(options) == 9
    for option in options:
        assert f"{option} " in told or f"{option}," in told, option


def test_the_real_one_has_our_tasks(real: Path) -> None:
    ran = subprocess.run([real.with_name("totalseg_info"), "--json"], capture_output=True, check=True)
    tasks = json.loads(ran.stdout)["tasks"]
    for name, task in totalsegmentator._TASKS.items():
        assert (tasks[name]["modality"], tasks[name]["license_required"]) == (task.modality, task.licensed)
    for name, table in TASKS.items():
        assert {label: tasks[name]["classes"][str(label)] for label in table} == dict(table)


def test_the_real_one_needs_the_weights_we_look_for(real: Path) -> None:
    show = """
import json
from totalsegmentator.map_tasks_config import TASK_CONFIGS, TASK_ID_WEIGHTS_CONFIGS
names = {str(key): value["foldername"] for key, value in TASK_ID_WEIGHTS_CONFIGS.items()}
print(json.dumps([TASK_CONFIGS, names]))
"""
    ran = subprocess.run([real.with_name("python"), "-c", show], capture_output=True, check=True)
    configurations, folders = json.loads(ran.stdout)
    for name, task in totalsegmentator._TASKS.items():
        modes = configurations[name].get("sub_modes", {"default": configurations[name]})
        for mode, numbers in (("default", task.models), ("fast", task.fast_models)):
            if numbers is None:
                assert configurations[name]["disallow_fast"]
                continue
            ids = modes[mode]["task_id"]
            ids = ids if isinstance(ids, list) else [ids]
            cropping = [298] if "crop" in modes[mode] else []
            assert (*ids, *cropping) == numbers
            assert all(folders[str(number)].startswith(f"Dataset{number}_") for number in numbers)


def test_the_real_one_is_recognised(real: Path, tmp_path: Path) -> None:
    one = TotalSegmentator(workdir=tmp_path, executable=real, weights=tmp_path)
    assert one.version.startswith("2.")
    assert one.available().condition == "missing_weights"
