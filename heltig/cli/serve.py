"""`heltig serve`: the service, its pages and its API."""

from typing import TYPE_CHECKING

import click

from heltig import __version__
from heltig.cli.options import profile_option
from heltig.reports.wording import counted
from heltig.rules.profile import DEFAULT, Profile
from heltig.setting_sources import load_settings
from heltig.settings import Settings

if TYPE_CHECKING:
    from heltig.desks import Does
    from heltig.serving import Listening


@click.command()
@profile_option
@click.option(
    "--uploads-only",
    is_flag=True,
    help="Leave all jobs but the judging of uploads to `heltig worker`, so that look-ups stay fast.",
)
def serve(profile: Profile, uploads_only: bool) -> None:
    """Answer archives and people: verdicts over DICOMweb and text, pages, uploads.

    `heltig settings` shows where it listens, where it keeps its data and who may use it.

    On Ctrl-C or SIGTERM it stops within seconds and exits with 0, as it should be for a service; jobs that
    are not done by then go on with the next start. Ctrl-C before it listens ends it with 130, as any command.
    It exits with 2 when a setting is wrong, and with 7 when the database cannot be opened.
    """
    run(load_settings(), profile=profile, does="uploads" if uploads_only else "all")


def run(settings: Settings, *, profile: Profile = DEFAULT, does: "Does" = "all") -> None:
    """Serve until told to stop; say where once it answers.

    Args:
        settings: The site's settings.
        profile: What studies are judged with.
        does: Which jobs it does itself.

    Raises:
        ConfigurationError: An address cannot be listened on.
        StorageError: The database cannot be opened.
    """
    from heltig import serving  # the web framework: not for `heltig --help`
    from heltig.logs import configure_logging

    configure_logging(settings.log_format)
    serving.run(
        settings, profile=profile, does=does, started=lambda listening: _announce(settings, listening)
    )


def _announce(settings: Settings, listening: "Listening") -> None:
    root = (settings.public_url or listening.url).rstrip("/")
    lines = {
        "DICOMweb": f"{root}/dicom-web/studies",
        "REST": f"{root}/api/v1/studies (described at {root}/schema)",
    }
    if listening.consult:
        lines["consult"] = f"http://{listening.consult}/consult/studies/UID"
    lines["data"] = str(settings.home)
    if listening.older_verdicts:
        number = counted(listening.older_verdicts, "verdict is", "verdicts are")
        lines["verdicts"] = f"{number} of another ruleset; `heltig rescore` judges their studies again"
    lines["access"] = _access(settings)
    click.echo(f"Heltig {__version__} at {root}/")
    for name, value in lines.items():
        click.echo(f"  {name:<9} {value}")


def _access(settings: Settings) -> str:
    """Who may use it, in a line."""
    if settings.auth_mode == "off":
        return "everybody on this machine (HELTIG_AUTH_MODE=off)"
    ways = []
    if settings.auth_mode != "api-key" and settings.oidc_client_id:
        ways.append(f"people who log in at {settings.oidc_issuer}")
    if settings.auth_mode != "api-key" and settings.oidc_audience:
        ways.append(f"programs with tokens of {settings.oidc_issuer}")
    if settings.auth_mode != "oidc":
        ways.append("with an API key; `heltig keys create` makes one")
    return ", ".join(ways)
