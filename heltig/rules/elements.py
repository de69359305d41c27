"""Elements: are they ones that the standard has, in groups that a data set may have?

The rules see nearly every value: they return what they find at once, which is faster than to yield it.
"""

from typing import Final

from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place
from heltig.standard.dictionary import is_private
from heltig.standard.value_representations import VRS

_ALL: Final = ("", *sorted(VRS))
_DIGITS: Final = 8

FORBIDDEN: Final = ("0000", "0001", "0003", "0005", "0006", "0007", "FFFF")
"""Groups of no data set: that of commands, and odd ones that are not private either (PS3.5 7.8.1)."""

_LOWEST: Final = "0008"
"""The first group of a data set: those before it are of commands, of files and of directories."""


@rule("VAL-GROUP", level="value", severity="review", vrs=_ALL, reference="PS3.5 7.1")
def group(at: Place) -> tuple[Hit, ...]:
    """An element is in a group that no data set may have.

    Finds: Elements of the groups 0001, 0003, 0005, 0006, 0007 and FFFF, which are neither the standard's nor
        private, and of group 0000, which belongs to commands; in items of sequences too.
    Why: Readers stop there, or skip what follows: strict ones refuse the object, as the low groups are where
        they look for commands and for how the file is written.
    Mend: Have the sender leave them out. Mostly something else was read as an element: look whether the
        length of the element before it is right.
    Example: (0003,1001), which an old program used for its own purposes.
    """
    tag = at.tag
    if _LOWEST <= tag < FORBIDDEN[-1] or not tag.startswith(FORBIDDEN):
        return ()
    return (Hit(observed=f"({tag[:4]},{tag[4:8]})", expected="no element of this group"),)


@rule("VAL-UNKNOWN", level="value", severity="note", vrs=_ALL, reference="PS3.6 6")
def unknown(at: Place) -> tuple[Hit, ...]:
    """An element is one that the standard does not have.

    Finds: Elements of even groups, which are the standard's, that the data dictionary does not list, not as
        retired ones either. Groups before 0008 are a matter of VAL-GROUP.
    Why: Nobody knows what it means. De-identification that goes attribute by attribute leaves it as it is,
        and a later edition may give the number to something else.
    Mend: Have the sender use private elements of an odd group for what is its own. If the element is a new
        one of the standard, nothing.
    Example: (0009,1010) written as (0008,1010), so that it looks like StationName.
    """
    tag = at.tag
    if at.entry is not None or len(tag) != _DIGITS or is_private(tag) or tag < _LOWEST:
        return ()
    return (Hit(observed=f"({tag[:4]},{tag[4:]})", expected="an element of PS3.6, or a private one"),)
