"""The contract of folders: a real program that finds structures, and programs that do not keep to it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imaging.bodies import summary
from imaging.phantom import Box, Phantom, series, write
from imaging.segmentations import masks_of, nifti, seg
from pydicom import dcmread

from heltig.imaging.labels import STRUCTURES
from heltig.imaging.metrics import measure
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.command import Command
from heltig.imaging.segmentation import Segmentation

PHANTOM = Phantom.of(
    (30, 24, 12),
    (1, 1, 2),
    [Box("liver", (2, 2, 1), (15, 15, 10), 60), Box("spleen", (20, 5, 3), (27, 12, 9), 45)],
)

THRESHOLDS = """
import json, os, sys
from pathlib import Path
import nibabel, numpy as np

given, taken = Path(os.environ["IN_DIR"]), Path(os.environ["OUT_DIR"])
task = json.loads((given / "task.json").read_text())
assert task["form"] == 1
image = nibabel.load(given / task["volume"])
values = np.asanyarray(image.dataobj)
assert list(values.shape) == task["shape"]
labels = np.zeros(values.shape, np.uint8)
for number, (low, high) in enumerate(task["settings"]["ranges"].values(), 1):
    labels[(values >= low) & (values <= high)] = number
nibabel.save(nibabel.Nifti1Image(labels, image.affine), taken / "masks.nii.gz")
table = {number: key for number, key in enumerate(task["settings"]["ranges"], 1)}
(taken / "masks.json").write_text(json.dumps(table))
result = {"form": 1, "masks": ["masks.nii.gz"], "tool": "thresholds", "version": "3", "models": ["none"]}
(taken / "result.json").write_text(json.dumps(result))
"""
"""A program as a site might have one: it finds what lies between two values."""

RANGES = {"ranges": {"liver": [50, 70], "spleen": [40, 50]}}


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "program.py"
    path.write_text(text)
    return sys.executable, str(path)


def command(tmp_path: Path, text: str = THRESHOLDS, **more: Any) -> Command:
    return Command(
        **{
            "program": program(tmp_path, text),
            "objects": (),
            "workdir": tmp_path / "work",
            "settings": RANGES,
        }
        | more
    )


def refused(backend: Command, **volume: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refusal:
        backend.segment(PHANTOM.volume(**volume))
    return refusal.value.code, refusal.value.observed


def test_a_program_finds_what_is_there(tmp_path: Path) -> None:
    volume = PHANTOM.volume()
    result = command(tmp_path).segment(volume)
    for key in ("liver", "spleen"):
        assert np.array_equal(result.maps[0].mask(key), PHANTOM.mask(key))
    made = result.provenance
    assert (made.tool, made.exit_code, made.models) == ("command", 0, ("none",))
    assert made.arguments == {"program": "thresholds", "version": "3"}
    assert len(made.inputs) == 2
    assert made.seconds > 0
    direct = measure(Segmentation(volume, [PHANTOM.label_map(STRUCTURES)]))
    assert summary(measure(Segmentation(volume, result.maps))) == summary(direct)


def test_what_it_is_told(tmp_path: Path) -> None:
    backend = command(tmp_path)
    backend.segment(PHANTOM.volume(modality="MR"), wanted={"spleen", "liver"})
    given = tmp_path / "work/command-1/in"
    assert json.loads((given / "task.json").read_text()) == {
        "form": 1,
        "volume": "volume.nii.gz",
        "modality": "MR",
        "unit": "1",
        "shape": [30, 24, 12],
        "spacing": [1.0, 1.0, 2.0],
        "wanted": ["liver", "spleen"],
        "settings": RANGES,
    }
    assert sorted(path.name for path in given.iterdir()) == ["task.json", "volume.nii.gz"]


def test_the_files_of_the_series_only_if_asked_for(tmp_path: Path) -> None:
    other = Phantom.of((20, 20, 3), (1, 1, 1), [])
    objects = [*write(series(PHANTOM), tmp_path / "a"), *write(series(other, name="other"), tmp_path / "b")]
    (tmp_path / "notes.txt").write_text("no DICOM object")
    command(tmp_path, objects=[*objects, tmp_path / "notes.txt"], dicom=True).segment(PHANTOM.volume())
    given = tmp_path / "work/command-1/in"
    assert json.loads((given / "task.json").read_text())["dicom"] == "dicom"
    uids = {dcmread(path).SOPInstanceUID for path in (given / "dicom").iterdir()}
    assert uids == set(PHANTOM.uids())


def test_masks_as_dicom_and_as_folders(tmp_path: Path) -> None:
    """All forms at once; what stands in two of them gets two names, and that is noted."""
    masks = masks_of(PHANTOM)
    (tmp_path / "seg").write_bytes(seg(PHANTOM, {"spleen": masks["spleen"]}))
    for key in ("liver", "spleen"):
        nifti(tmp_path / f"{key}.nii.gz", masks[key].astype(np.uint8), PHANTOM.affine)
    text = """
import json, os, shutil
from pathlib import Path
given, taken = Path(os.environ["IN_DIR"]), Path(os.environ["OUT_DIR"])
source = Path(json.loads((given / "task.json").read_text())["settings"]["source"])
(taken / "one").mkdir()
shutil.copy(source / "liver.nii.gz", taken / "one")
shutil.copy(source / "spleen.nii.gz", taken / "one")
shutil.copy(source / "seg", taken / "seg.dcm")
(taken / "result.json").write_text('{"form": 1, "masks": ["seg.dcm", "one"]}')
"""
    result = command(tmp_path, text, settings={"source": str(tmp_path)}).segment(PHANTOM.volume())
    segmentation = Segmentation(PHANTOM.volume(), result.maps)
    assert {key: segmentation.count(key) for key in masks} == {key: PHANTOM.count(key) for key in masks}
    assert [(note.code, note.observed) for note in result.notes] == [("SAME_STRUCTURE", "spleen_2")]
    assert result.provenance.arguments["program"] == Path(sys.executable).name


def test_what_is_wanted_is_all_there_is(tmp_path: Path) -> None:
    result = command(tmp_path).segment(PHANTOM.volume(), wanted={"spleen"})
    assert [structure.key for structure in result.maps[0].structures.values()] == ["spleen"]


@pytest.mark.parametrize(
    ("text", "code", "observed"),
    [
        ("import sys; print('Mustermann'); sys.exit(3)", "SEGMENTER_FAILED", "exit code 3"),
        ("import time; time.sleep(600)", "SEGMENTER_TIMEOUT", "2 s"),
        ("", "SEGMENTER_FAILED", "no result.json"),
        ("write('Mustermann')", "SEGMENTER_FAILED", "result.json is not of the form that is described"),
        ('write(\'{"form": 2, "masks": ["x"]}\')', "SEGMENTER_FAILED", "another form"),
        ('write(\'{"form": 1, "masks": []}\')', "SEGMENTER_FAILED", "without masks"),
        ('write(\'{"form": 1, "masks": ["x.nii"]}\')', "SEGMENTER_FAILED", "not in OUT_DIR"),
        ('write(\'{"form": 1, "masks": ["../in/volume.nii.gz"]}\')', "SEGMENTER_FAILED", "not in OUT_DIR"),
        ('write(\'{"form": 1, "masks": ["\\\\u0000"]}\')', "SEGMENTER_FAILED", "not in OUT_DIR"),
        ('write(\'{"form": 1, "masks": ["%s"]}\' % ("x" * 5000))', "SEGMENTER_FAILED", "not in OUT_DIR"),
        (
            'write(\'{"form": 1, "masks": ["x.dcm"]}\'); os.mkfifo(os.environ["OUT_DIR"] + "/x.dcm")',
            "SEGMENTER_FAILED",
            "not in OUT_DIR",
        ),
        ('write(\'{"form": 1, "masks": ["result.json"]}\')', "MASKS_LABEL_TABLE", ""),
        ("bytearray(1 << 32)", "SEGMENTER_FAILED", "exit code 1"),
    ],
)
def test_programs_that_do_not_keep_to_it(tmp_path: Path, text: str, code: str, observed: str) -> None:
    head = "import os\ndef write(text): open(os.environ['OUT_DIR'] + '/result.json', 'w').write(text)\n"
    seconds = 2 if "sleep" in text else 60
    found = refused(command(tmp_path, head + text, seconds=seconds, memory_gib=1))
    assert found[0] == code
    assert observed in found[1]
    assert "Mustermann" not in found[1]


def test_what_it_prints_stays_in_its_folder(tmp_path: Path) -> None:
    refused(command(tmp_path, "import sys; print('a name'); sys.exit('another')"))
    assert (tmp_path / "work/command-1/output.txt").read_text() == "a name\n"
    assert (tmp_path / "work/command-1/errors.txt").read_text() == "another\n"


def test_no_secret_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELTIG_SECRET_KEY", "a secret")
    refused(command(tmp_path, "import os; print(*os.environ.items())"))
    printed = (tmp_path / "work/command-1/output.txt").read_text()
    assert "IN_DIR" in printed
    assert "a secret" not in printed


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    backend = command(tmp_path, program=("no-such-program",))
    assert backend.available().condition == "missing_executable"
    assert refused(backend) == ("SEGMENTER_NOT_READY", "missing_executable")
