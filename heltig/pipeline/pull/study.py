"""One study out of an archive: its metadata at whatever level it is given, and what the index says of it."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from connectors.base import Archive, Capabilities, read_row
from heltig.dicom.cell import DataSet, Fault
from heltig.dicom.source import METADATA_SHOWS, Source
from heltig.dicom.study import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, StudyTable, element
from heltig.errors import ArchiveAnswerError, ArchiveNotFoundError, ArchiveStudyError
from heltig.pipeline.pull.gathering import Gathered
from heltig.pipeline.pull.headers import gather_study
from heltig.pipeline.pull.listing import list_studies

ROWS_OF_A_STUDY = 50
"""The most study rows of one UID that are asked for: a row a patient."""

_STUDY_INSTANCES = "00201208"
_PLAIN: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
"""What every archive matches as it stands, though it may be no UID."""

_ALL_CAME: Final = ("metadata-in-parts", "not-listed")
"""Failures with which no instance is missing."""


class _Listed(msgspec.Struct, frozen=True):
    """What an archive's index says of a study.

    Attributes:
        studies: Its study rows.
        series: Its series rows.
        is_absent: A search that this archive understands found no study of that UID.
    """

    studies: tuple[DataSet, ...]
    series: tuple[DataSet, ...]
    is_absent: bool

    @property
    def series_uids(self) -> list[str]:
        return [uid for row in self.series if (uid := element(row, SERIES_INSTANCE_UID).text)]

    @property
    def counted(self) -> int | None:
        """Instances according to the study rows; None where they do not count."""
        numbers = [element(row, _STUDY_INSTANCES).numbers for row in self.studies]
        counts = [int(number[0]) for number in numbers if number and number[0] is not None]
        return sum(counts) if counts else None


async def pull_study(
    archive: Archive, study: str, *, listed: Iterable[bytes] = (), capabilities: Capabilities | None = None
) -> StudyTable:
    """Reads one study, with what the archive's index says of it at the same time.

    Args:
        archive: The archive.
        study: StudyInstanceUID, as the archive writes it.
        listed: Its rows in a search made before; they stand in where the archive does not find the UID by
            itself, since it is no UID. Without them all studies are listed in that case.
        capabilities: What is known of the archive.

    Returns:
        The study, to be arranged. Its source shows `query` where the archive listed it, `metadata` where an
        instance came, `all_attributes` unless the archive is known to give a summary, `file_meta` where there
        is no metadata, so that the instances themselves were read up to their pixels, and `complete_study`
        where everything that was asked for came and something else than the metadata says how much it is.
        It has no instance where the archive lists it and says twice, at every level, that it gives nothing.

    Raises:
        ArchiveNotFoundError: The archive does not have the study: a search that it understands does not find
            it, and it answers definitely, and twice, that there is no metadata of it.
        ArchiveStudyError: Nothing of the study came, and why may pass; the archive answers otherwise.
        ArchiveError: The archive does not answer, or refuses us. That parts of a study fail in an archive
            that answers otherwise is a fact about the study, and raises nothing.
    """
    index = _Index(archive, study, listed)
    found = await index.ask()
    has_no_metadata = capabilities is not None and capabilities.metadata == "none"
    gathered = await gather_study(archive, study, found.series_uids, has_no_metadata=has_no_metadata)
    if not gathered.instances and not gathered.trouble:
        # Nobody is blamed, and nothing is given up, for what was said once.
        found = await index.ask()
        gathered = await gather_study(archive, study, found.series_uids, has_no_metadata=has_no_metadata)
    elif gathered.instances and (found.is_absent or found.counted not in (None, gathered.instances)):
        found = await index.ask()  # a study that came or grew meanwhile is not to be blamed
    if not gathered.instances:
        await _insist_on_evidence(archive, study, found, gathered)
    failures = gathered.failures
    if found.is_absent:
        failures += (Fault("not-listed", "a search for its UID does not find it"),)
    is_incomplete = any(failure.kind not in _ALL_CAME for failure in failures)
    if is_incomplete:
        await _insist_on_order(archive)  # nor is one whose archive went out of order
    table = gathered.table
    table.source = Source(
        shows=_shown(found, gathered, capabilities, is_incomplete=is_incomplete),
        asked_for=study,
        study_rows=found.studies,
        series_rows=found.series,
        failures=failures,
    )
    return table


def _shown(
    found: _Listed, gathered: Gathered, capabilities: Capabilities | None, *, is_incomplete: bool
) -> frozenset[str]:
    """What could be seen of a study: keys of `heltig.dicom.source.SHOWS`."""
    shows = set(METADATA_SHOWS)
    if not found.studies:
        shows.discard("query")
    if not gathered.instances:
        shows.discard("metadata")
    is_summary = capabilities is not None and capabilities.all_attributes is False
    if not gathered.instances or (is_summary and not gathered.is_headers):
        shows.discard("all_attributes")
    if gathered.instances and gathered.is_headers:
        shows.add("file_meta")
    is_confirmed = found.counted is not None or bool(found.series)
    if is_incomplete or not is_confirmed:
        shows.discard("complete_study")
    return frozenset(shows)


async def _insist_on_evidence(archive: Archive, study: str, found: _Listed, gathered: Gathered) -> None:
    """Raises where nothing came of a study, unless its archive lists it and definitely does not give it."""
    if not gathered.trouble and (found.studies or found.series):
        return
    if not gathered.trouble and found.is_absent:
        raise ArchiveNotFoundError(f"Archive {archive.id} does not have this study.")
    await _insist_on_order(archive)
    raise ArchiveStudyError(
        gathered.trouble
        or f"Archive {archive.id} gives no metadata of it, and cannot be searched for its UID: whether it is "
        "gone is not known. Look for it in the archive."
    )


async def _insist_on_order(archive: Archive) -> None:
    """Raises where the archive does not answer even a search for any study."""
    try:
        await archive.search_studies({}, limit=1, offset=0)
    except ArchiveNotFoundError as error:  # its address is wrong: not the one study is not found
        raise ArchiveAnswerError(error.detail) from error


class _Index:
    """Asks an archive's index for one study."""

    def __init__(self, archive: Archive, study: str, listed: Iterable[bytes]) -> None:
        self._archive = archive
        self._study = study
        self._listed = tuple(listed)
        self._is_listed_whole: bool | None = None

    async def ask(self) -> _Listed:
        """Its rows as they are now.

        Raises:
            ArchiveError: The archive does not answer searches.
        """
        studies, is_absent = await self._studies()
        series: Sequence[bytes] = ()
        with suppress(ArchiveAnswerError, ArchiveNotFoundError):
            series = await self._archive.search_series(self._study)
        return _Listed(studies, _of(series, self._study, ""), is_absent)

    async def _studies(self) -> tuple[tuple[DataSet, ...], bool]:
        """The study rows; whether there being none means that there is no such study."""
        is_refused = False
        rows: Sequence[bytes] = ()
        try:
            key = {"StudyInstanceUID": self._study}
            rows = await self._archive.search_studies(key, limit=ROWS_OF_A_STUDY, offset=0)
        except ArchiveNotFoundError:
            is_refused = True
        except ArchiveAnswerError as error:
            if error.answer_status is None:
                raise
            is_refused = True  # what is no UID may be no key either
        if found := _of(rows, self._study):
            return found, False
        if not rows and not is_refused and _PLAIN.fullmatch(self._study):
            return (), True
        if not self._listed and self._is_listed_whole is None:
            await self._list_all()
        found = _of(self._listed, self._study)
        return found, not found and self._is_listed_whole is True

    async def _list_all(self) -> None:
        """Looks for the study among all: some archives do not match a UID that needs quoting."""
        self._is_listed_whole = False
        with suppress(ArchiveAnswerError, ArchiveNotFoundError):  # it may refuse to list all
            listing = await list_studies(self._archive, {})
            self._is_listed_whole = listing.is_whole
            self._listed = tuple(row for s in listing.studies if s.uid == self._study for row in s.rows)


def _of(rows: Iterable[bytes], *uids: str) -> tuple[DataSet, ...]:
    """The rows that are of a study: an archive may ignore the key, or take a UID for a pattern."""
    read = (read_row(row) for row in rows)
    return tuple(row for row in read if element(row, STUDY_INSTANCE_UID).text in uids)
