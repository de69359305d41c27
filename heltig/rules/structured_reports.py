"""Structured reports: do they begin as reports do, say something, and measure in units (PS3.3 C.17.3)?"""

from collections.abc import Iterator
from typing import Final

from heltig.rules.items import cell_of
from heltig.rules.pixel_facts import rows_without
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_REPORTS: Final = "1.2.840.10008.5.1.4.1.1.88."
"""Under it are the SOP Classes of all structured reports, and of key object selections."""


def is_report(sop_class_uid: str) -> bool:
    """The SOP Class is a structured report, or a key object selection."""
    return sop_class_uid.startswith(_REPORTS)


@rule("VAL-REPORT-ROOT", level="instance", severity="review", reads=("ValueType", "SOPClassUID"),
    when=lambda at: is_report(at["SOPClassUID"].text) and at.has("ValueType"),
    reference="PS3.3 C.17.3")  # fmt: skip
def root(at: Values) -> Iterator[Hit]:
    """A report does not begin with a container.

    Finds: Structured reports and key object selections whose own ValueType (0040,A040) is other than
        CONTAINER. Where it is absent IOD-TYPE1 tells.
    Why: The content of a report hangs on its first item. Viewers that look for a container show an empty
        report, or refuse it.
    Mend: Have the report written again by the program that made it.
    Example: `TEXT`, from a converter that put the text of a report into its first item.
    """
    told = at["ValueType"].text.upper()
    if told != "CONTAINER":
        yield Hit(tags=("ValueType",), observed=cut(told), expected="CONTAINER")


def _reports(study: StudyView) -> list[int]:
    return [row for group in study.groups("SOPClassUID") if is_report(group.key) for row in group.rows]


@rule("VAL-REPORT-EMPTY", level="study", severity="review", needs=("metadata", "all_attributes"),
    reads=("SOPClassUID", "ContentSequence", "ValueType"), when=lambda study: bool(_reports(study)),
    reference="PS3.3 C.17.3")  # fmt: skip
def empty(study: StudyView) -> Iterator[Hit]:
    """A report says nothing.

    Finds: Structured reports and key object selections without an item in ContentSequence (0040,A730): there
        is a title, and nothing under it. One whose first item is no container is a matter of VAL-REPORT-ROOT.
    Why: Whoever opens the report finds a blank page, and takes it for an examination without findings; key
        objects select no image. Archives take both without a word.
    Mend: Have the report sent again by the program that made it. If it is empty there, too, delete it.
    Example: A report exported before it was dictated.
    """
    without = sorted(rows_without(study, "ContentSequence").intersection(_reports(study)))
    kinds = [study.table.at(tag_of("ValueType"), row).text.upper() for row in without]
    rows = [row for row, kind in zip(without, kinds, strict=True) if kind in ("", "CONTAINER")]
    if rows:
        yield Hit(tags=("ContentSequence",), observed="no item", expected="content", rows=rows)


@rule("VAL-REPORT-UNIT", level="value", severity="review", reads=("MeasuredValueSequence",),
    needs=("metadata", "all_attributes"), reference="PS3.3 C.18.1")  # fmt: skip
def unit(at: Place) -> Iterator[Hit]:
    """A measurement in a report has no unit.

    Finds: Items of MeasuredValueSequence (0040,A300) with a NumericValue (0040,A30A) and without
        MeasurementUnitsCodeSequence (0040,08EA), or with an empty one, in any content item. Numbers without
        dimension have the unit `1` (no units).
    Why: 25 is a small nodule in millimetres and a large one in centimetres. Whoever reads the report guesses,
        and programs that follow a lesion over time compare what cannot be compared.
    Mend: Have the program write the unit as a code of UCUM. Look it up in the text of the report before you
        trust a guess.
    Example: A length of 25 of which only the display knows that it is millimetres.
    """
    for item in at.cell.items:
        number = cell_of(item, "NumericValue")
        if not number.empty and not cell_of(item, "MeasurementUnitsCodeSequence").items:
            yield Hit(observed=cut(f"{number.shown}, without a unit"), expected="the unit of the number")
