"""Source and transport: did everything that should have come arrive, and as it should?"""

from collections.abc import Iterator

from heltig.dicom.study import element
from heltig.rules.conflict import shown, values_of
from heltig.rules.listed_value import name_key, says_the_same
from heltig.rules.rule import Hit, rule
from heltig.rules.views import PackageView, Place, SeriesView, StudyView
from heltig.standard.dictionary import tag_of
from heltig.standard.value_representations import VRS

_SERIES_COUNT = "NumberOfStudyRelatedSeries"
COUNTS = ("NumberOfStudyRelatedInstances", _SERIES_COUNT)
JSON_FAULTS = (
    "json-syntax",
    "json-nan",
    "json-control",
    "json-surrogate",
    "json-duplicate-key",
    "json-model",
)


@rule(
    "SRC-META-UNAVAILABLE",
    level="study",
    severity="block",
    needs=(),
    when=lambda study: study.source.asked_for is not None,
    reference="PS3.18 10.4",
)
def metadata_unavailable(study: StudyView) -> Iterator[Hit]:
    """The archive lists instances whose metadata it does not give.

    Finds: A study that the archive's QIDO-RS lists, while it answers twice and definitely (404, 409, an empty
        list ...) that it gives no metadata of it; and a series or instance without metadata, or with metadata
        that ends early, in a study of which the rest came.
    Why: What cannot be read cannot be migrated: the archive's index and its storage disagree, or its server
        stumbles over the study, for instance when it has it under two patients.
    Mend: Have the archive's administrator look at the study named. Repair or re-index it there, then pull it
        again.
    Example: A study whose files were deleted from the archive's disk, and that is still in its index.
    """
    for failure in study.source.failures:
        if failure.kind in ("metadata-missing", "metadata-cut"):
            yield Hit(observed=failure.detail, expected="metadata of every instance that is listed")


@rule(
    "SRC-NOT-LISTED",
    level="study",
    severity="review",
    needs=(),
    when=lambda study: study.source.asked_for is not None,
    reference="PS3.18 10.6",
)
def not_listed(study: StudyView) -> Iterator[Hit]:
    """The archive gives a study that a search for its UID does not find.

    Finds: A study whose metadata the archive gives, while its QIDO-RS answers a search for the very
        StudyInstanceUID with nothing.
    Why: Whoever lists the archive to migrate or to read it never meets this study.
    Mend: Have the archive's administrator re-index the study, or look whether it is hidden or being deleted;
        then pull it again.
    Example: A study that was deleted from the archive's index while its objects stayed.
    """
    for failure in study.source.failures:
        if failure.kind == "not-listed":
            yield Hit(observed=failure.detail, expected="a row in the search for its UID")


@rule(
    "SRC-META-IN-PARTS",
    level="study",
    severity="note",
    needs=(),
    when=lambda study: study.source.asked_for is not None,
    reference="PS3.18 10.4",
)
def metadata_in_parts(study: StudyView) -> Iterator[Hit]:
    """The archive does not give the study's metadata as a whole.

    Finds: A study whose metadata the archive refused or failed to give in one answer, while it gave the same
        a series or an instance at a time.
    Why: Other receivers ask for whole studies: they will not get this one.
    Mend: Have the archive's administrator look why the study fails: its size, or a conflict in its data.
    Example: A study of 20,000 instances beyond the server's limit on one answer.
    """
    for failure in study.source.failures:
        if failure.kind == "metadata-in-parts":
            yield Hit(observed=failure.detail, expected="the study's metadata in one answer")


@rule(
    "SRC-QIDO-COUNT",
    level="study",
    severity="block",
    needs=("query", "complete_study"),
    when=lambda study: any(_counts(study, keyword) for keyword in COUNTS),
    reference="PS3.18 10.6.3",
)
def study_counts(study: StudyView) -> Iterator[Hit]:
    """The archive counts other numbers of series or instances than it delivers.

    Finds: NumberOfStudyRelatedInstances (0020,1208) or NumberOfStudyRelatedSeries (0020,1206) in the
        archive's QIDO-RS answer that differ from what its metadata holds, where the archive's list of series
        does not explain it: SRC-SERIES-COUNT and SRC-SERIES-MISSING then say it of the series itself.
    Why: Instances are missing on the way, or the archive's index is wrong. Either way nobody can say that the
        study is complete.
    Mend: Compare the archive's instance list with what was delivered and have it re-indexed; pull again. If
        the study was still arriving, wait until it has settled.
    Example: 1,204 instances counted, 1,203 delivered, after one failed to be stored on disk.
    """
    for keyword, delivered in zip(COUNTS, (len(study), len(study.series)), strict=True):
        counted = _counts(study, keyword)
        if keyword == _SERIES_COUNT and len(counted) > 1:
            continue  # a series under two patients is counted twice
        fewer = sum(counted) - delivered
        if counted and fewer and not _is_said_of_series(study, keyword, fewer):
            yield Hit(
                tags=(keyword,), observed=f"{delivered} delivered", expected=f"{sum(counted)} as listed"
            )


def _is_said_of_series(study: StudyView, keyword: str, fewer: int) -> bool:
    """Whether the list of series, which other rules hold against each series, lacks as many."""
    delivered = {series.uid or "": len(series) for series in study.series}
    listed = _series_counts(study)
    if not listed:
        return False
    if keyword == _SERIES_COUNT:
        return fewer == len(listed) - len(delivered)
    expected = sum(delivered.get(uid, 0) if count is None else count for uid, count in listed.items())
    of_series = expected - sum(delivered.values())
    # A series that is listed without its count, and not delivered, may have any number of instances.
    is_open = any(count is None and uid not in delivered for uid, count in listed.items())
    return fewer == of_series or (is_open and fewer > of_series)


def _series_counts(study: StudyView) -> dict[str, int | None]:
    """NumberOfSeriesRelatedInstances of each series listed: two rows of one, under two patients, add up."""
    counts: dict[str, int | None] = {}
    for row in study.source.series_rows:
        uid = element(row, tag_of("SeriesInstanceUID")).text
        numbers = element(row, tag_of("NumberOfSeriesRelatedInstances")).numbers
        count = int(numbers[0]) if numbers and numbers[0] is not None else None
        before = counts.get(uid)
        counts[uid] = before if count is None else count + (before or 0)
    return counts


def _counts(study: StudyView, keyword: str) -> list[int]:
    """The counts in the study's QIDO-RS rows: two rows of one study, under two patients, add up."""
    cells = [element(row, tag_of(keyword)) for row in study.source.study_rows]
    return [int(cell.numbers[0]) for cell in cells if cell.numbers and cell.numbers[0] is not None]


@rule(
    "SRC-SERIES-COUNT",
    level="series",
    severity="block",
    needs=("query", "complete_study"),
    when=lambda series: _listed(series) is not None,
    reference="PS3.18 10.6.3",
)
def series_count(series: SeriesView) -> Iterator[Hit]:
    """The archive counts another number of instances in a series than it delivers.

    Finds: NumberOfSeriesRelatedInstances (0020,1209) in the archive's QIDO-RS answer that differs from the
        number of instances of the series in its metadata.
    Why: Slices are missing on the way, or the archive's index is wrong.
    Mend: Compare the archive's instance list of this series with what was delivered and have it re-indexed;
        pull again. If the study was still arriving, wait until it has settled.
    Example: A series listed with 64 instances of which 63 are delivered.
    """
    listed = _listed(series)
    if listed is not None and listed != len(series):
        yield Hit(
            tags=("NumberOfSeriesRelatedInstances",),
            observed=f"{len(series)} delivered in series {series.key}",
            expected=f"{listed} as listed",
        )


def _listed(series: SeriesView) -> int | None:
    """The count in the series' QIDO-RS rows: two rows of one series, under two patients, add up."""
    return series.study.once(_listed_by_series).get(series.uid or "")


def _listed_by_series(study: StudyView) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in study.source.series_rows:
        number = element(row, tag_of("NumberOfSeriesRelatedInstances")).numbers
        uid = element(row, tag_of("SeriesInstanceUID")).text
        if uid and number and number[0] is not None:
            counts[uid] = counts.get(uid, 0) + int(number[0])
    return counts


@rule(
    "SRC-SERIES-MISSING",
    level="study",
    severity="block",
    needs=("query", "complete_study"),
    when=lambda study: bool(study.source.series_rows),
    reference="PS3.18 10.6.3",
)
def series_missing(study: StudyView) -> Iterator[Hit]:
    """A series is listed and not delivered, or delivered and not listed.

    Finds: SeriesInstanceUIDs that stand in only one of two places: the archive's QIDO-RS list of the study's
        series, and the study's metadata.
    Why: A whole series is missing on the way, or is hidden from everyone who searches for it.
    Mend: Have the archive re-index the study, then pull it again.
    Example: A series of dose reports that the archive lists but whose objects it lost.
    """
    uid = tag_of("SeriesInstanceUID")
    listed = {element(row, uid).text for row in study.source.series_rows}
    delivered = {series.uid or "" for series in study.series}
    for missing in sorted(listed - delivered):
        yield Hit(
            tags=("SeriesInstanceUID",), observed=f"{missing} listed, not delivered", expected="both", rows=()
        )
    for series in study.series:
        if (series.uid or "") not in listed:
            yield Hit(
                tags=("SeriesInstanceUID",),
                observed=f"{series.key} delivered, not listed",
                expected="both",
                rows=series.rows,
            )


@rule(
    "SRC-UID-ECHO",
    level="study",
    severity="block",
    when=lambda study: study.source.asked_for is not None,
    reference="PS3.18 10.4",
)
def uid_echo(study: StudyView) -> Iterator[Hit]:
    """The archive answers with another study than it was asked for.

    Finds: Instances whose StudyInstanceUID is not the one in the URL that the metadata was asked from.
    Why: Whoever retrieves the study stores these instances elsewhere, or refuses them.
    Mend: Have the archive re-index the study: the UID in its index differs from the one in its objects.
    Example: A study merged in the archive's database, while its objects kept their old UID.
    """
    for group in study.groups("StudyInstanceUID"):
        if group.key != study.source.asked_for:
            yield Hit(
                tags=("StudyInstanceUID",),
                observed=group.key or "none",
                expected=study.source.asked_for or "",
                rows=group.rows,
            )


_COMPARED = ("PatientID", "PatientName", "AccessionNumber", "StudyDate")


@rule(
    "SRC-QIDO-VS-META",
    level="study",
    severity="review",
    needs=("metadata", "query"),
    when=lambda study: bool(study.source.study_rows),
    reference="PS3.18 10.6.3",
)
def query_against_metadata(study: StudyView) -> Iterator[Hit]:
    """The archive's index says something else than its objects.

    Finds: A PatientID, PatientName, AccessionNumber, StudyDate or ModalitiesInStudy in the archive's QIDO-RS
        answer that no instance has. Letters that the answer's character set does not have, and groups of a
        name that it leaves out, do not count.
    Why: The study was corrected in the archive's database only. Copied elsewhere, its objects bring the old
        values back.
    Mend: Have the archive write the corrected values into the objects, or decide which of the two is right,
        before the study is copied.
    Example: A patient merged in the archive, whose objects still hold the former PatientID.
    """
    for row in study.source.study_rows:
        for keyword in _COMPARED:
            key = name_key if keyword == "PatientName" else shown
            listed = element(row, tag_of(keyword))
            has = {group.key for group in values_of(study, keyword, key)}
            said = key(listed)
            if said and not any(says_the_same(row, keyword, said, held) for held in has):
                expected = ", ".join(sorted(has)) or "no value"
                yield Hit(
                    tags=(keyword,),
                    observed=f"{listed.shown} listed",
                    expected=f"{expected} in the instances",
                )
        listed = element(row, tag_of("ModalitiesInStudy"))
        modalities = {str(value).strip() for value in listed.values if value}
        has = {group.key for group in values_of(study, "Modality")}
        if modalities - has and len(study.source.study_rows) == 1:
            yield Hit(
                tags=("ModalitiesInStudy",),
                observed=f"{', '.join(sorted(modalities))} listed",
                expected=f"{', '.join(sorted(has)) or 'none'} in the instances",
            )


@rule(
    "SRC-JSON-MODEL",
    level="value",
    severity="review",
    vrs=("", *sorted(VRS)),
    when=lambda at: at.syntax == "json",
    reference="PS3.18 F.2",
)
def json_model(at: Place) -> Iterator[Hit]:
    """A value is not written as the DICOM JSON model has it.

    Finds: Elements without `vr`, values outside an array, values of a type their VR does not have, base64
        that is none, numbers that JSON does not know, control characters or half characters inside text.
    Why: Strict readers refuse the whole answer for one such value, and with it every instance in it.
    Mend: Report it to the maker of the archive with the attribute named here; until then read the archive
        with a tolerant reader, or retrieve the objects instead of their metadata.
    Example: `{"vr": "DS", "Value": [NaN]}`, or `{"vr": "LO", "Value": "CHEST"}`.
    """
    for fault in at.cell.faults:
        if fault.kind in JSON_FAULTS:
            yield Hit(observed=f"{fault.kind}: {fault.detail}", expected="the DICOM JSON model")


@rule(
    "SRC-JSON-SYNTAX",
    level="study",
    severity="review",
    when=lambda study: any(encoding.syntax == "json" for encoding in study.table.encodings),
    reference="PS3.18 F.2",
)
def json_syntax(study: StudyView) -> Iterator[Hit]:
    """The metadata of an instance is not JSON that every reader reads.

    Finds: Instances whose metadata holds a key twice, is cut short, or is not JSON in some place: what a
        tolerant reader could still make out is judged, the rest is lost.
    Why: Strict readers refuse the whole answer; others keep one of two values without a word.
    Mend: Report it to the maker of the archive with the instance named here.
    Example: PatientID twice in one instance, with two values.
    """
    for fault, rows in study.faults(*JSON_FAULTS):
        yield Hit(observed=f"{fault.kind}: {fault.detail}", expected="JSON with every key once", rows=rows)


_ZIP_KINDS = {
    "traversal": "a name below the folder",
    "absolute-path": "a name below the folder",
    "special-member": "a regular file",
    "encrypted": "a member without encryption",
    "bomb": "a member that expands as images do",
    "overlap": "bytes of its own",
    "header-mismatch": "the same in the directory and at the member",
    "too-large": "a size within the limit",
    "too-many": "a number within the limit",
    "nesting": "ZIPs within the limit",
    "damaged-package": "a whole, plain ZIP",
    "empty-package": "a ZIP of DICOM files",
    "damaged-member": "the bytes that were packed",
    "checksum": "the bytes that were packed",
    "length": "the bytes that were packed",
    "compression": "stored or deflated",
    "duplicate-name": "a name of its own",
    "case-collision": "a name of its own",
    "bad-name": "a name that every system can write",
    "empty-member": "a file with content",
}
"""What SRC-ZIP-SAFE tells, and what should be there instead."""


@rule("SRC-ZIP-SAFE", level="input", severity="block", needs=("bytes",))
def zip_safe(package: PackageView) -> Iterator[Hit]:
    """A ZIP is damaged, or nobody should unpack it as it is.

    Finds: Names that lead out of the folder, absolute paths, links, encrypted members, members that expand
        beyond all reason or overlap, names that stand twice or differ only in case, damaged or empty members,
        and ZIPs that are cut off, damaged, empty, or have something in front of them.
    Why: Unpacked, such a member overwrites another file or fills the disk; what cannot be unpacked is lost.
    Mend: Copy or send again what is damaged, cut off or empty. If that does not help, or something else is
        said here, make a plain ZIP from the folder of DICOM files: no encryption, a name of its own for each
        file. Find out who made a ZIP with names that lead elsewhere or members that expand without end.
    Example: A member called `../../etc/cron.d/job`.
    """
    for (kind, detail), members in package.groups(*_ZIP_KINDS).items():
        yield Hit(observed=f"{kind}: {detail}", expected=_ZIP_KINDS[kind], rows=members)


@rule("SRC-NOT-DICOM", level="input", severity="review", needs=("bytes",), reference="PS3.10 7.1")
def not_dicom(package: PackageView) -> Iterator[Hit]:
    """A file is not DICOM, or cannot be read.

    Finds: Files that begin as DICOM and are so damaged that no reader makes anything of them, files named
        `.dcm` or the like that are not DICOM, packed files that were not opened, empty files, and what cannot
        be opened. Documents, pictures and programs by their own names, and other files without a DICOM data
        set, are set aside and do not count.
    Why: If it was an image it is lost.
    Mend: Export the file again from where it came, or unpack it. Leave it out if it is none of the images.
    Example: A JPEG picture named `IMG0001.dcm`, or a file of 0 bytes after a full disk.
    """
    for (kind, detail), files in package.groups("not-dicom", "empty", "unreadable", "inaccessible").items():
        yield Hit(observed=f"{kind}: {detail}", expected="a DICOM file", rows=files)
