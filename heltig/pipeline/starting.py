"""That a process of the service started or was stopped, and its settings, in the audit trail."""

import logging
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from heltig import __version__, audit
from heltig.audit.keys import AuditKeys
from heltig.errors import StorageError
from heltig.pipeline.judging import ruleset_name
from heltig.rules.profile import Profile
from heltig.setting_types import SecretUrl
from heltig.settings import Settings
from heltig.store import service_starts
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

ACTOR: Final = "service"

logger = logging.getLogger(__name__)


class Starts:
    """Records the start and the end of one process."""

    def __init__(
        self,
        store: Store,
        keys: AuditKeys,
        settings: Settings,
        profile: Profile,
        *,
        kind: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Knows the process.

        Args:
            store: Where the trail is.
            keys: Those of the trail.
            settings: In force.
            profile: What studies are judged with.
            kind: What it is, such as `serve`.
            clock: Gives the time, in UTC.
        """
        self._store = store
        self._keys = keys
        self._settings = settings
        self._profile = profile
        self._process = f"{kind}@{socket.gethostname()}"
        self._clock = clock

    async def begin(self) -> None:
        """Records that it started, and the names of the settings that are others than at its last start.

        At its first start these are the settings that are not as they are by default. A changed ruleset, and
        a profile with another text, count as settings.

        Raises:
            StorageError: It cannot be written.
        """
        ruleset = ruleset_name()
        now = {name: self._digest(name, value) for name, value in _values(self._settings).items()}
        now["profile"] = self._digest("profile", f"{self._settings.profile} {self._profile.hash}")
        now["ruleset"] = self._digest("ruleset", ruleset.hash)

        def write(transaction: WriteTransaction) -> None:
            before = service_starts.swap(transaction, self._process, now)
            changed = self._not_default() if before is None else _differing(before, now)
            self._record(
                transaction,
                "service.start",
                {
                    "version": __version__,
                    "ruleset": ruleset.hash[:12],
                    "profile": f"{self._profile.name} {self._profile.hash[:12]}",
                    "first": before is None,
                    "changed": changed,
                },
            )

        await self._store.write_durably(write)

    async def end(self) -> None:
        """Records that it was stopped; that this cannot be written does not keep it from stopping."""
        try:
            await self._store.write_durably(self._record, "service.stop", {})
        except StorageError as error:
            logger.error("The end of the service could not be written to the audit trail: %s", error)

    def _record(self, transaction: WriteTransaction, action: audit.Action, detail: dict[str, Any]) -> None:
        audit.record(
            transaction,
            at=self._clock(),
            actor=ACTOR,
            action=action,
            subject=self._process,
            outcome="success",
            origin="",
            detail=detail,
        )

    def _digest(self, name: str, value: str) -> str:
        """Keyed, since a secret may be short; by the oldest key, which stays when a newer one is added."""
        message = f"heltig setting\n{name}\n{value}".encode()
        return self._keys.mac(self._keys.ids[-1], message).hex()[:16]

    def _not_default(self) -> list[str]:
        default = _values(Settings())
        return sorted(name for name, value in _values(self._settings).items() if value != default[name])


def _values(settings: Settings) -> dict[str, str]:
    """Each setting as text, secrets too: for digests only."""
    found = ((name, getattr(settings, name)) for name in settings.__struct_fields__)
    return {name: value.secret if isinstance(value, SecretUrl) else repr(value) for name, value in found}


def _differing(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
