"""UID: are the identifiers well formed, and does each stand for one thing?"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, takewhile
from typing import Final

from heltig.dicom.uid import UID_FAULTS, UidFault, uid_faults
from heltig.rules.proposal import mended_at
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, SeriesView, StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of
from heltig.standard.uids import lookup

OF_INSTANCES: Final = frozenset(
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

_OBJECTS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
SINGLE: Final = frozenset(map(tag_of, _OBJECTS))
"""What an object, its series and its study are known by: several values are no name."""

_LOOKED_UP: Final = (*_OBJECTS, "FrameOfReferenceUID")
_IMPLEMENTATION: Final = tag_of("ImplementationClassUID")
_STANDARD_ROOT: Final = "1.2.840.10008."
_OWN_ROOT: Final = 3
"""Components that UIDs of one maker have in common, at least."""

_HEAD: Final = 4
"""Bytes before a UID in a raw cell: VR and length, or length alone (PS3.5 7.1)."""

_LEADING_ZERO: Final = re.compile(rb"\.0[0-9]")


def _faulty(at: Place, fault: UidFault) -> Iterator[Hit]:
    """A hit for each value of an attribute that has a fault.

    Private attributes are their maker's own business, and ImplementationClassUID has a rule of its own.
    """
    if at.entry is not None and at.tag != _IMPLEMENTATION:
        for value in at.cell.values:
            if isinstance(value, str) and value and fault in _told(value):
                yield Hit(observed=cut(value), expected=UID_FAULTS[fault])


def _told(uid: str) -> tuple[UidFault, ...]:
    """The faults of a UID that are worth a finding each: letters or a placeholder make the rest moot."""
    faults = uid_faults(uid)
    for alone in ("characters", "only-zeros"):
        if alone in faults:
            return tuple(fault for fault in faults if fault in (alone, "too-long"))
    return faults


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

    Finds: Letters, spaces, hyphens or other characters in any attribute of VR UI; a backslash in the UID of
        the study, the series or the object, where there is one value and no more.
    Why: Archives refuse it, web services cannot put it into an address, and others cut it at the first such
        character.
    Mend: Have the sender's UID generator mended; give the objects new UIDs, and change every reference to
        them.
    Example: `1.2.840.ABC.17`, or a UUID written with hyphens.
    """
    if at.tag in SINGLE and at.depth == 0 and len(at.cell.values) > 1:
        yield Hit(observed=cut(at.cell.shown), expected="one UID, without a backslash")
    else:
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


@rule("UID-ROOT", level="value", severity="review", vrs=("UI",), reference="PS3.5 9")
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
        well-known instances and frames of reference that the standard registers. A UID that it registers for
        something else, such as a SOP Class, is found as well.
    Why: That root is for the standard alone: others who do the same will use the same UID for something else.
    Mend: Have the sender use the maker's registered root; give the objects new UIDs, and change every
        reference.
    Example: A converter that made UIDs from the Storage SOP Class UID it found in the file, with a counter
        behind.
    """
    if at.tag in OF_INSTANCES:
        for value in at.cell.values:
            if isinstance(value, str) and value.startswith(_STANDARD_ROOT) and not _is_well_known(value):
                yield Hit(observed=cut(value), expected="a UID under a root of the maker's own")


def _is_well_known(uid: str) -> bool:
    entry = lookup(uid)
    return entry is not None and entry.kind.endswith(("SOP Instance", "Frame of Reference"))


@rule(
    "UID-IMPLEMENTATION",
    level="value",
    severity="note",
    reads=("ImplementationClassUID",),
    needs=("metadata", "file_meta"),
    reference="PS3.10 7.1",
)
def implementation(at: Place) -> Iterator[Hit]:
    """The UID of the software that wrote the file is malformed.

    Finds: An ImplementationClassUID (0002,0012) with any of the faults that the other UID rules name.
    Why: It identifies a product and no object: nobody looks anything up by it. Strict readers stumble over
        it all the same.
    Mend: Tell the maker of the software named in ImplementationVersionName (0002,0013); it will write the
        same UID into every file.
    Example: `1.2.826.0.1.3680043.8.498.`, the root of a library without what should follow.
    """
    for value in at.cell.values:
        if isinstance(value, str) and value and (faults := _told(value)):
            yield Hit(observed=cut(value), expected=UID_FAULTS[faults[0]])


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

    Finds: Spaces behind a UID, or more than one NULL, in the bytes of a file.
    Why: To a reader that does not trim it, it is another UID.
    Mend: Have the sender pad UIDs of odd length with a single NULL. The same UID, written anew, is proposed.
    Example: SOPInstanceUID with a space behind it, written as if it were text.
    """
    for fault in at.cell.faults:
        if fault.kind == "padding":
            was = tuple(at.raw[_HEAD:].decode("latin-1").split("\\"))
            changes = mended_at(at, _unpadded, "It is the same UID, padded as PS3.5 9.1 says.", was=was)
            yield Hit(
                observed=fault.detail, expected="a NULL at the end where the length is odd", changes=changes
            )


def _unpadded(uid: str) -> str | None:
    uid = uid.rstrip(" \0")
    return None if uid_faults(uid) else uid


@rule("UID-ROLE-REUSE", level="study", severity="review", reads=_OBJECTS, reference="PS3.5 9")
def role_reuse(study: StudyView) -> Iterator[Hit]:
    """One UID stands for several things.

    Finds: A value that is two or three of StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID within the
        study.
    Why: Whoever looks it up may get the wrong thing; some archives refuse it.
    Mend: Have the sender make a UID of its own for each study, series and object.
    Example: A secondary capture whose study, series and object have one UID.
    """
    for roles, uid, rows in _reused(study, _OBJECTS):
        yield Hit(tags=roles, observed=cut(uid), expected="a UID for one thing", rows=rows)


@rule("UID-FRAME-REUSE", level="study", severity="note", reads=("FrameOfReferenceUID",), reference="PS3.5 9")
def frame_reuse(study: StudyView) -> Iterator[Hit]:
    """The UID of a study, series or object is that of a frame of reference too.

    Finds: A FrameOfReferenceUID (0020,0052) that is a StudyInstanceUID, SeriesInstanceUID or SOPInstanceUID
        of the study.
    Why: A UID stands for one thing. Nobody looks up a frame of reference by its UID, so that little happens;
        yet series that have it in common are taken for aligned.
    Mend: Have the sender make a UID of its own for each frame of reference.
    Example: A scanner that takes the study's UID, as if all its series were in one space.
    """
    for roles, uid, rows in _reused(study, _LOOKED_UP):
        if "FrameOfReferenceUID" in roles:
            yield Hit(tags=roles, observed=cut(uid), expected="a UID for one thing", rows=rows)


def _reused(study: StudyView, roles: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str, list[int]]]:
    """UIDs with several roles: which, the UID, the rows. The same UID is the same bytes everywhere."""
    cells = {role: set(_cells(study, role)) for role in roles}
    shared = {raw for one, other in combinations(roles, 2) for raw in cells[one] & cells[other]}
    for raw in sorted(shared):
        found = tuple(role for role in roles if raw in cells[role])
        rows: set[int] = set()
        for role in found:
            codes = {code for code, cell in enumerate(_cells(study, role), 1) if cell == raw}
            rows.update(study.table.rows_with(tag_of(role), codes, study.rows))
        uid = study.table.at(tag_of(found[0]), min(rows)).text
        if uid:
            yield found, uid, sorted(rows)


def _cells(study: StudyView, keyword: str) -> list[bytes]:
    column = study.table.columns.get(tag_of(keyword))
    return [] if column is None else column.cells[1:]


@rule("UID-CASE-LIKE", level="study", severity="review", reads=_LOOKED_UP, reference="PS3.5 9.1")
def alike(study: StudyView) -> Iterator[Hit]:
    """Two UIDs differ in leading zeros only.

    Finds: Two values of one attribute, among StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID and
        FrameOfReferenceUID, that are equal once leading zeros are dropped from their components.
    Why: A system that drops the zeros takes them for one: one object is then lost, or two series become one.
    Mend: Have the sender's UID generator mended; give one of the two a new UID.
    Example: `1.2.3.07` and `1.2.3.7`.
    """
    for keyword in _LOOKED_UP:
        if not _LEADING_ZERO.search(b"\n".join(_cells(study, keyword))):
            continue
        seen: dict[str, str] = {}
        for group in sorted(study.groups(keyword), key=lambda group: group.key):
            plain = ".".join(part.lstrip("0") or "0" for part in group.key.split("."))
            first = seen.setdefault(plain, group.key)
            if first != group.key:
                yield Hit(
                    tags=(keyword,),
                    observed=cut(f"{first} and {group.key}"),
                    expected="UIDs that differ in more than leading zeros",
                    rows=group.rows,
                )


@rule("UID-PREFIX-FOREIGN", level="series", severity="note", reads=("SOPInstanceUID",), reference="PS3.5 9")
def foreign_prefix(series: SeriesView) -> Iterator[Hit]:
    """The objects of one series have UIDs of different makers.

    Finds: A series whose SOPInstanceUIDs do not share a root of at least three components, or 2.25.
    Why: It was merged from two sources, or rebuilt in part. Either is worth a look before it is trusted as
        one acquisition.
    Mend: Find out which system added the objects with the rarer root; separate them where they do not belong.
    Example: 60 slices from a scanner and two of a workstation's screenshots in the same series.
    """
    uids = [uid for uid in series.texts("SOPInstanceUID") if uid]
    if not uids:
        return
    first, last = min(uids).split("."), max(uids).split(".")
    shared = [
        one for one, other in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    ]
    if first != last and len(shared) < _OWN_ROOT and shared != ["2", "25"]:
        observed = " and ".join(".".join(uid[: _OWN_ROOT + 1]) for uid in (first, last))
        yield Hit(observed=cut(observed), expected="one root in every SOPInstanceUID of the series")
