"""Encoding: preamble, prefix and file meta information (PS3.10 7.1)."""

from collections.abc import Iterator, Sequence
from typing import Final

from heltig.dicom.column import Column
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import label, tag_of

_BYTES: Final = ("metadata", "bytes")
_META: Final = ("metadata", "file_meta")
_NO_META: Final = "group 0002 is absent"
_UNREADABLE_WITHOUT: Final = (_NO_META, "00020010 ")
_PROGRAMS: Final = ("executable", "script", "ZIP", "PDF")
_ABSENT: Final = "absent"
_REQUIRED: Final = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "ImplementationClassUID")
_PAIRS: Final = (("MediaStorageSOPClassUID", "SOPClassUID"), ("MediaStorageSOPInstanceUID", "SOPInstanceUID"))


def _is_program(detail: str) -> bool:
    return any(word in detail for word in _PROGRAMS)


@rule("ENC-PREAMBLE", level="study", severity="note", needs=_BYTES, reference="PS3.10 7.1")
def preamble(study: StudyView) -> Iterator[Hit]:
    """The preamble of a file is not empty.

    Finds: Files whose first 128 bytes are not all zero: mostly the start of a TIFF file, which makes slides
        of pathology readable as both. Programs are a matter of ENC-PREAMBLE-PROGRAM.
    Why: The standard leaves the preamble to applications. What is in it travels along unseen, also through
        de-identification.
    Mend: Nothing for files that are meant to be TIFF too; else have the preamble set to zero.
    Example: A whole slide image that ordinary microscopy software opens.
    """
    for fault, rows in study.faults("preamble"):
        if not fault.detail.endswith(_ABSENT) and not _is_program(fault.detail):
            yield Hit(observed=fault.detail, expected="128 zero bytes", rows=rows)


@rule("ENC-PREAMBLE-PROGRAM", level="study", severity="review", needs=_BYTES, reference="PS3.10 7.1")
def preamble_program(study: StudyView) -> Iterator[Hit]:
    """The file starts as a program, a script, an archive or a document.

    Finds: A preamble that starts as a Windows or ELF executable, a script, a ZIP or a PDF file.
    Why: Such a file is two files in one: whoever can make it run runs what came with the image, and virus
        scanners that know DICOM files leave it alone.
    Mend: Keep the file apart and show it to those in charge of security. An image without harm is had by
        setting the first 128 bytes to zero.
    Example: A CT slice that Windows starts as a program.
    """
    for fault, rows in study.faults("preamble"):
        if _is_program(fault.detail):
            yield Hit(observed=fault.detail, expected="128 zero bytes", rows=rows)


@rule("ENC-PREFIX-MISSING", level="study", severity="review", needs=_BYTES, reference="PS3.10 7.1")
def prefix_missing(study: StudyView) -> Iterator[Hit]:
    """A file has no preamble or no DICM prefix.

    Finds: Files without the 128 bytes of the preamble or without `DICM` behind them, though they have file
        meta information. Those without any are a matter of ENC-META-MISSING.
    Why: Many programs tell a DICOM file by these four letters, and pass over one without them.
    Mend: Have the file exported anew as PS3.10 says, or written once by a toolkit that reads without prefix.
    Example: An object cut out of a network capture.
    """
    bare = {row for fault, rows in study.faults("file-meta") if fault.detail == _NO_META for row in rows}
    for fault, rows in study.faults("preamble"):
        if fault.detail.endswith(_ABSENT) and (left := [row for row in rows if row not in bare]):
            yield Hit(observed=fault.detail, expected="128 bytes, then DICM", rows=left)


@rule("ENC-META-MISSING", level="study", severity="block", needs=_META, reference="PS3.10 7.1")
def meta_missing(study: StudyView) -> Iterator[Hit]:
    """A file does not say how it is encoded: file meta information or its transfer syntax is missing.

    Finds: Files without group 0002, or without TransferSyntaxUID (0002,0010) in it. Heltig reads them as they
        look.
    Why: Nobody can know for certain how to read the data set and its pixels. Archives refuse such files, or
        guess.
    Mend: Have the object exported anew as a file of PS3.10. Where the data set is known to be implicit VR
        little endian, a toolkit can put file meta information before it.
    Example: A data set saved as it came over the network.
    """
    for fault, rows in study.faults("file-meta"):
        if fault.detail.startswith(_UNREADABLE_WITHOUT):
            yield Hit(
                observed=fault.detail, expected="file meta information with a transfer syntax", rows=rows
            )


@rule("ENC-META-INCOMPLETE", level="study", severity="note", needs=_META, reference="PS3.10 7.1")
def meta_incomplete(study: StudyView) -> Iterator[Hit]:
    """File meta information lacks what it must have, or its length is wrong.

    Finds: Group 0002 without its group length, its version, MediaStorageSOPClassUID (0002,0002),
        MediaStorageSOPInstanceUID (0002,0003) or ImplementationClassUID (0002,0012), or of another length
        than it says.
    Why: Most readers get along. A strict one refuses the file, or looks for the data set at a wrong place.
    Mend: Have the file written anew by a toolkit, which makes all of these itself.
    Example: A script that changed the transfer syntax without the group length.
    """
    bare: set[int] = set()
    for fault, rows in study.faults("file-meta"):
        if fault.detail == _NO_META:
            bare.update(rows)
        elif not fault.detail.startswith(_UNREADABLE_WITHOUT):
            yield Hit(observed=_without_figures(fault.detail), expected="complete group 0002", rows=rows)
    for keyword in _REQUIRED:
        column = study.table.columns.get(tag_of(keyword))
        if column is None or (not column.constant and 0 in column.codes):
            lacking = (
                study.rows if column is None else [row for row, code in enumerate(column.codes) if not code]
            )
            if left := [row for row in lacking if row not in bare]:
                yield Hit(
                    observed=f"{label(tag_of(keyword))} is absent", expected="complete group 0002", rows=left
                )


def _without_figures(detail: str) -> str:
    """A fault of the group length in words that are the same for every file."""
    return "00020000 declares another length than group 0002 has" if " declares " in detail else detail


@rule("ENC-META-MISMATCH", level="study", severity="block", needs=_META, reference="PS3.10 7.1",
    reads=("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID"))  # fmt: skip
def meta_mismatch(study: StudyView) -> Iterator[Hit]:
    """File meta information names another object than the data set is.

    Finds: MediaStorageSOPInstanceUID (0002,0003) that differs from SOPInstanceUID (0008,0018), and
        MediaStorageSOPClassUID (0002,0002) that differs from SOPClassUID (0008,0016). One that is absent or
        empty is another rule's matter.
    Why: Archives file the object under one UID and answer with the other, or refuse it: it is found under
        neither. In de-identified data the UID that was left leads back to the original.
    Mend: Find out which UID is right: references of other objects name it. Then have the file written anew
        with it in both places.
    Example: A tool that gave new UIDs to data sets and left the file meta information.
    """
    for of_meta, of_data in _PAIRS:
        rows = _different(study, of_meta, of_data)
        if rows:
            meta, data = study.texts(of_meta), study.texts(of_data)
            rows = [row for row in rows if meta[row] and data[row] and meta[row] != data[row]]
            pairs = sorted({(meta[row], data[row]) for row in rows})
            if pairs:
                named, is_ = map(cut, pairs[0])
                many = f"{len(pairs)} pairs of UIDs, the first of them " if len(pairs) > 1 else ""
                yield Hit(
                    tags=(of_meta,),
                    observed=f"{many}{named} for {is_}",
                    expected=f"{of_data} of the data set",
                    rows=rows,
                )


def _different(study: StudyView, first: str, second: str) -> Sequence[int]:
    """The rows whose cells of two attributes are not the same bytes: told without decoding."""
    columns = [study.table.columns.get(tag_of(keyword)) for keyword in (first, second)]
    one, other = columns
    if one is None or other is None:
        return ()
    if one.cells == other.cells and one.codes == other.codes:
        return ()
    cells = zip(_cells(one), _cells(other), strict=True)
    return [row for row, (cell, same) in enumerate(cells) if cell != same]


def _cells(column: Column) -> Iterator[bytes]:
    return map(column.cells.__getitem__, column.codes)
