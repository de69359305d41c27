"""Options that several commands share."""

from pathlib import Path
from typing import Any

import click

from heltig.rules.catalogue import catalogue
from heltig.rules.profile import DEFAULT, Profile, parse_profile


def _read_profile(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> Profile:
    if value is None:
        return DEFAULT
    return parse_profile(value.read_text("utf-8"), known=catalogue(), name=value.name)


def profile_option(command: Any) -> Any:
    """`--profile FILE`: a profile's TOML file."""
    return click.option(
        "--profile",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        callback=_read_profile,
        help="A profile: severities, rules switched off or insisted on, thresholds (TOML).",
        metavar="FILE",
    )(command)
