"""What Heltig finds in real files, and which injected faults it finds: `python tests/bench/corpus.py`.

Prints Markdown, the tables of docs/corpus.md. Needs the corpus of real files and the fault injector
(HELTIG_TEST_CORPUS, HELTIG_TEST_TOOLS).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "contract")]

from test_injected_faults import BASES, FOUND_BY, UNDECIDABLE, judged, rules_of  # noqa: E402

from heltig.pipeline.check import check  # noqa: E402
from heltig.rules.catalogue import catalogue  # noqa: E402
from heltig.rules.profile import DEFAULT  # noqa: E402

COMMONEST = 30
FURTHER_BASES = {
    "several echoes": "gh_moloney__dcmstack/test/data/dcmstack/2D_16Echo_qT2",
    "perfusion": "gh_neurolabusc__dcm_qa_philips_asl/In/Classic/201_pCASL",
    "run-length": "gh_icometrix__dicom2nifti/tests/data/generic/compressed_rle",
    "diffusion, implicit VR": "gh_icometrix__dicom2nifti/tests/data/ge/dti/001_implicit",
    "CT of a file set": "pypi_pydicom/pydicom/data/test_files/dicomdirtests/98892001/CT5N",
}
"""Beside those of the tests."""


def main() -> None:
    shared = ROOT.parent / "shared"
    corpus = Path(os.environ.get("HELTIG_TEST_CORPUS", shared / "data" / "dev"))
    injector = Path(os.environ.get("HELTIG_TEST_TOOLS", shared / "tools")) / "fault_inject.py"
    if not corpus.is_dir() or not injector.exists():
        sys.exit(f"{corpus} or {injector} is not here")
    print_findings(corpus)
    print_faults(corpus, injector)


def print_findings(corpus: Path) -> None:
    report = check([corpus], DEFAULT, reference_date=date(2026, 6, 1))
    readiness = Counter(study.readiness for study in report.studies)
    shown = ", ".join(f"{number} {name}" for name, number in readiness.items())
    print(f"{len(report.studies)} studies: {shown}")
    print(f"{sum(len(study.errors) for study in report.studies)} rules failed to run\n")
    studies, findings, severity = Counter(), Counter(), {}
    for study in report.studies:
        for rule in {finding.rule for finding in study.findings}:
            studies[rule] += 1
        for finding in study.findings:
            findings[finding.rule] += 1
            severity[finding.rule] = finding.severity
    print("| rule | severity | studies | findings a study that has it |\n|---|---|---|---|")
    for rule, number in studies.most_common(COMMONEST):
        print(f"| {rule} | {severity[rule]} | {number} | {findings[rule] / number:.1f} |")
    silent = [rule for rule in catalogue() if rule not in studies]
    print(f"\n{len(silent)} of {len(catalogue())} rules find nothing there.\n")


def print_faults(corpus: Path, injector: Path) -> None:
    tried, found = Counter(), Counter()
    missed, gained = [], []
    by_base = defaultdict(Counter)
    for base, folder in (BASES | FURTHER_BASES).items():
        with tempfile.TemporaryDirectory(prefix="heltig-") as out:
            for fault, category, is_found, more in faults_of(base, corpus / folder, injector, Path(out)):
                tried[category] += 1
                found[category] += is_found
                by_base[base][is_found] += 1
                if not is_found:
                    missed.append(f"- {fault} on {base} (gained: {', '.join(more) or 'nothing'})")
            control, rewritten = (
                judged(Path(out) / f / "files") for f in ("00_control", "00_control_rewrite")
            )
            gained += sorted(rules_of(rewritten) - rules_of(control))
    print("| family | faults | found |\n|---|---|---|")
    for category in sorted(tried):
        print(f"| {category} | {tried[category]} | {found[category] / tried[category]:.1%} |")
    print(f"| all | {tried.total()} | {found.total() / tried.total():.1%} |\n")
    print("| base | faults | found |\n|---|---|---|")
    for base, outcome in by_base.items():
        print(f"| {base} | {outcome.total()} | {outcome[True]} |")
    print(f"\nGained by rewriting a study without a change: {len(gained)}.\n\nNot found:\n")
    print("\n".join(missed) or "none")


def faults_of(
    base: str, study: Path, injector: Path, out: Path
) -> Iterator[tuple[str, str, bool, list[str]]]:
    """Each fault that was made: its name and family, whether it was found, and the rules gained."""
    command = [sys.executable, str(injector), "run", "--in", str(study), "--out", str(out), "--seed", "7"]
    subprocess.run(command, check=True, capture_output=True)
    controls = {name: rules_of(judged(out / name / "files")) for name in ("00_control", "00_control_deid")}
    for line in (out / "labels.jsonl").read_text("utf-8").splitlines():
        label = json.loads(line)
        wanted = FOUND_BY.get(label["id"])
        if wanted is None or not label["applicable"] or (base, label["id"]) in UNDECIDABLE:
            continue
        is_package = label["category"] == "package"
        report = judged(out / label["id"] / ("upload.zip" if is_package else "files"))
        gained = {rule for rule, _ in rules_of(report) - controls[label["control"]]}
        yield label["id"], label["category"], bool(gained & wanted), sorted(gained)


if __name__ == "__main__":
    main()
