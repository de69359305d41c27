"""Fetches the objects of a study from wherever they are, and sees that they are those that were judged."""

import asyncio
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from connectors.stow.multipart import MultipartError
from heltig.errors import (
    ArchiveAnswerError,
    ArchiveAnswerTooLargeError,
    ArchiveNotFoundError,
    ArchiveUnavailableError,
    InputError,
    NotFoundError,
)
from heltig.jobs.retries import NotHereError
from heltig.pipeline.archives.opened import OpenArchives, Opened
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.research.asked import EndedError
from heltig.pipeline.research.folder import Work
from heltig.pipeline.research.objects import Answered, Objects
from heltig.pipeline.upload.package import limits_of
from heltig.pipeline.upload.spool import Spool
from heltig.settings import Settings
from heltig.store import jobs, objects, studies, uploads
from heltig.store.analyses import Analysis
from heltig.store.engine import Store
from heltig.store.objects import GateObject
from heltig.store.records import Series
from heltig.store.transaction import ReadTransaction

TRIES: Final = 3
"""How often a series is asked for whose answer breaks off, before the job is tried again as a whole."""

_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_AT_ONCE: Final = 1024 * 1024  # bytes: one change of threads for each


class Fetching:
    """Fetches the objects of studies."""

    def __init__(
        self,
        store: Store,
        archives: OpenArchives,
        spool: Spool,
        gate_spool: GateSpool,
        *,
        settings: Settings,
    ) -> None:
        """Makes it.

        Args:
            store: Knows what was judged.
            archives: Gives objects by WADO-RS.
            spool: Has the ZIPs of uploads.
            gate_spool: Has what gates and listeners hold.
            settings: Limits.
        """
        self._store = store
        self._archives = archives
        self._spool = spool
        self._gate_spool = gate_spool
        self._most = settings.analysis_max_size
        self._limits = limits_of(settings)

    async def fetch(
        self,
        analysis: Analysis,
        work: Work,
        *,
        progress: Callable[[int, int], None],
        insist: Callable[[], None],
    ) -> None:
        """Puts the objects of an analysis' study into its folder.

        Args:
            analysis: The analysis.
            work: Where it is made.
            progress: Told how many of how many series are there.
            insist: Raises where no more can be taken.

        Raises:
            EndedError: They are gone, others than those judged, or too large.
            NotHereError: They are in the spool of another server.
            ArchiveError: The archive did not do its part; trying again makes sense.
            StorageError: They cannot be written.
        """
        series = await self._store.read(studies.series_of, analysis.location, analysis.study_key)
        found = Objects(work.objects, study_uid=analysis.study_uid, most=self._most)
        match analysis.location.kind:
            case "upload":
                await self._from_upload(analysis.location.name, found, work)
            case "gate":
                if not await self._from_spool(analysis.study_row, found, _uids(series)):
                    await self._from_archive(analysis, found, series, progress=progress, insist=insist)
            case "archive":
                await self._from_archive(analysis, found, series, progress=progress, insist=insist)
        insist_on_same(found.uids, _uids(series))

    async def _from_archive(
        self,
        analysis: Analysis,
        found: Objects,
        series: Collection[Series],
        *,
        progress: Callable[[int, int], None],
        insist: Callable[[], None],
    ) -> None:
        try:
            async with self._archives.use(analysis.location.name) as opened:
                for done, one in enumerate(series):
                    progress(done, len(series))
                    insist()
                    await self._series(opened, analysis.study_uid, one, found)
        except (ArchiveNotFoundError, NotFoundError) as error:
            raise EndedError("BYTES_GONE", "not found") from error
        except ArchiveAnswerTooLargeError as error:
            raise EndedError("BYTES_TOO_LARGE", f"over {self._most}") from error

    async def _series(self, opened: Opened, study_uid: str | None, one: Series, found: Objects) -> None:
        if not study_uid or not one.series_uid:
            raise EndedError("BYTES_GONE", "a series without UID")
        for tried in range(1, TRIES + 1):
            try:
                async with opened.guard("retrieve", study_uid):
                    return await _retrieve(opened, study_uid, one.series_uid, found)
            except ArchiveUnavailableError:
                if tried == TRIES:
                    raise

    async def _from_upload(self, name: str, found: Objects, work: Work) -> None:
        path = self._spool.of_upload(name)
        if not path.is_file():
            spool = await self._store.read(_spool_of_upload, name)
            if spool not in (None, self._spool.name):
                raise NotHereError
            raise EndedError("BYTES_GONE", "no ZIP")
        scratch = work.folder / "scratch"
        scratch.mkdir(mode=0o700)
        try:
            await asyncio.to_thread(found.take, [path], scratch=scratch, limits=self._limits)
        except InputError as error:
            raise EndedError("BYTES_GONE", "a damaged ZIP") from error

    async def _from_spool(self, study_row: int, found: Objects, wanted: Collection[str]) -> bool:
        """Takes what gates hold of a study; False, and nothing, where that is not all of it."""
        kept: dict[str, GateObject] = {}
        for one in await self._store.read(objects.of_study, study_row):
            if one.judged and one.file is not None:
                kept[one.sop_instance_uid] = one  # of several the last one, as the verdict goes by
        if kept.keys() != set(wanted):
            return False
        if any(one.spool != self._gate_spool.name for one in kept.values()):
            raise NotHereError
        files = [self._gate_spool.path_of(one.file or "") for one in kept.values()]
        return await asyncio.to_thread(_copied, files, found)


def insist_on_same(found: Collection[str], judged: Collection[str]) -> None:
    """Insists that what was fetched is what was judged.

    Args:
        found: The SOP Instance UIDs that were fetched.
        judged: Those of the study's evidence.

    Raises:
        EndedError: They are not the same.
    """
    absent, more = set(judged) - set(found), set(found) - set(judged)
    if absent or more:
        code = "BYTES_GONE" if not found else "BYTES_DIFFER"
        raise EndedError(code, f"{len(absent)} absent, {len(more)} more")


async def _retrieve(opened: Opened, study_uid: str, series_uid: str, found: Objects) -> None:
    async with opened.dicomweb.retrieve_series(study_uid, series_uid, max_bytes=max(found.left, 1)) as (
        head,
        body,
    ):
        named = _BOUNDARY.search(head.headers.get("content-type", ""))
        if not head.media_type.startswith("multipart/") or named is None:
            raise ArchiveAnswerError(f"{head.place}: the answer has no parts.")
        try:
            answered = Answered(found, named[1] or named[2])
        except MultipartError as wrong:
            raise ArchiveAnswerError(f"{head.place}: {wrong.detail}") from wrong
        try:
            waiting = bytearray()
            async for chunk in body:
                waiting += chunk
                if len(waiting) >= _AT_ONCE:
                    await asyncio.to_thread(answered.feed, bytes(waiting))
                    waiting.clear()
                    await opened.guard.insist()
            await asyncio.to_thread(answered.feed, bytes(waiting))
            answered.close()
        except MultipartError as wrong:
            answered.abandon()
            raise ArchiveUnavailableError(f"{head.place}: {wrong.detail}") from wrong
        except BaseException:
            answered.abandon()
            raise


def _copied(files: Iterable[Path], found: Objects) -> bool:
    for file in files:
        if not found.copy(file):  # it was handed on at this moment: the archive has it
            found.clear()
            return False
    return True


def _uids(series: Collection[Series]) -> set[str]:
    return {uid for one in series for uid in one.sop_instance_uids}


def _spool_of_upload(transaction: ReadTransaction, name: str) -> str | None:
    """Whose spool the ZIP of an upload is in, as far as that is known."""
    upload = uploads.find(transaction, name)
    job = None if upload is None else jobs.find(transaction, upload.job)
    return None if job is None else job.payload.get("spool")
