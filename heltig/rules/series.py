"""Series: is it one series, and is it whole?"""

from collections.abc import Iterator

from heltig.dicom.cell import Cell
from heltig.rules.absence import has_patient, lacking
from heltig.rules.acquisition import TOMOGRAPHIC, class_name, first_value, is_single_frame
from heltig.rules.conflict import capitals, conflict, shown, values_of
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView, StudyView
from heltig.rules.wording import counted
from heltig.standard.sop_classes import lookup
from heltig.standard.uids import transfer_syntax


@rule(
    "SER-UID-MISSING",
    level="study",
    severity="block",
    reads=("SeriesInstanceUID", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.3.1",
)
def uid_missing(study: StudyView) -> Iterator[Hit]:
    """SeriesInstanceUID is absent or empty.

    Finds: Instances without a SeriesInstanceUID (0020,000E). Objects that belong to no series, such as
        hanging protocols, are left alone.
    Why: Nobody can say which images belong together, and no archive takes such an instance.
    Mend: Send the series again from where it came. If the instance was damaged there, take the UID from the
        other instances of its series.
    Example: A file exported by a research tool that left out what it did not know.
    """
    yield from lacking(study, "SeriesInstanceUID")


@rule(
    "SER-MODALITY-MISSING",
    level="study",
    severity="block",
    reads=("Modality", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.3.1",
)
def modality_missing(study: StudyView) -> Iterator[Hit]:
    """Modality is absent or empty.

    Finds: Instances without a Modality (0008,0060).
    Why: Archives route, store and display by modality. Some refuse an instance without one, others file it
        where nobody looks.
    Mend: Have Modality set to what the equipment is, the same in the whole series.
    Example: A converter that writes only what its source format had.
    """
    yield from lacking(study, "Modality")


@rule(
    "SER-MODALITY-MIXED",
    level="series",
    severity="block",
    compares=True,
    reads=("Modality",),
    reference="PS3.3 A.1.2.3",
)
def modality_mixed(series: SeriesView) -> Iterator[Hit]:
    """One series has several modalities.

    Finds: More than one Modality (0008,0060) within a series.
    Why: A series is of one modality: archives keep the first and hide the rest, or refuse it.
    Mend: Find out where the instances of the rarer modality come from. Give them a SeriesInstanceUID of their
        own, or correct their Modality.
    Example: A report or a screenshot stored into the series it is about.
    """
    yield from conflict(series, "Modality", where="series", key=capitals)


def _kind(cell: Cell) -> str:
    """What a SOP Class may share a series with: slices with their own class, pictures with pictures."""
    sop_class = lookup(cell.text)
    if sop_class is None:
        return cell.text
    slices = TOMOGRAPHIC.intersection(sop_class.modality)
    if slices:
        return f"{min(slices)} {sop_class.enhanced} {sop_class.image}"
    return "picture" if sop_class.image else ",".join(sop_class.modality) or cell.text


@rule(
    "SER-SOPCLASS-MIXED",
    level="series",
    severity="review",
    compares=True,
    reads=("SOPClassUID",),
    reference="PS3.3 A.1.2.3",
)
def sop_class_mixed(series: SeriesView) -> Iterator[Hit]:
    """One series has objects of different kinds.

    Finds: SOP Classes (0008,0016) within a series that do not go together: CT, MR, PET or NM slices with
        anything else, single-frame with enhanced ones, images with documents, private classes with others.
        Stills and clips of an ultrasound, or captures in an angiography, do go together. Where the modalities
        differ too, SER-MODALITY-MIXED says so.
    Why: Viewers build a volume from the series and stumble over what is no slice; some archives refuse the
        second class.
    Mend: Have the foreign objects stored in a series of their own.
    Example: A screenshot of the dose page inside the series of axial slices.
    """
    if series.uniform("SOPClassUID") or len(values_of(series, "Modality", capitals)) > 1:
        return
    yield from conflict(series, "SOPClassUID", where="series", key=_kind, named=class_name)


@rule(
    "SER-DESC-CONFLICT",
    level="series",
    severity="note",
    compares=True,
    reads=("SeriesDescription", "ProtocolName"),
    reference="PS3.3 C.7.3.1",
)
def description_conflict(series: SeriesView) -> Iterator[Hit]:
    """One series has several descriptions.

    Finds: More than one SeriesDescription (0008,103E) or ProtocolName (0018,1030) within a series; instances
        without one do not count.
    Why: Archives show one of them; hanging protocols and routing go by it.
    Mend: Look at the instances with the rarer value: if they are another series, have it stored as one.
    Example: A technologist corrected the description after half of the images had been sent.
    """
    for keyword in ("SeriesDescription", "ProtocolName"):
        yield from conflict(series, keyword, where="series")


_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName", "DeviceUID")


@rule(
    "SER-EQUIPMENT-CONFLICT",
    level="series",
    severity="review",
    compares=True,
    reads=_EQUIPMENT,
    reference="PS3.3 A.1.2.3",
)
def equipment_conflict(series: SeriesView) -> Iterator[Hit]:
    """One series comes from several devices.

    Finds: More than one Manufacturer (0008,0070), ManufacturerModelName (0008,1090), DeviceSerialNumber
        (0018,1000), StationName (0008,1010) or DeviceUID (0018,1002) within a series. Case and spacing do not
        count, nor do instances without a value.
    Why: A series is made by one device. Two of them mean that two series became one, or that a workstation
        stored its results among the originals.
    Mend: Look at the instances of the rarer device, and have them stored in a series of their own.
    Example: Reformatted slices from a workstation, stored into the scanner's series.
    """
    found = [hit for keyword in _EQUIPMENT for hit in conflict(series, keyword, where="series", key=capitals)]
    if found:
        first = found[0]
        yield Hit(
            tags=tuple(tag for hit in found for tag in hit.tags),
            observed=first.observed,
            expected="one device in the series",
            rows=first.rows,
        )


@rule(
    "SER-SPARSE",
    level="series",
    severity="note",
    needs=("metadata", "complete_study"),
    when=is_single_frame,
    reference="PS3.3 C.7.10.1",
)
def sparse(series: SeriesView) -> Iterator[Hit]:
    """A series has fewer images than it should.

    Finds: A series of single-frame images with fewer instances than ImagesInAcquisition (0020,1002) says; or
        a series of one original slice beside another of the same SOP Class and slice thickness with at least
        the profile's `sparse_siblings` (50).
    Why: The rest may not have arrived. Scanners fill ImagesInAcquisition in their own ways, and a single
        slice may be all there is: this is a hint, not a proof.
    Mend: Compare with the modality's own list of the series; send it again if images are missing.
    Example: One slice of 240, after the transfer was cancelled.
    """
    groups = values_of(series, "ImagesInAcquisition")
    stated = int(max((number for group in groups for number in group.cell.numbers[:1] if number), default=0))
    if len(series) < stated:
        yield Hit(
            tags=("ImagesInAcquisition",),
            observed=f"{len(series)} images",
            expected=f"{stated}, as ImagesInAcquisition says",
        )
    elif len(series) == 1:
        largest = max((len(other) for other in series.study.series if _alike(series, other)), default=0)
        if largest >= series.context.parameters.sparse_siblings:
            yield Hit(
                tags=("SOPInstanceUID",),
                observed="1 image",
                expected=f"about {largest}, as its sibling has",
            )


def _alike(series: SeriesView, other: SeriesView) -> bool:
    """Both are original slices of the same kind and thickness."""
    if len(other) < series.context.parameters.sparse_siblings or series.modality not in TOMOGRAPHIC:
        return False
    if (
        first_value(series, "ImageType", 1) != "ORIGINAL"
        or first_value(series, "ImageType", 3) == "LOCALIZER"
    ):
        return False
    return all(
        shown(series.first(keyword)) == shown(other.first(keyword))
        for keyword in ("SOPClassUID", "SliceThickness")
    )


@rule("SER-NUMBER-DUP", level="study", severity="note", reads=("SeriesNumber",), reference="PS3.3 C.7.3.1")
def number_duplicate(study: StudyView) -> Iterator[Hit]:
    """Two series of a study have the same number.

    Finds: One SeriesNumber (0020,0011) on several series of one modality and one device within a study.
    Why: People name series by their number, in reports and on the telephone.
    Mend: Nothing needs to be done for the archive. If the numbers matter to you, have the system that added
        the later series number them anew.
    Example: A scan that was broken off and begun again under the same number.
    """
    if len(study.series) < 2 or study.uniform("SeriesInstanceUID"):
        return
    by_number: dict[str, list[SeriesView]] = {}
    for series in filter(lambda series: series.has_uid, study.series):
        by_number.setdefault(series.first("SeriesNumber").text, []).append(series)
    by_number.pop("", None)
    for number, sharing in sorted(by_number.items()):
        by_device: dict[tuple[str, ...], list[SeriesView]] = {}
        for series in sharing if len(sharing) > 1 else ():
            device = (series.modality, *(capitals(series.first(keyword)) for keyword in _EQUIPMENT))
            by_device.setdefault(device, []).append(series)
        for several in by_device.values():
            if len(several) > 1:
                named = counted((shown(s.first("SeriesDescription")) or s.modality, len(s)) for s in several)
                yield Hit(
                    tags=("SeriesNumber",),
                    observed=f"{number}: {named}",
                    expected="a number for each series",
                    rows=[row for series in several for row in series.rows],
                )


@rule(
    "SER-NUMBER-EMPTY",
    level="study",
    severity="note",
    reads=("SeriesNumber", "SOPClassUID"),
    needs=("metadata", "all_attributes"),
    when=has_patient,
    reference="PS3.3 C.7.3.1",
)
def number_empty(study: StudyView) -> Iterator[Hit]:
    """SeriesNumber is absent or empty.

    Finds: Instances without a SeriesNumber (0020,0011).
    Why: Viewers sort the series of a study by it, and people name them by it.
    Mend: Have the sending system number its series.
    Example: Segmentations written by a research tool.
    """
    yield from lacking(study, "SeriesNumber")


@rule("SER-TS-MIXED", level="series", severity="note", compares=True, reads=("TransferSyntaxUID",),
    needs=("metadata", "file_meta"), reference="PS3.5 10")  # fmt: skip
def transfer_syntax_mixed(series: SeriesView) -> Iterator[Hit]:
    """One series is stored in several transfer syntaxes.

    Finds: More than one TransferSyntaxUID (0002,0010) among the files of a series.
    Why: Part of the series was compressed or decompressed on its way, perhaps with loss; a receiver that
        takes only one of the syntaxes gets half of the series.
    Mend: Find out which system converted the rest. Where one part is lossy, take the originals.
    Example: Slices that had waited in a compressing cache, between others that came directly.
    """
    yield from conflict(series, "TransferSyntaxUID", where="series", named=_syntax_name)


def _syntax_name(uid: str) -> str:
    syntax = transfer_syntax(uid)
    return syntax.name if syntax else uid
