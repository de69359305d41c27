"""What the tables of PS3.3 do not give of storage SOP Classes; written by hand.

Sources: the content constraints of the IODs in PS3.3 annex A, PS3.3 C.7.3.1.1.1 (what each Modality means)
and C.8.8.1.1 (RT), and the names in PS3.6 annex A for retired classes, whose IODs the edition no longer has.
"""

from typing import NamedTuple

ROOT = "1.2.840.10008.5.1.4."


class Facts(NamedTuple):
    """What one SOP Class without an IOD table is.

    Attributes:
        modality: Expected Modality values; none where nothing is expected.
        image: Has pixel data.
        multi_frame: May have more than one frame.
    """

    modality: tuple[str, ...] = ()
    image: bool = False
    multi_frame: bool = False


PROJECTION = ("CR", "DX", "IO", "MG", "PX", "RG")  # plates and films of every kind were sent as CR images
FLUOROSCOPY = ("CF", "DF", "DS", "RF", "XA")
ULTRASOUND = ("BDUS", "CD", "DD", "EC", "IVUS", "US")

EXPECTED_MODALITY: dict[str, tuple[str, ...]] = {
    "1.1.1": PROJECTION,
    "1.1.12.1": FLUOROSCOPY,
    "1.1.12.2": FLUOROSCOPY,
    "1.1.128": ("PT",),
    "1.1.2": ("CT",),
    "1.1.20": ("NM", "PT", "ST"),
    "1.1.3.1": ULTRASOUND,
    "1.1.4": ("MA", "MR", "MS"),
    "1.1.481.1": ("RTIMAGE",),
    "1.1.481.2": ("RTDOSE",),
    "1.1.481.3": ("RTSTRUCT",),
    "1.1.481.4": ("RTRECORD",),
    "1.1.481.5": ("RTPLAN",),
    "1.1.481.6": ("RTRECORD",),
    "1.1.481.7": ("RTRECORD",),
    "1.1.481.8": ("RTPLAN",),
    "1.1.481.9": ("RTRECORD",),
    "1.1.481.23": ("RTIMAGE",),
    "1.1.481.24": ("RTIMAGE",),
    "1.1.6.1": ULTRASOUND,
    "1.1.77.1.1": ("ES",),
    "1.1.77.1.1.1": ("ES",),
    "1.1.77.1.2": ("GM",),
    "1.1.77.1.2.1": ("GM",),
    "1.1.77.1.3": ("GM", "SM"),
    "1.1.77.1.4": ("DMS", "XC"),
    "1.1.77.1.4.1": ("DMS", "XC"),
    "1.1.77.1.7": ("DMS", "XC"),
    "1.1.9.1.1": ("ECG",),
    "1.1.9.1.2": ("ECG",),
    "1.1.9.1.3": ("ECG",),
    "1.1.9.1.4": ("ECG",),
    "1.1.9.2.1": ("HD",),
    "1.1.9.3.1": ("EPS",),
    "1.1.9.4.1": ("AU",),
    "1.1.9.4.2": ("AU",),
    "1.1.90.1": ("ASMT",),
    "1.1.91.1": ("ANN",),
}
"""Expected Modality of IODs whose tables name none, or too many, by UID below `ROOT`."""

IMAGE = Facts(image=True)
MULTI_FRAME = Facts(image=True, multi_frame=True)
OTHER = Facts()

WITHOUT_IOD_TABLE: dict[str, Facts] = {
    # Non-destructive testing and security (DICONDE, DICOS): IODs of their own standards
    "1.1.501.1": MULTI_FRAME,
    "1.1.501.2.1": MULTI_FRAME,
    "1.1.501.2.2": MULTI_FRAME,
    "1.1.501.4": MULTI_FRAME,
    "1.1.501.5": MULTI_FRAME,
    "1.1.601.1": IMAGE,
    "1.1.601.2": MULTI_FRAME,
    "1.1.601.3": IMAGE,
    "1.1.601.4": MULTI_FRAME,
    # Retired
    "1.1.12.3": Facts(FLUOROSCOPY, image=True, multi_frame=True),
    "1.1.3": Facts(ULTRASOUND, image=True, multi_frame=True),
    "1.1.5": Facts(("NM", "PT", "ST"), image=True, multi_frame=True),
    "1.1.6": Facts(ULTRASOUND, image=True),
    "1.1.77.1": IMAGE,
    "1.1.77.2": MULTI_FRAME,
    "1.1.88.1": Facts(("SR",)),
    "1.1.88.2": Facts(("SR",)),
    "1.1.88.3": Facts(("SR",)),
    "1.1.88.4": Facts(("SR",)),
}
"""SOP Classes that the IOD tables lack and of which more is known than their name, by UID below `ROOT`."""

HARDCOPY_IMAGES = ("1.2.840.10008.5.1.1.29", "1.2.840.10008.5.1.1.30")
"""Retired print classes outside `ROOT` that hold an image."""


def expected_modality(uid: str) -> tuple[str, ...]:
    """Return the Modality values expected beyond what the IOD's tables say."""
    return EXPECTED_MODALITY.get(uid.removeprefix(ROOT), ())


def without_iod_table(uid: str) -> Facts:
    """Return what is known of a storage SOP Class that the IOD tables lack."""
    if uid in HARDCOPY_IMAGES:
        return Facts(("HC",), image=True)
    return WITHOUT_IOD_TABLE.get(uid.removeprefix(ROOT), OTHER)
