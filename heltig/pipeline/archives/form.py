"""What somebody writes down to have an archive configured, and the entry that is made of it."""

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import msgspec

from heltig import http
from heltig.credentials import NO_AUTH, ArchiveAuth, ClientCredentials
from heltig.errors import ConfigurationError, UsageError
from heltig.link_local import LINK_LOCAL, is_link_local
from heltig.pipeline.archives import files as archive_files
from heltig.settings import Settings
from heltig.store.archives import Archive, ArchiveOptions

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_WRONG: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_FIELD: Final = re.compile(r"([a-z]\w*): (.*)", re.DOTALL)
_CERTIFICATES: Final = ("ca_bundle", "certificate", "key")
_NO_TEXT: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that are in no name and no address: control characters, ends of lines, and what
turns the direction of writing or cannot be seen."""


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
    if odd := next(_not_text(given, ""), None):
        raise UsageError(f"{odd}: control characters and line breaks are no part of it.")
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


def entry_of(
    form: ArchiveForm, settings: Settings, *, before: ArchiveForm | None = None, from_afar: bool = False
) -> Archive:
    """The entry that a form gives, checked as far as that is possible without asking the archive.

    It reads files: call it beside the event loop, and in no transaction.

    Args:
        form: The form.
        settings: What addresses and files may be named.
        before: The form of the entry that is changed: only what is another is checked, so that a title can
            be changed whatever became of a file.
        from_afar: Whoever filled it in may not read our files: only secrets, keys, certificates and profiles
            that are meant for archives may be named.

    Raises:
        UsageError: Something in it makes no sense, is no address, or cannot be read. It names the field.
    """
    if not _NAME.fullmatch(form.name):
        raise UsageError(f"name: {form.name!r} is no name for an archive. Use up to 64 of a-z, 0-9, - and _.")
    if from_afar:
        _insist_on_what_may_be_named(form, before, settings)
    _check_addresses(form, before, settings)
    _check_files(form, before, settings, from_afar=from_afar)
    qido = form.qido_url.rstrip("/")
    roots = {
        "wado_url": (form.wado_url or qido).rstrip("/"),
        "stow_url": form.stow_url and form.stow_url.rstrip("/"),
        "feed_url": form.feed_url and form.feed_url.rstrip("/"),
    }
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


def _insist_on_what_may_be_named(form: ArchiveForm, before: ArchiveForm | None, settings: Settings) -> None:
    """Another address is told the secrets that were there before, too."""
    is_moved = before is None or _addresses(form) != _addresses(before)
    if before is None or is_moved or form.auth != before.auth:
        archive_files.insist_on_own_secret(form.auth, settings.home)
    for name in _CERTIFICATES:
        path = getattr(form.options, name)
        if before is None or is_moved or path != getattr(before.options, name):
            field = "caBundle" if name == "ca_bundle" else name
            archive_files.insist_on_own_file(f"options.{field}", path, settings.home)


def _check_addresses(form: ArchiveForm, before: ArchiveForm | None, settings: Settings) -> None:
    host = form.options.dimse_host
    if host and is_link_local(host) and not settings.archive_link_local:
        raise UsageError(f"options.dimseHost: {host} is {LINK_LOCAL}")
    known = _addresses(before) if before else {}
    for field, address in _addresses(form).items():
        if address is None or address == known.get(field):
            continue
        try:
            # Made for its checks; it opens no connection that would have to be closed.
            http.client(address, allow_link_local=settings.archive_link_local)
        except ConfigurationError as wrong:
            raise UsageError(f"{field}: {wrong.detail}") from wrong


def _check_files(
    form: ArchiveForm, before: ArchiveForm | None, settings: Settings, *, from_afar: bool
) -> None:
    options = form.options
    if before is None or any(
        getattr(options, name) != getattr(before.options, name) for name in _CERTIFICATES
    ):
        archive_files.check_certificates(options)
    if isinstance(form.auth, ClientCredentials) and (before is None or form.auth != before.auth):
        archive_files.check_token_certificates(form.auth)
    if options.profile and (before is None or options.profile != before.options.profile):
        archive_files.check_profile(options.profile, settings.home, from_afar=from_afar)


def _addresses(form: ArchiveForm) -> dict[str, str | None]:
    """Where an archive is asked, by field."""
    found = {
        "qidoUrl": form.qido_url,
        "wadoUrl": form.wado_url,
        "stowUrl": form.stow_url,
        "feedUrl": form.feed_url,
    }
    if isinstance(form.auth, ClientCredentials):
        url = urlsplit(form.auth.token_url)
        found["auth.tokenUrl"] = f"{url.scheme}://{url.netloc}/"
    return found


def _not_text(given: object, place: str) -> Iterator[str]:
    """The places of texts that are none."""
    if isinstance(given, str):
        if any(unicodedata.category(character) in _NO_TEXT for character in given):
            yield place
    elif isinstance(given, Mapping):
        for name, value in given.items():
            yield from _not_text(value, f"{place}.{name}" if place else str(name))
    elif isinstance(given, list | tuple):
        for value in given:
            yield from _not_text(value, place)


def _said(wrong: str) -> str:
    """What is wrong, the field first."""
    found = _WRONG.fullmatch(wrong)
    where, what = (found["where"] or "", found["what"]) if found else ("", wrong)
    if missing := _MISSING.fullmatch(what):
        where, what = f"{where}.{missing[1]}".lstrip("."), "is missing"
    elif inner := _FIELD.fullmatch(what):  # a struct's own check names its field
        where, what = f"{where}.{inner[1]}".lstrip("."), inner[2]
    if where.endswith("secret") and what != "is missing" and "PEM" not in what:
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
