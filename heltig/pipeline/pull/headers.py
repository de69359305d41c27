"""A study out of an archive: its metadata, or where it gives none the headers of its instances, in turn."""

from collections.abc import Sequence
from typing import Final

from connectors.base import Archive, read_row
from heltig.dicom.cell import Fault
from heltig.dicom.study import SOP_INSTANCE_UID, StudyTable, element
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchivePausedError,
    ArchiveRateLimitedError,
    ArchiveRestingError,
    ArchiveUnavailableError,
)
from heltig.pipeline.archives.patience import TooSlowError
from heltig.pipeline.pull.gathering import Gathered, gather_metadata

MOST_SILENT: Final = 3
"""Instances without an answer, one after the other, after which no more are asked for."""

SERVER_ERROR: Final = 500

MOST_REFUSED: Final = 10
"""Instances that are refused from the first on, after which an archive is taken to give none."""


async def gather_study(
    archive: Archive, study: str, series: Sequence[str], *, has_no_metadata: bool = False
) -> Gathered:
    """Reads all metadata of a study that the archive gives at some level, or else its instances' headers.

    Args:
        archive: The archive.
        study: StudyInstanceUID.
        series: The SeriesInstanceUIDs that the archive lists: asked for where the study as a whole fails.
        has_no_metadata: The archive is known to give no metadata of any study.

    Raises:
        ArchiveAccessError: The archive refuses us.
        ArchiveRestingError: Its hours ended.
        ArchiveUnavailableError: It wants to be asked later, and has given nothing yet.
    """
    if has_no_metadata:
        found = await _gather_headers(archive, study, series)
        if found.instances or found.trouble:
            return found
    gathered = await gather_metadata(archive, study, series)
    if gathered.instances or gathered.trouble or has_no_metadata:
        return gathered
    found = await _gather_headers(archive, study, series)
    return found if found.instances or found.trouble else gathered


async def _gather_headers(archive: Archive, study: str, series: Sequence[str]) -> Gathered:
    table = StudyTable(study, study)
    instances, failures, trouble = await _read_headers(archive, study, series, table)
    return Gathered(table, instances, failures, "" if instances else trouble, is_headers=True)


async def _read_headers(
    archive: Archive, study: str, series: Sequence[str], table: StudyTable
) -> tuple[int, tuple[Fault, ...], str]:
    """Reads the instances that an archive lists of a study, up to their pixel data.

    Args:
        archive: The archive.
        study: StudyInstanceUID.
        series: The SeriesInstanceUIDs that it lists.
        table: Takes the headers.

    Returns:
        How many came; what did not, as failures of `heltig.dicom.source.FAILURES`; and where something did
        not come for a reason that may pass, that reason.

    Raises:
        ArchiveAccessError: The archive refuses us.
        ArchiveRestingError: Its hours ended.
        ArchiveRateLimitedError: It wants to be asked later.
    """
    came = silent = 0
    lost: list[str] = []
    trouble = ""
    for uid in dict.fromkeys(series):
        for instance in await _instances(archive, study, uid):
            if silent >= MOST_SILENT or (not came and len(lost) >= MOST_REFUSED):
                lost.append(instance)
                continue
            try:
                table.add(await archive.retrieve_header(study, uid, instance))
                came += 1
                silent = 0
            except (ArchiveAccessError, ArchivePausedError, ArchiveRateLimitedError, ArchiveRestingError):
                raise
            except ArchiveError as error:
                lost.append(instance)
                silent = silent + 1 if isinstance(error, ArchiveUnavailableError) else 0
                silent = MOST_SILENT if isinstance(error, TooSlowError) else silent
                trouble = trouble or ("" if _is_definite(error) else error.detail)
    if not lost:
        return came, (), trouble
    detail = f"{len(lost)} instances, such as {lost[0]}: neither metadata nor the object itself"
    return came, (Fault("metadata-missing", detail),), trouble


def _is_definite(error: ArchiveError) -> bool:
    """Whether an error is the archive's answer to what was asked, and will be the same tomorrow."""
    is_refusal = isinstance(error, ArchiveAnswerError) and (error.answer_status or 0) < SERVER_ERROR
    return is_refusal or isinstance(error, ArchiveNotFoundError)


async def _instances(archive: Archive, study: str, series: str) -> list[str]:
    """The SOPInstanceUIDs that the archive lists in a series; none where it does not list."""
    try:
        rows = await archive.search_instances(study, series)
    except (ArchiveAnswerError, ArchiveNotFoundError):
        return []
    return list(dict.fromkeys(uid for row in rows if (uid := element(read_row(row), SOP_INSTANCE_UID).text)))
