"""The keys that evidence is encrypted with: whether they are here, and whether everything is encrypted."""

import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from heltig.errors import ConfigurationError
from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.settings import Settings
from heltig.store.encryption import PLAIN_ID, SETTING, Cipher, missing
from heltig.store.encryption_in_use import absent_of, key_ids
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store

_ABOUT = "encryption"


def keys(settings: Settings, *, environ: Mapping[str, str]) -> tuple[Cipher | None, Check | None]:
    """What decrypts evidence, or what is wrong with its keys."""
    try:
        return cipher_of(settings, environ), None
    except ConfigurationError as wrong:
        return None, failed(
            _ABOUT,
            wrong.detail,
            f"Put the key where {SETTING} says, from the safe of your passwords, and let the user that "
            "Heltig runs as read it: nothing starts without it, and no other key reads that evidence.",
        )


async def encryption(store: Store, settings: Settings) -> AsyncIterator[Check]:
    """What there is to say of the keys and of what is encrypted with them.

    Args:
        store: With the newest tables.
        settings: They say where the keys are.
    """
    used = await store.read(key_ids)
    if absent := absent_of(store.cipher, used):
        yield failed(
            _ABOUT,
            missing(absent, store.cipher.where),
            "Look for the key in the backup of keys; no service starts without it.",
        )
        return
    if settings.encryption_key is None:
        yield skipped(_ABOUT, f"Evidence in the database is not encrypted ({SETTING}).")
        return
    writes = store.cipher.keys().writes
    first = PLAIN_ID if writes is None else writes.id
    if writes is None:
        yield warning(
            _ABOUT,
            f"{store.cipher.where} begins with `plain`: what is written is not encrypted.",
            "`heltig encryption rewrite --plain` decrypts the rest; then the setting can go.",
        )
    elif others := [one for one in used if one != first]:
        older = ", ".join("plain" if one == PLAIN_ID else f"encrypted with {one}" for one in others)
        yield warning(
            _ABOUT,
            f"What is written is encrypted with the key {first}; older rows may be {older}.",
            "`heltig encryption rewrite` rewrites them; with --dry-run it counts them.",
        )
    else:
        yield ok(_ABOUT, f"Evidence is encrypted with the key {first}.")
    if _is_open(settings.encryption_key):
        yield warning(
            _ABOUT,
            "Everybody on this host may open the key's file.",
            "`chmod 600` it, and give it to the user that Heltig runs as.",
        )


def _is_open(reference: str) -> bool:
    if not reference.startswith("file:"):
        return False
    try:
        return bool(Path(reference.removeprefix("file:")).stat().st_mode & stat.S_IRWXO)
    except OSError:
        return False
