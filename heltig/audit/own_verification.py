"""When this host last verified all of the audit trail, and what came of it: in a file, as its anchor is."""

from datetime import datetime
from typing import Final

import msgspec

from heltig.audit import own_files
from heltig.errors import StorageError
from heltig.settings import Settings

FILE: Final = "audit-verified"


class LastVerified(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        at: When it began.
        wrong: What was wrong, in a sentence; empty where nothing was.
    """

    at: datetime
    wrong: str


class OwnVerification:
    """The file `secrets/audit-verified` in HELTIG_HOME."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.home / own_files.FOLDER / FILE

    def read(self) -> LastVerified | None:
        """What came of it last; None where it was not verified since the file was made, or accepted.

        Raises:
            StorageError: The file cannot be read, or is damaged.
        """
        return own_files.read(self.path, LastVerified)

    def write(self, found: LastVerified) -> None:
        """Writes down what came of it.

        Raises:
            StorageError: It cannot be written.
        """
        own_files.write(self.path, found)

    def forget(self) -> None:
        """Has it be due at once.

        Raises:
            StorageError: The file cannot be removed.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as wrong:
            raise StorageError(f"{self.path} cannot be removed: {wrong.strerror}.") from wrong
