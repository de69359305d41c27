"""Pixels and compression: does the header say what was done to them?"""

from collections.abc import Iterator
from typing import Final

from heltig.rules.pixel_facts import by_lacking, rows_without
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.standard.uids import TransferSyntax, transfer_syntax

_ROOT: Final = "1.2.840.10008.1.2."
_JPEG_2000: Final = frozenset(f"{_ROOT}4.{n}" for n in (90, 91, 92, 93, 94, 95, 201, 202, 203, 204, 205))
_JPEG_2000_LOSSLESS_ONLY: Final = frozenset(f"{_ROOT}4.{n}" for n in (90, 92, 201, 202))
_WITHOUT_SHARED_COLOUR: Final = frozenset(
    {f"{_ROOT}5", *(f"{_ROOT}4.{n}" for n in (57, 58, 65, 66, 70, 80, 81))} | _JPEG_2000
)
"""RLE, lossless JPEG, JPEG-LS and JPEG 2000: each sample of each pixel is coded (PS3.5 8.2.1 to 8.2.4)."""

_VIDEO: Final = ("MPEG", "HEVC", "Fragmentable MPEG")
_RATIO: Final = "LossyImageCompressionRatio"
_METHOD: Final = "LossyImageCompressionMethod"


@rule("PIX-LOSSY-PAIR", level="study", severity="note", reads=("LossyImageCompression",),
    needs=("metadata", "all_attributes"), reference="PS3.3 C.7.6.1.1.5")  # fmt: skip
def lossy_pair(study: StudyView) -> Iterator[Hit]:
    """An image is said to be lossy, not how or how much.

    Finds: LossyImageCompression (0028,2110) `01` without LossyImageCompressionRatio (0028,2112) or
        LossyImageCompressionMethod (0028,2114).
    Why: Whoever reads the image cannot judge what may be lost, and a second lossy compression goes unnoticed.
    Mend: Have the sender write both, one value for each compression that was done. What is not known cannot
        be added later.
    Example: An ultrasound that compresses to JPEG and sets the flag alone.
    """
    rows = {row for group in study.groups("LossyImageCompression") if group.key == "01" for row in group.rows}
    if rows:
        lacking = {keyword: rows & rows_without(study, keyword) for keyword in (_RATIO, _METHOD)}
        for missing, found in by_lacking(lacking):
            names = " and ".join(keyword.removeprefix("LossyImageCompression").lower() for keyword in missing)
            yield Hit(tags=missing, observed=f"01 without {names}", expected="ratio and method", rows=found)


@rule("PIX-PHOTO-TS", level="instance", severity="review", needs=("metadata", "file_meta"),
    reads=("PhotometricInterpretation", "TransferSyntaxUID"), reference="PS3.5 8.2",
    when=lambda at: at.has("PhotometricInterpretation") and at.has("TransferSyntaxUID"))  # fmt: skip
def photometric(at: Values) -> Iterator[Hit]:
    """The photometric interpretation cannot be under this transfer syntax.

    Finds: YBR_RCT and YBR_ICT elsewhere than in JPEG 2000, YBR_ICT where that is lossless, YBR_PARTIAL_420
        elsewhere than in video, XYB elsewhere than in JPEG XL, YBR_FULL_422 in JPEG 2000, JPEG-LS, RLE and
        lossless JPEG, and PALETTE COLOR where compression always loses information.
    Why: Readers convert colours that are converted already, or do not convert those that are not: the image
        is green, pink, or has wrong tones.
    Mend: Have the sender write the photometric interpretation of the pixels as they are stored. Look at the
        image before and after.
    Example: YBR_FULL_422 in a JPEG 2000 image that was JPEG before.
    """
    syntax, name = transfer_syntax(at["TransferSyntaxUID"].text), at["PhotometricInterpretation"].text
    if syntax is not None and not _fits(name, syntax):
        yield Hit(
            tags=("PhotometricInterpretation",),
            observed=f"{name}, with {syntax.name}",
            expected="a photometric interpretation that the transfer syntax has",
        )


def _fits(name: str, syntax: TransferSyntax) -> bool:
    """What the standard says of others is left to the transfer syntax."""
    if name == "YBR_RCT":
        return syntax.uid in _JPEG_2000
    if name == "YBR_ICT":
        return syntax.uid in _JPEG_2000 - _JPEG_2000_LOSSLESS_ONLY
    if name == "YBR_PARTIAL_420":
        return syntax.name.startswith(_VIDEO)
    if name == "XYB":
        return syntax.name.startswith("JPEG XL")
    if name == "YBR_FULL_422":
        return syntax.uid not in _WITHOUT_SHARED_COLOUR
    return name != "PALETTE COLOR" or syntax.lossy != "always"
