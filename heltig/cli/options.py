"""Options that several commands share."""

from typing import Any

import click
from click.core import ParameterSource

from heltig.pipeline.profiles import load_profile
from heltig.rules.profile import Profile
from heltig.setting_sources import load_settings


def profile_option(command: Any) -> Any:
    """`--profile`: a shipped profile by its name, or a TOML file; the setting where it is not given."""
    return click.option(
        "--profile",
        callback=_read_profile,
        help="What to judge with: a shipped profile by its name, or a TOML file. HELTIG_PROFILE by default.",
        metavar="NAME|FILE",
    )(command)


def is_profile_given() -> bool:
    """Whether `--profile` was given to the command that runs: then it goes for every archive."""
    return click.get_current_context().get_parameter_source("profile") is ParameterSource.COMMANDLINE


def _read_profile(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Profile:
    return load_profile(value or load_settings().profile)
