"""The storage SOP Classes (PS3.4 B.5) and what their IODs are (PS3.3 annex A)."""

from functools import cache

import msgspec

from heltig.standard.edition import read_table


class SopClass(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One storage SOP Class.

    Attributes:
        uid: Its UID.
        name: PS3.6 name.
        iod: Name of its IOD; empty where no table has it (retired, or of another standard). What is said of
            such classes is written by hand, from their names.
        modality: Modality (0008,0060) values its series have: enumerated by its modules where they do, else
            what equipment such objects come from. Empty when nothing is expected.
        image: May have pixel data; RT Dose and Parametric Map have it under a condition.
        multi_frame: May have more than one frame.
        enhanced: Has functional groups (PS3.3 C.7.6.16), shared and for each frame.
        study: Belongs to a patient, study and series; non-patient objects such as hanging protocols do not.
        retired: Retired from the standard.
    """

    uid: str
    name: str
    iod: str
    modality: tuple[str, ...]
    image: bool
    multi_frame: bool
    enhanced: bool
    study: bool
    retired: bool


def lookup(sop_class_uid: str) -> SopClass | None:
    """Return a storage SOP Class; `None` for private ones and for UIDs of anything else."""
    return _by_uid().get(sop_class_uid)


def entries() -> tuple[SopClass, ...]:
    """Return every storage SOP Class, in the order of the UIDs' components."""
    return tuple(_by_uid().values())


@cache
def _by_uid() -> dict[str, SopClass]:
    return {row.uid: row for row in read_table("sop_classes", list[SopClass]).rows}
