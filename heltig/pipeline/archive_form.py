"""What somebody writes down to have an archive configured, and the entry that is made of it."""

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import msgspec

from heltig import http
from heltig.credentials import NO_AUTH, ArchiveAuth, BasicAuth, BearerAuth, ClientCredentials
from heltig.errors import UsageError
from heltig.pipeline.connecting import tls_of
from heltig.pipeline.profiles import load_profile
from heltig.settings import Settings
from heltig.store.archives import Archive, ArchiveOptions

SECRETS: Final = "secrets"
"""The folder in HELTIG_HOME whose files may be named from afar; variables that may begin as below."""
ENVIRONMENT: Final = "env:HELTIG_SECRET_"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_WRONG: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)


class ArchiveForm(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """An archive as it is to be configured.

    Attributes:
        name: Its id: lower case letters, digits, `-` and `_`.
        qido_url: The root of its QIDO-RS.
        wado_url: The root of its WADO-RS; that of QIDO-RS where there is nothing. `stow_url` likewise, for
            studies that are sent to it.
        feed_url: The root of what tells of changes, where that is beside DICOMweb.
        title: For people.
        auth: How to authenticate. Secrets are references: `env:NAME` or `file:PATH`.
        options: Limits, hours, and how to watch it.
    """

    name: str
    qido_url: str
    wado_url: str | None = None
    stow_url: str | None = None
    feed_url: str | None = None
    title: str = ""
    auth: ArchiveAuth = NO_AUTH
    options: ArchiveOptions = ArchiveOptions()


def read_form(given: Mapping[str, Any]) -> ArchiveForm:
    """A form out of JSON.

    Raises:
        UsageError: Names a field that is unknown, with the nearest one, or that holds something wrong.
    """
    unknown = [
        *_unknown(given, ArchiveForm, ""),
        *_unknown(given.get("options"), ArchiveOptions, "options."),
        *_unknown(given.get("auth"), _kind_of(given.get("auth")), "auth."),
    ]
    if unknown:
        raise UsageError("\n".join(unknown))
    try:
        return msgspec.convert(given, ArchiveForm)
    except msgspec.ValidationError as wrong:
        raise UsageError(_said(str(wrong))) from wrong


def form_of(entry: Archive) -> ArchiveForm:
    """The form that would give an archive's entry."""
    return ArchiveForm(
        name=entry.name,
        qido_url=entry.qido_url,
        wado_url=None if entry.wado_url == entry.qido_url else entry.wado_url,
        stow_url=entry.stow_url,
        feed_url=entry.feed_url,
        title=entry.title,
        auth=entry.auth,
        options=entry.options,
    )


def patched(form: ArchiveForm, patch: Mapping[str, Any]) -> ArchiveForm:
    """A form with some changes (JSON Merge Patch, RFC 7396): what is null gets its default.

    Other credentials replace those that were there as a whole.

    Raises:
        UsageError: See `read_form`.
    """
    known: dict[str, Any] = msgspec.to_builtins(form)
    auth = patch.get("auth")
    if isinstance(auth, Mapping) and auth.get("kind", known.get("auth", {}).get("kind")) != (
        known.get("auth", {}).get("kind")
    ):
        known.pop("auth", None)
    return read_form(_merged(known, patch))


def entry_of(form: ArchiveForm, settings: Settings, *, from_afar: bool = False) -> Archive:
    """The entry that a form gives, checked as far as that is possible without asking the archive.

    Args:
        form: The form.
        settings: What addresses and files may be named.
        from_afar: Whoever filled it in may not read our files: only secrets that are meant for archives may
            be named, since the archive is told them.

    Raises:
        UsageError: Something in it makes no sense.
        ConfigurationError: An address is none, or a certificate or a profile cannot be read.
    """
    if not _NAME.fullmatch(form.name):
        raise UsageError(f"{form.name}: no name for an archive. Use up to 64 of a-z, 0-9, - and _.")
    if from_afar:
        _insist_on_secrets_of_archives(form.auth, settings.home / SECRETS)
    qido = form.qido_url.rstrip("/")
    roots = {
        "wado_url": (form.wado_url or qido).rstrip("/"),
        "stow_url": form.stow_url and form.stow_url.rstrip("/"),
        "feed_url": form.feed_url and form.feed_url.rstrip("/"),
    }
    tls = tls_of(form.options)
    for root in {qido, *filter(None, roots.values())}:
        # Made for its checks; it opens no connection that would have to be closed.
        http.client(root, tls=tls, allow_link_local=settings.archive_link_local)
    if isinstance(form.auth, ClientCredentials):
        url = urlsplit(form.auth.token_url)
        http.client(f"{url.scheme}://{url.netloc}/", allow_link_local=settings.archive_link_local)
    if form.options.profile:
        load_profile(form.options.profile)
    return Archive(
        name=form.name,
        qido_url=qido,
        wado_url=roots["wado_url"] or qido,
        stow_url=roots["stow_url"],
        feed_url=roots["feed_url"],
        title=form.title,
        auth=form.auth,
        options=form.options,
    )


def etag_of(entry: Archive) -> str:
    """What changes whenever an archive is configured otherwise, paused or resumed (RFC 9110 8.8.3)."""
    said = (form_of(entry), entry.paused)
    return f'"{hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:32]}"'


def _insist_on_secrets_of_archives(auth: ArchiveAuth, folder: Path) -> None:
    reference = auth.secret if isinstance(auth, BasicAuth | BearerAuth | ClientCredentials) else ENVIRONMENT
    is_known = reference.startswith(ENVIRONMENT)
    if reference.startswith("file:"):
        is_known = Path(reference.removeprefix("file:")).resolve().is_relative_to(folder.resolve())
    if not is_known:
        raise UsageError(
            f"auth.secret: over HTTP only {ENVIRONMENT}… and files in {folder} can be named, since the "
            "archive is told the secret. `heltig archives` on the server's host takes others."
        )


def _said(wrong: str) -> str:
    """What is wrong, the field first."""
    found = _WRONG.fullmatch(wrong)
    where, what = (found["where"], found["what"]) if found else (None, wrong)
    if where and where.endswith("secret"):
        what = "a secret is not given itself: give env:NAME or file:PATH"  # not shown: it may be one
    return f"{where or 'archive'}: {what}."


def _merged(known: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(known)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            before = merged.get(name)
            merged[name] = _merged(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def _kind_of(auth: object) -> type[Any] | None:
    kinds = {one.__struct_config__.tag: one for one in get_args(ArchiveAuth)}
    return kinds.get(auth.get("kind")) if isinstance(auth, Mapping) else None


def _unknown(given: object, kind: type[Any] | None, place: str) -> Iterator[str]:
    """What is wrong with the names in an object."""
    if kind is None or not isinstance(given, Mapping):
        return
    known = [*(field.encode_name for field in msgspec.structs.fields(kind))]
    if tag := kind.__struct_config__.tag_field:
        known.append(tag)
    for name in map(str, given):
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1) or difflib.get_close_matches(
                name.lower(), known, n=1, cutoff=0.4
            )
            near = f"; the nearest one is {place}{nearest[0]}" if nearest else ""
            yield f"{place}{name} is no field of an archive{near}."
