"""What somebody writes down to have a receiver told of changes, and the webhook that is made of it."""

import difflib
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from heltig.errors import ConfigurationError, UsageError
from heltig.http_notice import checked_address
from heltig.pipeline.archives.files import ENVIRONMENT, SECRETS, insist_on_own_file
from heltig.store.webhooks import Webhook, WebhookOptions
from heltig.tls import Tls, ssl_context

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FIELDS: Final = tuple(field.encode_name for field in msgspec.structs.fields(WebhookOptions))
_LONGEST_URL: Final = 2000


class WebhookView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook.

    Attributes:
        name: What it is called.
        url: Where its receiver is.
        options: What it is told of, and how.
        paused: Nothing new is queued for it, and nothing is sent.
        reason: Why it is paused, where nobody did it.
        failing_since: Since when its receiver takes nothing.
        closed_until: Until when it is left alone.
        error: Why it took nothing, last time.
        etag: For `If-Match`, when it is changed.
    """

    name: str
    url: str
    options: WebhookOptions
    paused: bool
    reason: str
    failing_since: datetime | None
    closed_until: datetime | None
    error: str | None
    etag: str


def webhook_view(webhook: Webhook) -> WebhookView:
    """A webhook as it is shown to administrators."""
    return WebhookView(
        name=webhook.name,
        url=webhook.url,
        options=webhook.options,
        paused=webhook.paused,
        reason=webhook.reason,
        failing_since=webhook.failing_since,
        closed_until=webhook.closed_until,
        error=webhook.error,
        etag=etag_of(webhook),
    )


def etag_of(webhook: Webhook) -> str:
    """What changes whenever a webhook is made another one, paused or resumed (RFC 9110 8.8.3)."""
    said = (webhook.name, webhook.url, webhook.options, webhook.paused)
    return f'"{hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:32]}"'


def new_webhook(given: Mapping[str, Any], *, home: Path, from_afar: bool) -> Webhook:
    """A webhook out of JSON: `name`, `url`, and the options beside them.

    Args:
        given: The JSON.
        home: `HELTIG_HOME`.
        from_afar: Whoever gives it may not read our files: only what is meant for it may be named.

    Raises:
        UsageError: It names a field that is unknown, missing, or holds something wrong.
    """
    rest = dict(given)
    name, url = rest.pop("name", None), rest.pop("url", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("name: give up to 64 of a-z, 0-9, - and _.")
    webhook = Webhook(name=name, url=_address(url), options=_options(rest))
    _insist_on_files(webhook.options, home=home, from_afar=from_afar)
    return webhook


def changed_webhook(before: Webhook, patch: Mapping[str, Any], *, home: Path, from_afar: bool) -> Webhook:
    """A webhook with some changes (JSON Merge Patch, RFC 7396): what is null gets its default.

    Raises:
        UsageError: See `new_webhook`.
    """
    if patch.get("name", before.name) != before.name:
        raise UsageError("name: it stays. Add another webhook, and remove this one.")
    known: dict[str, Any] = msgspec.to_builtins(before.options)
    for field, value in patch.items():
        if field not in ("name", "url"):
            known[field] = value
    options = _options({field: value for field, value in known.items() if value is not None})
    if from_afar or options != before.options:
        _insist_on_files(options, home=home, from_afar=from_afar)
    url = _address(patch["url"]) if "url" in patch else before.url
    return msgspec.structs.replace(before, url=url, options=options)


def _address(url: object) -> str:
    if not isinstance(url, str) or len(url) > _LONGEST_URL:
        raise UsageError("url: give http(s)://HOST/PATH.")
    try:
        checked_address(url)
    except ConfigurationError as wrong:
        raise UsageError(f"url: {wrong.detail}") from wrong
    return url


def _options(given: Mapping[str, Any]) -> WebhookOptions:
    for name in given:
        if name not in _FIELDS:
            nearest = difflib.get_close_matches(str(name), _FIELDS, n=1)
            near = f"; the nearest one is {nearest[0]}" if nearest else ""
            raise UsageError(f"{name} is no field of a webhook{near}.")
    try:
        return msgspec.convert(given, WebhookOptions)
    except msgspec.ValidationError as wrong:
        what, _, where = str(wrong).partition(" - at `$.")
        if where.startswith("secrets"):
            what = "a secret is not given itself: give env:NAME or file:PATH"  # not shown: it may be one
        elif not where and "secrets" in what:
            what, where = "is missing: give env:NAME or file:PATH", "secrets"
        raise UsageError(f"{where.rstrip('`') or 'webhook'}: {what}.") from wrong


def _insist_on_files(options: WebhookOptions, *, home: Path, from_afar: bool) -> None:
    if from_afar:
        for secret in options.secrets:
            path = secret.removeprefix("file:")
            if not secret.startswith(ENVIRONMENT) and path == secret:
                raise UsageError(
                    f"secrets: over HTTP only {ENVIRONMENT}… and files in {home / SECRETS} can be named."
                )
            if path != secret:
                insist_on_own_file("secrets", path, home)
        insist_on_own_file("caBundle", options.ca_bundle, home)
    if options.ca_bundle:
        try:
            ssl_context(Tls(ca_bundle=Path(options.ca_bundle)))
        except ConfigurationError as wrong:
            raise UsageError(f"caBundle: {wrong.detail}") from wrong
