"""Archives kept open between jobs: connections of one process, made anew when an archive's entry changes."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import msgspec

from connectors.base import Archive as ArchivePort
from connectors.base import Capabilities
from connectors.dicomweb import DicomWebArchive
from heltig.errors import ArchivePausedError
from heltig.pipeline.archives import find_archive, known_capabilities, open_archive
from heltig.pipeline.guarded import Measuring
from heltig.settings import Settings
from heltig.store.archives import Archive, ArchiveOptions, location_of
from heltig.store.engine import Store
from heltig.store.records import Location


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that may be asked now.

    Attributes:
        entry: As it is configured.
        options: Those of the entry.
        archive: To ask it by: paced, measured, and stopped where it fails too often.
        dicomweb: The connector beneath, for what no `Archive` can do.
        capabilities: What the last probe found.
        location: Where its studies are.
    """

    entry: Archive
    options: ArchiveOptions
    archive: ArchivePort
    dicomweb: DicomWebArchive
    capabilities: Capabilities
    location: Location


class OpenArchives:
    """The archives that this process asks. Close it in the end."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
        measurements: Measuring | None = None,
    ) -> None:
        """Makes it; nothing is opened yet.

        Args:
            store: Where archives are configured.
            settings: Limits and timeouts.
            environ: Where `env:` looks for secrets.
            clock: The time.
            measurements: Told of every request.
        """
        self._store = store
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._measurements = measurements
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Opened]:
        """An archive that may be asked now; it stays open for the next one who needs it.

        Raises:
            NotFoundError: There is no archive of that name.
            ArchivePausedError: It is paused.
            ArchiveClosedError: It is outside its hours, or failed too often; `retry_after` says how long.
            ConfigurationError: A secret or a certificate cannot be read.
        """
        entry = await find_archive(self._store, name)
        if entry.paused:
            raise ArchivePausedError(f"Archive {name} is paused. `heltig archives resume {name}` goes on.")
        async with open_archive(entry, self._settings, environ=self._environ) as archive:
            capabilities = await known_capabilities(self._store, entry, archive, clock=self._clock)
            yield Opened(
                entry=entry,
                options=entry.options,
                archive=archive,
                dicomweb=archive,
                capabilities=capabilities,
                location=location_of(name),
            )

    async def close(self) -> None:
        """Closes what is open."""
        await self._stack.aclose()
