"""Delivery: did all that a ZIP or folder should hold come, and come out as it was put in?

SRC-ZIP-SAFE and SRC-NOT-DICOM (`heltig.rules.source`) name the files that cannot be read; the SRC-MEMBER
rules say what that means for the verdict of a study. The others are about what else a ZIP or folder holds.
"""

from collections.abc import Iterator

from heltig.rules.rule import Hit, rule
from heltig.rules.views import PackageView, StudyView


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
        yield Hit(observed=f"{fault.kind}: {fault.detail}", expected="a name of its own", rows=rows)


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


@rule("SRC-DICOMDIR", level="input", severity="review", needs=("bytes",), reference="PS3.3 F.3.2.2")
def dicomdir_differs(package: PackageView) -> Iterator[Hit]:
    """A DICOMDIR lists other files than lie beside it.

    Finds: Files that a DICOMDIR names (ReferencedFileID (0004,1500)) and that are not in the ZIP or folder,
        instances beside or below it that it does not list, and a DICOMDIR whose records cannot be read. Upper
        and lower case are alike. A DICOMDIR that is given by itself, or has another name, is left alone.
    Why: A file that is listed and missing was lost on the way from the medium. Whoever imports by the
        DICOMDIR, as most archives do with a disc, never sees an instance that it does not list.
    Mend: Copy the whole medium again, all folders of it. If files were put in or taken out on purpose, write
        the DICOMDIR anew or leave it out.
    Example: A disc with 412 images of which 400 were copied, with the DICOMDIR of all.
    """
    for (_, detail), files in package.groups("dicomdir-missing").items():
        yield Hit(observed=detail, expected="every file that it lists", rows=files)
    for (_, detail), files in package.groups("dicomdir-unlisted").items():
        yield Hit(observed=detail, expected="a record of every instance", rows=files)
    for (_, detail), files in package.groups("dicomdir-damaged").items():
        yield Hit(observed=f"unreadable: {detail}", expected="directory records", rows=files)


@rule("SRC-ZIP-NESTED", level="input", severity="note", needs=("bytes",))
def zip_nested(package: PackageView) -> Iterator[Hit]:
    """A ZIP lies inside the ZIP.

    Finds: ZIPs inside ZIPs. Those named here were opened, and what they hold was read and judged with the
        rest; one that lies too deep, or cannot be unpacked, is a matter of SRC-ZIP-SAFE.
    Why: Most archives open the outer ZIP alone, and take the inner one for a file that is not DICOM: what it
        holds would be lost there without a word.
    Mend: Unpack the inner ZIP, and pack its files with the others.
    Example: `study.zip` with `series1.zip` and `series2.zip` in it, as some export dialogues make it.
    """
    for (_, detail), members in package.groups("inner-package").items():
        yield Hit(observed=detail, expected="DICOM files only", rows=members)


@rule("STU-MULTI-UID", level="input", severity="note", needs=("bytes",))
def several_studies(package: PackageView) -> Iterator[Hit]:
    """A ZIP holds more than one study.

    Finds: ZIPs with instances of two or more StudyInstanceUIDs (0020,000D), ZIPs inside them counted in.
        Folders may hold what they like, and instances without the UID are a matter of STU-UID-MISSING.
    Why: Each study has a verdict of its own, and some may be stored while others may not. Often the second
        study is there by mistake: a neighbour in the list, or a study cut in two by a changed UID.
    Mend: Nothing, if all of them were meant to be sent. Else send one study at a time.
    Example: An export of "today's CT" in which the patient after is included.
    """
    for (_, detail), packages in package.groups("several-studies").items():
        yield Hit(observed=detail, expected="one study", rows=packages)
