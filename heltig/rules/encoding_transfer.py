"""Encoding: the transfer syntax (PS3.5 annex A)."""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.uid import is_valid
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.edition import EDITION
from heltig.standard.uids import lookup, transfer_syntax

_META: Final = ("metadata", "file_meta")
_SYNTAX: Final = "TransferSyntaxUID"
_LOSSY: Final = "LossyImageCompression"
_OF_THE_STANDARD: Final = "1.2.840.10008.1.2."
"""The root under which the standard registers its transfer syntaxes."""


def _is_given(at: Values) -> bool:
    return at.has(_SYNTAX)


@rule("ENC-TS-UNKNOWN", level="instance", severity="block", needs=_META, reads=(_SYNTAX,), when=_is_given,
    reference="PS3.6 A")  # fmt: skip
def unknown(at: Values) -> Iterator[Hit]:
    """The transfer syntax is none that the standard has.

    Finds: A TransferSyntaxUID (0002,0010) that PS3.6 does not list as a transfer syntax: private ones,
        misspelt ones, UIDs of something else. One that may be newer than Heltig's tables is a matter of
        ENC-TS-NEWER.
    Why: An archive cannot agree to receive it, and nobody but its maker can read the pixels.
    Mend: Have the sender export in a standard transfer syntax; Explicit VR Little Endian is understood
        everywhere. For private ones that takes the maker's own software.
    Example: A maker's private compression, kept in its own archive.
    """
    uid = at[_SYNTAX].text
    if transfer_syntax(uid) is None and not _may_be_newer(uid):
        yield Hit(observed=cut(uid), expected="a transfer syntax of PS3.6 annex A")


@rule("ENC-TS-NEWER", level="instance", severity="review", needs=_META, reads=(_SYNTAX,), when=_is_given,
    reference="PS3.6 A")  # fmt: skip
def newer(at: Values) -> Iterator[Hit]:
    """The transfer syntax is not in the edition of the standard that Heltig's tables hold.

    Finds: A well-formed TransferSyntaxUID (0002,0010) below 1.2.840.10008.1.2, under which the standard
        registers its transfer syntaxes, that the edition named in the finding does not have. Other unknown
        ones are a matter of ENC-TS-UNKNOWN.
    Why: Few archives and viewers read a transfer syntax in its first years. A UID that is misspelt looks the
        same.
    Mend: Look the UID up in PS3.6 annex A of the current edition. If it is there, ask whether the target
        takes it, and have the study checked by a newer version of Heltig. If it is not, have the sender's
        software mended.
    Example: A compression that was added to the standard a year after this version of Heltig.
    """
    uid = at[_SYNTAX].text
    if _may_be_newer(uid):
        yield Hit(
            observed=f"{cut(uid)}, not in edition {EDITION}", expected="a transfer syntax of PS3.6 annex A"
        )


def _may_be_newer(uid: str) -> bool:
    return uid.startswith(_OF_THE_STANDARD) and is_valid(uid) and lookup(uid) is None


@rule("ENC-TS-RETIRED", level="instance", severity="review", needs=_META, reads=(_SYNTAX,), when=_is_given,
    reference="PS3.6 A")  # fmt: skip
def retired(at: Values) -> Iterator[Hit]:
    """The transfer syntax is retired.

    Finds: Explicit VR Big Endian, the JPEG processes that nobody used, Papyrus and others that the standard
        has retired.
    Why: New software does not read them: the images may be stored and never be seen again.
    Mend: Convert the objects to a transfer syntax in use before they are moved, as long as something reads
        them.
    Example: Big endian files of a workstation of the nineties.
    """
    syntax = transfer_syntax(at[_SYNTAX].text)
    if syntax is not None and syntax.retired:
        yield Hit(observed=syntax.name, expected="a transfer syntax that is not retired")


@rule("ENC-TS-TARGET", level="instance", severity="review", needs=_META, reads=(_SYNTAX,),
    when=lambda at: _is_given(at) and bool(at.context.parameters.accepted_transfer_syntaxes))  # fmt: skip
def not_accepted(at: Values) -> Iterator[Hit]:
    """The archive to come does not take the transfer syntax.

    Finds: A TransferSyntaxUID that is not in the profile's `accepted_transfer_syntaxes`. With an empty list,
        as in the default profile, the rule does not apply.
    Why: The target refuses the objects one by one, when the move has long begun: by STOW-RS with C122H
        (PS3.18), by C-STORE as early as in the association, where it accepts no presentation context for them
        (dcm4chee-arc has no status of its own). AWS HealthImaging imports them with the warning B120H, and
        gives nobody their frames.
    Mend: Have the objects converted on the way, or the transfer syntax added to what the target takes.
    Example: HEVC video for an archive that stores MPEG-4 at most.
    """
    accepted = at.context.parameters.accepted_transfer_syntaxes
    uid = at[_SYNTAX].text
    if uid not in accepted:
        syntax = transfer_syntax(uid)
        named = [known.name if (known := transfer_syntax(one)) else one for one in accepted]
        yield Hit(
            observed=syntax.name if syntax else cut(uid),
            expected=cut("one of " + ", ".join(named), 200),
            message=_AWS if "aws" in at.context.parameters.targets else None,
        )


_AWS: Final = "AWS HealthImaging warns with B120H, and gives nobody the frames of what it imports so"


@rule("ENC-TS-LOSSY-FLAG", level="instance", severity="review", reads=(_SYNTAX, _LOSSY), when=_is_given,
    needs=("metadata", "file_meta", "all_attributes"), reference="PS3.3 C.7.6.1.1.5")  # fmt: skip
def lossy_flag(at: Values) -> Iterator[Hit]:
    """The pixels are compressed with loss, and the object does not say so.

    Finds: Transfer syntaxes that always lose information, such as JPEG Baseline and MPEG, where
        LossyImageCompression (0028,2110) is not `01`. The flag under a lossless transfer syntax is right
        where the image was lossy before, and is left alone.
    Why: Whoever reads the image must know that it is not the original, and regulators ask for it.
        Once the pixels are decompressed nothing else tells it.
    Mend: Have LossyImageCompression set to `01`, with ratio and method where they are known.
    Example: A gateway that compresses to JPEG and leaves the header as it was.
    """
    syntax = transfer_syntax(at[_SYNTAX].text)
    if syntax is not None and syntax.lossy == "always" and at[_LOSSY].text != "01":
        state = cut(at[_LOSSY].text) or ("empty" if at[_LOSSY].vr else "absent")
        yield Hit(tags=(_LOSSY,), observed=f"{state}, with {syntax.name}", expected="01")


@rule("ENC-TS-MISMATCH", level="study", severity="block", needs=("metadata", "file_meta", "bytes"),
    reference="PS3.5 A.4")  # fmt: skip
def other_stream(study: StudyView) -> Iterator[Hit]:
    """The pixel data are compressed otherwise than the transfer syntax says.

    Finds: Compressed pixel data whose first bytes are those of another kind of stream than the
        TransferSyntaxUID (0002,0010) stands for, or of none that is known: JPEG, JPEG-LS, JPEG 2000, JPEG XL
        and RLE are told apart. Which process of JPEG it is, and what follows the first bytes, is not looked
        at. A data set that is itself written otherwise is a matter of ENC-IMPLICIT-IN-EXPLICIT, pixel data
        that are not compressed of PIX-LENGTH.
    Why: A decoder is chosen by the transfer syntax: viewers show nothing, and an archive that converts the
        image fails, mostly years later.
    Mend: Have the sender write the transfer syntax that the stream is of, or compress the image again from
        the original.
    Example: Images that a migration compressed with JPEG 2000 and labelled with the transfer syntax they had
        before.
    """
    for fault, rows in study.faults("compression"):
        yield Hit(
            tags=("PixelData", _SYNTAX),
            observed=fault.detail,
            expected="the kind of stream that the transfer syntax stands for",
            rows=rows,
        )
