"""Encoding: is the file whole, and written as PS3.5 and PS3.10 say?"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from heltig.dicom.cell import Fault
from heltig.rules.proposal import removal
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView

_BYTES: Final = ("metadata", "bytes")
_PLACES: Final = re.compile(r"(?<=offset )\d+|\b\d+(?= bytes)|(?<=bytes, )\d+")
_WITH_LENGTH: Final = frozenset({"0000", "0002", "0004"})
"""Groups that need a length: commands, file meta information, directories."""

_PRESENT: Final = " is present"


def together(found: Iterable[tuple[Fault, list[int]]]) -> Iterator[tuple[str, list[int]]]:
    """Put faults together that differ in offsets and lengths only.

    Yields:
        What was found, as the fault says it where all say the same, and the rows that have it.
    """

    def form(entry: tuple[Fault, list[int]]) -> str:
        return _PLACES.sub("…", entry[0].detail)

    for name, group in groupby(sorted(found, key=form), key=form):
        same = list(group)
        detail = same[0][0].detail if len(same) == 1 else f"{name} (one of them: {same[0][0].detail})"
        yield detail, sorted({row for _, rows in same for row in rows})


@rule("ENC-TRUNCATED", level="study", severity="block", needs=_BYTES, reference="PS3.10 7.1")
def truncated(study: StudyView) -> Iterator[Hit]:
    """A file ends before its data set does, or cannot be read to its end.

    Finds: Files that end within an element, pixel data shorter than declared, and elements whose length leads
        nowhere, so that what follows them is lost. Where the header itself is cut, what the instance lacks is
        no finding of other rules: it may have been in the rest.
    Why: Part of the object is missing: a row of pixels, the rest of the header, or everything behind it. An
        archive refuses it, or stores it and fails when somebody opens it.
    Mend: Copy or send the file again from where it came. If it is damaged there too, have the object exported
        anew, or leave it out and say so.
    Example: A copy that stopped when the disk was full.
    """
    for observed, rows in together(study.faults("truncated", "unreadable")):
        yield Hit(observed=observed, expected="a data set to its end", rows=rows)


@rule("ENC-IMPLICIT-IN-EXPLICIT", level="study", severity="block", needs=_BYTES, reference="PS3.5 7.1.2")
def other_writing(study: StudyView) -> Iterator[Hit]:
    """The data set is not written as its transfer syntax says.

    Finds: Elements without a VR where the transfer syntax says explicit VR, with one where it says implicit
        VR, and big endian data sets under another transfer syntax. Heltig reads them as they are written.
    Why: A reader that believes the transfer syntax takes the VR for a length: it reads nonsense, or stops at
        the first element.
    Mend: Have the TransferSyntaxUID (0002,0010) corrected to what the data set is, or the object exported
        anew. A toolkit that guesses can convert it: compare the result with the original.
    Example: A script that changed the file meta information and left the data set alone.
    """
    kinds = "implicit-in-explicit", "explicit-in-implicit", "transfer-syntax"
    for observed, rows in together(study.faults(*kinds)):
        yield Hit(observed=observed, expected="elements as the transfer syntax says", rows=rows)


@rule("ENC-TAG-ORDER", level="study", severity="review", needs=_BYTES, reference="PS3.5 7.1")
def tag_order(study: StudyView) -> Iterator[Hit]:
    """Elements do not ascend by tag, or one stands twice.

    Finds: Elements after one of a higher tag, and tags that a data set has more than once. Heltig takes the
        first of two.
    Why: Readers that look for an element stop where a higher tag comes, and miss it; of two values each
        system takes another.
    Mend: Have the object written anew by a toolkit that sorts. Where a tag stands twice, find out which
        value is right first.
    Example: A de-identification script that appends its elements at the end.
    """
    for fault, rows in study.faults("tag-order", "tag-duplicate"):
        yield Hit(observed=fault.detail, expected="every tag once, in ascending order", rows=rows)


@rule("ENC-GROUP-LENGTH", level="study", severity="note", needs=_BYTES, reference="PS3.5 7.2")
def group_length(study: StudyView) -> Iterator[Hit]:
    """The data set has group lengths, which are retired.

    Finds: Group Length elements (gggg,0000) outside file meta information, and among them those whose value
        is not the length of the group. Those in items of sequences are left alone.
    Why: Readers ignore them. One that goes by a wrong length leaves out elements, or reads on at a wrong
        place.
    Mend: Nothing, as long as they are right. Where they are wrong, have the sender leave them out; most
        archives drop them when they store. Their removal is proposed.
    Example: Older scanners, and a script that changed a name without the length of its group.
    """
    present: dict[str, set[int]] = {}
    wrong: dict[str, set[int]] = {}
    for fault, rows in study.faults("group-length"):
        found = present if fault.detail.endswith(_PRESENT) else wrong
        found.setdefault(fault.detail[:4], set()).update(rows)
    for groups, observed in ((present, "present in"), (wrong, "wrong in")):
        if groups:
            names = sorted(groups)
            listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
            rows = sorted(set[int]().union(*groups.values()))
            noun = "group" if len(names) == 1 else "groups"
            why = "Group lengths are retired, and no reader needs them."
            yield Hit(
                observed=f"{observed} {noun} {listed}",
                expected="no group lengths",
                rows=rows,
                changes=tuple(removal(tag, "UL", why) for tag in _group_lengths(study)),
            )


def _group_lengths(study: StudyView) -> list[str]:
    """All there are: faults name the first of each data set only."""
    return [tag for tag in sorted(study.table.columns) if tag[4:] == "0000" and tag[:4] not in _WITH_LENGTH]


@rule("ENC-TRAILING", level="study", severity="note", needs=_BYTES, reference="PS3.10 7.2")
def trailing(study: StudyView) -> Iterator[Hit]:
    """Something stands after the data set that is no element of it.

    Finds: Zeros or other bytes behind the last element, and delimiters that end nothing. Data Set Trailing
        Padding (FFFC,FFFC) is an element, and left alone.
    Why: Readers ignore it or take the file for damaged. What it is nobody knows: it can be the rest of
        another file, with another patient's data in it.
    Mend: Have the object exported anew, or written once by a toolkit, which leaves the bytes out. Find out
        first what they are.
    Example: A file restored from a tape in blocks of fixed size.
    """
    for observed, rows in together(study.faults("trailing")):
        yield Hit(observed=observed, expected="the end of the file after the last element", rows=rows)


@rule("ENC-NESTING", level="study", severity="review")
def nesting(study: StudyView) -> Iterator[Hit]:
    """A data set is nested deeper, or has more elements, than anybody reads.

    Finds: Sequences nested deeper than 64 levels, data sets of more than 50,000 elements, and JSON nested
        deeper than its reader goes. What is deeper or comes later is not read, and not judged.
    Why: Readers work with a stack: deep nesting makes them stop or crash. Real objects have ten levels at
        most.
    Mend: Look where the object comes from. It is damaged, or made to do harm: do not pass it on.
    Example: A file made to bring down an archive's parser.
    """
    for observed, rows in together(study.faults("nesting")):
        yield Hit(observed=observed, expected="sequences that readers can follow", rows=rows)
