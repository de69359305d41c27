"""The files and secrets that an archive's entry names: which may be named from afar, and if they can be used.

Nothing is said of what is in a file to somebody who may not read it.
"""

import stat
from pathlib import Path
from typing import Final

from heltig.credentials import ArchiveAuth, BasicAuth, BearerAuth, ClientCredentials
from heltig.errors import ConfigurationError, UsageError
from heltig.pipeline.profiles import load_profile
from heltig.rules.profile_file import is_path
from heltig.rules.profile_shipped import SHIPPED
from heltig.store.archives import ArchiveOptions
from heltig.tls import Tls, ssl_context

SECRETS: Final = "secrets"
"""The folder in HELTIG_HOME whose secrets, keys and certificates may be named from afar."""
PROFILES: Final = "profiles"
"""The folder in HELTIG_HOME whose profiles may be named from afar."""
ENVIRONMENT: Final = "env:HELTIG_SECRET_"
"""How the variables begin whose secrets may be named from afar."""

LARGEST: Final = 1024 * 1024
"""Bytes of a file: all the authorities of an operating system take a quarter of it."""

_ELSEWHERE: Final = "`heltig archives` on the server's host takes others."


def insist_on_own_secret(auth: ArchiveAuth, home: Path) -> None:
    """Insists that credentials name nothing but what is meant for archives: the archive is told the secret.

    Raises:
        UsageError: They name something else.
    """
    reference = auth.secret if isinstance(auth, BasicAuth | BearerAuth | ClientCredentials) else ENVIRONMENT
    is_known = reference.startswith(ENVIRONMENT)
    if reference.startswith("file:"):
        is_known = _is_in(home / SECRETS, reference.removeprefix("file:"))
    if not is_known:
        raise UsageError(
            f"auth.secret: over HTTP only {ENVIRONMENT}… and files in {home / SECRETS} can be named, since "
            f"the archive is told the secret. {_ELSEWHERE}"
        )
    if isinstance(auth, ClientCredentials):
        insist_on_own_file("auth.caBundle", auth.ca_bundle, home)
        insist_on_own_file("auth.certificate", auth.certificate, home)


def insist_on_own_file(field: str, path: str | None, home: Path) -> None:
    """Insists that a key or a certificate lies where those are that may be named from afar.

    Raises:
        UsageError: It lies elsewhere, whatever is there.
    """
    if path is not None and not _is_in(home / SECRETS, path):
        raise UsageError(
            f"{field}: {path}: over HTTP only files in {home / SECRETS} can be named. {_ELSEWHERE}"
        )


def check_certificates(options: ArchiveOptions) -> None:
    """Reads the certificates that options name.

    Raises:
        UsageError: One of them cannot be used.
    """
    for field, path in _files_of(options).items():
        _insist_on_file(field, path)
    for field, tls in (
        ("caBundle", Tls(ca_bundle=_path(options.ca_bundle))),
        ("certificate", Tls(certificate=_path(options.certificate), key=_path(options.key))),
    ):
        if tls.files:
            _check_tls(f"options.{field}", tls)


def check_token_certificates(auth: ClientCredentials) -> None:
    """Reads the certificates that are for a token endpoint.

    Raises:
        UsageError: One of them cannot be used.
    """
    if auth.certificate:
        _insist_on_file("auth.certificate", auth.certificate)
    if auth.ca_bundle:
        _insist_on_file("auth.caBundle", auth.ca_bundle)
        _check_tls("auth.caBundle", Tls(ca_bundle=Path(auth.ca_bundle)))


def check_profile(written: str, home: Path, *, from_afar: bool) -> None:
    """Reads the profile that options name.

    Args:
        written: The name of a shipped one, or a path.
        home: `HELTIG_HOME`.
        from_afar: Whoever names it may not read our files.

    Raises:
        UsageError: There is none, it may not be named, or it cannot be used.
    """
    field = "options.profile"
    if written not in SHIPPED:
        if from_afar and not _is_in(home / PROFILES, written):
            raise UsageError(
                f"{field}: {written}: over HTTP only shipped profiles (`heltig rules profiles` lists them) "
                f"and files in {home / PROFILES} can be named. {_ELSEWHERE}"
            )
        if from_afar or is_path(written) or Path(written).is_file():
            _insist_on_file(field, written)
    try:
        load_profile(written)
    except ConfigurationError as wrong:
        reason = f"{written}: it cannot be used. `heltig check --profile` on the server's host says why."
        raise UsageError(f"{field}: {reason if from_afar else wrong.detail}") from wrong


def _files_of(options: ArchiveOptions) -> dict[str, str]:
    named = {"caBundle": options.ca_bundle, "certificate": options.certificate, "key": options.key}
    return {f"options.{field}": path for field, path in named.items() if path}


def _path(written: str | None) -> Path | None:
    return Path(written) if written else None


def _is_in(folder: Path, path: str) -> bool:
    """Whether a file lies in a folder, and is no link out of it."""
    try:
        return Path(path).resolve().is_relative_to(folder.resolve())
    except RuntimeError:  # links that lead to one another
        return False


def _insist_on_file(field: str, path: str) -> None:
    """Insists on a file that has an end: a device or a pipe may have none."""
    try:
        found = Path(path).stat()
    except OSError as wrong:
        raise UsageError(f"{field}: {path}: this file cannot be read.") from wrong
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
        raise UsageError(f"{field}: {path}: no regular file of {LARGEST // 1024**2} MiB at most.")


def _check_tls(field: str, tls: Tls) -> None:
    try:
        ssl_context(tls)
    except ConfigurationError as wrong:
        raise UsageError(f"{field}: {wrong.detail}") from wrong
