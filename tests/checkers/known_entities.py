"""Which attributes dcentvfy compares, found out by asking it; and instances to ask it with."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from checkers.dicom3tools import program
from checkers.entities import OUTSIDE, dcentvfy_said
from heltig.standard.dictionary import entries, lookup, tag_of

CLASSES: Final = (
    "1.2.840.10008.5.1.4.1.1.128",  # PET
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.6.2",  # Enhanced Ultrasound Volume
    "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Photographic
    "1.2.840.10008.5.1.4.1.1.78.6",  # Spectacle Prescription Report
    "1.2.840.10008.5.1.4.1.1.8",  # Standalone Overlay, retired
)
"""SOP Classes which together have all 268 attributes that dcentvfy of 2026 compares in any of 212."""


def dcentvfy(files: Sequence[Path]) -> tuple[int, str]:
    """Its exit code and standard error."""
    done = subprocess.run(
        [program("dcentvfy"), *map(str, files)], capture_output=True, check=False, timeout=300
    )
    return done.returncode, done.stderr.decode("utf-8", "replace")


class Knowledge:
    """The attributes that dcentvfy compares, with their entity, by SOP Class: found out when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, dict[str, str]] = {}
        self._instances = [_everything(place) for place in (0, 1)]

    def of(self, uid: str) -> dict[str, str]:
        """The entity of each attribute in a SOP Class; none where it does not know the class."""
        if uid not in self._found:
            files = []
            for place, instance in enumerate(self._instances):
                instance.SOPClassUID = instance.file_meta.MediaStorageSOPClassUID = UID(uid)
                files.append(self._folder / f"{place}.dcm")
                instance.save_as(files[-1], enforce_file_format=True)
            said, outside = dcentvfy_said(dcentvfy(files)[1])
            assert outside.keys() <= OUTSIDE
            self._found[uid] = {one.keyword: one.entity for one in said}
        return self._found[uid]

    def all(self) -> dict[str, str]:
        """All attributes that it knows, each with a SOP Class in which it does."""
        return {keyword: uid for uid in reversed(CLASSES) for keyword in self.of(uid)}


VALUES: Final[dict[str, tuple[Any, Any]]] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"), ("A", "B")),
    **dict.fromkeys(("DA", "DT"), ("20200101", "20210101")),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "UL", "US"), (1, 2)),
    **dict.fromkeys(("DS", "IS"), ("1", "2")),
    **{"AS": ("001Y", "002Y"), "AT": (0x00100010, 0x00100020), "PN": ("A^A", "B^B")},
    **{"TM": ("010101", "020202"), "UI": ("1.2.3", "1.2.4"), "UR": ("http://a", "http://b")},
}
"""Two values that differ. Of 64-bit integers there is none: dcentvfy aborts on them."""

_UNREAD: Final = {"LengthToEnd", "SpecificCharacterSet"}
"""What changes how a data set is read."""


def _everything(place: int) -> Dataset:
    """An instance with each attribute of the data dictionary, of pixels apart."""
    instance = instance_of("everything", place)
    for entry in entries():
        group = entry.tag[:4]
        if not entry.keyword or entry.keyword in _UNREAD or not entry.tag.isalnum() or "x" in entry.tag:
            continue
        if group in ("0000", "0002", "0004", "7FE0") or group > "FF00" or entry.tag.endswith("0000"):
            continue
        if entry.keyword not in instance:
            put(instance, entry.keyword, place)
    return instance


def instance_of(name: str, place: int, uid: str = CLASSES[0]) -> Dataset:
    """An instance that shares patient, study and series with all of its name."""
    number = int.from_bytes(name.encode(), "big") % 10**30
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.PatientID = name[:64]
    instance.StudyInstanceUID = f"1.2.3.1.{number}"
    instance.SeriesInstanceUID = f"1.2.3.2.{number}"
    instance.SOPInstanceUID = f"1.2.3.3.{number}.{place}"
    instance.SOPClassUID = instance.file_meta.MediaStorageSOPClassUID = UID(uid)
    instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
    return instance


def put(instance: Dataset, keyword: str, place: int) -> None:
    """Set an attribute to one of two values; a sequence to one or two items."""
    tag = tag_of(keyword)
    entry = lookup(tag)
    vr = entry.vr[:2] if entry else ""
    if vr == "SQ":
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "A", "99X", "A"
        instance.add_new(int(tag, 16), vr, [item] * (place + 1))
    elif keyword == "PatientIdentityRemoved":
        instance.PatientIdentityRemoved = ("YES", "NO")[place]
    elif vr in VALUES:
        instance.add_new(int(tag, 16), vr, VALUES[vr][place])
