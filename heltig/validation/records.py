"""What an auditor asks of an installation beside its verdicts: the audit trail, the form of the database."""

import hashlib
from importlib.resources import files
from typing import Any

from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.verify import verify
from heltig.errors import ConfigurationError
from heltig.pipeline.publish import render
from heltig.settings import Settings
from heltig.store import audit_chain, audit_checkpoints, audit_rows, audit_trail
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store
from heltig.store.migrations import HEAD, version
from heltig.store.transaction import ReadTransaction


def migrations() -> list[dict[str, str]]:
    """The steps that make the tables, each file with its SHA-256."""
    folder = files("heltig.store.migrations") / "versions"
    steps = sorted((file for file in folder.iterdir() if file.name.endswith(".py")), key=lambda f: f.name)
    return [{"file": s.name, "sha256": hashlib.sha256(s.read_bytes()).hexdigest()} for s in steps]


async def database_check(settings: Settings) -> dict[str, Any]:
    """The version of the database's tables, and what can be seen of its audit trail; changes nothing.

    Raises:
        StorageError: The database cannot be opened.
    """
    if settings.database_url is None and not (settings.home / "heltig.db").exists():
        return {"database": "none yet"}
    store = await Store.open(settings.database, render=render, cipher=cipher_of(settings))
    try:
        now = await store.read(version)
        found: dict[str, Any] = {"tables": now, "newestTables": HEAD}
        return found | (await store.read(_trail, settings) if now == HEAD else {})
    finally:
        await store.close()


def _trail(transaction: ReadTransaction, settings: Settings) -> dict[str, Any]:
    checkpoint = audit_checkpoints.last(transaction)
    purged = checkpoint.through if checkpoint else 0
    last, found = purged, 0
    for row in audit_rows.stored(transaction):
        if row.sequence <= purged:
            continue
        last, found = row.sequence, found + 1
    handed_out = audit_trail.handed_out(transaction)
    refused = audit_trail.refused(transaction)
    chain = _chain(transaction, settings)
    return {
        "auditEntries": found,
        "auditEntriesPurged": purged,
        "auditLastSequence": last,
        "auditSequencesHandedOut": handed_out,
        "auditEntriesMissing": max(last, handed_out or 0) - purged - found,
        "auditEndMatches": last == handed_out,
        "auditDatabaseRefuses": refused,
        "auditChain": chain,
        "auditChecked": (
            "That entries are numbered without gaps, from 1 or from where they were purged, that the last "
            "has the number that was handed out last, that the database has triggers that refuse to change "
            "and to delete them, and the chain of their tags where its keys are at hand. Whoever has the "
            "keys, or cut off the end and set the head back, is found by anchors alone (heltig audit verify)."
        ),
        "auditChecksPassed": (
            last == handed_out == purged + found
            and refused == ["DELETE", "UPDATE"]
            and chain["state"] in ("whole", "not begun")
        ),
    }


def _chain(transaction: ReadTransaction, settings: Settings) -> dict[str, Any]:
    """Whether the chain of tags is whole; what is wrong, if not."""
    head = audit_chain.head(transaction)
    own = OwnAnchor(settings)
    if head is not None and head.key_id is None and not own.path.exists():
        return {"state": "not begun"}
    try:
        found = verify(transaction, AuditKeys(settings), own=own)
    except ConfigurationError as wrong:
        return {"state": "not verified", "why": wrong.detail}
    if found.is_whole:
        return {"state": "whole", "keys": found.keys, "anchor": f"{found.last}:{found.tag.hex()}"}
    breaks = (*found.before, *found.breaks)
    return {"state": "broken", "breaks": [{"sequence": one.sequence, "why": one.why} for one in breaks]}
