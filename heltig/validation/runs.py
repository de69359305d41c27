"""All labelled studies judged several times: in another order, by several processes, each time alike."""

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
from heltig.errors import ConfigurationError, HeltigError
from heltig.rules.profile import DEFAULT
from heltig.setting_sources import PREFIX
from heltig.validation.rule_cases import CaseResult, rules_of_the_site

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
        order: What the order of cases and files was drawn from.
        processes: How many processes shared the work.
        hash_seed: Python's seed for the order of sets.
        digest: SHA-256 of all findings on the cases of rules, and of all verdicts on the synthetic studies.
        same: As in the first run.
    """

    number: int
    order: int
    processes: int
    hash_seed: int
    digest: str
    same: bool


class Judged(msgspec.Struct, frozen=True):
    """What came of all runs: the results of the first, and whether the others are like it."""

    cases: list[CaseResult]
    studies: list[StudyResult]
    runs: list[Run]


def judge_again_and_again(
    studies: Sequence[SyntheticStudy],
    *,
    reruns: int,
    folder: Path,
    progress: Callable[[int], None] = lambda number: None,
) -> Judged:
    """Judge the cases of all rules, and synthetic studies by `heltig check`, several times.

    Nothing of this site has a part in it but its installation: neither settings nor its profile, nor rules
    that it installed, which would find things that no label knows.

    Args:
        studies: The labelled synthetic studies.
        reruns: How often.
        folder: Where their files are written, other names each time.
        progress: Called with the number of each run that is done.

    Raises:
        ConfigurationError: The installation lacks something.
        HeltigError: A run gave no verdicts.
    """
    judged = Judged([], [], [])
    profile = _without_rules_of_the_site(folder)
    for number in range(1, reruns + 1):
        given = folder / str(number)
        _write(studies, given, order=number)
        processes = 1 if number % 2 else 2
        cases = _judged_cases(order=number, processes=processes)
        report = _checked(given, profile, processes=processes, hash_seed=number)
        found = [msgspec.json.encode(cases).decode(), json.dumps(report["studies"], sort_keys=True)]
        digest = hashlib.sha256("\n".join(found).encode()).hexdigest()
        if not judged.runs:
            judged.cases.extend(cases)
            judged.studies.extend(_compared(study, report["studies"]) for study in studies)
        first = judged.runs[0].digest if judged.runs else digest
        judged.runs.append(Run(number, number, processes, number, digest, digest == first))
        progress(number)
    return judged


def _judged_cases(*, order: int, processes: int) -> list[CaseResult]:
    """The cases of all rules, shared by some processes, by rule."""
    started = [
        _start([sys.executable, "-m", "heltig.validation", str(order), str(part), str(processes)], order)
        for part in range(processes)
    ]
    found: list[CaseResult] = []
    for process in started:
        output, errors = process.communicate()
        if process.returncode:
            raise _failed("judging the cases", process.returncode, errors)
        found += msgspec.json.decode(output, type=list[CaseResult])
    return sorted(found)


def _start(command: Sequence[str], hash_seed: int, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.Popen(  # noqa: S603 - no part of the command comes from outside
        command,
        cwd=cwd,
        env={**environ, "PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _write(studies: Iterable[SyntheticStudy], folder: Path, *, order: int) -> None:
    """Write the files of all studies under names that put them into an order drawn by lot."""
    contents = [content for study in studies for _, content in part10_files(study)]
    random.Random(order).shuffle(contents)  # noqa: S311 - no secret is made of it
    folder.mkdir(parents=True)
    for number, content in enumerate(contents):
        (folder / f"{number:06}.dcm").write_bytes(content)


def _failed(what: str, code: int, errors: bytes) -> HeltigError:
    """What a process that gave nothing said last, in one line."""
    said = (errors.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    if code == ConfigurationError.exit_code:
        return ConfigurationError(said.removeprefix("heltig: "))
    return HeltigError(f"{what} ended with {code}: {said}")


def _without_rules_of_the_site(folder: Path) -> str:
    """The default profile, with the rules off that a site installed beside those of this package."""
    ids = [rule.id for rule in rules_of_the_site()]
    if not ids:
        return DEFAULT.name
    path = folder / "without-rules-of-the-site.toml"
    path.write_text(f"off = {json.dumps(ids)}\n", "utf-8")
    return str(path)


def _checked(folder: Path, profile: str, *, processes: int, hash_seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "heltig", "check", ".", "--format", "json"]
    command += ["--jobs", str(processes), "--reference-date", REFERENCE_DATE]
    command += ["--profile", profile]
    process = _start(command, hash_seed, folder)
    output, errors = process.communicate()
    if process.returncode not in _VERDICTS:
        raise _failed("`heltig check`", process.returncode, errors)
    report: dict[str, Any] = json.loads(output)
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
