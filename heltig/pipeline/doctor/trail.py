"""The audit trail: whether its key is here, and whether it is the one that this host knows."""

from collections.abc import Mapping

from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.errors import ConfigurationError
from heltig.pipeline.doctor.check import Check, failed, ok
from heltig.settings import Settings
from heltig.store import audit_chain
from heltig.store.engine import Store

_KEY = "audit key"
_TRAIL = "audit trail"


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


async def trail(store: Store, settings: Settings) -> Check:
    """Whether its end agrees with the anchor of this host; `heltig audit verify` looks at all of it.

    Args:
        store: With the newest tables.
        settings: They say where the anchor is.
    """
    wrong = await store.read(OwnAnchor(settings).disagreement, AuditKeys(settings))
    if wrong is None:
        return ok(_TRAIL, "It is the one that this host knows.")
    sequence, why = wrong
    return failed(
        _TRAIL,
        f"Entry {sequence} {why}." if sequence else f"It is not the one that this host knows: {why}.",
        "`heltig audit verify`; docs/handbook/incidents.md says what to do, before `heltig audit accept`.",
    )
