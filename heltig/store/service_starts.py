"""The settings in force at the last start of each process of the service, to tell what changed since."""

from typing import Final

from sqlalchemy import bindparam, delete, select

from heltig.store.tables import service_starts
from heltig.store.text import from_json, to_json
from heltig.store.transaction import WriteTransaction

_OF: Final = select(service_starts.c.settings).where(service_starts.c.process == bindparam("process"))
_FORGET: Final = delete(service_starts).where(service_starts.c.process == bindparam("process"))


def swap(transaction: WriteTransaction, process: str, settings: dict[str, str]) -> dict[str, str] | None:
    """Remembers the settings of a process; gives those of its last start, None where it is its first.

    Args:
        transaction: That writes.
        process: Names it, with its host.
        settings: A keyed digest of each.
    """
    before = transaction.scalar(_OF, {"process": process})
    transaction.run(_FORGET, {"process": process})
    transaction.insert_or_ignore(service_starts, {"process": process, "settings": to_json(settings)})
    return None if before is None else from_json(before, dict[str, str])
