"""Hands files of analyses out: one, or all of them as a ZIP, to whoever may see whose they are."""

import asyncio
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from heltig import audit
from heltig.errors import NotFoundError
from heltig.pipeline.identifiers.sights import HiddenError, Sight
from heltig.pipeline.research.folder import ResearchFolder, digest_of
from heltig.store import analyses
from heltig.store.analyses import Analysis, Output
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

RESULTS: Final = "resultados.json"
SELECTION: Final = "selection.json"

_PIECE: Final = 1024 * 1024  # bytes


class HandingOut:
    """Gives files away, and writes down who got them."""

    def __init__(self, store: Store, folder: ResearchFolder, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            store: Knows the analyses.
            folder: Has the files.
            clock: The time.
        """
        self._store = store
        self._folder = folder
        self._clock = clock

    async def find(self, analysis_id: str) -> Analysis:
        """An analysis.

        Raises:
            NotFoundError: There is none.
        """
        found = await self._store.read(analyses.find, analysis_id)
        if found is None:
            raise NotFoundError("There is no such analysis.")
        return found

    async def outputs_of(self, analysis: Analysis) -> list[Output]:
        """Its files, by name."""
        return await self._store.read(analyses.outputs_of, analysis.row)

    async def results_of(self, analysis: Analysis) -> dict[str, Any] | None:
        """Its measurements by their flat keys; None where there are none, or not on this server."""
        return await self.document_of(analysis, RESULTS) if analysis.state == "done" else None

    async def document_of(self, analysis: Analysis, name: str) -> dict[str, Any] | None:
        """One of its JSON documents, whoever asks; None where there is none, or not as it was written here.

        Documents name neither patient nor study unless identified data was allowed: show no more of them than
        somebody may see.
        """
        output = await self._store.read(analyses.output_of, analysis.row, name)
        path = self._folder.file(analysis.analysis_id, name)
        if output is None or path is None:
            return None
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != output.sha256:
            return None
        return msgspec.json.decode(content, type=dict[str, Any])

    async def file(self, analysis: Analysis, name: str, *, sight: Sight) -> tuple[Output, Path]:
        """One of its files.

        Raises:
            NotFoundError: It has none of that name, or not as it was written on this server.
            HiddenError: It may show whose it is.
        """
        output = await self._store.read(analyses.output_of, analysis.row, name)
        if output is None:
            raise NotFoundError("The analysis has no such file: its `outputs` lists them.")
        _insist_on_sight(analysis, sight)
        return output, await asyncio.to_thread(self._path, analysis, output)

    async def files(
        self, analysis: Analysis, *, sight: Sight, wanted: Callable[[Output], bool] = lambda _: True
    ) -> list[tuple[Output, Path]]:
        """Its files: all of them, or those that are wanted.

        Raises:
            NotFoundError: It has none of them, or not as they were written on this server.
            HiddenError: They may show whose they are.
        """
        outputs = await self.outputs_of(analysis)
        if not outputs:
            raise NotFoundError(f"The analysis has no files: it is {analysis.state}.")
        _insist_on_sight(analysis, sight)
        chosen = [one for one in outputs if wanted(one)]
        if not chosen:
            raise NotFoundError("The analysis has no such files.")
        return await asyncio.to_thread(lambda: [(one, self._path(analysis, one)) for one in chosen])

    async def record(self, analysis: Analysis, what: str, *, actor: str, origin: str) -> None:
        """Writes down that somebody gets files.

        Args:
            analysis: Whose.
            what: The file's name; `zip` for all.
            actor: Who.
            origin: From where.
        """

        def write(transaction: WriteTransaction) -> None:
            audit.record(
                transaction,
                at=self._clock(),
                actor=actor,
                action="analysis.download",
                subject=f"{analysis.location} {analysis.study_key}",
                outcome="success",
                origin=origin,
                detail={"analysis": analysis.analysis_id, "file": what},
            )

        await self._store.write_durably(write)

    def _path(self, analysis: Analysis, output: Output) -> Path:
        path = self._folder.file(analysis.analysis_id, output.name)
        if path is None:
            raise NotFoundError(
                "The files of the analysis are not on this server. Where another one made it, they are "
                "there: have the folder `research` be shared (docs/research.md). Where this is a backup that "
                "was restored, order it again."
            )
        if path.stat().st_size != output.size or digest_of(path) != output.sha256:
            raise NotFoundError(
                f"The file {output.name} of the analysis is not what was written. Order the analysis again."
            )
        return path


def zipped(files: list[tuple[Output, Path]]) -> Iterator[bytes]:
    """A ZIP of files in pieces, without holding any of them; the same files, the same bytes.

    Raises:
        OSError: A file cannot be read.
    """
    pipe = _Pipe()
    # What is large is compressed already.
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w", zipfile.ZIP_STORED) as package:
        for output, path in files:
            member = zipfile.ZipInfo(output.name)
            member.external_attr = 0o644 << 16
            member.file_size = output.size
            with package.open(member, "w") as target, path.open("rb", buffering=0) as source:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield pipe.take()
    yield pipe.take()


class _Pipe(RawIOBase):
    """Takes what is written until somebody asks for it; it cannot be positioned."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        """It is there to be written."""
        return True

    def write(self, data: Any, /) -> int:
        """Takes some bytes."""
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def may_name_patient(analysis: Analysis) -> bool:
    """Whether files of an analysis may say or show who the patient is.

    Of a BLOCKED study nobody vouches for what it says of itself: it may say that the patient's identity was
    removed, and be BLOCKED because it was not.
    """
    return analysis.identified or analysis.readiness == "BLOCKED"


def _insist_on_sight(analysis: Analysis, sight: Sight) -> None:
    if may_name_patient(analysis) and not sight.evidence:
        raise HiddenError(
            "The files of this analysis may show whose they are, and you do not see patients' identifiers "
            "here (HELTIG_IDENTIFIERS)."
        )
