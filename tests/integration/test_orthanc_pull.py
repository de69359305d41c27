"""A real Orthanc with real files, pulled by the commands that people use."""

import asyncio
import io
import zlib
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from click.testing import CliRunner
from pydicom.data import get_testdata_file
from servers.orthanc import Orthanc
from unit.store.databases import sqlite_url

from heltig.cli import heltig as heltig_command
from heltig.errors import HeltigError
from heltig.pipeline.publish import render
from heltig.store import studies, verdicts
from heltig.store.engine import Store
from heltig.store.records import Location, StoredVerdict, Study

pytestmark = pytest.mark.orthanc

HERE = Location("archive", "main")


def shipped(name: str) -> bytes:
    """A file that comes with pydicom."""
    return Path(str(get_testdata_file(name))).read_bytes()


def file(**attributes: Any) -> bytes:
    """pydicom's CT_small.dcm, with other attributes."""
    dataset = pydicom.dcmread(io.BytesIO(shipped("CT_small.dcm")))
    for keyword, value in attributes.items():
        with pydicom.config.disable_value_validation():
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    written = io.BytesIO()
    with pydicom.config.disable_value_validation():
        pydicom.dcmwrite(written, dataset, enforce_file_format=False)
    return written.getvalue()


def series(study: str, count: int = 3, *, number: int = 1, first: int = 1, **attributes: Any) -> list[bytes]:
    uid = f"1.2.826.{number}.{zlib.crc32(study.encode())}"
    return [
        file(
            StudyInstanceUID=study,
            SeriesInstanceUID=uid,
            SOPInstanceUID=f"{uid}.{n}",
            InstanceNumber=n,
            **attributes,
        )
        for n in range(first, first + count)
    ]


@dataclass
class Ran:
    """What a command came to."""

    code: int
    lines: list[str]
    error: str


class Heltig:
    """Runs commands of `heltig` with a home of its own, in which the Orthanc is the archive `main`."""

    def __init__(self, orthanc: Orthanc, home: Path) -> None:
        self.home = home
        self._environ = {
            "HELTIG_HOME": str(home),
            "HELTIG_WORKERS": "1",
            "HELTIG_SECRET_PACS": orthanc.password,
        }
        credentials = ["--user", orthanc.username, "--password-secret", "env:HELTIG_SECRET_PACS"]
        assert self("archives", "add", "main", orthanc.root, *credentials).code == 0

    def __call__(self, *arguments: str, **environ: str) -> Ran:
        ran = CliRunner().invoke(heltig_command, arguments, env=self._environ | environ)
        if isinstance(ran.exception, HeltigError):
            return Ran(ran.exception.exit_code, ran.stdout.splitlines(), ran.exception.detail)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return Ran(ran.exit_code, ran.stdout.splitlines(), ran.stderr)

    def kept(self, *uids: str) -> list[tuple[Study, StoredVerdict]]:
        """What the database has of studies of the archive."""
        return asyncio.run(self._kept(uids))

    async def _kept(self, uids: Iterable[str]) -> list[tuple[Study, StoredVerdict]]:
        store = await Store.open(sqlite_url(self.home / "heltig.db"), render=render)
        found = []
        for uid in uids:
            study = await store.read(studies.find, HERE, uid)
            verdict = await store.read(verdicts.current, HERE, uid)
            assert study is not None
            assert verdict is not None
            found.append((study, verdict))
        await store.close()
        return found


@pytest.fixture
def heltig(orthanc: Orthanc, tmp_path: Path) -> Heltig:
    return Heltig(orthanc, tmp_path / "home")


def rules(verdict: StoredVerdict) -> set[str]:
    return {finding.rule for finding in verdict.verdict.findings}


def test_studies_are_pulled_judged_and_kept_and_only_news_is_news(orthanc: Orthanc, heltig: Heltig) -> None:
    long, letters = "1.2." + "7" * 66, "1.2.STUDY.a"
    orthanc.store([shipped("CT_small.dcm"), shipped("MR_small.dcm")])
    orthanc.store([*series("1.2.826.77"), *series(long), *series(letters)])

    first = heltig("pull", "main")
    assert first.code == 20, first.error
    assert len(first.lines) == 6
    assert first.lines[-1].startswith("5 studies: ")
    (of_long, long_verdict), (of_letters, letters_verdict), (right, verdict) = heltig.kept(
        long, letters, "1.2.826.77"
    )
    assert of_long.instances == of_letters.instances == right.instances == 3
    assert of_long.readiness == of_letters.readiness == "BLOCKED"
    assert "UID-TOO-LONG" in rules(long_verdict)
    assert "UID-CHARS" in rules(letters_verdict)
    assert not {rule for rule in rules(verdict) if rule.startswith(("SRC-", "UID-"))}

    again = heltig("pull", "main")
    assert again.code == first.code
    assert again.lines[-1].endswith(", 5 unchanged.")

    orthanc.store(series("1.2.826.77", 1, first=4))
    late = heltig("pull", "main", "--study", "1.2.826.77")
    assert "4 instances" in late.lines[0]
    assert "unchanged" not in late.lines[0]
    ((study, verdict),) = heltig.kept("1.2.826.77")
    assert (study.revision, verdict.revision, study.instances) == (2, 2, 4)


def test_two_patients_in_one_study_are_pulled_though_orthanc_refuses_the_study(
    orthanc: Orthanc, heltig: Heltig
) -> None:
    apart, shared = "1.2.826.88", "1.2.826.99"
    orthanc.store([*series(apart, PatientID="A"), *series(apart, number=2, PatientID="B")])
    orthanc.store([*series(shared, PatientID="A"), *series(shared, first=4, PatientID="B")])
    heltig("pull", "main")
    for study, verdict in heltig.kept(apart, shared):
        assert (study.instances, study.readiness) == (6, "BLOCKED")
        assert {patient.patient_id for patient in study.attributes.patients} == {"A", "B"}
        assert {"SRC-META-IN-PARTS", "PAT-ID-CONFLICT"} <= rules(verdict)
        assert not {"SRC-META-UNAVAILABLE", "SRC-QIDO-COUNT", "SRC-SERIES-COUNT"} & rules(verdict)


def test_studies_that_orthanc_lists_and_cannot_give_are_blocked(orthanc: Orthanc, heltig: Heltig) -> None:
    odd = ["..", "1.2/3"]
    orthanc.store(file(StudyInstanceUID=uid, SOPInstanceUID=f"1.2.{n}") for n, uid in enumerate(odd))
    orthanc.store(series("1.2.826.77"))
    run = heltig("pull", "main")
    assert run.code == 20, run.error
    assert run.lines[-1].startswith("3 studies: ")
    for study, verdict in heltig.kept(*odd):
        assert (study.instances, study.readiness) == (0, "BLOCKED")
        assert "SRC-META-UNAVAILABLE" in rules(verdict)
        assert study.attributes.patients[0].patient_id == "1CT1"
    ((whole, _),) = heltig.kept("1.2.826.77")
    assert whole.instances == 3


def test_odd_uids_that_orthanc_cannot_find_are_not_withdrawn(orthanc: Orthanc, heltig: Heltig) -> None:
    odd = ["1.2.3/4", "1.2.3?x=1&y#z%41"]
    orthanc.store(file(StudyInstanceUID=uid, SOPInstanceUID=f"1.2.{n}") for n, uid in enumerate(odd))
    heltig("pull", "main")
    before = heltig.kept(*odd)
    for uid in odd:
        run = heltig("pull", "main", "--study", uid)
        assert run.code == 20, run.error
        assert "unchanged" in run.lines[0]
    assert heltig.kept(*odd) == before
    assert {study.state for study, _ in before} == {"JUDGED"}

    orthanc.clear()
    orthanc.store(series("1.2.826.77"))
    for uid in odd:
        assert heltig("pull", "main", "--study", uid).lines[0].startswith(f"gone          {uid}")
    never = heltig("pull", "main", "--study", "1.2.3/5")
    assert never.code == 4
    assert never.lines[0].startswith("not found     1.2.3/5")


def test_dates_narrow_a_pull_and_what_is_gone_is_withdrawn(orthanc: Orthanc, heltig: Heltig) -> None:
    for day in (1, 2, 3):
        orthanc.store(series(f"1.2.826.{day}", StudyDate=f"2026010{day}"))
    run = heltig("pull", "main", "--from", "2026-01-02", "--to", "2026-01-02")
    assert run.lines[-1].startswith("1 study: ")
    assert "1.2.826.2 " in run.lines[0]
    assert heltig("pull", "main", "--from", "2026-01-02").lines[-1].startswith("2 studies: ")
    orthanc.clear()
    assert heltig("pull", "main", "--study", "1.2.826.2").lines[0].split()[:2] == ["gone", "1.2.826.2"]
    ((study, _),) = heltig.kept("1.2.826.2")
    assert study.state == "WITHDRAWN"


def test_an_archive_is_tested(orthanc: Orthanc, heltig: Heltig) -> None:
    assert any("no study" in line for line in heltig("archives", "test", "main").lines)
    orthanc.store(series("1.2.826.77"))
    run = heltig("archives", "test", "main")
    assert run.code == 0, run.error
    assert "  Gives metadata a study at a time." in run.lines
    assert any(line.startswith("  Its metadata has every attribute") for line in run.lines)
    assert "probed 20" in heltig("archives", "list").lines[0]


def test_an_archive_that_does_not_let_us_in_says_so(heltig: Heltig) -> None:
    for command in (("archives", "test", "main"), ("pull", "main"), ("pull", "main", "--study", "1.2")):
        run = heltig(*command, HELTIG_SECRET_PACS="wr0ng")
        assert run.code == 8
        assert "401" in run.error + "".join(run.lines)
        assert "wr0ng" not in run.error + "".join(run.lines)


@pytest.mark.corpus
def test_real_studies_lose_nothing_on_the_way_through_orthanc(
    orthanc: Orthanc, heltig: Heltig, corpus: Path
) -> None:
    uids: Counter[str] = Counter()
    for folder in ("gh_neurolabusc__dcm_qa_ct", "gh_moloney__dcmstack", "gh_nipy__heudiconv"):
        for path in sorted(path for path in (corpus / folder).rglob("*") if path.is_file()):
            with suppress(pydicom.errors.InvalidDicomError):
                uid = pydicom.dcmread(path, stop_before_pixels=True).get("StudyInstanceUID")
                if uid:
                    uids[uid] += 1
                    orthanc.store([path.read_bytes()])
    assert uids
    run = heltig("pull", "main")
    assert run.code in (0, 10, 20), run.error
    for (study, verdict), instances in zip(heltig.kept(*uids), uids.values(), strict=True):
        assert study.instances == instances
        assert verdict.verdict.errors == ()
        assert not {rule for rule in rules(verdict) if rule.startswith("SRC-")}
