"""`heltig rules` and `heltig rules show ID`."""

import difflib
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from heltig.errors import NotFoundError
from heltig.rules.catalogue import FAMILIES, catalogue, family_of
from heltig.rules.profile import DEFAULT
from heltig.rules.rule import Rule


@click.group(invoke_without_command=True)
@click.option("--timing", is_flag=True, help="Judge studies, and list what each rule took.")
@click.option(
    "--on",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="With --timing: the files, folders and ZIPs to judge; the demo's synthetic studies without it.",
)
@click.pass_context
def rules(ctx: click.Context, timing: bool, paths: tuple[Path, ...]) -> None:
    """List the rules; `heltig rules show ID` explains one."""
    if paths and not timing:
        raise click.UsageError("--on says what to time: give --timing too.")
    if timing:
        _show_costs(paths)
    elif ctx.invoked_subcommand is None:
        listed = catalogue().values()
        width = max(len(rule.id) for rule in listed)
        for family in dict.fromkeys([*FAMILIES.values(), "Site"]):
            members = [rule for rule in listed if family_of(rule) == family]
            if members:
                click.secho(f"\n{family}", bold=True)
            for rule in members:
                click.echo(f"  {rule.id:<{width}}  {rule.severity:<6}  {rule.title}")


def _show_costs(paths: tuple[Path, ...]) -> None:
    from heltig.demo.samples import write_samples
    from heltig.demo.studies import make_studies
    from heltig.pipeline.timing import time_rules

    with TemporaryDirectory(prefix="heltig-") as folder:
        chosen = paths or write_samples(make_studies(), Path(folder))
        costs = time_rules(chosen, DEFAULT, reference_date=datetime.now(UTC).date())
    instances, all_studies = max(costs.instances, 1), max(costs.studies, 1)
    rest = costs.seconds - sum(costs.by_rule.values())
    click.echo(f"{costs.instances} instances in {costs.studies} studies\n")
    click.echo(f"{'':<26}{'µs an instance':>15}{'µs a study':>12}")
    for name, seconds in [*costs.by_rule.items(), ("bringing values to rules", rest), ("all", costs.seconds)]:
        click.echo(f"{name:<26}{seconds / instances * 1e6:>15.2f}{seconds / all_studies * 1e6:>12.1f}")


@rules.command()
@click.argument("id")
def show(id: str) -> None:
    """Explain one rule."""
    rule = catalogue().get(id.upper())
    if rule is None:
        near = difflib.get_close_matches(id.upper(), catalogue(), n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `heltig rules` lists them"
        raise NotFoundError(f"there is no rule {id}{hint}")
    click.echo(explained(rule))


def explained(rule: Rule) -> str:
    """A rule's manual as plain text."""
    lines = [f"{rule.id}: {rule.title}", ""]
    for heading, text in rule.manual.items():
        lines += [f"{heading}:", textwrap.indent(textwrap.fill(text, 88), "  "), ""]
    facts = {
        "Family": family_of(rule),
        "Severity": rule.severity,
        "Looks at": rule.level,
        "Reads": ", ".join(rule.reads)
        or ("values of VR " + ", ".join(sorted(rule.vrs)) if rule.vrs else "all"),
        "Needs": ", ".join(sorted(rule.needs)),
        "Standard": rule.reference or "a rule of practice",
        "Since": rule.since,
    }
    return "\n".join([*lines, *(f"{name + ':':<10} {value}" for name, value in facts.items())])
