"""`heltig validate` as an auditor runs it."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from heltig.rules.catalogue import catalogue


def heltig(*arguments, **environment):
    command = [sys.executable, "-m", "heltig", "validate", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """Made where there is an archive, with all that an auditor may ask for."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("evidence") / "pack"
    made = [sys.executable, "-m", "heltig", "archives", "add", "main", "http://127.0.0.1:9/dicom-web"]
    subprocess.run(made, check=True, capture_output=True, env={**os.environ, "HELTIG_HOME": str(home)})
    ran = heltig("--reruns", 2, "--output", folder, "--audit-pack", HELTIG_HOME=str(home))
    assert (ran.returncode, ran.stdout.splitlines()[-1][:6]) == (0, "PASSED"), ran.stdout + ran.stderr
    return folder


def rows(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_rule_has_its_requirement_and_its_labelled_studies(pack):
    found = rows(pack, "rules.csv")
    assert {row["rule"] for row in found} == catalogue().keys()
    assert {row["asExpected"] for row in found} == {"yes"}
    assert all(row["requirement"] for row in found)
    cases = rows(pack, "cases.csv")
    assert {row["rule"] for row in cases} == catalogue().keys()
    assert {row["problems"] for row in cases} == {""}
    assert all(row["found"] == row["expected"] for row in cases)


def test_the_studies_that_were_judged_are_in_the_pack(pack):
    with zipfile.ZipFile(pack / "samples.zip") as samples:
        names = samples.namelist()
    assert {name.split("/")[1].removesuffix(".yml") for name in names if name.startswith("cases/")} == set(
        catalogue()
    )
    studies = {row["name"] for row in rows(pack, "studies.csv")}
    assert {name.split("/")[1] for name in names if name.startswith("studies/")} == studies


SITE_RULE = '''
from heltig.rules.rule import Hit, rule


@rule("ACME-NO-CT", level="study", severity="block", reads=("Modality",))
def no_ct(study):
    """There are instances.

    Finds: Any study.
    Why: To be seen.
    Mend: Nothing.
    Example: Any.
    """
    yield Hit(observed="something", expected="nothing")
'''


def site_with(folder, text):
    """A folder with a distribution of a site's rules, as an installer leaves it there."""
    information = folder / "acme_heltig-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-heltig\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[heltig.rules]\nacme = acme_heltig\n")
    (folder / "acme_heltig.py").write_text(text)
    return str(folder)


@pytest.fixture(scope="module")
def pack_of_a_site(tmp_path_factory):
    """Made where there is a profile, a database and a rule of the site, and what was said."""
    folder = tmp_path_factory.mktemp("evidence") / "pack"
    site = site_with(tmp_path_factory.mktemp("site"), SITE_RULE)
    home = tmp_path_factory.mktemp("home")
    url = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    own = {"HELTIG_PROFILE": "strict", "HELTIG_DATABASE_URL": url, "PYTHONPATH": site}
    ran = heltig("--reruns", 1, "--output", folder, HELTIG_HOME=str(home), **own)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list(home.iterdir()) == []
    return folder, ran.stdout


def test_settings_of_the_site_have_no_part_in_it(pack, pack_of_a_site):
    """Neither its profile nor its database: the same installation gives the same evidence."""
    folder, _ = pack_of_a_site
    assert rows(folder, "runs.csv")[0]["digest"] == rows(pack, "runs.csv")[0]["digest"]
    assert "compared with none" in (folder / "summary.html").read_text("utf-8")
    installation = json.loads((folder / "installation.json").read_text("utf-8"))
    assert installation["profile"]["name"] == "default"


def test_rules_of_the_site_are_listed_and_have_no_part_in_it(pack, pack_of_a_site):
    folder, told = pack_of_a_site
    assert "1 rule of the site is not covered by cases of Heltig" in told
    told = {row["rule"]: row["asExpected"] for row in rows(folder, "rules.csv")}
    assert told.pop("ACME-NO-CT") == "site, not covered by cases of Heltig"
    assert told == {row["rule"]: "yes" for row in rows(pack, "rules.csv")}
    assert "Rules of the site" in (folder / "summary.html").read_text("utf-8")
    assert rows(folder, "cases.csv") == rows(pack, "cases.csv")
    assert rows(folder, "studies.csv") == rows(pack, "studies.csv")


def test_rules_of_the_site_that_cannot_be_loaded_are_told_in_one_line(tmp_path):
    site = site_with(tmp_path / "site", "import acme_absent")
    ran = heltig("--output", tmp_path / "pack", PYTHONPATH=site)
    assert ran.returncode == 2
    assert ran.stderr.startswith("heltig: the rules of entry point acme (acme_heltig) cannot be loaded: ")
    assert len(ran.stderr.splitlines()) == 1
    assert not (tmp_path / "pack").exists()


def test_runs_differ_in_order_and_processes_and_give_the_same(pack):
    runs = rows(pack, "runs.csv")
    assert [row["processes"] for row in runs] == ["1", "2"]
    assert len({row["order"] for row in runs}) == len({row["hashSeed"] for row in runs}) == 2
    assert len({row["digest"] for row in runs}) == 1


def test_the_checksums_are_those_of_all_other_files(pack):
    sums = dict(reversed(line.split("  ")) for line in (pack / "SHA256SUMS").read_text("utf-8").splitlines())
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in pack.iterdir()}
    del files["SHA256SUMS"]
    assert sums == files


def test_the_page_says_what_was_judged_with(pack):
    page = (pack / "summary.html").read_text("utf-8")
    ruleset = json.loads((pack / "installation.json").read_text("utf-8"))["ruleset"]
    assert ruleset["hash"] in page
    assert "Passed" in page


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "kept.txt").write_text("kept", "utf-8")
    ran = heltig("--output", tmp_path)
    assert ran.returncode == 2
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]


def test_the_audit_pack_counts_the_trail(pack):
    assert "HELTIG_HOME" in (pack / "settings.json").read_text("utf-8")
    database = json.loads((pack / "database.json").read_text("utf-8"))
    assert database["auditChecksPassed"] is True
    assert (database["auditEntries"], database["auditChain"]["state"]) == (2, "whole")
    assert "msgspec==" in (pack / "dependencies.txt").read_text("utf-8")
    assert json.loads((pack / "migrations.json").read_text("utf-8"))[0]["file"].startswith("0001")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no Ctrl-C to be sent")
@pytest.mark.parametrize("parts", [("there",), ("new", "pack")])
def test_ctrl_c_leaves_no_half_made_folder(tmp_path, parts):
    there, samples, home = tmp_path / "there", tmp_path / "samples", tmp_path / "home"
    there.mkdir()
    samples.mkdir()
    folder = tmp_path.joinpath(*parts)
    command = [sys.executable, "-m", "heltig", "validate", "--reruns", "100", "--output", folder]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(samples), "HELTIG_HOME": str(home)},
    ) as running:
        while not [*samples.rglob("*.dcm")]:  # until it is about to judge them
            assert running.poll() is None
            time.sleep(0.02)
        assert folder.is_dir()
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all of its processes
        told = running.communicate()[1]
    assert running.returncode == 130, told
    assert told.splitlines()[-1] == "heltig: interrupted."
    assert "Traceback" not in told
    assert {*tmp_path.rglob("*")} == {there, samples}


def test_what_fails_leaves_no_half_made_folder(tmp_path):
    ran = heltig(
        "--output", tmp_path / "pack", "--audit-pack", "--reruns", 1,
        HELTIG_DATABASE_URL="postgresql+asyncpg://nobody@127.0.0.1:1/none",
    )  # fmt: skip
    assert ran.returncode == 7, ran.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_made_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    ran = heltig("--output", tmp_path / "file" / "pack")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Name another folder" in ran.stderr
