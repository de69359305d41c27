"""The DICOM objects of an analysis, as files: what they are, and in which order they go to an archive."""

from collections.abc import Iterator, Sequence
from io import FileIO
from typing import Final

import msgspec

from connectors.storing import Stored
from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import HeaderReader, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, element
from heltig.dicom.table import decoded
from heltig.pipeline.gate.upstream import Sendable
from heltig.pipeline.research.folder import ResearchFolder, digest_of
from heltig.pipeline.research.publishing.codes import AbortError
from heltig.store.analyses import Analysis, Output
from heltig.store.publications import NewPublication

MEDIA_TYPE: Final = "application/dicom"

_SOP_CLASS_UID: Final = "00080016"
_REFERENCED_INSTANCE: Final = "00081155"
_REFERS_BY: Final = ("0040A375", "00081115")
"""Current Requested Procedure Evidence Sequence, of a report, and Referenced Series Sequence, of others."""

SEGMENTATIONS: Final = 0
REPORTS: Final = 1
OTHERS: Final = 2
"""The stages in which objects go: reports refer to segmentations."""

_SEGMENTATIONS: Final = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_REPORTS: Final = "1.2.840.10008.5.1.4.1.1.88."
"""SOP Classes of structured reports begin so."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A DICOM object that an analysis wrote.

    Attributes:
        name: Its file among those of the analysis.
        header: Its elements up to the pixel data.
        sendable: It with its UIDs and its file.
        refers_to: SOP Instance UIDs of the objects of its study that it refers to.
    """

    name: str
    sop_class_uid: str
    header: DataSet
    sendable: Sendable
    refers_to: frozenset[str]

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID (0008,0018)."""
        return self.sendable.stored.sop_instance_uid

    @property
    def stage(self) -> int:
        """When it goes."""
        return stage_of(self.sop_class_uid)

    def as_publication(self) -> NewPublication:
        """It, to wait for an archive."""
        return NewPublication(
            name=self.name, sop_class_uid=self.sop_class_uid, sop_instance_uid=self.sop_instance_uid
        )


def stage_of(sop_class_uid: str) -> int:
    """When objects of a class go."""
    if sop_class_uid in _SEGMENTATIONS:
        return SEGMENTATIONS
    return REPORTS if sop_class_uid.startswith(_REPORTS) else OTHERS


def results_of(folder: ResearchFolder, analysis: Analysis, outputs: Sequence[Output]) -> list[Result]:
    """The DICOM objects of an analysis, in the order in which they go.

    Raises:
        AbortError: A file is not there, or is not what the analysis wrote.
    """
    reader = HeaderReader()
    found = [_result(folder, analysis, one, reader) for one in outputs if one.media_type == MEDIA_TYPE]
    return sorted(found, key=lambda one: (one.stage, one.name))


def _result(folder: ResearchFolder, analysis: Analysis, output: Output, reader: HeaderReader) -> Result:
    path = folder.file(analysis.analysis_id, output.name)
    if path is None or digest_of(path) != output.sha256:
        raise AbortError("FILES_GONE", output.name)
    try:
        with FileIO(path) as file:
            header = reader.read(SeekableSource(file))
    except (OSError, NotDicom, UnreadableFile) as wrong:
        raise AbortError("FILES_GONE", output.name) from wrong
    return Result(
        name=output.name,
        sop_class_uid=element(header, _SOP_CLASS_UID).text,
        header=header,
        sendable=Sendable(
            study_uid=element(header, STUDY_INSTANCE_UID).text,
            series_uid=element(header, SERIES_INSTANCE_UID).text,
            stored=Stored(element(header, SOP_INSTANCE_UID).text, path, output.size),
        ),
        refers_to=frozenset(_references(header)),
    )


def _references(header: DataSet) -> Iterator[str]:
    for tag in _REFERS_BY:
        waiting = list(element(header, tag).items)
        while waiting:
            item = waiting.pop()
            for inner, raw in zip(item.tags, item.raws, strict=True):
                cell = decoded(inner, raw, item.encoding)
                waiting.extend(cell.items)
                if inner == _REFERENCED_INSTANCE:
                    yield cell.text
