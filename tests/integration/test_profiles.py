"""Profiles and rules of a site as users have them: files, the command line, an installed distribution."""

import json
import os
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import httpx
import pytest
from integration.commands import run
from servers.heltig_server import heltig_server
from synthetic import synthetic_studies
from unit.api.service import study_zip

from heltig.demo.samples import part10_files
from heltig.pipeline.check import check
from heltig.pipeline.profiles import load_profile

CLEAN = [study for study in synthetic_studies().values() if not study.rules]
SITE_RULE = """
[[rule]]
id = "SITE-STATION"
title = "StationName is not on our list"
attribute = "StationName"
one_of = ["NOWHERE"]
severity = "block"
mend = "Ask the archive's office to list the station."
"""


def heltig_apart(*arguments, **environment):
    """In a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "heltig", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The clean synthetic studies as files."""
    root = tmp_path_factory.mktemp("clean")
    for study in CLEAN:
        for place, content in part10_files(study):
            path = root / study.name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


@pytest.fixture
def site(tmp_path):
    """A profile with a rule of its own, built on a file beside it, which is built on a shipped one."""
    (tmp_path / "house.toml").write_text('base = "migration"\noff = ["PAT-SPECIES"]')
    path = tmp_path / "radiology.toml"
    path.write_text('base = "house.toml"\n' + SITE_RULE)
    return path


@pytest.mark.parametrize(
    "profile", ["default", "migration", "dcm4chee-arc", "orthanc", "azure", "aws-healthimaging", "google"]
)
def test_clean_studies_stay_ready(clean, profile):
    report = check([clean], load_profile(profile), reference_date=date(2026, 6, 1))
    assert report.profile.name == profile
    assert {study.key: study.findings for study in report.studies if study.readiness != "READY"} == {}
    assert len(report.studies) == len(CLEAN)


@pytest.mark.parametrize(
    "command", [["check", "."], ["pull", "pacs"], ["serve"], ["rules"], ["rules", "test", "."]]
)
def test_a_wrong_profile_is_refused_at_the_start_of_every_command(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.toml").write_text('\noff = ["PAT-ID-EMTY"]\nbse = "strict"')
    told = [
        "heltig: wrong.toml:2:8: there is no rule PAT-ID-EMTY; the nearest one is PAT-ID-EMPTY",
        "wrong.toml:3:1: bse is no setting of a profile; the nearest one is base",
    ]
    ran = heltig_apart if command[0] == "pull" else run  # it steps back: its process stays of less priority
    given = ran(*command, "--profile", "wrong.toml", HELTIG_HOME=str(tmp_path))
    assert (given.returncode, given.stderr.splitlines()) == (2, told)
    setting = ran(*command, HELTIG_HOME=str(tmp_path), HELTIG_PROFILE="wrong.toml")
    assert (setting.returncode, setting.stderr.splitlines()) == (2, told)


def test_names_and_files_of_profiles_that_are_not_there_are_told_apart(tmp_path, monkeypatch):
    assert (
        "there is no profile strickt; the nearest one is strict"
        in run("check", "--profile", "strickt", tmp_path).stderr
    )
    assert (
        "the profile strickt.toml cannot be read: no such file"
        in run("check", "--profile", "strickt.toml", tmp_path).stderr
    )
    (tmp_path / "strict").write_bytes(b"\xff")
    monkeypatch.chdir(tmp_path)
    assert (
        "the profile ./strict cannot be read: it is not UTF-8"
        in run("check", "--profile", "./strict", ".").stderr
    )


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without an end here")
def test_of_a_file_without_an_end_no_more_is_read_than_a_profile_can_have():
    ran = heltig_apart("rules", "--profile", "/dev/zero")
    assert (ran.returncode, ran.stderr) == (
        2,
        "heltig: /dev/zero:1:1: not TOML: longer than 262,144 characters\n",
    )


def test_a_rule_of_the_profile_is_listed_explained_and_found(clean, site):
    assert "  SITE-STATION " in run("rules", "--profile", site).stdout
    assert "Ask the archive's office" in run("rules", "show", "site-station", "--profile", site).stdout
    study = clean / "ct-chest"
    judge = ["check", "--profile", site, "--format", "json", "--reference-date", "2026-06-01", study]
    reports = [run(*judge, "--jobs", jobs) for jobs in (1, 2)]
    assert json.loads(reports[0].stdout)["studies"] == json.loads(reports[1].stdout)["studies"]
    assert reports[0].returncode == 20
    (judged,) = json.loads(reports[0].stdout)["studies"]
    assert [finding["rule"] for finding in judged["findings"] if finding["severity"] == "block"] == [
        "SITE-STATION"
    ]
    sarif = json.loads(run("check", "--profile", site, "--format", "sarif", study).stdout)["runs"][0]
    declared = {rule["id"]: rule for rule in sarif["tool"]["driver"]["rules"]}
    assert declared["SITE-STATION"]["help"]["text"] == "Ask the archive's office to list the station."


def test_shipped_profiles_are_listed_and_printed(tmp_path):
    listed = run("rules", "profiles").stdout
    assert [line.split()[0] for line in listed.splitlines()][:3] == ["default", "strict", "migration"]
    printed = run("rules", "profiles", "strict")
    (tmp_path / "own.toml").write_text(printed.stdout)
    assert (
        run("rules", "--profile", tmp_path / "own.toml").stdout == run("rules", "--profile", "strict").stdout
    )
    assert "the nearest one is orthanc" in run("rules", "profiles", "orthnac").stderr


CASES = """
cases:
  - name: a station that is listed
    outcome: pass
    study: [{StationName: NOWHERE}]
  - name: another one
    outcome: fail
    study: [{StationName: CT1, times: 2}]
    findings: [{observed: CT1, count: COUNT}]
"""


def test_cases_of_a_profiles_rules_are_tried(tmp_path, site):
    cases = tmp_path / "cases"
    cases.mkdir()
    assert "has no file of cases" in run("rules", "test", cases, "--profile", site).stderr
    path = cases / "SITE-STATION.yml"
    path.write_text(CASES.replace("COUNT", "2"))
    ran = run("rules", "test", cases, "--profile", site)
    assert (ran.returncode, ran.stdout) == (0, "2 cases of 1 rules, 0 came out otherwise\n")
    path.write_text(CASES.replace("COUNT", "3"))
    ran = run("rules", "test", cases, "--profile", site)
    assert ran.returncode == 1
    assert f"{path}: another one: no finding like" in ran.stdout
    path.write_text(CASES.replace("outcome: fail", "outcome: faill"))
    ran = run("rules", "test", cases, "--profile", site)
    assert ran.returncode == 3
    assert "another one: not a case: outcome 'faill'; there are pass, fail, not_applicable" in ran.stderr
    path.write_text("cases: 3")
    assert "no list of cases" in run("rules", "test", cases, "--profile", site).stderr
    path.rename(cases / "SITE-STATIN.yml")
    assert "the nearest one is SITE-STATION" in run("rules", "test", cases, "--profile", site).stderr


RULES_WITH_CODE = '''
"""Rules of the Acme hospital."""

from collections.abc import Iterator

from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView


@rule("ACME-STATION-ROOM", level="series", severity="review", reads=("StationName", "SeriesDescription"))
def station_and_room(series: SeriesView) -> Iterator[Hit]:
    """A series names a room that its station is not in.

    Finds: A StationName whose room is not in the SeriesDescription.
    Why: The schedule is kept by rooms.
    Mend: Correct the station's name at the scanner.
    Example: Station `CT1` in a series of room 2.
    """
    station, said = series.first("StationName").text, series.first("SeriesDescription").text
    if station and said and station not in said:
        yield Hit(tags=("StationName",), observed=station, expected="the station that the description names")
'''
CASES_WITH_CODE = """
cases:
  - name: the same room
    outcome: pass
    study: [{StationName: CT1, SeriesDescription: CT1 chest}]
  - name: another room
    outcome: fail
    study: [{StationName: CT1, SeriesDescription: CT2 chest}]
    findings: [{observed: CT1, tags: ["00081010"]}]
  - name: nothing is said
    outcome: not_applicable
    study: [{Modality: CT}]
"""


@pytest.fixture
def acme(tmp_path):
    """A folder with a distribution as an installer leaves it there: a module and its entry point."""
    site = tmp_path / "site"
    information = site / "acme_heltig-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-heltig\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[heltig.rules]\nacme = acme_heltig.rules\n")
    package = site / "acme_heltig"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rules.py").write_text(textwrap.dedent(RULES_WITH_CODE))
    return site


def test_rules_with_code_come_in_by_their_entry_point(acme, clean, tmp_path):
    listed = heltig_apart("rules", PYTHONPATH=str(acme)).stdout
    assert "\nSite\n  ACME-STATION-ROOM" in listed
    cases = tmp_path / "cases"
    cases.mkdir()
    (cases / "ACME-STATION-ROOM.yml").write_text(CASES_WITH_CODE)
    ran = heltig_apart("rules", "test", cases, PYTHONPATH=str(acme))
    assert (ran.returncode, ran.stdout) == (0, "3 cases of 1 rules, 0 came out otherwise\n")
    profile = tmp_path / "site.toml"
    profile.write_text('[severity]\n"ACME-STATION-ROOM" = "block"')
    study = ["--format", "json", clean / "ct-chest"]
    report = json.loads(heltig_apart("check", "--profile", profile, *study, PYTHONPATH=str(acme)).stdout)
    assert ("ACME-STATION-ROOM", "block") in {
        (finding["rule"], finding["severity"]) for finding in report["studies"][0]["findings"]
    }
    without = json.loads(heltig_apart("check", *study).stdout)
    assert without["ruleset"]["hash"] != report["ruleset"]["hash"]
    assert "there is no rule ACME-STATION-ROOM" in run("check", "--profile", profile, *study).stderr


def test_whatever_decides_in_the_package_of_a_site_is_in_the_hash_of_the_ruleset(acme):
    def ruleset():
        code = "from heltig.rules.catalogue import ruleset_hash; print(ruleset_hash())"
        command = [sys.executable, "-c", code]
        environ = {**os.environ, "PYTHONPATH": str(acme)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout

    package = acme / "acme_heltig"
    rules = package / "rules.py"
    rules.write_text(
        rules.read_text().replace("from heltig.rules.rule", "from . import rooms\nfrom heltig.rules.rule")
    )
    (package / "rooms.py").write_text("ROOMS = 1\n")
    found = [ruleset(), ruleset()]
    (package / "rooms.py").write_text("ROOMS = 2\n")
    found.append(ruleset())
    (package / "lists").mkdir()
    (package / "lists" / "rooms.json").write_text("[]")
    found.append(ruleset())
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_a_rule_with_code_says_which_distribution_brought_it(acme):
    shown = heltig_apart("rules", "show", "ACME-STATION-ROOM", PYTHONPATH=str(acme)).stdout
    assert shown.splitlines()[-1].split() == ["Since:", "acme-heltig", "1.0"]


def test_a_site_module_that_cannot_be_loaded_is_named(acme):
    (acme / "acme_heltig" / "rules.py").write_text("import nowhere_to_be_found")
    ran = heltig_apart("rules", PYTHONPATH=str(acme))
    assert ran.returncode == 2
    assert "the rules of entry point acme (acme_heltig.rules) cannot be loaded" in ran.stderr


def test_a_server_judges_with_the_rules_of_its_profile_and_rescore_follows_it(tmp_path, site):
    """In other processes than those that read the profile."""
    home = tmp_path / "home"
    with heltig_server(home, profile=str(site)) as server:
        sent = httpx.post(
            f"{server.url}/api/v1/jobs/upload",
            content=study_zip("dx-hand"),
            timeout=120,
            follow_redirects=True,
        )
        assert sent.status_code == 201, sent.text
        [study] = sent.json()["studies"]
        assert "SITE-STATION" in {found["rule"] for found in study["findings"]}
        key = study["study"]["key"]
        site.write_text(site.read_text().replace('"block"', '"note"'))
        done = run("rescore", "--format", "json", "--profile", site, HELTIG_HOME=str(home))
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        [move] = report["moves"]
        assert (move["before"], "SITE-STATION" in move["beforeRules"]) == ("BLOCKED", True)
        assert "SITE-STATION" not in move["afterRules"]
        now = httpx.get(f"{server.url}/dicom-web/studies/{key}/readiness")
        assert now.headers["heltig-readiness"] == move["after"] != "BLOCKED"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import acme_absent", "ModuleNotFoundError: No module named 'acme_absent', at "),
        ("\ndef broken(:", "SyntaxError: invalid syntax, at "),
        ("raise SystemExit", "SystemExit, at "),
        ('from heltig.rules.rule import rule\n'
         '@rule("acme\\n", level="study", severity="note")\ndef a(study): ...',
         "ValueError: rule 'acme\\n': an id is capitals"),
        (RULES_WITH_CODE.replace('"StationName", "S', '"StationNam", "S'),
         "ValueError: rule ACME-STATION-ROOM: there is no keyword StationNam; the nearest one is StationN"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_loaded_are_told_with_module_and_line(acme, text, told):
    (acme / "acme_heltig" / "rules.py").write_text(text)
    refused = heltig_apart("rules", PYTHONPATH=str(acme))
    assert refused.returncode == 2
    assert f"entry point acme (acme_heltig.rules) cannot be loaded: {told}" in refused.stderr
    assert "rules.py:" in refused.stderr


def test_a_rule_that_leaves_is_no_clean_study(acme, clean):
    path = acme / "acme_heltig" / "rules.py"
    path.write_text(
        path.read_text().replace("    station, said =", "    raise SystemExit(0)\n    station, said =")
    )
    left = heltig_apart("check", "--format", "json", clean / "ct-chest", PYTHONPATH=str(acme))
    assert left.returncode == 10
    (study,) = json.loads(left.stdout)["studies"]
    assert [error["rule"] for error in study["errors"]] == ["ACME-STATION-ROOM"]
