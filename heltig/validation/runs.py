"""The labelled synthetic studies judged several times: in another order, by several processes, each alike."""

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from heltig.demo.samples import part10_files
from heltig.demo.studies import SyntheticStudy
from heltig.errors import HeltigError

REFERENCE_DATE: Final = "2026-01-01"
"""Today, to the rules: the synthetic studies were made for any day after their own."""

_VERDICTS: Final = frozenset({0, 10, 20})


class StudyResult(msgspec.Struct, frozen=True, rename="camel"):
    """A synthetic study, what is known of it, and what was found.

    Attributes:
        name: Its short name.
        title: What it is, and what is wrong with it.
        expected: The readiness it is labelled with.
        expected_rules: Rules that have to find something.
        found: The readiness it was given.
        found_rules: The rules that found something worth more than a note.
        as_expected: The readiness is that of the label, and each rule of the label found something.
    """

    name: str
    title: str
    expected: str
    expected_rules: tuple[str, ...]
    found: str
    found_rules: tuple[str, ...]
    as_expected: bool


class Run(msgspec.Struct, frozen=True, rename="camel"):
    """One time that all studies were judged.

    Attributes:
        number: From 1 on.
        order: What the order of the files was drawn from.
        processes: How many processes were allowed.
        hash_seed: Python's seed for the order of sets.
        digest: SHA-256 of all verdicts with their findings.
        same: As in the first run.
    """

    number: int
    order: int
    processes: int
    hash_seed: int
    digest: str
    same: bool


def judge_again_and_again(
    studies: Sequence[SyntheticStudy],
    *,
    reruns: int,
    folder: Path,
    progress: Callable[[int], None] = lambda number: None,
) -> tuple[list[StudyResult], list[Run]]:
    """Judge studies by `heltig check`, several times.

    Args:
        studies: The labelled studies.
        reruns: How often.
        folder: Where their files are written, other names each time.
        progress: Called with the number of each run that is done.

    Raises:
        HeltigError: A run gave no verdicts.
    """
    results: list[StudyResult] = []
    runs: list[Run] = []
    for number in range(1, reruns + 1):
        given = folder / str(number)
        _write(studies, given, order=number)
        processes = 1 if number % 2 else 2
        report = _checked(given, processes=processes, hash_seed=number)
        digest = hashlib.sha256(json.dumps(report["studies"], sort_keys=True).encode()).hexdigest()
        if not runs:
            results = [_compared(study, report["studies"]) for study in studies]
        runs.append(Run(number, number, processes, number, digest, not runs or digest == runs[0].digest))
        progress(number)
    return results, runs


def _write(studies: Iterable[SyntheticStudy], folder: Path, *, order: int) -> None:
    """Write the files of all studies under names that put them into an order drawn by lot."""
    contents = [content for study in studies for _, content in part10_files(study)]
    random.Random(order).shuffle(contents)  # noqa: S311 - no secret is made of it
    folder.mkdir(parents=True)
    for number, content in enumerate(contents):
        (folder / f"{number:06}.dcm").write_bytes(content)


def _checked(folder: Path, *, processes: int, hash_seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "heltig", "check", ".", "--format", "json"]
    command += ["--jobs", str(processes), "--reference-date", REFERENCE_DATE]
    ran = subprocess.run(  # noqa: S603 - no part of the command comes from outside
        command,
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        check=False,
    )
    if ran.returncode not in _VERDICTS:
        raise HeltigError(f"`heltig check` ended with {ran.returncode}: {ran.stderr.decode().strip()}")
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def _compared(study: SyntheticStudy, judged: Iterable[dict[str, Any]]) -> StudyResult:
    uid = study.datasets[0]["0020000D"].get("Value", [""])[0]
    found = next((each for each in judged if each["studyInstanceUID"] == uid), None)
    readiness = found["readiness"] if found else "not judged"
    findings = found["findings"] if found else []
    rules = {finding["rule"] for finding in findings}
    return StudyResult(
        name=study.name,
        title=study.title,
        expected=study.file_expectation,
        expected_rules=study.file_rules,
        found=readiness,
        found_rules=tuple(sorted({f["rule"] for f in findings if f["severity"] != "note"})),
        as_expected=readiness == study.file_expectation and rules.issuperset(study.file_rules),
    )
