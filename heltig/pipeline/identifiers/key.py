"""The key that identifiers are hashed with, and that a database is used with the setting it was made for."""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from heltig.errors import ConfigurationError, ConflictError, StorageError, named
from heltig.jobs.presence import SILENCE
from heltig.secret import read_secret, write_secret
from heltig.settings import Settings
from heltig.store import identifier_state, workers
from heltig.store.engine import Store
from heltig.store.identifier_state import WHOLE, State
from heltig.store.keyed import Keyed
from heltig.store.transaction import ReadTransaction, WriteTransaction

LENGTH: Final = 32
"""Bytes of a key."""

_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


async def open_identifiers(
    store: Store,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] = os.environ,
) -> Keyed | None:
    """Has whoever judges for a store hash identifiers, where that is set, and sees that they stand so there.

    Args:
        store: With the newest tables.
        settings: The site's.
        clock: Gives the time, in UTC.
        environ: Where a reference to the environment looks.

    Returns:
        What makes the hashes; None where identifiers stand as they are.

    Raises:
        ConfigurationError: Identifiers stand otherwise in this database, or the key is not here.
        ConflictError: Others run that would write identifiers as they are into a database without studies.
        StorageError: The key cannot be made.
    """
    state = await look(store, settings, environ=environ)
    if settings.identifiers != "hashed":
        return None
    if state is None:  # asked before a key is made: where this is refused, another server may make the first
        state = await store.read(_begun, at=clock())
    keyed = key_of(settings, environ=environ, makes=state is None)
    if state is None:
        state = await store.write(_begin, State("hashed", keyed.id, WHOLE), at=clock())
    see_that_it_is(keyed, state, settings)  # another process may have been quicker
    store.keyed = keyed
    return keyed


async def look(store: Store, settings: Settings, *, environ: Mapping[str, str] = os.environ) -> State | None:
    """How identifiers stand in a database, where that is as it is set; changes nothing.

    Raises:
        ConfigurationError: They stand otherwise, or the key is not here.
    """
    state = await store.read(identifier_state.find)
    if settings.identifiers != "hashed":
        if state is not None:
            raise ConfigurationError(_IS_HASHED.format(mode=settings.identifiers))
    elif state is None:
        if not await store.read(identifier_state.is_empty):
            raise ConfigurationError(_IS_PLAIN)
    elif state.form == "rewriting":
        raise ConfigurationError(_IS_NOT_DONE)
    else:
        see_that_it_is(key_of(settings, environ=environ), state, settings)
        if state.place < WHOLE:
            raise ConfigurationError(_IS_OLDER)
    return state


def key_of(settings: Settings, *, environ: Mapping[str, str] = os.environ, makes: bool = False) -> Keyed:
    """The key.

    Args:
        settings: They say where it is.
        environ: Where a reference to the environment looks.
        makes: It is made where none is named and there is none yet.

    Raises:
        ConfigurationError: It is not there, or is none.
        StorageError: It cannot be made.
    """
    own = settings.home / "secrets" / "identifier-key"
    if makes and not settings.identifier_key and not own.exists():
        _make(own)
    if not settings.identifier_key and not own.exists():
        raise ConfigurationError(
            f"{own}, which identifiers are hashed with, is not there. Copy it from another server of this "
            "database or from the safe of your passwords, or name it in HELTIG_IDENTIFIER_KEY."
        )
    reference = settings.identifier_key or f"file:{own}"
    with named("HELTIG_IDENTIFIER_KEY"):
        text = read_secret(reference, environ)
        if not _KEY.fullmatch(text):
            raise ConfigurationError(f"{reference}: not a key. Give 64 hex digits (`openssl rand -hex 32`).")
    return Keyed(bytes.fromhex(text))


def see_that_it_is(keyed: Keyed, state: State, settings: Settings) -> None:
    """Sees that identifiers are hashed with this key, and no other.

    Raises:
        ConfigurationError: They are not.
    """
    if state.key_id != keyed.id:
        where = settings.identifier_key or "secrets/identifier-key in HELTIG_HOME"
        raise ConfigurationError(
            f"Identifiers in this database are hashed with the key {state.key_id}, and {where} is "
            f"{keyed.id}. Give every server of a database the same key: copy it, or name it in "
            "HELTIG_IDENTIFIER_KEY. It cannot be changed for another one: docs/identifiers.md, The key, says "
            "what can be done where it is lost."
        )


def insist_on_silence(transaction: ReadTransaction, at: datetime) -> None:
    """Insists that nobody else runs, who would write identifiers as they are.

    Raises:
        ConflictError: Somebody was heard of in the last minute.
    """
    if running := workers.heard_of(transaction, since=at - SILENCE):
        hosts = ", ".join(sorted({worker.host for worker in running}))
        raise ConflictError(
            f"Identifiers in this database begin to be hashed, and Heltig runs on {hosts}, or did a minute "
            "ago: it would write them as they are. Stop all of it, wait a minute where it was killed, and "
            "say this again. Then start everything with HELTIG_IDENTIFIERS=hashed."
        )


def _begun(transaction: ReadTransaction, *, at: datetime) -> State | None:
    """How identifiers stand; None where they can begin to be hashed.

    Raises:
        ConflictError: They cannot: others run.
    """
    found = identifier_state.find(transaction)
    if found is None:
        insist_on_silence(transaction, at)
    return found


def _begin(transaction: WriteTransaction, state: State, *, at: datetime) -> State:
    found = _begun(transaction, at=at)
    if found is not None:
        return found  # another process was quicker
    identifier_state.begin(transaction, state)
    return identifier_state.find(transaction) or state


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(path, secrets.token_hex(LENGTH), replaces=False)
    except OSError as wrong:
        raise StorageError(f"The key {path} cannot be written: {wrong.strerror}.") from wrong


_IS_HASHED: Final = (
    "Identifiers in this database are keyed hashes, and HELTIG_IDENTIFIERS={mode} wants them as they are. "
    "Set HELTIG_IDENTIFIERS=hashed. A hash cannot be turned back: to have identifiers again, begin with an "
    "empty database and pull the archives anew."
)
_IS_PLAIN: Final = (
    "HELTIG_IDENTIFIERS=hashed, and this database holds identifiers as they are. Stop all of Heltig and run "
    "`heltig identifiers rewrite`, or begin with an empty database."
)
_IS_OLDER: Final = (
    "An earlier version hashed the identifiers in this database, and not how archives listed its studies. "
    "Stop all of Heltig and run `heltig identifiers rewrite`."
)
_IS_NOT_DONE: Final = (
    "The rewrite of identifiers in this database did not come to its end: some are hashed, others not. Run "
    "`heltig identifiers rewrite` again: it goes on where it was."
)
