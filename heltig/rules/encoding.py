"""Encoding: can the file be read to its end?"""

from collections.abc import Iterator

from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView


@rule("ENC-TRUNCATED", level="study", severity="block", needs=("metadata", "bytes"), reference="PS3.10 7.1")
def truncated(study: StudyView) -> Iterator[Hit]:
    """A file ends before its data set does, or cannot be read to its end.

    Finds: Files that end within an element, pixel data shorter than declared, and elements whose length leads
        nowhere, so that what follows them is lost.
    Why: Part of the object is missing: a row of pixels, the rest of the header, or everything behind it. An
        archive refuses it, or stores it and fails when somebody opens it.
    Mend: Copy or send the file again from where it came. If it is damaged there too, have the object exported
        anew, or leave it out and say so.
    Example: A copy that stopped when the disk was full.
    """
    for fault, rows in study.faults("truncated", "unreadable"):
        yield Hit(observed=fault.detail, expected="a data set to its end", rows=rows)
