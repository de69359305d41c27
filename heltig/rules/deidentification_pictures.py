"""De-identification: names that are drawn, in the image itself or in a picture beside it."""

from collections.abc import Iterator
from typing import Final

from heltig.rules.deidentification_claims import cells, claims, columns, declared, is_claimed
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

_WITH_BURNED_IN: Final = frozenset({"US", "IVUS", "SC", "XA", "RF", "ES", "XC", "GM", "OT"})
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"


@rule(
    "DEI-BURNED",
    level="instance",
    severity="review",
    reads=(
        "BurnedInAnnotation",
        "Modality",
        "SOPClassUID",
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
    ),
    when=lambda at: _is_claimed_here(at),
    reference="PS3.3 C.7.6.1",
)
def burned_in(at: Values) -> Iterator[Hit]:
    """De-identified images may show text in their pixels.

    Finds: BurnedInAnnotation (0028,0301) YES in instances said to be de-identified, and images of kinds that
        often show text (ultrasound, captures, angiography, endoscopy, photographs) that do not say NO, unless
        the Clean Pixel Data Option (113101) is claimed.
    Why: Name and number stand in the picture itself, where no tool that cleans attributes finds them.
    Mend: Look at the images. Black out what names somebody, or, where nothing does, have the de-identifier
        set BurnedInAnnotation to NO.
    Example: Ultrasound clips with the patient's name in the upper line.
    """
    burned = at["BurnedInAnnotation"].text.upper()
    if burned == "YES":
        yield Hit(tags=("BurnedInAnnotation",), observed="YES", expected="NO, with the text blacked out")
        return
    sop_class = lookup(at["SOPClassUID"].text)
    if burned == "NO" or sop_class is None or not sop_class.image or "113101" in _codes_here(at):
        return
    modality = at["Modality"].text.upper()
    captured = at["SOPClassUID"].text.startswith(_SECONDARY_CAPTURE)
    if captured or modality in _WITH_BURNED_IN:
        yield Hit(
            tags=("BurnedInAnnotation",),
            observed=f"{burned or 'absent'} in {'a capture' if captured else cut(modality)}",
            expected="NO, once somebody has looked",
        )


def _is_claimed_here(at: Values) -> bool:
    removed = at["PatientIdentityRemoved"].text.upper()
    says_how = at.has("DeidentificationMethod") or at.has("DeidentificationMethodCodeSequence")
    return declared(at.context) or removed == "YES" or (removed != "NO" and says_how)


def _codes_here(at: Values) -> str:
    """All codes of the method as one text; good for looking whether one is among them."""
    items = at["DeidentificationMethodCodeSequence"].items
    raws = b" ".join(raw for item in items for raw in item.raws)
    return at["DeidentificationMethod"].shown + raws.decode("ascii", "replace")


_PICTURES: Final = {
    tag_of("IconImageSequence"): "113101",
    tag_of("EncapsulatedDocument"): "113104",
}
"""Attributes that show a picture or pages, with the option under which they are cleaned and kept."""


@rule("DEI-OVERLAY", level="study", severity="review", when=is_claimed, reference="PS3.15 E.3.3")
def overlay(study: StudyView) -> Iterator[Hit]:
    """De-identified data holds a picture beside the image.

    Finds: Overlays (60xx,3000), curves (50xx), icons (0088,0200) and encapsulated documents (0042,0011) in
        instances said to be de-identified, unless the option to clean graphics (113103), pixel data (113101,
        for icons) or structured content (113104, for documents) is claimed.
    Why: They may show the patient's name as picture or page, and are looked at by few. The profile removes
        them.
    Mend: Have them removed, or looked at and the option claimed by code.
    Example: A scanned letter kept as a PDF with a de-identified study.
    """
    for path, table, column in columns(study):
        option = _picture_option(path[-1])
        if option is None:
            continue
        rows = {row for claim in claims(study) if option not in claim.options for row in claim.checked}
        there = {row for cell in cells(path, table, column) if not cell.cell.empty for row in cell.rows()}
        if rows & there:
            yield Hit(
                tags=("/".join(path),),
                observed="present",
                expected=f"removed, or looked at and cleaned under option {option}",
                rows=sorted(rows & there),
            )


def _picture_option(tag: str) -> str | None:
    if tag[:2] in ("50", "60") and len(tag) == 8:
        return "113103" if tag[:2] == "50" or tag[4:] == "3000" else None
    return _PICTURES.get(tag)
