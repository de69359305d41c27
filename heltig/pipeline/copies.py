"""Files of one object: are their pixels the same, too?

What a study's table holds ends before the pixel data. Only where several instances of a series have one SOP
Instance UID are their files opened once more and the pixels compared.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from connectors.upload import MemberRef, pixel_digests
from heltig.dicom.cell import Fault
from heltig.dicom.part10 import PixelDigest
from heltig.dicom.study import SOP_INSTANCE_UID, StudyTable

_HEAD: Final = 4
_SHOWN: Final = 16


def compare_pixels(study: StudyTable, refs: Iterable[MemberRef]) -> None:
    """Note it of instances that have their SOP Instance UID in common and not their pixel data.

    Args:
        study: Arranged, from files.
        refs: Of all its instances, in any order.
    """
    found = list(_copies(study))
    if not found:
        return
    places: dict[str, list[MemberRef]] = defaultdict(list)
    for ref in refs:
        places[ref.origin].append(ref)
    faults: dict[int, Fault] = {}
    for uid, rows in found:
        faults |= _differing(_digests(study, uid, rows, places))
    if faults:
        study.add_faults(faults)


def _copies(study: StudyTable) -> Iterator[tuple[str, list[int]]]:
    """The SOP Instance UIDs that several rows of a series have, with the rows."""
    column = study.columns.get(SOP_INSTANCE_UID)
    if column is None:
        return
    uids = [cell[_HEAD:].rstrip(b" \0") for cell in column.cells]
    if len(column.cells) > study.rows and len(set(uids)) == len(uids):
        return
    for series in study.series:
        rows_of: dict[bytes, list[int]] = defaultdict(list)
        for row in series.rows:
            rows_of[uids[column.codes[row]]].append(row)
        for uid, rows in rows_of.items():
            if uid and len(rows) > 1:
                yield uid.decode("ascii", "replace"), rows


def _digests(
    study: StudyTable, uid: str, rows: Sequence[int], places: Mapping[str, Sequence[MemberRef]]
) -> dict[int, PixelDigest]:
    """The digests of some rows; where files of several inputs have one name, the UID tells which they are."""
    rows_at: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        rows_at[study.origins[row]].append(row)
    found: dict[int, PixelDigest] = {}
    for origin, here in rows_at.items():
        digests = [one for one in pixel_digests(places[origin]) if one.sop_instance_uid == uid]
        found.update(zip(here, sorted(digests), strict=False))
    return found


def _differing(digests: Mapping[int, PixelDigest]) -> dict[int, Fault]:
    forms: dict[str, set[str]] = defaultdict(set)
    for one in digests.values():
        forms[one.form].add(one.digest)
    return {
        row: Fault("pixels-differ", f"SHA-256 {one.digest[:_SHOWN]}")
        for row, one in digests.items()
        if len(forms[one.form]) > 1
    }
