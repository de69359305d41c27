"""Identifiers: whether they stand in the database as the settings say, and who sees them."""

from collections.abc import Mapping

from heltig.auth.policy import roles_named
from heltig.errors import ConfigurationError
from heltig.pipeline.doctor.check import Check, failed, ok
from heltig.pipeline.identifiers.key import look
from heltig.settings import Settings
from heltig.store.engine import Store


async def identifiers(store: Store, settings: Settings, *, environ: Mapping[str, str]) -> Check:
    """What there is to say of identifiers in a database with the newest tables."""
    try:
        state = await look(store, settings, environ=environ)
        roles = ", ".join(sorted(roles_named(settings.identifiers_shown_to)))
    except ConfigurationError as wrong:
        return failed("identifiers", wrong.detail, "docs/identifiers.md has the steps.")
    if settings.identifiers == "plain":
        return ok("identifiers", "They are shown to all who see studies.")
    if settings.identifiers == "masked":
        return ok("identifiers", f"They are shown to {roles}, and masked for others.")
    by = f" by the key {state.key_id}" if state else ", from the first start on"
    return ok("identifiers", f"They are kept as hashes{by}; {roles} may search by them.")
