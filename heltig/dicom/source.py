"""What a source of data sets could show, and what it said about a study beside the data sets themselves."""

from typing import Final

import msgspec

from heltig.dicom.cell import DataSet, Fault

SHOWS: Final = {
    "metadata": "the attributes of each instance, pixel data apart",
    "all_attributes": "every attribute an instance has: one that is not there is absent",
    "query": "the archive's own QIDO-RS rows for the study",
    "file_meta": "file meta information (group 0002), the transfer syntax with it",
    "bytes": "the encoded bytes: padding, lengths, order of elements, character set bytes",
    "checksums": "the lengths and checksums that a ZIP declares, compared with what came out of it",
    "pixel_length": "how many bytes of pixel data there really are",
    "complete_study": "all instances of the study, so that a missing one is missing",
}
"""What a source can show (a source declares it, a rule needs it)."""

FAILURES: Final = {
    "metadata-missing": "instances that the archive lists and whose metadata it gave at no level",
    "metadata-in-parts": "metadata that came a series or an instance at a time, but not as a whole",
    "metadata-cut": "an answer that ended before its end",
    "not-listed": "a study whose metadata the archive gives, and which a search for its UID does not find",
    "unsettled": "a study that kept changing for longer than it is waited for",
    "unread": "a study that could not be read, however often its archive was asked",
    "member-unread": "members of the study's ZIP that could not be read and may be instances of it",
}
"""What an archive did not answer, or a ZIP did not give: the kinds of `Source.failures`."""

FILES_SHOW: Final = frozenset(SHOWS) - {"query", "checksums"}
"""Part 10 files in a folder or ZIP: everything but what an archive says about them.

Checksums only ZIPs have, and only who unpacks every member whole can compare them: whoever did adds them.
"""

METADATA_SHOWS: Final = frozenset({"metadata", "all_attributes", "query", "complete_study"})
"""WADO-RS metadata of a whole study from an archive that keeps every attribute, with its QIDO-RS rows."""


class Source(msgspec.Struct, frozen=True):
    """The source facts of one snapshot.

    Attributes:
        shows: Keys of `SHOWS`.
        asked_for: The StudyInstanceUID that was asked of an archive; None for files.
        study_rows: QIDO-RS study rows with that UID: more than one is evidence, not a duplicate.
        series_rows: QIDO-RS series rows of the study.
        failures: What the archive did not answer or the ZIP did not give: kinds of `FAILURES`, no patient
            data and no names of files.
    """

    shows: frozenset[str]
    asked_for: str | None = None
    study_rows: tuple[DataSet, ...] = ()
    series_rows: tuple[DataSet, ...] = ()
    failures: tuple[Fault, ...] = ()


class PackageFact(msgspec.Struct, frozen=True, order=True):
    """Something about a file, folder or ZIP as it was handed in.

    Attributes:
        kind: One word: `connectors.upload` lists them.
        origin: The file or member, as the user would recognise it.
        detail: What is wrong, without patient data.
    """

    kind: str
    origin: str
    detail: str


FILES = Source(shows=FILES_SHOW)
