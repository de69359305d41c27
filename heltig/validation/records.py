"""What an auditor asks of an installation beside its verdicts: the audit trail, the form of the database."""

import hashlib
from importlib.resources import files
from typing import Any, Final

from heltig import audit
from heltig.pipeline.publish import render
from heltig.settings import Settings
from heltig.store import audit_trail
from heltig.store.engine import Store
from heltig.store.migrations import HEAD, version
from heltig.store.transaction import ReadTransaction

_AT_ONCE: Final = 1000


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
    store = await Store.open(settings.database, render=render)
    try:
        now = await store.read(version)
        found: dict[str, Any] = {"tables": now, "newestTables": HEAD}
        return found | (await store.read(_trail) if now else {})
    finally:
        await store.close()


def _trail(transaction: ReadTransaction) -> dict[str, Any]:
    last, found = 0, 0
    while entries := audit.entries(transaction, after=last, limit=_AT_ONCE):
        last, found = entries[-1].sequence, found + len(entries)
    handed_out = audit_trail.handed_out(transaction)
    refused = audit_trail.refused(transaction)
    return {
        "auditEntries": found,
        "auditLastSequence": last,
        "auditSequencesHandedOut": handed_out,
        "auditEntriesMissing": max(last, handed_out or 0) - found,
        "auditEndMatches": last == handed_out,
        "auditDatabaseRefuses": refused,
        "auditChecked": (
            "That entries are numbered from 1 without gaps, that the last has the number that was handed out "
            "last, and that the database has triggers that refuse to change and to delete them. Who may drop "
            "triggers could have changed entries and left no trace: this is no proof that nobody did."
        ),
        "auditChecksPassed": last == handed_out == found and refused == ["DELETE", "UPDATE"],
    }
