"""`heltig validate`: evidence that this installation judges as it should."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

import click

from heltig.errors import StorageError, UsageError
from heltig.reports.wording import counted

FAILED = 1
"""The exit code when something came out otherwise than labelled."""


@click.command()
@click.option(
    "--reruns",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="How often all labelled studies are judged; 1 compares nothing.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Where the evidence is written; a new or empty folder.",
)
@click.option(
    "--audit-pack",
    is_flag=True,
    help="Add the settings without secrets, a check of the audit trail, the migrations and the dependencies.",
)
def validate(reruns: int, output: Path, audit_pack: bool) -> None:
    """Judge labelled samples, and write down what was expected and found.

    Judges the labelled studies of every rule and the synthetic studies several times: in shuffled order, by
    one process and by several, under other hash seeds, under the default profile whatever this site's is.
    Every run has to give the same, and what the labels say. The studies are in the pack. Rules that this site
    installed are listed and left out of it: `heltig rules test` tries them on their own cases.

    Exit code: 1 when something came out otherwise; 2 when the installation lacks something or a rule of the
    site cannot be loaded; 7 when --audit-pack could not read the database.
    """
    from heltig.demo.studies import make_studies
    from heltig.rules.catalogue import catalogue
    from heltig.standard.edition import provenance
    from heltig.validation.pack import CHECKSUMS, Evidence, is_as_expected, write_pack
    from heltig.validation.rule_cases import results_of_rules
    from heltig.validation.runs import judge_again_and_again
    from heltig.validation.samples import packed_samples

    catalogue()  # what cannot be loaded is told before anything is done
    provenance()
    with _making(output):
        more = _audit_files() if audit_pack else {}
        samples = make_studies()
        with tempfile.TemporaryDirectory(prefix="heltig-") as folder:
            judged = judge_again_and_again(
                samples,
                reruns=reruns,
                folder=Path(folder),
                progress=lambda number: click.echo(f"judged all labelled studies, {number} of {reruns}"),
            )
        rules, cases, studies, runs = (
            results_of_rules(judged.cases),
            judged.cases,
            judged.studies,
            judged.runs,
        )
        evidence = Evidence(tuple(rules), tuple(cases), tuple(studies), tuple(runs))
        covered = evidence.covered
        right = sum(map(is_as_expected, covered))
        click.echo(f"{right} of {len(covered)} rules came out as their {len(cases)} labelled studies say")
        if len(rules) > len(covered):
            number = counted(len(rules) - len(covered), "rule of the site is", "rules of the site are")
            click.echo(f"{number} not covered by cases of Heltig; `heltig rules test` tries their own")
        right = sum(study.as_expected for study in studies)
        click.echo(f"{right} of {len(studies)} synthetic studies came out as labelled")
        if reruns > 1:
            click.echo("all runs gave the same" if all(run.same for run in runs) else "runs differ")
        try:
            write_pack(evidence, output, {"samples.zip": packed_samples(samples), **more})
        except OSError as error:
            raise StorageError(
                f"{output} cannot be written: {error.strerror}. Name another folder."
            ) from error
    click.echo(
        f"{'PASSED' if evidence.passed else 'FAILED'}: see {output / 'summary.html'}, checked by {CHECKSUMS}"
    )
    if not evidence.passed:
        sys.exit(FAILED)


@contextmanager
def _making(folder: Path) -> Iterator[None]:
    """Make the folder before the work; when the work does not end, leave none of what was made."""
    made = list(takewhile(lambda part: not part.exists(), (folder, *folder.parents)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty: name a new folder, or empty it first.")
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}. Name another folder.") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):  # of what cannot be removed the first error is no news
            for file in folder.iterdir():  # it was empty
                file.unlink()
            for part in made:
                part.rmdir()
        raise


def _audit_files() -> dict[str, bytes]:
    from heltig.setting_info import describe
    from heltig.setting_sources import load_settings
    from heltig.validation.pack import as_json, dependencies
    from heltig.validation.records import database_check, migrations

    return {
        "settings.json": as_json(describe(os.environ)),
        "database.json": as_json(asyncio.run(database_check(load_settings()))),
        "migrations.json": as_json(migrations()),
        "dependencies.txt": dependencies(),
    }
