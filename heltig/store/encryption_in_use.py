"""Which keys something in the database is encrypted with, as far as that was written down."""

from typing import Final

from sqlalchemy import delete, inspect, select

from heltig.errors import ConfigurationError
from heltig.store.encryption import PLAIN_ID, Cipher, missing
from heltig.store.tables import encryption_keys
from heltig.store.transaction import ReadTransaction, WriteTransaction

_IDS: Final = select(encryption_keys.c.key_id).order_by(encryption_keys.c.key_id)


def key_ids(transaction: ReadTransaction) -> list[str]:
    """The ids of the keys that something may be encrypted with; `plain` where something may be plain."""
    if not inspect(transaction.connection).has_table(str(encryption_keys.name)):
        return []
    return transaction.scalars(_IDS)


def insist_on_keys(transaction: ReadTransaction) -> None:
    """Insists that all keys are here that something is encrypted with.

    Raises:
        ConfigurationError: One is not.
    """
    insist(transaction.cipher, key_ids(transaction))


def insist(cipher: Cipher, ids: list[str]) -> None:
    """Insists that a cipher has some keys.

    Raises:
        ConfigurationError: It has not.
    """
    if absent := absent_of(cipher, ids):
        raise ConfigurationError(missing(absent, cipher.where))


def absent_of(cipher: Cipher, ids: list[str]) -> list[str]:
    """Those of some keys that a cipher does not have.

    Raises:
        ConfigurationError: They cannot be read.
    """
    wanted = [one for one in ids if one != PLAIN_ID]
    known = cipher.keys().by_id
    if any(one not in known for one in wanted):
        known = cipher.reread().by_id
    return [one for one in wanted if one not in known]


def forget_keys(transaction: WriteTransaction, ids: list[str]) -> None:
    """Says that nothing is encrypted with some keys any more."""
    gone = delete(encryption_keys).where(encryption_keys.c.key_id.in_(ids))
    transaction.connection.execute(gone)
