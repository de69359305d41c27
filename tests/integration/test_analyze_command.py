"""`heltig analyze` as people run it, with the real program of a case."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from imaging.phantom import Box, Phantom, encode, series
from unit.api.service import running

from heltig.cli import heltig
from heltig.errors import HeltigError
from heltig.jobs.queue import utc_now

USE = {"HELTIG_ANALYSIS_USE": "research-only"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small body in CT, as a ZIP."""
    phantom = Phantom.of((80, 80, 24), (3.0, 3.0, 5.0), [Box("body", (10, 10, 2), (70, 70, 22), 40)])
    path = tmp_path_factory.mktemp("package") / "study.zip"
    with zipfile.ZipFile(path, "w") as made:
        for number, one in enumerate(series(phantom, name="command")):
            made.writestr(f"{number}.dcm", encode(one))
    return path


def ran(*arguments: str | Path, **environ: str) -> Result:
    return CliRunner().invoke(heltig, ["analyze", *map(str, arguments)], env={**USE, **environ})


def code_of(result: Result) -> int:
    if isinstance(result.exception, HeltigError):
        return result.exception.exit_code
    return result.exit_code


def test_files_are_analysed_into_a_folder(package: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    result = ran(package, "--output", output, HELTIG_HOME=str(tmp_path / "home"))
    assert result.exit_code == 0, result.output
    states = [line.split()[0] for line in result.stderr.splitlines()[1:]]
    assert states == ["selecting", "converting", "segmenting", "measuring", "rendering", "done"]
    assert result.stderr.startswith("Research use only.")
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("body ")]
    assert [rows[0][1], rows[0][3]] == ["volume", "cm3"]
    # 60 x 60 x 20 voxels of 45 mm3, whose corners the classical segmentation rounds off
    assert float(rows[0][2].replace(",", "")) == pytest.approx(3240, rel=1e-3)
    told = json.loads((output / "analysis.json").read_bytes())
    assert (told["verdict"], told["override"]) == ("READY", None)
    assert not (tmp_path / "home").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    again = ran(package, "--output", output)
    assert code_of(again) == 2


@pytest.mark.parametrize("interrupts", [signal.SIG_DFL, signal.SIG_IGN])
def test_one_that_has_to_end_leaves_nothing(
    package: Path, tmp_path: Path, interrupts: signal.Handlers
) -> None:
    """Its folders have the images of a patient. In the background of a script interrupts are ignored."""
    started, program = tmp_path / "started", tmp_path / "program.py"
    program.write_text(f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(600)")
    order = ("--output", tmp_path / "results", "--segmenter", f"command,program={sys.executable} {program}")
    running = subprocess.Popen(
        [sys.executable, "-c", "from heltig.cli import main; main()", "analyze", package, *order],
        env={**os.environ, **USE},
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, interrupts),
    )
    try:
        while not started.exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.terminate()
        assert running.wait(60) == 130
    finally:
        running.kill()
        running.communicate()
    assert set(tmp_path.iterdir()) == {started, program}


def test_what_a_program_printed_can_be_kept(package: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys; print('out'); sys.exit('no weights')")
    order = (
        "--segmenter",
        f"command,program={sys.executable} {program}",
        "--keep-printed",
        tmp_path / "kept",
    )
    result = ran(package, "--output", tmp_path / "results", *order)
    assert result.exit_code == 3
    assert "SEGMENTER_FAILED" in result.stdout
    kept = {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()}
    run = "segmenter-0-command-1"
    assert kept == {f"{run}-output.txt": "out\n", f"{run}-errors.txt": "no weights\n"}


@pytest.mark.parametrize(
    ("segmenter", "expected"),
    [
        ("nope", "Segmenter 'nope' is not known"),
        ("totalsegmentator,tasks=bogus", "option tasks names one or several of"),
        ("byo-nifti", "needs the option path"),
    ],
)
def test_segmenters_that_cannot_be_are_told_at_once(
    package: Path, tmp_path: Path, segmenter: str, expected: str
) -> None:
    result = ran(package, "--output", tmp_path / "results", "--segmenter", segmenter)
    assert code_of(result) == 2
    assert expected in str(result.exception)


def test_a_refusal_has_its_code(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    result = ran(package, "--output", "../results", "--modality", "MR", "--format", "json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["state"], told["code"]) == ("refused", "MODALITY_NOT_WANTED")
    assert (tmp_path / "results/selection.json").is_file()


def test_what_is_not_ready_needs_a_reason(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as members, zipfile.ZipFile(tmp_path / "twice.zip", "w") as made:
        for name in members.namelist():
            content = members.read(name)
            made.writestr(name, content.replace(b"20260102", b"20269902"))
    refused = ran(tmp_path / "twice.zip", "--output", tmp_path / "results")
    assert code_of(refused) == 5
    plan = tmp_path / "plan.toml"
    plan.write_text('phase_python = "/away/bin/python"\n[segmenters.classical]\n')
    wanted = ("--output", tmp_path / "results", "--override", "a phantom")
    done = ran(tmp_path / "twice.zip", *wanted, HELTIG_ANALYSIS_PLAN=str(plan))
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "results/analysis.json").read_bytes())
    assert told["override"] == "a phantom"
    providers = [one["provider"] for one in told["phase"]["readings"]]
    assert providers == ["phase_metadata/1", "phase_hu/1", "phase_totalsegmentator/1"]


def test_it_has_to_be_acknowledged(package: Path, tmp_path: Path) -> None:
    result = ran(package, "--output", tmp_path / "results", HELTIG_ANALYSIS_USE="")
    assert code_of(result) == 2
    assert "HELTIG_ANALYSIS_USE=research-only" in str(result.exception)
    unknown = ran("1.2.3", HELTIG_ANALYSIS_ENABLED="true", HELTIG_HOME=str(tmp_path / "home"))
    assert code_of(unknown) == 4
    without_folder = ran(package)
    assert code_of(without_folder) == 2
    assert "--output FOLDER" in str(without_folder.exception)


def test_a_study_is_asked_for_where_a_folder_has_its_uid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.2.3").mkdir()
    monkeypatch.chdir(tmp_path)
    for study in ("1.2.3", "s" * 300):
        unknown = ran(study, HELTIG_ANALYSIS_ENABLED="true", HELTIG_HOME=str(tmp_path / "home"))
        assert code_of(unknown) == 4, study


def test_a_study_that_the_service_knows(package: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    switched_on = {"analysis_enabled": True, "analysis_use": "research-only"}

    content = package.read_bytes()

    async def upload() -> str:
        async with running(home, clock=utc_now, **switched_on) as service:
            sent = await service.post(
                "/api/v1/jobs/upload",
                content=content,
                headers={"Content-Type": "application/zip"},
            )
            [study] = sent.json()["studies"]
            assert study["study"]["readiness"] == "READY"
            key: str = study["study"]["key"]
            return key

    study = asyncio.run(upload())
    site = {"HELTIG_HOME": str(home), "HELTIG_ANALYSIS_ENABLED": "true", "HELTIG_ALERT_DISK": "1"}
    result = ran(study, "--format", "json", **site)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["state"], told["folder"]) == ("done", str(home / "research" / told["analysis"]))
    assert (home / "research" / told["analysis"] / "dicom/sr.dcm").is_file()
    queued = ran(study, "--no-wait", "--target", "any", **site)
    assert queued.exit_code == 0, queued.output
