"""`heltig bundle` and `heltig verify`: a verdict with its evidence, and whether it holds elsewhere."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from heltig.cli.archives import now
from heltig.cli.check_output import try_file
from heltig.cli.database import open_database
from heltig.cli.looks import record_look
from heltig.cli.report import named
from heltig.errors import StorageError
from heltig.reports.bundle.checking import Checked, Outcome, check_bundle
from heltig.reports.bundle.form import Manifest
from heltig.reports.bundle.reading import read_bundle
from heltig.reports.bundle.writing import Parts, write_bundle
from heltig.reports.gathering import study_of
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings

EXIT_CODES: Final[dict[Outcome, int]] = {"same": 0, "differs": 1, "other-ruleset": 9, "not-judged": 11}


@click.command()
@click.argument("study")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--location", metavar="NAME", help="Where it was seen; else where its verdict is worst.")
@click.option(
    "--redact",
    is_flag=True,
    help="Without what could name a patient, and so without the snapshot: nobody can judge it again.",
)
def bundle(study: str, file: Path, location: str | None, redact: bool) -> None:
    """Write the evidence for the verdict on STUDY to FILE, a ZIP.

    It holds the verdict and its findings, the snapshot that was judged, ruleset, profile, waivers, what the
    audit trail says, and checksums. `heltig verify` judges it again on another machine. A study that stands
    as it stood gives the same bytes.

    Exit code: 0 written; 4 there is no such study; 5 it was never judged; 7 the file cannot be written.
    """
    if not file.exists():
        try_file(file, option="FILE")
    manifest = asyncio.run(_write(study, location, file, redact=redact))
    click.echo(
        f"{file}: {manifest.readiness}, revision {manifest.revision}, {counted(len(manifest.files), 'file')}"
    )
    for part, why in manifest.left_out.items():
        click.echo(f"Without {part}: {why}.")


async def _write(study: str, location: str | None, file: Path, *, redact: bool) -> Manifest:
    settings = load_settings()
    is_hashed = settings.identifiers == "hashed"
    async with open_database(settings) as store:
        found = await study_of(store, study, named(location), now=now())
        await record_look(store, "bundle", study=found.study.study_key)
        part = file.with_name(f".{file.name}.part")
        try:
            with part.open("wb") as output:
                parts = Parts(identifiers=not redact, snapshot=not is_hashed)
                manifest = await write_bundle(store, found, parts, output)
            part.replace(file)
        except OSError as error:
            raise StorageError(f"{file} cannot be written: {error.strerror}.") from error
        finally:
            part.unlink(missing_ok=True)
    return manifest


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(bundle: Path, format_: str) -> None:
    """Check the evidence in BUNDLE, and judge it again by the ruleset installed here.

    No server and no database is needed.

    Exit code: 0 it comes to the same; 1 it differs; 3 the bundle is damaged or refused; 9 another ruleset is
    installed here, whose verdict is told; 11 the files are whole, but it holds no snapshot to be judged.
    """
    checked = check_bundle(read_bundle(bundle))
    if format_ == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(checked), indent=2))
    else:
        for line in _lines(checked):
            click.echo(line)
    sys.exit(EXIT_CODES[checked.outcome])


def _lines(checked: Checked) -> Iterator[str]:
    manifest, here = checked.manifest, checked.here
    yield f"{_line(manifest.key)} at {_line(manifest.location)}, revision {manifest.revision}"
    yield f"judged {manifest.judged:%Y-%m-%d %H:%M:%S} UTC: {manifest.readiness}"
    yield (
        f"  by ruleset {_line(manifest.ruleset.version)} ({manifest.ruleset.hash[:12]}), DICOM "
        f"{_line(manifest.ruleset.standard)}, profile {_line(manifest.profile.name)} "
        f"({manifest.profile.hash[:12]}), reference date {manifest.reference_date}"
    )
    yield f"{counted(len(manifest.files), 'file')} as their checksums say"
    if checked.outcome == "not-judged":
        why = manifest.left_out.get("snapshot", "it does not say why")
        yield f"NOT JUDGED AGAIN: its snapshot is not in it: {_line(why)}."
    elif checked.outcome == "other-ruleset":
        yield f"OTHER RULESET: {here.version} ({here.hash[:12]}), DICOM {here.standard}, is installed here."
        yield f"By that it is {checked.readiness}, with {counted(checked.findings or 0, 'finding')}."
        yield "The ruleset that judged it has to be installed to tell whether the verdict holds."
    elif checked.outcome == "same":
        yield f"SAME: judged again here it is {checked.readiness}, with the same {_findings(checked)}."
    else:
        yield f"DIFFERS: judged again here it is {checked.readiness}, with {_findings(checked)}."
    for difference in checked.differences:
        yield f"  {_line(difference)}"
    for left_out, why in manifest.left_out.items():
        if (left_out, checked.outcome) != ("snapshot", "not-judged"):
            yield f"Left out, as it says: {left_out}: {_line(why)}."
    yield "Proven against damage alone, as by checksums:"
    for part in checked.unproven:
        yield f"  {_line(part, longest=240)}"


def _findings(checked: Checked) -> str:
    return counted(checked.findings or 0, "finding")


def _line(text: str, longest: int = 160) -> str:
    """A text of somebody else, on one line of a terminal."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
