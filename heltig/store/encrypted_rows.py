"""Rows whose columns of text go together, compressed and encrypted, into one column `encrypted`.

Such a column is empty then, or has a keyed digest where rows are found by equal texts. A row whose
`encrypted` is NULL is plain.
"""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from heltig.store.encryption import Cipher
from heltig.store.packing import compress, decompress

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[str]).decode


class EncryptedColumns:
    """What of a table is encrypted.

    Attributes:
        table: The table's name.
        identity: The columns that name a row for ever: its ciphertext is bound to them.
        columns: The columns of text that are encrypted.
        found_by: Those of them that rows are found by.
    """

    def __init__(
        self,
        table: str,
        *,
        identity: tuple[str, ...],
        columns: tuple[str, ...],
        found_by: tuple[str, ...] = (),
    ) -> None:
        self.table: Final = table
        self.identity: Final = identity
        self.columns: Final = columns
        self.found_by: Final = found_by

    def put(self, cipher: Cipher, row: Mapping[str, Any]) -> dict[str, Any]:
        """A plain row as it is stored, with its identity among its columns."""
        if cipher.writing() is None:
            return {**row, "encrypted": None}
        packed = compress(_encode([row[column] for column in self.columns]))
        hidden = {
            column: cipher.digest(row[column]) if column in self.found_by else "" for column in self.columns
        }
        return {**row, **hidden, "encrypted": cipher.encrypt(self.table, self._identity_of(row), packed)}

    def get(self, cipher: Cipher, row: Any) -> Any:
        """A stored row as it was; its values have names.

        Raises:
            StorageError: Its key is not here, or it is damaged, or belongs elsewhere.
        """
        if row.encrypted is None:
            return row
        values = row._asdict()
        packed = cipher.decrypt(self.table, self._identity_of(values), row.encrypted)
        values.update(zip(self.columns, _decode(decompress(packed)), strict=True))
        return SimpleNamespace(**values)

    def _identity_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[column] for column in self.identity)


FINDINGS: Final = EncryptedColumns(
    "findings",
    identity=("verdict_row", "position", "rule"),
    columns=("message", "observed", "expected", "instances", "proposed", "digest"),
    found_by=("observed", "digest"),
)
VERDICTS: Final = EncryptedColumns(
    "verdicts",
    identity=("study_row", "revision", "verdict_id"),
    columns=("facts", "index_facts", "waivers", "not_evaluable", "errors"),
)
WAIVERS: Final = EncryptedColumns(
    "waivers", identity=("id", "rule"), columns=("observed", "reason", "digest")
)
COMMENTS: Final = EncryptedColumns("comments", identity=("id", "study_row"), columns=("body",))
CONSENTS: Final = EncryptedColumns("consents", identity=("id", "study_row"), columns=("reason", "answer"))
ANALYSES: Final = EncryptedColumns("analyses", identity=("analysis_id",), columns=("override_reason",))
