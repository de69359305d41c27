"""Cases from their order to their end, and everything that ends them otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from imaging.cases import Case, by, program
from imaging.phantom import Box, Phantom, series
from imaging.segmentations import altered, masks_of, nifti_with_table, seg
from pydicom.dataset import Dataset

from heltig.errors import ConfigurationError, ConflictError, StorageError, UsageError
from heltig.imaging.case.folder import UnfinishedFolder
from heltig.imaging.order import Order, SegmenterOrder, decoded, encoded

BODY = Phantom.of(
    (40, 30, 20),
    (2.0, 2.0, 5.0),
    [Box("liver", (3, 4, 2), (20, 20, 18), 60), Box("spleen", (26, 4, 3), (36, 14, 15), 50)],
)
LAST = "files.json"
STAGES = ["selecting", "converting", "segmenting", "measuring", "rendering", "done"]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def masked(case: Case, body: Phantom = BODY) -> SegmenterOrder:
    return by("byo-nifti", path=nifti_with_table(case.folder / "masks" / "labels.nii", body))


def test_the_program_goes_through_its_stages(case: Case) -> None:
    order = case.put(BODY).order(masked(case))
    ran = program(order)
    assert (ran.exit_code, ran.errors) == (0, "")
    assert [one["state"] for one in ran.told] == STAGES
    assert ran.told[-1]["series"] == BODY.volume().series_instance_uid
    assert len(ran.told[-1]["fingerprint"]) == 64
    assert case.files == {"masks", "output"}
    assert case.json("resultados.json")["liver_vol_cm3"] == pytest.approx(BODY.volume_cm3("liver"))


def test_an_order_is_the_same_as_json(case: Case) -> None:
    order = case.order(by("replay", path="x"), policy=Path("site.toml"), height_m=1.75, optional=("aorta",))
    assert decoded(encoded(order)) == order


# -- refused


def refused(case: Case, *segmenters: SegmenterOrder, **asked: Any) -> str:
    case.run(*(segmenters or [masked(case)]), **asked)
    assert case.states[-1] == "refused"
    assert "measuring" not in case.states
    return case.refusal


def test_what_makes_no_volume_is_refused_with_its_code(case: Case) -> None:
    images = series(BODY)
    del images[7]
    case.put(*images, seg(BODY, masks_of(BODY)))
    assert refused(case) == "GEOMETRY_MISSING_SLICE"
    assert [path.name for path in case.output.iterdir()] == ["selection.json"]
    reasons = [entry["reasons"][0]["code"] for entry in case.json("selection.json")["entries"]]
    assert sorted(reasons) == ["GEOMETRY_MISSING_SLICE", "NO_SLICE"]


def test_several_reasons_are_no_single_one(case: Case) -> None:
    images = series(BODY)
    del images[7]
    case.put(*images)
    case.put(Phantom.of((40, 30, 5), (2.0, 2.0, 5.0), []), name="short")
    for path in case.objects.iterdir():
        path.write_bytes(altered(path.read_bytes(), lambda ds: setattr(ds, "StudyInstanceUID", "1.2.3")))
    assert refused(case) == "NO_SERIES"
    assert case.told[-1].observed == "GEOMETRY_MISSING_SLICE 1, SLICES_TOO_FEW 1"


def test_identified_objects_are_refused_unless_that_is_allowed(case: Case) -> None:
    images = series(BODY)
    del images[3].PatientIdentityRemoved
    case.put(*images)
    masks = masked(case)
    assert refused(case, masks) == "IDENTIFIED"
    assert case.told[-1].observed == "1 of 20 objects"
    assert not case.output.exists()
    named = Case(case.folder / "named").put(BODY, PatientIdentityRemoved="NO")
    assert refused(named, masks) == "IDENTIFIED"
    assert named.run(masks, allow_identified=True).states == STAGES


@pytest.mark.parametrize("kept", [b"junk", b""])
def test_a_study_has_to_be_one(kept: bytes, case: Case) -> None:
    case.put(BODY).put(kept).put(Phantom.of((40, 30, 20), (2.0, 2.0, 5.0), []), name="other")
    assert refused(case) == "STUDIES_MIXED"
    assert not case.output.exists()


def test_a_series_may_be_asked_for(case: Case) -> None:
    case.put(BODY)
    masks = masked(case)
    assert refused(case, masks, series="1.2.3") == "SERIES_NOT_FOUND"
    asked = case.run(masks, series=BODY.volume().series_instance_uid)
    assert asked.states == STAGES


def test_without_a_segmenter_that_can_run_nothing_is_measured(case: Case) -> None:
    case.put(BODY)
    absent = by("byo-nifti", path=case.folder / "nowhere.nii")
    assert refused(case, absent, by("byo-dicom-seg"), by("replay", path=case.folder)) == "NO_SEGMENTER"
    assert case.told[-1].observed == "byo-nifti: no_input, byo-dicom-seg: no_input, replay: no_input"
    case.again().run()
    assert (case.refusal, case.told[-1].observed) == ("NO_SEGMENTER", "")


def test_masks_that_cannot_be_used_are_refused(case: Case) -> None:
    path = nifti_with_table(case.folder / "masks" / "labels.nii", BODY)
    path.write_bytes(path.read_bytes()[:1000])
    assert refused(case.put(BODY), by("byo-nifti", path=path)) == "MASKS_UNREADABLE"


def test_nothing_but_other_files(case: Case) -> None:
    case.put(b"", b"no DICOM", bytes(200))
    assert refused(case) == "NO_IMAGES"


# -- which masks


def test_segmentations_of_the_study_are_taken_but_not_our_own(case: Case) -> None:
    def ours(ds: Dataset) -> None:
        ds.Manufacturer = "Heltig"

    own = altered(seg(BODY, {"liver": ~BODY.mask("liver")}), ours)
    case.put(BODY, own)
    assert refused(case, by("byo-dicom-seg")) == "NO_SEGMENTER"
    case.again().put(seg(BODY, masks_of(BODY)))
    assert case.run(by("byo-dicom-seg")).states == STAGES
    found = case.json("resultados.json")
    assert found["liver_vol_cm3"] == pytest.approx(BODY.volume_cm3("liver"))
    assert found["spleen_vol_cm3"] == pytest.approx(BODY.volume_cm3("spleen"))


# -- orders that make no sense


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"objects": Path("nowhere")}, UsageError),
        ({"optional": ("horoscope",)}, UsageError),
        ({"policy": Path("nowhere.toml")}, ConfigurationError),
        ({"segmenters": (by("oracle"),)}, UsageError),
        ({"segmenters": (by("replay"),)}, UsageError),
        ({"segmenters": (by("replay", path="x", colour="red"),)}, UsageError),
        ({"output": Path("/proc/heltig")}, StorageError),
    ],
)
def test_an_order_that_makes_no_sense_fails(asked: dict[str, Any], error: type, case: Case) -> None:
    case.put(BODY)
    told = case.order(masked(case))
    with pytest.raises(error):
        case.run(*asked.pop("segmenters", told.segmenters), **asked)
    assert case.files == {"masks"}


@pytest.mark.parametrize("text", [b"", b"[]", b'{"analysisId": "a"}', b'{"objects": 7}', b"\xff\xfe"])
def test_no_order_at_all(text: bytes) -> None:
    with pytest.raises(UsageError):
        decoded(text)


def test_a_full_output_folder_is_left_alone(case: Case) -> None:
    case.put(BODY).output.mkdir()
    (case.output / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        case.run(masked(case))
    assert [path.name for path in case.output.iterdir()] == ["mine.txt"]


def test_the_program_says_what_failed_and_names_no_patient(case: Case) -> None:
    case.put(BODY, PatientName="Very^Secret", PatientID="SECRET-7", SeriesDescription="secret knee")
    order = case.order(masked(case), optional=("secret",), objects=case.folder / "nowhere")
    ran = program(order)
    assert ran.exit_code == 2
    assert "UsageError" in ran.errors
    (case.objects / "0000.dcm").chmod(0)
    wrong = case.order(masked(case))
    if os.geteuid():  # root reads whatever it likes
        ran = program(wrong)
        assert (ran.exit_code, "Permission denied" in ran.errors) == (1, True)
    assert "Secret" not in ran.errors


# -- hostile folders


def test_links_lead_nowhere_and_junk_is_left_aside(case: Case) -> None:
    elsewhere = Case(case.folder / "elsewhere").put(Phantom.of((40, 30, 20), (2.0, 2.0, 5.0), []), name="x")
    case.put(BODY)
    (case.objects / "file").symlink_to(elsewhere.objects / "0000.dcm")
    (case.objects / "folder").symlink_to(elsewhere.objects)
    (case.objects / "loop").symlink_to(case.objects)
    os.mkfifo(case.objects / "pipe")
    deep = case.objects / "a" / "b"
    deep.mkdir(parents=True)
    for number in range(10_000):
        (deep / f"{number}.txt").write_bytes(b"junk")
    assert case.run(masked(case)).states == STAGES


def test_a_folder_of_objects_is_only_read(case: Case) -> None:
    case.put(BODY)
    before = {path: path.read_bytes() for path in case.objects.iterdir()}
    case.run(masked(case))
    assert {path: path.read_bytes() for path in case.objects.iterdir()} == before


# -- the end of a process


def killed(order: Order, number: signal.Signals, *, at: str) -> int:
    """Run a case as its own process and send it a signal once it has told a stage."""
    process = subprocess.Popen(
        [sys.executable, "-m", "heltig.imaging.case"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(encoded(order))
        process.stdin.close()
        for line in process.stdout:
            if f'"{at}"'.encode() in line:
                process.send_signal(number)
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_case_leaves_nothing_that_looks_finished(number: signal.Signals, case: Case) -> None:
    os.mkfifo(case.folder / "policy")  # nobody writes it: the case waits there
    masks = masked(case.put(BODY))
    code = killed(case.order(masks, policy=case.folder / "policy"), number, at="selecting")
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    left = {".output.unfinished"} if number == signal.SIGKILL else set()
    assert case.files == {"masks", "policy", *left}
    assert case.run(masks).states == STAGES
    assert case.files == {"masks", "policy", "output"}


def test_killed_while_it_writes(case: Case) -> None:
    masks = masked(case.put(BODY))
    code = killed(case.order(masks), signal.SIGKILL, at="rendering")
    if case.output.exists():  # it was as quick as the signal
        assert (case.output / LAST).exists()
    else:
        assert code == -signal.SIGKILL
        assert case.run(masks).states == STAGES
    assert case.files == {"masks", "output"}


def test_two_cases_do_not_share_an_output_folder(case: Case) -> None:
    case.put(BODY)
    with UnfinishedFolder(case.output), pytest.raises(ConflictError):
        case.run(masked(case))
    assert case.run(masked(case)).states == STAGES


def test_an_empty_output_folder_may_be_there(case: Case) -> None:
    case.put(BODY).output.mkdir()
    assert case.run(masked(case)).states == STAGES
