"""How a study was delivered in a ZIP: did all of it come out as it was put in?

SRC-ZIP-SAFE and SRC-NOT-DICOM (`heltig.rules.source`) name the files; these rules say what that means for the
verdict of a study.
"""

from collections.abc import Iterator

from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView


def _is_of_files(study: StudyView) -> bool:
    return study.source.asked_for is None


@rule("SRC-MEMBER-DAMAGED", level="study", severity="block", needs=("bytes", "checksums"), when=_is_of_files)
def member_damaged(study: StudyView) -> Iterator[Hit]:
    """An instance did not come out of its ZIP as it was put in.

    Finds: Instances whose bytes do not have the checksum or the length that the ZIP declares, or that do not
        unpack to their end. Uploads are compared, and what `heltig check --deep` reads; without `--deep` the
        rule is not evaluable, since only headers are unpacked.
    Why: The pixels or the header changed on the way, and nobody can say where.
    Mend: Copy or send the ZIP again. If that does not help, make it again from the folder of DICOM files.
    Example: A ZIP in which one bit of the pixel data of a slice flipped on a worn-out disk.
    """
    for fault, rows in study.faults("checksum", "length", "damaged-member"):
        yield Hit(observed=f"{fault.kind}: {fault.detail}", expected="the bytes that were packed", rows=rows)


@rule("SRC-MEMBER-TWICE", level="study", severity="block", needs=("bytes",), when=_is_of_files)
def member_twice(study: StudyView) -> Iterator[Hit]:
    """Two members of a ZIP have one name and other content, and one of them is of the study.

    Finds: Instances whose name in the ZIP another member with other content has too.
    Why: Most programs unpack only one of the two: the other instance is lost without a word.
    Mend: Make the ZIP again from the folder of DICOM files, each with a name of its own.
    Example: The slices of two series, each numbered from `IM1` on, packed without their folders.
    """
    for fault, rows in study.faults("duplicate-name"):
        yield Hit(observed=fault.detail, expected="a name of its own", rows=rows)


@rule("SRC-MEMBER-UNREAD", level="study", severity="review", needs=("bytes",), when=_is_of_files)
def member_unread(study: StudyView) -> Iterator[Hit]:
    """Something in the study's ZIP could not be read and may belong to the study.

    Finds: A study out of a ZIP with other members that could not be read, by their kind and name DICOM files:
        damaged, encrypted, refused or empty ones, and files named `.dcm` that are not DICOM. Documents,
        viewers, a DICOMDIR and what operating systems leave behind do not count.
    Why: Nobody can say which study such a member belongs to, so none of this ZIP is known to be complete.
    Mend: See in the account of the ZIP which members these are. Send them again, or look at them and say that
        they are no instances of this study.
    Example: A ZIP of 200 slices of which one could not be unpacked: the 199 others are without fault.
    """
    for failure in study.source.failures:
        if failure.kind == "member-unread":
            yield Hit(observed=failure.detail, expected="every member of the ZIP readable", rows=())
