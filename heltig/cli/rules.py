"""`heltig rules` and `heltig rules show ID`."""

import difflib
import textwrap

import click

from heltig.errors import NotFoundError
from heltig.rules.catalogue import FAMILIES, catalogue, family_of
from heltig.rules.rule import Rule


@click.group(invoke_without_command=True)
@click.pass_context
def rules(ctx: click.Context) -> None:
    """List the rules; `heltig rules show ID` explains one."""
    if ctx.invoked_subcommand is None:
        listed = catalogue().values()
        width = max(len(rule.id) for rule in listed)
        for family in dict.fromkeys([*FAMILIES.values(), "Site"]):
            members = [rule for rule in listed if family_of(rule) == family]
            if members:
                click.secho(f"\n{family}", bold=True)
            for rule in members:
                click.echo(f"  {rule.id:<{width}}  {rule.severity:<6}  {rule.title}")


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
