"""The folder `research`: the files of analyses, each analysis in a folder of its own, put there whole.

research/ANALYSIS/…            what an analysis wrote
work/ANALYSIS-XXXX/            while it is made, in `research`: `objects` of the study, `output`
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from heltig.errors import StorageError
from heltig.jobs.retries import NotNowError
from heltig.pipeline.research.asked import EndedError
from heltig.pipeline.upload.spool import sync_folder
from heltig.setting_types import Size
from heltig.store.analyses import Output

NAME: Final = "research"
WORK: Final = "work"

MEDIA_TYPES: Final = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".nii.gz": "application/gzip",
    ".nii": "application/octet-stream",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".dcm": "application/dicom",
    ".pdf": "application/pdf",
}
"""What an analysis writes, by the ends of names."""

FULL_SECONDS: Final = 600.0
"""After so long an analysis is tried again that found the disk too full."""

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The ids of analyses, which their folders are called by."""

_LOOK_SECONDS: Final = 1.0
_MOST_FILES: Final = 10_000
_LONGEST_NAME: Final = 128


class Work(msgspec.Struct, frozen=True):
    """Where an analysis is made.

    Attributes:
        folder: All of it.
    """

    folder: Path

    @property
    def objects(self) -> Path:
        """For the objects of its study."""
        return self.folder / "objects"

    @property
    def output(self) -> Path:
        """For what it writes."""
        return self.folder / "output"


class ResearchFolder:
    """The files of analyses.

    Attributes:
        place: Tells it from the folder of another server that has the same database.
    """

    def __init__(self, home: Path, *, place: str, reserve: Size) -> None:
        """Makes it; nothing is written yet.

        Args:
            home: HELTIG_HOME.
            place: The name of its spool.
            reserve: Room that is left on the disk: what gates take comes first.
        """
        self.place = place
        self._folder = home / NAME
        self._reserve = reserve

    def of(self, analysis_id: str) -> Path:
        """Where the files of an analysis are."""
        return self._folder / analysis_id

    def insist_on_room(self) -> None:
        """Insists that there is room for more.

        Raises:
            NotNowError: There is not.
            StorageError: The disk does not say.
        """
        if not self.has_room():
            raise NotNowError(
                f"The disk of HELTIG_HOME has less than {self._reserve} left (HELTIG_ALERT_DISK).",
                retry_after=FULL_SECONDS,
            )

    async def until_full(self) -> None:
        """Returns when there is too little room left: what gates take comes first.

        Raises:
            StorageError: The disk does not say.
        """
        while True:
            if not await asyncio.to_thread(self.has_room):
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def has_room(self) -> bool:
        """There is more room than has to be left."""
        return self.free() >= self._reserve

    def free(self) -> int:
        """Bytes that are free on its disk.

        Raises:
            StorageError: It does not say.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return shutil.disk_usage(self._folder).free
        except OSError as wrong:
            raise full(wrong) from wrong

    @contextmanager
    def work(self, analysis_id: str) -> Iterator[Work]:
        """A new place to make an analysis in, which goes at the end; what an earlier try left goes now.

        Raises:
            StorageError: It cannot be made.
        """
        self.clear_work(analysis_id)
        work = Work(self._folder / WORK / f"{analysis_id}-{secrets.token_hex(4)}")
        try:
            for folder in (work.objects, work.output):
                folder.mkdir(mode=0o700, parents=True)
        except OSError as wrong:
            raise full(wrong) from wrong
        try:
            yield work
        finally:
            shutil.rmtree(work.folder, ignore_errors=True)

    def keep(self, output: Path, analysis_id: str) -> None:
        """Gives what an analysis wrote its place, whole: it is there after a power cut, too.

        Raises:
            StorageError: That is not possible.
        """
        try:
            for path in output.rglob("*"):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            target = self.of(analysis_id)
            shutil.rmtree(target, ignore_errors=True)  # of a try that died before its row said so
            output.rename(target)
            sync_folder(self._folder)
        except OSError as wrong:
            raise full(wrong) from wrong

    def link(self, same: str, output: Path, outputs: list[Output]) -> bool:
        """Puts the files of another analysis into a folder, without copying them.

        Returns:
            False, and there is no such folder, where one is gone, or not what was written.
        """
        try:
            for one in outputs:
                target = output / one.name
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.link(self.of(same) / one.name, target)
                if digest_of(target) != one.sha256:
                    break
            else:
                return True
        except OSError:
            pass
        shutil.rmtree(output, ignore_errors=True)
        return False

    def file(self, analysis_id: str, name: str) -> Path | None:
        """Where a file of an analysis is, None where it is not there any more."""
        path = self.of(analysis_id) / name
        return path if path.is_file() else None

    def analyses(self) -> list[str]:
        """The analyses that have files here; what else somebody put there is none of ours."""
        return [path.name for path in self._folder.glob("*") if _ID.fullmatch(path.name)]

    def at_work(self) -> list[str]:
        """The analyses that are made here, or were when their process died."""
        names = [path.name.rpartition("-")[0] for path in self._folder.glob(f"{WORK}/*")]
        return [name for name in names if _ID.fullmatch(name)]

    def remove(self, analysis_id: str) -> None:
        """Removes the files of an analysis, and what was left of making it."""
        shutil.rmtree(self.of(analysis_id), ignore_errors=True)
        self.clear_work(analysis_id)

    def clear_work(self, analysis_id: str) -> None:
        """Removes what was left of making an analysis: the objects of its study lie there."""
        for left in self._folder.glob(f"{WORK}/{analysis_id}-*"):
            shutil.rmtree(left, ignore_errors=True)


def full(wrong: OSError) -> StorageError:
    """What is said where the folder cannot be written."""
    return StorageError(f"The folder `{NAME}` in HELTIG_HOME cannot be written: {wrong.strerror}.")


def listed(output: Path) -> list[Output]:
    """The files that an analysis wrote.

    Raises:
        EndedError: Something there is no file that an analysis writes.
    """
    found: list[Output] = []
    for path in sorted(output.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(output).as_posix()
        media_type = next((kind for end, kind in MEDIA_TYPES.items() if name.endswith(end)), None)
        is_ours = len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable()
        if media_type is None or not is_ours or path.is_symlink() or len(found) == _MOST_FILES:
            raise EndedError("OUTPUT_WRONG", f"after {len(found)} files")
        found.append(
            Output(name=name, media_type=media_type, sha256=digest_of(path), size=path.stat().st_size)
        )
    if not found:
        raise EndedError("OUTPUT_WRONG", "no files")
    return found


def digest_of(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with path.open("rb", buffering=0) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
