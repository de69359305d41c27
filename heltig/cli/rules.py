"""`heltig rules`: what is checked, under which profiles, and whether rules come out as their cases say."""

import difflib
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from heltig.cli.options import profile_option
from heltig.errors import NotFoundError, UnreadableInputError
from heltig.reports.explanation import as_text
from heltig.rules.catalogue import FAMILIES, catalogue, family_of
from heltig.rules.profile import Profile
from heltig.rules.profile_shipped import SHIPPED, shipped_text, summary
from heltig.rules.profile_tables import nearest


@click.group(invoke_without_command=True)
@profile_option
@click.option("--timing", is_flag=True, help="Judge studies, and list what each rule took.")
@click.option(
    "--on",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="With --timing: the files, folders and ZIPs to judge; the demo's synthetic studies without it.",
)
@click.pass_context
def rules(ctx: click.Context, profile: Profile, timing: bool, paths: tuple[Path, ...]) -> None:
    """List the rules with their severities under a profile; `heltig rules show ID` explains one."""
    if paths and not timing:
        raise click.UsageError("--on says what to time: give --timing too.")
    if timing:
        _show_costs(paths, profile)
    elif ctx.invoked_subcommand is None:
        _show_list(profile)


def _show_list(profile: Profile) -> None:
    listed = profile.rules_among(catalogue()).values()
    width = max(len(rule.id) for rule in listed)
    for family in dict.fromkeys([*FAMILIES.values(), "Site"]):
        members = [rule for rule in listed if family_of(rule) == family]
        if members:
            click.secho(f"\n{family}", bold=True)
        for rule in members:
            state = profile.severity(rule) if profile.runs(rule.id) else "off"
            insisted = " (required)" if rule.id in profile.required and profile.runs(rule.id) else ""
            click.echo(f"  {rule.id:<{width}}  {state:<6}  {rule.title}{insisted}")
    if profile.exceptions:
        click.echo(f"\nFor some studies this changes: see the [[for]] tables of profile {profile.name}.")


def _show_costs(paths: tuple[Path, ...], profile: Profile) -> None:
    from heltig.demo.samples import write_samples
    from heltig.demo.studies import make_studies
    from heltig.pipeline.timing import time_rules

    with TemporaryDirectory(prefix="heltig-") as folder:
        chosen = paths or write_samples(make_studies(), Path(folder))
        costs = time_rules(chosen, profile, reference_date=datetime.now(UTC).date())
    if not costs.instances:
        raise UnreadableInputError("no DICOM instance could be read from what was given")
    rest = costs.seconds - sum(costs.by_rule.values()) - sum(costs.shared.values())
    lines = [
        *costs.by_rule.items(),
        *((f"shared: {name}", seconds) for name, seconds in costs.shared.items()),
        ("bringing values to rules", rest),
        ("all", costs.seconds),
    ]
    width = max(len(name) for name, _ in lines)
    click.echo(f"{costs.instances} instances in {costs.studies} studies\n")
    click.echo(f"{'':<{width}}{'µs an instance':>15}{'µs a study':>12}")
    for name, seconds in lines:
        each, study = seconds / costs.instances * 1e6, seconds / costs.studies * 1e6
        click.echo(f"{name:<{width}}{each:>15.2f}{study:>12.1f}")


@rules.command()
@click.argument("id")
@profile_option
def show(id: str, profile: Profile) -> None:
    """Explain one rule; a profile's own rules too, where the profile is given."""
    known = profile.rules_among(catalogue())
    rule = known.get(id.upper())
    if rule is None:
        near = difflib.get_close_matches(id.upper(), known, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `heltig rules` lists them"
        raise NotFoundError(f"there is no rule {id}{hint}")
    click.echo(as_text(rule))


@rules.command()
@click.argument("name", required=False)
def profiles(name: str | None) -> None:
    """List the profiles that are shipped, or print one: a start for one of your own."""
    if name is None:
        width = max(map(len, SHIPPED))
        for shipped in SHIPPED:
            click.echo(f"{shipped:<{width}}  {summary(shipped)}")
    elif name in SHIPPED:
        click.echo(shipped_text(name), nl=False)
    else:
        raise NotFoundError(f"there is no shipped profile {name}{nearest(name, SHIPPED)}")


@rules.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@profile_option
def test(folder: Path, profile: Profile) -> None:
    """Try rules on the cases in FOLDER: a file ID.yml for each rule.

    Tried are the rules of the catalogue, those that are installed beside it and those of the profile.
    Exit code: 0 every rule comes out as its cases say, 1 one does not.
    """
    from heltig.cli.rule_cases import try_folder

    tried = try_folder(folder, profile.rules_among(catalogue()))
    for problem in tried.problems:
        click.echo(problem)
    for rule in tried.without_cases:
        click.echo(f"{rule}: it has no cases; write {folder / rule}.yml")
    click.echo(f"{tried.cases} cases of {tried.rules} rules, {len(tried.problems)} came out otherwise")
    sys.exit(1 if tried.problems else 0)
