"""`heltig check` over the sample files: clean studies are READY, the others are found out."""

import json
import subprocess
import sys
from typing import Any

import pytest
from synthetic import synthetic_studies

from heltig.demo.samples import write_samples
from heltig.demo.studies import SyntheticStudy

STUDIES = tuple(synthetic_studies().values())


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each verdict by Study Instance UID."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(STUDIES, folder)
    options = ["--format", "json", "--reference-date", "2026-01-01"]
    done = subprocess.run(
        [sys.executable, "-m", "heltig", "check", *options, folder], capture_output=True, check=False
    )
    assert done.returncode == 20, done.stderr.decode()
    report = json.loads(done.stdout)
    assert [given["skipped"] for given in report["inputs"]] == [[]]
    return {study["studyInstanceUID"]: study for study in report["studies"]}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_verdicts(study: SyntheticStudy, judged: dict[str, Any]) -> None:
    (uid,) = {dataset["0020000D"]["Value"][0] for dataset in study.datasets}
    verdict = judged[uid]
    found = {finding["rule"] for finding in verdict["findings"]}
    assert verdict["errors"] == []
    assert verdict["instances"] == len(study.datasets)
    assert found.issuperset(study.file_rules)
    assert verdict["readiness"] == study.file_expectation
