"""Studies of archives that do not count: their series and instances are listed, and make the mark."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from connectors.base import Archive, read_row
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, element
from heltig.errors import ArchiveAnswerError, ArchiveNotFoundError
from heltig.pipeline.pull.listing import ListedStudy

_STUDY_INSTANCES: Final = b"00201208"


async def with_marks(archive: Archive, studies: Sequence[ListedStudy]) -> tuple[ListedStudy, ...]:
    """Studies with a mark of their SeriesInstanceUIDs and SOPInstanceUIDs, where their rows do not count.

    It costs a request a study and one a series. What the archive does not list of a study leaves it as it is.

    Raises:
        ArchiveError: The archive does not answer, or refuses us.
    """
    return tuple([study if _counts(study) else await _marked(archive, study) for study in studies])


def _counts(study: ListedStudy) -> bool:
    return all(_STUDY_INSTANCES in row for row in study.rows)


async def _marked(archive: Archive, study: ListedStudy) -> ListedStudy:
    try:
        series = _uids(await archive.search_series(study.uid), SERIES_INSTANCE_UID)
        instances = [
            _uids(await archive.search_instances(study.uid, one), SOP_INSTANCE_UID) for one in series if one
        ]
    except (ArchiveAnswerError, ArchiveNotFoundError):
        return study
    uids = sorted(uid for found in (series, *instances) for uid in found)
    mark = blake2b("\0".join(uids).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return msgspec.structs.replace(study, mark=mark)


def _uids(rows: Sequence[bytes], tag: str) -> list[str]:
    return [element(read_row(row), tag).text for row in rows]
