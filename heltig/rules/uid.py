"""UID: are the identifiers well formed, and does each stand for one thing?"""

import re
from collections.abc import Iterator
from itertools import combinations
from os.path import commonprefix
from typing import Final

from heltig.dicom.uid import UID_FAULTS, UidFault, uid_faults
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, RowsView, SeriesView, StudyView
from heltig.standard.dictionary import keyword_of, tag_of
from heltig.standard.uids import lookup

_OF_INSTANCES: Final = frozenset(
    map(
        tag_of,
        (
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
            "MediaStorageSOPInstanceUID",
            "ReferencedSOPInstanceUID",
            "FrameOfReferenceUID",
            "ConcatenationUID",
            "DimensionOrganizationUID",
            "IrradiationEventUID",
        ),
    )
)
"""Attributes whose UIDs somebody makes for each study, series, object or space."""

_ROLES: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_STANDARD_ROOT: Final = "1.2.840.10008."
_LEADING_ZERO: Final = re.compile(rb"\.0[0-9]")


def _faulty(at: Place, fault: UidFault) -> Iterator[Hit]:
    """A hit for each value of an attribute that has a fault; of several faults the first in order is told."""
    for value in at.cell.values:
        if isinstance(value, str) and value and fault in _told(value):
            yield Hit(observed=_cut(value), expected=f"not {UID_FAULTS[fault]}")


def _told(uid: str) -> tuple[UidFault, ...]:
    """The faults of a UID that are worth a finding each: letters or a placeholder make the rest moot."""
    faults = uid_faults(uid)
    for alone in ("characters", "only-zeros"):
        if alone in faults:
            return tuple(fault for fault in faults if fault in (alone, "too-long"))
    return faults


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


@rule("UID-TOO-LONG", level="value", severity="block", vrs=("UI",), reference="PS3.5 9.1")
def too_long(at: Place) -> Iterator[Hit]:
    """A UID is longer than 64 characters.

    Finds: Values of more than 64 characters in any attribute of VR UI.
    Why: Databases hold UIDs in columns of 64 characters. Longer ones are refused, or cut, and two cut ones
        become equal.
    Mend: Have the sender's UID generator mended; give the objects new UIDs, and change every reference to
        them.
    Example: A UID with a serial number, a date, a time and two counters behind the maker's root.
    """
    yield from _faulty(at, "too-long")


@rule("UID-CHARS", level="value", severity="block", vrs=("UI",), reference="PS3.5 9.1")
def characters(at: Place) -> Iterator[Hit]:
    """A UID has characters other than digits and full stops.

    Finds: Letters, spaces, hyphens or other characters in any attribute of VR UI.
    Why: Archives refuse it, web services cannot put it into an address, and others cut it at the first such
        character.
    Mend: Have the sender's UID generator mended; give the objects new UIDs, and change every reference to
        them.
    Example: `1.2.840.ABC.17`, or a UUID written with hyphens.
    """
    yield from _faulty(at, "characters")


@rule("UID-EMPTY-COMPONENT", level="value", severity="block", vrs=("UI",), reference="PS3.5 9.1")
def empty_component(at: Place) -> Iterator[Hit]:
    """A UID has an empty component.

    Finds: Two full stops together, or a full stop at either end, in any attribute of VR UI.
    Why: Archives refuse it; those that take it cannot hand it on to others.
    Mend: Have the sender's UID generator mended; give the objects new UIDs, and change every reference to
        them.
    Example: `1.2.840.113619.2.5..7`, where a serial number was left blank.
    """
    yield from _faulty(at, "empty-component")


@rule("UID-LEADING-ZERO", level="value", severity="review", vrs=("UI",), reference="PS3.5 9.1")
def leading_zero(at: Place) -> Iterator[Hit]:
    """A component of a UID has a leading zero.

    Finds: Components such as `007` in any attribute of VR UI.
    Why: Real systems send such UIDs and most archives take them; some drop the zeros, and then nobody finds
        the object under the UID that others refer to.
    Mend: Have the sender's UID generator mended. Before a migration, try whether the target keeps the UID as
        it is.
    Example: `1.2.392.200036.9116.2.6.1.48.1215508268.1040203.020`, with a time of day that begins with a
        zero.
    """
    yield from _faulty(at, "leading-zero")


@rule("UID-ROOT", level="value", severity="review", vrs=("UI",), reference="PS3.5 9.1")
def root(at: Place) -> Iterator[Hit]:
    """A UID does not begin as an object identifier does.

    Finds: A single component, a first component above 2, or a second above 39 under 0 or 1 (ITU-T X.660).
    Why: Nobody can own such a root, so nothing keeps two makers from the same UID; some libraries refuse it.
    Mend: Have the sender use the maker's registered root, or 2.25 followed by a UUID as a number.
    Example: `7.40.3.1`, or `1.99.1`.
    """
    yield from _faulty(at, "root")


@rule("UID-2.25", level="value", severity="note", vrs=("UI",), reference="PS3.5 B.2")
def of_a_uuid(at: Place) -> Iterator[Hit]:
    """A UID under 2.25 is not made of a UUID.

    Finds: UIDs that begin with 2.25 and whose next component is missing or too large for a UUID (2^128 and
        above).
    Why: Only UUIDs are without collisions under 2.25; something else there was made up.
    Mend: Have the sender's UID generator mended: one UUID, written as a decimal number.
    Example: `2.25.` followed by two UUIDs in one number.
    """
    yield from _faulty(at, "uuid")


@rule("UID-ZERO-ONLY", level="value", severity="block", vrs=("UI",), reference="PS3.5 9.1")
def only_zeros(at: Place) -> Iterator[Hit]:
    """A UID is a placeholder of zeros.

    Finds: UIDs such as `0`, `0.0` or `0.0.0.0` in any attribute of VR UI.
    Why: It stands for nothing. Two objects that have it are one object to an archive.
    Mend: Have the sender fill in a real UID, or leave the attribute out where it may be absent.
    Example: FrameOfReferenceUID `0.0.0.0` from a converter.
    """
    yield from _faulty(at, "only-zeros")


@rule("UID-STD-ROOT", level="value", severity="review", vrs=("UI",), reference="PS3.5 9")
def standard_root(at: Place) -> Iterator[Hit]:
    """An object has a UID under the root of the DICOM standard itself.

    Finds: Study, series, object and frame of reference UIDs that begin with 1.2.840.10008 and are none of the
        well-known UIDs that the standard registers.
    Why: That root is for the standard alone: others who do the same will use the same UID for something else.
    Mend: Have the sender use the maker's registered root; give the objects new UIDs, and change every
        reference.
    Example: A converter that made UIDs from the Storage SOP Class UID it found in the file, with a counter
        behind.
    """
    if at.tag in _OF_INSTANCES:
        for value in at.cell.values:
            if isinstance(value, str) and value.startswith(_STANDARD_ROOT) and lookup(value) is None:
                yield Hit(observed=_cut(value), expected="a UID under a root of the maker's own")


@rule(
    "UID-PADDING",
    level="value",
    severity="note",
    vrs=("UI",),
    needs=("metadata", "bytes"),
    reference="PS3.5 9.1",
)
def padding(at: Place) -> Iterator[Hit]:
    """A UID is padded otherwise than with one NULL.

    Finds: Spaces around a UID, or NULLs within it or more than one behind it, in the bytes of a file.
    Why: To a reader that does not trim it, it is another UID.
    Mend: Have the sender pad UIDs of odd length with a single NULL.
    Example: SOPInstanceUID with a space behind it, written as if it were text.
    """
    for fault in at.cell.faults:
        if fault.kind == "padding":
            yield Hit(observed=fault.detail, expected="a NULL at the end where the length is odd")


@rule("UID-ROLE-REUSE", level="study", severity="review", reads=_ROLES, reference="PS3.5 9")
def role_reuse(study: StudyView) -> Iterator[Hit]:
    """One UID stands for two different things.

    Finds: A value that is both StudyInstanceUID and SeriesInstanceUID of the study, or SOPInstanceUID, or
        FrameOfReferenceUID.
    Why: Whoever looks it up may get the wrong thing; some archives refuse it.
    Mend: Have the sender make a UID of its own for each study, series, object and frame of reference.
    Example: A secondary capture whose study, series and object have one UID.
    """
    values = {role: _cells(study, role) for role in _ROLES}
    for one, other in combinations(_ROLES, 2):
        for raw in sorted(set(values[one]) & set(values[other])):
            code = values[one][raw]
            cell = study.table.cell(study.table.columns[tag_of(one)], code)
            if not cell.empty:
                rows = list(study.table.rows_with(tag_of(one), {code}, study.rows))
                yield Hit(
                    tags=(one, other), observed=_cut(cell.text), expected="a UID for one thing", rows=rows
                )


def _cells(view: RowsView, keyword: str) -> dict[bytes, int]:
    """The raw cells of a UI attribute with their codes: the same UID is the same bytes in every attribute."""
    column = view.table.columns.get(tag_of(keyword))
    return {} if column is None else {raw: code for code, raw in enumerate(column.cells) if code}


@rule("UID-CASE-LIKE", level="study", severity="review", reads=_ROLES, reference="PS3.5 9.1")
def alike(study: StudyView) -> Iterator[Hit]:
    """Two UIDs differ in leading zeros only.

    Finds: Two values of one attribute, among StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID and
        FrameOfReferenceUID, that are equal once leading zeros are dropped from their components.
    Why: A system that drops the zeros takes them for one: one object is then lost, or two series become one.
    Mend: Have the sender's UID generator mended; give one of the two a new UID.
    Example: `1.2.3.07` and `1.2.3.7`.
    """
    for keyword in _ROLES:
        if not _LEADING_ZERO.search(b"\n".join(_cells(study, keyword))):
            continue
        groups = [group for group in study.groups(keyword) if group.key]
        seen: dict[str, str] = {}
        for group in sorted(groups, key=lambda group: group.key):
            plain = ".".join(part.lstrip("0") or "0" for part in group.key.split("."))
            first = seen.setdefault(plain, group.key)
            if first != group.key:
                yield Hit(
                    tags=(keyword,),
                    observed=_cut(f"{first} and {group.key}"),
                    expected="UIDs that differ in more than leading zeros",
                    rows=group.rows,
                )


@rule("UID-PREFIX-FOREIGN", level="series", severity="note", reads=("SOPInstanceUID",))
def foreign_prefix(series: SeriesView) -> Iterator[Hit]:
    """The objects of one series have UIDs of different makers.

    Finds: A series whose SOPInstanceUIDs do not share a root of at least three components, or of 2.25.
    Why: It was merged from two sources, or rebuilt in part. Either is worth a look before it is trusted as
        one acquisition.
    Mend: Find out which system added the objects with the rarer root; separate them where they do not belong.
    Example: 60 slices from a scanner and two of a workstation's screenshots in the same series.
    """
    column = series.table.columns.get(tag_of("SOPInstanceUID"))
    if column is None or len(series) < 2:
        return
    codes = column.codes[series.rows.start : series.rows.stop]
    cells = sorted({column.cells[code] for code in codes if code}, key=lambda raw: raw[4:])
    uids = (
        [series.table.cell(column, column.cells.index(raw)).text for raw in (cells[0], cells[-1])]
        if cells
        else []
    )
    shared = commonprefix(uids)
    if all(uids) and len(set(uids)) > 1 and shared.count(".") < 3 and not shared.startswith("2.25."):
        observed = " and ".join(".".join(uid.split(".")[:4]) for uid in uids)
        yield Hit(observed=_cut(observed), expected=f"one root in every {keyword_of('00080018')}")
