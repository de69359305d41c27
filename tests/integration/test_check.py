"""`heltig check` as its users run it, on real files on disk: as a process of its own where that matters."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile

import pytest
from integration.commands import run
from synthetic import synthetic_studies

from heltig.demo.samples import part10_files
from heltig.reports import FORMATS

STUDIES = synthetic_studies()


def check(*arguments):
    return run("check", *arguments)


def check_apart(*arguments, hash_seed="0", cwd=None, stdout=subprocess.PIPE):
    """Runs the command in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", "heltig", "check", *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=cwd,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The synthetic studies as files, a folder each."""
    root = tmp_path_factory.mktemp("studies")
    for name, study in STUDIES.items():
        for place, content in part10_files(study):
            path = root / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


@pytest.fixture(scope="module")
def clean(folder):
    return folder / "ct-chest"


@pytest.fixture(scope="module")
def blocked(folder):
    return folder / next(
        s.name for s in STUDIES.values() if s.expectation == "BLOCKED" and "UID" in str(s.rules)
    )


def test_exit_codes_say_the_worst_verdict(folder, clean, blocked, tmp_path):
    (tmp_path / "note.txt").write_text("not DICOM")
    (tmp_path / "IM1.dcm").write_text("not DICOM")
    assert check(clean).returncode == 0
    assert check_apart(clean, blocked).returncode == 20
    assert check(clean, tmp_path / "note.txt").returncode == 0
    assert check(clean, tmp_path / "IM1.dcm").returncode == 10
    assert check(clean, tmp_path / "absent").returncode == 10
    assert check(tmp_path / "note.txt").returncode == 3
    assert check(tmp_path / "absent").returncode == 3
    assert check().returncode == 2
    assert check(clean, "--format", "pdf").returncode == 2


def test_the_same_bytes_give_the_same_report_in_any_order_on_any_number_of_processes(folder, tmp_path):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    copies = []
    for number, (seed, jobs) in enumerate([("0", 1), ("1", 1), ("0", 2), ("77", 2)]):
        shuffled = files.copy()
        random.Random(number).shuffle(shuffled)
        place = tmp_path / f"copy{number}" / "in"
        for index, file in enumerate(shuffled):
            (place / f"d{index % 7}").mkdir(parents=True, exist_ok=True)
            (place / f"d{index % 7}" / f"{index:05}.dcm").write_bytes(file.read_bytes())
        arguments = ["in", "--format", "json", "--jobs", jobs, "--reference-date", "2026-06-01"]
        ran = check_apart(*arguments, hash_seed=seed, cwd=place.parent)
        report = json.loads(ran.stdout)
        copies.append(json.dumps(report["studies"]))
        assert report["inputs"][0]["instances"] == len(files)
    assert len(set(copies)) == 1


def test_one_and_two_processes_write_the_same_bytes(folder):
    arguments = [folder, "--format", "json", "--reference-date", "2026-06-01"]
    reports = {
        check_apart(*arguments, "--jobs", jobs, hash_seed=seed).stdout for jobs, seed in ((1, "0"), (2, "5"))
    }
    assert len(reports) == 1


def test_every_file_is_in_a_study_or_named_with_why(folder, clean, tmp_path):
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(clean.rglob("*")):
            if path.is_file():
                packed.write(path, path.name)
        packed.writestr("readme.txt", "hello")
        packed.writestr("empty.dcm", b"")
    report = json.loads(check(archive, "--format", "json").stdout)
    (given,) = report["inputs"]
    assert given["members"] == given["instances"] + len(given["skipped"])
    assert given["instances"] == sum(study["instances"] for study in report["studies"])
    assert sorted(member["kind"] for member in given["skipped"]) == ["empty-member", "not-dicom"]
    assert {finding["rule"] for finding in given["findings"]} == {"SRC-ZIP-SAFE"}


def packed(clean, path, *others):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for file in sorted(clean.rglob("*")):
            if file.is_file():
                package.write(file, file.name)
        for name in others:
            package.writestr(name, b"hello" * bool("empty" not in name))
    return path


BESIDE = ("README.txt", "report.pdf", "start.exe", "Thumbs.db", "empty.txt")


def test_documents_beside_a_clean_study_do_not_count(clean, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(clean, folder)
    for name in BESIDE:
        (folder / name).write_text("hello" * ("empty" not in name))
    for given in (folder, packed(clean, tmp_path / "in.zip", *BESIDE)):
        ran = check(given, "--format", "json")
        report = json.loads(ran.stdout)
        assert (ran.returncode, report["readiness"], report["inputs"][0]["readiness"]) == (
            0,
            "READY",
            "READY",
        )
        assert len(report["inputs"][0]["skipped"]) == len(BESIDE)


@pytest.mark.parametrize(
    ("member", "study", "readiness", "code"),
    [
        ("../evil.txt", "READY", "BLOCKED", 20),
        ("IM9.dcm", "NEEDS_REVIEW", "NEEDS_REVIEW", 10),
    ],
)
def test_what_an_input_adds_to_the_exit_code_is_in_every_report(
    clean, tmp_path, member, study, readiness, code
):
    given = packed(clean, tmp_path / "in.zip", member)
    reports = {}
    for format_ in FORMATS:
        ran = check(given, "--format", format_)
        assert ran.returncode == code
        reports[format_] = ran.stdout
    report = json.loads(reports["json"])
    assert report["readiness"] == report["inputs"][0]["readiness"] == readiness
    if member != "../evil.txt":
        assert report["studies"][0]["readiness"] == study
    told = f"1 input {readiness}: "
    assert told in " ".join(reports["text"].split())
    assert told in reports["html"]
    run, given_line, *_ = map(json.loads, reports["ndjson"].splitlines())
    assert run["readiness"] == given_line["readiness"] == readiness
    assert json.loads(reports["sarif"])["runs"][0]["properties"]["readiness"] == readiness
    assert int(ET.fromstring(reports["junit"]).get("failures")) > 0  # noqa: S314


def test_the_text_report_names_the_rule_what_was_found_and_what_to_do(blocked):
    text = check(blocked).stdout
    rules = STUDIES[blocked.name].rules
    assert " BLOCKED " in text
    assert all(rule in text for rule in rules)
    assert "found " in text
    assert "→ " in text
    assert "\x1b[" not in text


def test_a_pipe_gets_no_progress_bar(folder):
    assert check_apart(folder, "--format", "json").stderr == ""


def test_output_goes_to_a_file(clean, tmp_path):
    ran = check(clean, "--format", "json", "--output", tmp_path / "report.json")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["studies"]
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_link_stays_and_what_it_leads_to_is_written(clean, tmp_path):
    target = tmp_path / "elsewhere" / "report.json"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(target)
    assert check(clean, "--format", "json", "--output", link).returncode == 0
    assert link.readlink() == target
    assert json.loads(target.read_text("utf-8"))["studies"]
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in target.parent.iterdir()] == ["report.json"]


@pytest.mark.parametrize("option", ["--output", "--dcmodify"])
def test_an_image_is_never_overwritten_by_a_report(clean, tmp_path, option):
    copy = tmp_path / "study"
    shutil.copytree(clean, copy)
    image = next(file for file in sorted(copy.rglob("*")) if file.is_file())
    before = image.read_bytes()
    ran = check(copy, option, image)
    assert ran.returncode == 2
    assert "holds data and no report" in ran.stderr
    assert image.read_bytes() == before


@pytest.mark.parametrize("option", ["--output", "--dcmodify"])
def test_a_pipe_is_written_to_and_not_replaced(clean, tmp_path, option):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # so that the writer finds one
    try:
        assert check(clean, option, pipe).returncode == 0
        assert os.read(reader, 9)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("option", ["--output", "--dcmodify"])
@pytest.mark.parametrize("place", ["/proc/x", "/proc/version/x", "no-folder/x", "."])
def test_a_file_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch, option, place):
    monkeypatch.chdir(tmp_path)
    absent = tmp_path / "absent.dcm"  # would end with 3 if anything was read
    ran = check(absent, option, place)
    assert ran.returncode in (2, 7)
    assert (ran.stdout, list(tmp_path.iterdir())) == ("", [])
    assert option in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("format_", ["text", "json", "html"])
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told_in_one_line(clean, format_):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ran = check_apart(clean, "--format", format_, stdout=full)
    assert (ran.returncode, ran.stderr.count("\n")) == (7, 1)
    assert "no space left" in ran.stderr
    assert "--output" in ran.stderr


@pytest.mark.parametrize("format_", ["text", "json", "html"])
def test_a_closed_pipe_is_told_in_one_line(clean, format_):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = check_apart(clean, "--format", format_, stdout=writer)
    finally:
        os.close(writer)
    assert (ran.returncode, ran.stderr.count("\n")) == (7, 1)
    assert "pipe" in ran.stderr


def test_lines_of_json_are_a_run_its_inputs_and_its_studies(clean, blocked):
    lines = [json.loads(line) for line in check(clean, blocked, "--format", "ndjson").stdout.splitlines()]
    assert [line["type"] for line in lines] == ["run", "input", "input", "study", "study"]
    assert lines[-2]["readiness"] == "BLOCKED"


def test_sarif_results_refer_to_rules_with_their_manual(blocked):
    sarif = json.loads(check(blocked, "--format", "sarif").stdout)
    (run,) = sarif["runs"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["results"]
    assert {result["ruleId"] for result in run["results"]} == known
    assert {result["level"] for result in run["results"]} <= {"error", "warning", "note"}


def test_junit_fails_where_a_study_is_not_ready(clean, blocked):
    suites = ET.fromstring(check(clean, blocked, "--format", "junit").stdout).findall("testsuite")  # noqa: S314
    failures = {suite.get("name"): int(suite.get("failures")) for suite in suites}
    assert sorted(failures.values()) == [0, 0, 0, max(failures.values())]
    assert max(failures.values()) > 0


def test_a_redacted_report_names_no_patient_and_no_file(folder):
    plain = check(folder, "--format", "json").stdout
    redacted = check(folder, "--format", "json", "--redact").stdout
    patients = {dataset["00100020"]["Value"][0] for dataset in STUDIES["two-patient-ids"].datasets}
    assert len(patients) == 2
    assert all(patient in plain for patient in patients)
    assert not any(patient in redacted for patient in patients)
    assert str(folder) not in redacted


@pytest.mark.parametrize("format_", ["sarif", "junit"])
def test_reports_for_other_programs_name_no_patient_unless_they_are_to(folder, format_):
    patients = {dataset["00100020"]["Value"][0] for dataset in STUDIES["two-patient-ids"].datasets}
    told = check(folder, "--format", format_).stdout
    assert not any(name in told for name in (*patients, str(folder)))
    told = check(folder, "--format", format_, "--no-redact").stdout
    assert all(patient in told for patient in patients)


def test_a_profile_changes_what_counts(blocked, tmp_path):
    rules = STUDIES[blocked.name].rules
    off = ", ".join(f'"{rule}"' for rule in rules)
    profile = tmp_path / "site.toml"
    profile.write_text(f'name = "site"\noff = [{off}]\n')
    ran = check(blocked, "--profile", profile, "--format", "json")
    assert json.loads(ran.stdout)["profile"]["name"] == "site"
    assert not set(rules) & set(re.findall(r'"rule": "([A-Z0-9-]+)"', ran.stdout))


def test_a_required_rule_that_is_not_evaluable_needs_review(clean, tmp_path):
    profile = tmp_path / "site.toml"
    profile.write_text('required = ["SRC-QIDO-COUNT"]\n')
    assert check(clean, "--profile", profile).returncode == 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "not TOML"),
        ('off = ["NO-SUCH-RULE"]', "NO-SUCH-RULE"),
        ('[severity]\n"PAT-ID-EMPTY" = "fatal"', "fatal is none of block, note, review"),
        ("[parameters]\nage = 3", "age"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_name(clean, tmp_path, text, told):
    profile = tmp_path / "wrong.toml"
    profile.write_text(text)
    ran = check(clean, "--profile", profile)
    assert ran.returncode == 2
    assert "wrong.toml" in ran.stderr
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_reference_date_is_recorded(clean):
    ran = check(clean, "--format", "json", "--reference-date", "2024-02-29")
    assert json.loads(ran.stdout)["referenceDate"] == "2024-02-29"


@pytest.mark.corpus
def test_every_real_file_is_accounted_for_without_an_error_of_ours(corpus):
    ran = check_apart(corpus, "--format", "json", "--jobs", 2)
    report = json.loads(ran.stdout)
    (given,) = report["inputs"]
    assert given["members"] == sum(1 for path in corpus.rglob("*") if path.is_file())
    assert given["members"] == given["instances"] + len(given["skipped"])
    assert given["instances"] == sum(study["instances"] for study in report["studies"])
    assert [error for study in report["studies"] for error in study["errors"]] == []
    assert ran.stderr == ""
