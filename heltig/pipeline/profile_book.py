"""Which profile the studies of a location are judged with: an archive may name one of its own."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from heltig.pipeline.profiles import load_profile
from heltig.rules.profile import Profile
from heltig.store import archives
from heltig.store.engine import Store
from heltig.store.records import Location

KNOWN_FOR: Final = timedelta(seconds=10)
"""How long it may take until another profile is judged with."""


class ProfileBook:
    """Gives the profile of a location, for `heltig.pipeline.keep.Scoring`. Each file is read once."""

    def __init__(self, store: Store, *, default: Profile, clock: Callable[[], datetime]) -> None:
        """Makes it; nothing is read yet.

        Args:
            store: Where archives are configured.
            default: For archives that name none, and for everything else.
            clock: The time.
        """
        self._store = store
        self._default = default
        self._clock = clock
        self._named: dict[str, str] = {}
        self._looked: datetime | None = None
        self._read: dict[tuple[str, int], Profile] = {}

    async def __call__(self, location: Location) -> Profile:
        """The profile of a location.

        Raises:
            ConfigurationError: The archive's profile cannot be read, or is wrong.
            StorageError: The database failed.
        """
        if location.kind != "archive":
            return self._default
        now = self._clock()
        if self._looked is None or now - self._looked >= KNOWN_FOR:
            entries = await self._store.read(archives.every)
            self._named = {entry.name: entry.options.profile for entry in entries if entry.options.profile}
            self._looked = now
        written = self._named.get(location.name)
        return self._default if written is None else self._profile(written)

    def _profile(self, written: str) -> Profile:
        stamp = (written, _changed(written))
        found = self._read.get(stamp)
        if found is None:
            found = self._read[stamp] = load_profile(written)
        return found


def _changed(written: str) -> int:
    """When a profile's file was last written; 0 for one that is shipped."""
    try:
        return Path(written).stat().st_mtime_ns
    except OSError:
        return 0
