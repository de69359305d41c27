"""One study out of an archive: its metadata at whatever level it is given, and what the index says of it."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from connectors.base import Archive, Capabilities, read_row
from heltig.dicom.cell import DataSet
from heltig.dicom.source import METADATA_SHOWS, Source
from heltig.dicom.study import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, StudyTable, element
from heltig.errors import ArchiveAnswerError, ArchiveNotFoundError
from heltig.pipeline.gathering import gather_metadata

ROWS_OF_A_STUDY = 50
"""The most study rows of one UID that are asked for: a row a patient."""

_STUDY_INSTANCES = "00201208"
_PLAIN = re.compile(r"[0-9A-Za-z._-]{1,64}")
"""What every archive matches as it stands, though it may be no UID."""


class _Listed(msgspec.Struct, frozen=True):
    """What an archive's index says of a study.

    Attributes:
        studies: Its study rows.
        series: Its series rows.
        counted: Instances according to the study rows; None where they do not count.
    """

    studies: tuple[DataSet, ...]
    series: tuple[DataSet, ...]
    counted: int | None

    @property
    def series_uids(self) -> list[str]:
        return [uid for row in self.series if (uid := element(row, SERIES_INSTANCE_UID).text)]


async def pull_study(
    archive: Archive, study: str, *, listed: Iterable[bytes] = (), capabilities: Capabilities | None = None
) -> StudyTable:
    """Reads one study, with what the archive's index says of it at the same time.

    Args:
        archive: The archive.
        study: StudyInstanceUID, as the archive writes it.
        listed: Its rows in a search made before; they stand in where the archive does not find the UID by
            itself, since it is no UID.
        capabilities: What is known of the archive.

    Returns:
        The study, to be arranged. Its source shows `query` where the archive listed it, `metadata` where an
        instance came, `all_attributes` unless the archive is known to give a summary, and `complete_study`
        where everything that was asked for came and something else than the metadata says how much it is.

    Raises:
        ArchiveNotFoundError: The archive neither lists the study nor has metadata of it.
        ArchiveError: The archive does not answer, or refuses us. That a study fails in an archive that
            answers otherwise is a fact about the study, and raises nothing.
    """
    index = await _list(archive, study, listed)
    gathered = await gather_metadata(archive, study, index.series_uids)
    if index.counted not in (None, gathered.instances):
        index = await _list(archive, study, listed)  # a study that grew meanwhile is not to be blamed
    if not index.studies and not index.series and not gathered.instances:
        raise ArchiveNotFoundError(f"Archive {archive.id} has no study {study}.")
    is_incomplete = any(failure.kind != "metadata-in-parts" for failure in gathered.failures)
    if is_incomplete:
        # Nor is one whose archive went out of order: that raises here.
        await archive.search_studies({}, limit=1, offset=0)
    shows = set(METADATA_SHOWS)
    if not index.studies:
        shows.discard("query")
    if not gathered.instances:
        shows.discard("metadata")
    if not gathered.instances or (capabilities and capabilities.all_attributes is False):
        shows.discard("all_attributes")
    is_confirmed = index.counted is not None or bool(index.series)
    if is_incomplete or not is_confirmed:
        shows.discard("complete_study")
    table = gathered.table
    table.source = Source(
        shows=frozenset(shows),
        asked_for=study,
        study_rows=index.studies,
        series_rows=index.series,
        failures=gathered.failures,
    )
    return table


async def _list(archive: Archive, study: str, listed: Iterable[bytes]) -> _Listed:
    studies = await _study_rows(archive, study, listed)
    series: Sequence[bytes] = ()
    with suppress(ArchiveAnswerError, ArchiveNotFoundError):
        series = await archive.search_series(study)
    return _Listed(studies, _of(series, study, ""), _counted(studies))


async def _study_rows(archive: Archive, study: str, listed: Iterable[bytes]) -> tuple[DataSet, ...]:
    is_refused = False
    rows: Sequence[bytes] = ()
    try:
        rows = await archive.search_studies({"StudyInstanceUID": study}, limit=ROWS_OF_A_STUDY, offset=0)
    except ArchiveNotFoundError:
        is_refused = True
    except ArchiveAnswerError as error:
        if error.answer_status is None:
            raise
        is_refused = True  # what is no UID may be no key either
    found = _of(rows, study)
    if found or (not rows and not is_refused and _PLAIN.fullmatch(study)):
        return found
    return _of(listed, study)


def _of(rows: Iterable[bytes], *uids: str) -> tuple[DataSet, ...]:
    """The rows that are of a study: an archive may ignore the key, or take a UID for a pattern."""
    read = (read_row(row) for row in rows)
    return tuple(row for row in read if element(row, STUDY_INSTANCE_UID).text in uids)


def _counted(studies: Iterable[DataSet]) -> int | None:
    numbers = [element(row, _STUDY_INSTANCES).numbers for row in studies]
    counts = [int(number[0]) for number in numbers if number and number[0] is not None]
    return sum(counts) if counts else None
