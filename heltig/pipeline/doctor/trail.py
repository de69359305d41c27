"""The audit trail: whether it is the one that this host knows."""

from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.pipeline.doctor.check import Check, failed, ok
from heltig.settings import Settings
from heltig.store.engine import Store

_ABOUT = "audit trail"


async def trail(store: Store, settings: Settings) -> Check:
    """Whether its end agrees with the anchor of this host; `heltig audit verify` looks at all of it.

    Args:
        store: With the newest tables.
        settings: They say where the anchor is.
    """
    wrong = await store.read(OwnAnchor(settings).disagreement, AuditKeys(settings))
    if wrong is None:
        return ok(_ABOUT, "It is the one that this host knows.")
    sequence, why = wrong
    return failed(
        _ABOUT,
        f"Entry {sequence} {why}." if sequence else f"It is not the one that this host knows: {why}.",
        "`heltig audit verify`; docs/handbook/incidents.md says what to do, before `heltig audit accept`.",
    )
