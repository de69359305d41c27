"""Files that settings name: a process that needs one does not start without it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from heltig.errors import ConfigurationError
from heltig.pipeline.doctor.check import Check, failed, ok
from heltig.pipeline.profiles import load_profile
from heltig.setting_sources import variable_of
from heltig.settings import Settings

_NAMED: Final = (
    "dicom_certificate",
    "dicom_key",
    "dicom_client_ca",
    "audit_syslog_certificate",
    "audit_syslog_key",
    "audit_syslog_ca",
    "oidc_ca_bundle",
)


def files(settings: Settings) -> Iterator[Check]:
    """What there is to say of the profile, and of certificates and keys."""
    try:
        load_profile(settings.profile)
    except ConfigurationError as wrong:
        yield failed("profile", wrong.detail, "Mend the file, or HELTIG_PROFILE: nothing starts like this.")
    else:
        yield ok("profile", f"{settings.profile} can be read.")
    for name in _NAMED:
        path = getattr(settings, name, None)
        if path is None:
            continue
        try:
            with Path(path).open("rb"):
                pass
        except OSError as wrong:
            yield failed(
                "files",
                f"{variable_of(name)}: {path} cannot be read: {wrong.strerror}.",
                "Put it there, and let the user that Heltig runs as read it.",
            )
