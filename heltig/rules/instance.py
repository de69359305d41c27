"""Instance: is each object there once, under one UID, and is it what it says?"""

from collections import Counter
from collections.abc import Iterator

from heltig.dicom.cell import Cell
from heltig.dicom.table import Table
from heltig.rules.absence import lacking
from heltig.rules.acquisition import TOMOGRAPHIC, value
from heltig.rules.conflict import shown
from heltig.rules.duplicates import OF_A_QUERY, copies
from heltig.rules.proposal import removal
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView, StudyView
from heltig.rules.wording import counted
from heltig.standard.dictionary import keyword_of, lookup, tag_of


@rule(
    "INS-SOPUID-MISSING",
    level="study",
    severity="block",
    needs=("metadata", "all_attributes"),
    reference="PS3.3 C.12.1",
)
def uid_missing(study: StudyView) -> Iterator[Hit]:
    """SOPInstanceUID or SOPClassUID is absent or empty.

    Finds: Instances without a SOPInstanceUID (0008,0018) or a SOPClassUID (0008,0016).
    Why: Without the one nobody can ask for the object, without the other nobody knows what it is. No archive
        takes it.
    Mend: Send the object again from where it came. Its file meta information, or the file's name, may still
        have both UIDs.
    Example: A file written by a script that copied the pixels and forgot the rest.
    """
    for keyword in ("SOPInstanceUID", "SOPClassUID"):
        yield from lacking(study, keyword, needed_by=lambda sop_class_uid: True)


@rule("INS-SOPUID-DUP-SAME", level="series", severity="note", reads=("SOPInstanceUID",), reference="PS3.5 9")
def duplicate_same(series: SeriesView) -> Iterator[Hit]:
    """An object is there twice, with the same attributes.

    Finds: Instances of a series with one SOPInstanceUID (0008,0018) and the same values in all attributes.
        Of files pixel data are compared, too, where both are uncompressed little endian, or compressed with
        one transfer syntax; metadata do not show them. Of other binary values of more than 64 KiB only the
        length is compared. Not compared are: file meta information, character set, group lengths and padding,
        which say how the object is written; private attributes, into which archives put marks of their own;
        and what belongs to a query or retrieval.
    Why: It was sent or exported twice. Archives keep one; counts of images then seem to differ.
    Mend: Nothing needs to be done for the archive. Leave the copies out if you count images. Where pixel data
        could not be compared, have a look at both if one of them may have been edited.
    Example: A transfer that broke off and was begun again into the same folder.
    """
    same = [copy.row for copy in copies(series) if not copy.differs]
    if same:
        yield Hit(
            tags=("SOPInstanceUID",),
            observed=f"{len(same)} more with the UID and attributes of another",
            expected="each object once",
            rows=same,
        )


@rule("INS-SOPUID-DUP-DIFF", level="series", severity="block", reads=("SOPInstanceUID",), reference="PS3.5 9")
def duplicate_different(series: SeriesView) -> Iterator[Hit]:
    """Different objects have one SOPInstanceUID.

    Finds: Instances of a series with one SOPInstanceUID (0008,0018) and different values in some attribute,
        or different pixel data; INS-SOPUID-DUP-SAME says what is compared.
    Why: An archive keeps one of the two, mostly the first, without a word: the other is lost.
    Mend: Find out which one is right, or whether both are needed. If both, give one of them a new
        SOPInstanceUID, and change every reference to it. Where Pixel Data alone differ, and the image was
        compressed twice without loss, decompress both: if the pixels are the same, either will do.
    Example: An image corrected on a workstation and stored back under its old UID.
    """
    by_difference: dict[tuple[str, ...], set[int]] = {}
    for copy in copies(series):
        if copy.differs:
            by_difference.setdefault(copy.differs, set()).update((copy.first, copy.row))
    for tags, found in by_difference.items():
        rows = sorted(found)
        yield Hit(
            tags=("SOPInstanceUID", *tags[:4]),
            observed=_sides(series.table, tags, rows),
            expected="a SOPInstanceUID for each object",
            rows=rows,
        )


def _sides(table: Table, tags: tuple[str, ...], rows: list[int]) -> str:
    """What instances differ in: the first of some attributes that shows it in few words, with counts."""
    for tag in tags:
        sides = Counter(_described(table.at(tag, row)) for row in rows)
        if len(sides) > 1:
            ordered = sorted(sides.items(), key=lambda side: (-side[1], side[0]))
            return f"{keyword_of(tag) or tag}: {counted(ordered)}"
    return f"{keyword_of(tags[0]) or tags[0]}: other content ({len(rows)})"


def _described(cell: Cell) -> str:
    if cell.empty:
        return "empty" if cell.vr else "absent"
    if cell.items:
        return f"{len(cell.items)} item{'s' * (len(cell.items) > 1)}"
    return shown(cell) or "binary data"


@rule(
    "INS-SOPUID-TWO-SERIES",
    level="study",
    severity="block",
    reads=("SOPInstanceUID",),
    reference="PS3.3 A.1.2",
)
def uid_in_two_series(study: StudyView) -> Iterator[Hit]:
    """One SOPInstanceUID is in several series.

    Finds: A SOPInstanceUID (0008,0018) that instances of several series of the study have.
    Why: An object belongs to one series. Archives keep it in the series that came first and refuse or drop
        the other (dcm4chee: SOP Instance UID already under another series).
    Mend: If the second series is a copy, leave it out or give its objects new SOPInstanceUIDs; if an object
        was moved to another series, delete it from the former one.
    Example: Slices copied into a series of their own on a workstation that kept the UIDs.
    """
    uids = study.texts("SOPInstanceUID")
    if len(study.series) < 2 or len(set(uids)) == len(uids):
        return
    places: dict[str, dict[int, list[int]]] = {}
    for number, series in enumerate(study.series):
        for row in series.rows:
            places.setdefault(uids[row], {}).setdefault(number, []).append(row)
    places.pop("", None)
    shared: dict[tuple[int, ...], list[list[int]]] = {}
    for rows_of in places.values():
        if len(rows_of) > 1:
            lists = shared.setdefault(tuple(rows_of), [[] for _ in rows_of])
            for rows, more in zip(lists, rows_of.values(), strict=True):
                rows.extend(more)
    for numbers, lists in sorted(shared.items()):
        named = [
            (_label(study.series[number]), len(rows)) for number, rows in zip(numbers, lists, strict=True)
        ]
        yield Hit(
            tags=("SOPInstanceUID", "SeriesInstanceUID"),
            observed=f"in {len(numbers)} series: {counted(named)}",
            expected="each object in one series",
            rows=sorted(row for rows in lists for row in rows),
        )


def _label(series: SeriesView) -> str:
    words = (series.first("SeriesNumber").text, shown(series.first("SeriesDescription")) or series.modality)
    return " ".join(filter(None, words)) or series.key


@rule(
    "INS-LOCALIZER-MIXED",
    level="series",
    severity="review",
    reads=("ImageType",),
    when=lambda series: series.modality in TOMOGRAPHIC and series.has("ImageType"),
    reference="PS3.3 C.7.6.1.1.2",
)
def localizer_mixed(series: SeriesView) -> Iterator[Hit]:
    """A localizer lies among the slices of a series.

    Finds: CT, MR, PET and NM series in which some images have `LOCALIZER` as the third value of ImageType
        (0008,0008) and others have not.
    Why: A localizer shows the body from the side. Viewers and analyses that build a volume from the series
        stumble over it.
    Mend: Have the scanner store localizers in a series of their own; leave them out where a volume is made.
    Example: Two scout views before 200 axial slices, all in series 1.
    """
    if series.uniform("ImageType"):
        return
    groups = series.groups("ImageType", lambda cell: str(value(cell, 3) == "LOCALIZER"))
    localizers = [group for group in groups if group.key == "True"]
    slices = sum(group.count for group in groups if group.key == "False")
    if localizers and slices:
        count = localizers[0].count
        yield Hit(
            tags=("ImageType",),
            observed=counted([("LOCALIZER", count), ("other images", slices)]),
            expected="localizers in a series of their own",
            rows=localizers[0].rows,
        )


@rule(
    "INS-QUERY-ATTRS",
    level="study",
    severity="note",
    needs=("metadata", "bytes"),
    reference="PS3.18 10.6",
)
def query_attributes(study: StudyView) -> Iterator[Hit]:
    """An object holds attributes that only the answer to a query has.

    Finds: Attributes such as InstanceAvailability (0008,0056), RetrieveURL (0008,1190) or
        NumberOfStudyRelatedInstances (0020,1208) in the data set of a file. In the metadata of an archive
        they are the archive's own, so the rule looks at files only.
    Why: They were true of another archive on another day. A system that believes them looks in the wrong
        place, or counts wrongly.
    Mend: Leave them out when objects are made from the answers of an archive; the receiving archive may drop
        them. Their removal is proposed.
    Example: Files written from WADO-RS metadata, with the address of the archive they came from.
    """
    for keyword in filter(study.has, OF_A_QUERY):
        rows = [row for row, cell in zip(study.rows, study.cells(keyword), strict=True) if cell.vr]
        entry = lookup(tag_of(keyword))
        why = "It belongs to the answer of a query, and is no attribute of any object."
        changes = (removal(entry.tag, entry.vr, why),) if entry else ()
        observed = f"{keyword} stored in the object"
        yield Hit(tags=(keyword,), observed=observed, expected="absent", rows=rows, changes=changes)
