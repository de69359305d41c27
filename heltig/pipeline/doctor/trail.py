"""The audit trail: whether its key is here, and whether it is the one that was written."""

import os
from collections.abc import Mapping
from typing import Final

from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.own_verification import OwnVerification
from heltig.audit.verify import verify
from heltig.errors import ConfigurationError, StorageError
from heltig.pipeline.doctor.check import Check, failed, ok
from heltig.settings import Settings
from heltig.store import audit_chain, audit_rows
from heltig.store.engine import Store

_KEY = "audit key"
_TRAIL = "audit trail"

MOST_VERIFIED: Final = 200_000
"""Entries that are verified while somebody waits: some seconds."""


async def trail_key(store: Store, settings: Settings, *, environ: Mapping[str, str]) -> Check:
    """Whether the key is here that the trail is sealed with: no service starts without it.

    Args:
        store: With the newest tables.
        settings: They say where it is.
        environ: Where `env:` looks for secrets.
    """
    keys = AuditKeys(settings, environ)
    head = await store.read(audit_chain.head)
    if head is None:
        return failed(
            _KEY, "The head row of the audit trail is gone: nothing starts.", "`heltig audit verify`"
        )
    if head.key_id is None:
        return ok(_KEY, "Nothing is sealed yet: the first start makes a key, where none is named.")
    why = ""
    try:
        if keys.knows(head.key_id):
            return ok(_KEY, f"The trail is sealed with {head.key_id}, which {keys.where} holds.")
    except ConfigurationError as wrong:
        why = f"{wrong.detail} "
    return failed(
        _KEY,
        f"{why}{keys.missing(head.key_id)}",
        "Take it from the first server or from the safe, and let the user that Heltig runs as read it: no "
        "service starts without it. Do not make another one.",
    )


async def trail(store: Store, settings: Settings, *, environ: Mapping[str, str] = os.environ) -> Check:
    """Whether its end agrees with the anchor of this host, and its entries are what was written.

    Entries of a long trail are not looked at: `heltig audit verify` does, and the service once a day. What it
    found is told.

    Args:
        store: With the newest tables.
        settings: They say where the anchor is, and the keys.
        environ: Where `env:` looks for secrets.
    """
    keys = AuditKeys(settings, environ)
    wrong = await store.read(OwnAnchor(settings).disagreement, keys)
    if wrong is not None:
        sequence, why = wrong
        return _broken(f"Entry {sequence} {why}." if sequence else f"Not the one this host knows: {why}.")
    head, count = await store.read(audit_chain.head), await store.read(audit_rows.count)
    if count > MOST_VERIFIED:
        return _as_last_verified(settings, count)
    if head is None or head.key_id is None or not _holds(keys, head.key_id):
        return ok(_TRAIL, "It is not another one than this host knows. Without a key no entry is looked at.")
    found = await store.read(verify, keys)
    if found.breaks:
        first = found.breaks[0]
        where = f"entry {first.sequence}" if first.sequence else "the trail as a whole"
        more = len(found.breaks) + found.untold - 1
        others = f", and {more:,} more" if more else ""
        return _broken(f"It is not what was written: {where}: {first.why}{others}.")
    if found.before:
        return ok(
            _TRAIL,
            f"Nothing is wrong since entry {found.accepted}, and before it only what was accepted by it.",
        )
    return ok(_TRAIL, "It is the one that this host knows, and each entry is what was written.")


def _as_last_verified(settings: Settings, count: int) -> Check:
    """What the service of this host found, where that is known."""
    try:
        last = OwnVerification(settings).read()
    except StorageError as wrong:
        return _broken(wrong.detail)
    if last is not None and last.wrong:
        return _broken(f"It was not what was written on {last.at:%Y-%m-%d %H:%M} UTC: {last.wrong}")
    when = f"the service found nothing wrong on {last.at:%Y-%m-%d %H:%M} UTC, and " if last else ""
    return ok(
        _TRAIL,
        f"Its end is the one that this host knows. Its {count:,} entries were not looked at now: "
        f"{when}`heltig audit verify` does.",
    )


def _holds(keys: AuditKeys, key_id: str) -> bool:
    try:
        return keys.knows(key_id)
    except ConfigurationError:
        return False


def _broken(what: str) -> Check:
    return failed(
        _TRAIL,
        what,
        "`heltig audit verify`; docs/handbook/incidents.md says what to do, before `heltig audit accept`.",
    )
