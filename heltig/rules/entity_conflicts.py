"""Entities: the rest of what is said once for a patient, a study, a series or its equipment."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.rules.conflict import conflict, patients
from heltig.rules.entity_attributes import (
    DEVICE,
    MEANING,
    PATIENT,
    SERIES,
    STUDY,
    SUBJECT,
    Attribute,
    Attributes,
)
from heltig.rules.rule import Hit, rule
from heltig.rules.same_value import code_of, same_by
from heltig.rules.views import Group, RowsView, SeriesView, StudyView
from heltig.rules.wording import counted, cut


@rule(
    "PAT-SUBJECT-CONFLICT",
    level="study",
    severity="review",
    compares=True,
    reads=SUBJECT.keywords,
    reference="PS3.3 C.7.1.1",
)
def subject_conflict(study: StudyView) -> Iterator[Hit]:
    """One PatientID stands for several subjects.

    Finds: More than one QualityControlSubject (0010,0200), species (0010,2201) or (0010,2202), or qualifier
        of the issuer (0010,0024) within the instances of one PatientID of a study. Case does not count, nor
        do instances without a value.
    Why: A phantom and a patient, an animal and its owner, or equal numbers of two places are filed as one
        patient. The archive keeps what came first.
    Mend: Find out who or what was examined in the rarer instances. If it is another subject, give them a
        PatientID and a StudyInstanceUID of their own; otherwise have the value corrected.
    Example: The daily phantom, scanned while a patient's worklist entry was still open.
    """
    yield from _conflicts(study, SUBJECT, each=patients, where="patient")


@rule(
    "PAT-DETAIL-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=PATIENT.keywords,
    reference="PS3.3 C.7.1.1",
)
def patient_conflict(study: StudyView) -> Iterator[Hit]:
    """What is said of one patient differs within a study.

    Finds: More than one value of an attribute of the patient (PS3.3 C.7.1.1) or of the subject of a clinical
        trial (C.7.1.3) within the instances of one PatientID of a study. What decides who it is has rules of
        its own. Case, spacing and delimiters do not count, nor do instances without a value. Attributes that
        differ in the same instances are one finding.
    Why: Archives keep one value for the patient, mostly that of the instance that came first.
    Mend: Compare with the information system. Nothing, where the study is read only; if the instances belong
        to another patient, separate them.
    Example: EthnicGroup `2` from the scanner and `Caucasian` from a workstation.
    """
    yield from _conflicts(study, PATIENT, each=patients, where="patient")


@rule(
    "STU-DETAIL-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=STUDY.keywords,
    reference="PS3.3 C.7.2.1",
)
def study_conflict(study: StudyView) -> Iterator[Hit]:
    """What is said of one study or visit differs within it.

    Finds: More than one value of an attribute of the study (PS3.3 C.7.2.1), of the patient at that time
        (C.7.2.2) or of the visit in a clinical trial (C.7.2.3) within the instances of one PatientID of a
        study. Numbers, dates and descriptions by which studies are found have rules of their own. Case,
        spacing and delimiters do not count, nor do instances without a value. Attributes that differ in the
        same instances are one finding.
    Why: Archives keep one value for the study. Where many attributes differ alike, two examinations may have
        become one.
    Mend: Nothing, where the patient had a birthday or somebody mended the order during the study. Otherwise
        look at the instances with the rarer value: if they belong to another study, separate them.
    Example: Two AdmissionIDs, since the second half was done after the patient had been sent to the ward.
    """
    yield from _conflicts(study, STUDY, each=patients, where="study")


@rule(
    "SER-MEANING-CONFLICT",
    level="study",
    severity="review",
    compares=True,
    reads=MEANING.keywords,
    reference="PS3.3 A.1.2.3",
)
def meaning_conflict(study: StudyView) -> Iterator[Hit]:
    """Images of one series do not mean the same.

    Finds: More than one PresentationIntentType (0008,0068) or AnatomicalOrientationType (0010,2210) within a
        series; in PET series more than one value of Units (0054,1001), SUVType (0054,1006), DecayCorrection
        (0054,1102) or CountsSource (0054,1002). Instances without a value do not count.
    Why: Software takes them from the first image for the whole series: uptake values are wrong by a factor,
        raw images are shown as if they were for reading, and directions mean something else in an animal.
    Mend: Have the instances with the rarer value stored in a series of their own.
    Example: Attenuation images in counts (`CNTS`), appended to the corrected ones in `BQML`.
    """
    yield from _conflicts(study, MEANING, each=_series_of, where="series")


@rule(
    "SER-DETAIL-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=SERIES.keywords,
    reference="PS3.3 C.7.3.1",
)
def series_conflict(study: StudyView) -> Iterator[Hit]:
    """What is said of one series differs within it.

    Finds: More than one value of an attribute of the series (PS3.3 C.7.3.1, C.7.3.2), of its performed
        procedure step, request or synchronisation (C.7.4.2), or of the series of one kind of equipment,
        within a series. Number, date, description, body part, side and position have rules of their own.
        Case, spacing and delimiters do not count, nor do instances without a value. Attributes that differ in
        the same way are one finding, over all series.
    Why: Archives keep one value for the series, mostly that of the instance that came first: a search for
        another does not find it.
    Mend: Nothing, for equipment that writes the time of each image, or an operator who took over. Otherwise
        look at the instances with the rarer value: if they are another series, have them stored as one.
    Example: A scanner that puts the time of each image into SeriesTime.
    """
    yield from _conflicts(study, SERIES, each=_series_of, where="series")


@rule(
    "SER-DEVICE-CONFLICT",
    level="study",
    severity="note",
    compares=True,
    reads=DEVICE.keywords,
    reference="PS3.3 C.7.5.1",
)
def device_conflict(study: StudyView) -> Iterator[Hit]:
    """What is said of the device of one series differs within it.

    Finds: More than one value of an attribute of the equipment (PS3.3 C.7.5.1), of the device that captured
        (C.8.6.1) or of a camera (C.8.12.10) within a series. Manufacturer, model, serial number and station
        are a matter of SER-EQUIPMENT-CONFLICT. Case and spacing do not count, nor do instances without a
        value. Attributes that differ in the same way are one finding, over all series.
    Why: A series is made by one device, which does not change in between. A workstation may have stored its
        results among the originals, or a gateway written its own name into part of them.
    Mend: Look at the instances with the rarer value: if another device made them, have them stored in a
        series of their own.
    Example: SoftwareVersions of the scanner in most images, of a workstation in the reformatted ones.
    """
    yield from _conflicts(study, DEVICE, each=_series_of, where="series")


_OF_ONE_FRAME: Final = frozenset({"SEG", "RTDOSE", "RTPLAN", "SM"})
_SPECTROSCOPY: Final = "1.2.840.10008.5.1.4.1.1.4.2"


@rule(
    "SER-FRAME-CONFLICT",
    level="series",
    severity="note",
    when=lambda series: (
        series.has_uid
        and (series.modality in _OF_ONE_FRAME or series.first("SOPClassUID").text == _SPECTROSCOPY)
    ),
    reads=("FrameOfReferenceUID",),
    reference="PS3.3 C.7.4.1",
)
def frame_conflict(series: SeriesView) -> Iterator[Hit]:
    """Objects of one series are in several frames of reference.

    Finds: More than one FrameOfReferenceUID (0020,0052) within a series of segmentations, doses, plans,
        slides or spectra; objects without one do not count. Of slices GEO-FOR-MIXED tells, of objects in
        another frame of reference than what they were made from REF-SEG-FRAMES and REF-RT-CHAIN.
    Why: The standard has one for a series. Archives and viewers that keep it with the series lay part of the
        objects over the wrong images.
    Mend: Have the objects of the rarer value stored in a series of their own, unless each names its images.
    Example: Segmentations of two examinations, which a tool wrote into one series.
    """
    yield from conflict(series, "FrameOfReferenceUID", where="series")


class _Difference(NamedTuple):
    """One attribute, or several in which the same rows differ."""

    observed: str
    seen: tuple[str, ...]
    rows: tuple[int, ...]


def _conflicts(
    study: StudyView,
    attributes: Attributes,
    *,
    each: Callable[[StudyView], Iterable[RowsView]],
    where: str,
) -> Iterator[Hit]:
    """A hit for each set of attributes that differ together in one entity or several."""
    varying = attributes.varying(study.table) if study.has_uid else []
    several = "series" if each is _series_of else "patients"
    found: dict[tuple[str, ...], list[_Difference]] = {}
    for entity in each(study):
        for keywords, difference in _differences(entity, varying).items():
            found.setdefault(keywords, []).append(difference)
    for keywords, differences in found.items():
        more = f"{len(differences)} {several}, such as " if len(differences) > 1 else ""
        yield Hit(
            tags=keywords,
            observed=cut(more + differences[0].observed),
            expected=f"one {keywords[0] if len(keywords) == 1 else 'value of each'} in the {where}",
            rows=sorted(row for difference in differences for row in difference.rows),
            seen=tuple(seen for difference in differences for seen in difference.seen),
        )


def _differences(entity: RowsView, varying: list[Attribute]) -> dict[tuple[str, ...], _Difference]:
    """What differs in an entity, by keywords: attributes in which the same rows differ stand together."""
    alike: dict[tuple[int, ...], list[tuple[str, list[Group]]]] = {}
    for keyword, modalities in varying:
        if entity.uniform(keyword) or not _belongs(entity, modalities):
            continue
        groups = [group for group in entity.groups(keyword, same_by(keyword)) if group.key]
        if len(groups) > 1:
            rows = tuple(sorted(row for group in groups[1:] for row in group.rows))
            alike.setdefault(rows, []).append((keyword, groups))
    return {
        tuple([keyword for keyword, _ in attributes]): _Difference(
            counted(_named(attributes[0][1])),
            tuple([f"{keyword}: {g.key} ({g.count})" for keyword, groups in attributes for g in groups]),
            rows,
        )
        for rows, attributes in alike.items()
    }


def _belongs(entity: RowsView, modalities: frozenset[str] | None) -> bool:
    return modalities is None or (isinstance(entity, SeriesView) and entity.modality in modalities)


def _named(groups: list[Group]) -> Iterator[tuple[str, int]]:
    """Each value with its number of instances. Of a sequence only codes are told: they name nobody."""
    for number, group in enumerate(groups, 1):
        text = group.cell.shown.strip() or _codes(group.cell)
        yield text or f"content {number}", group.count


def _codes(cell: Cell) -> str:
    return "+".join(filter(None, map(code_of, cell.items)))


def _series_of(study: StudyView) -> list[SeriesView]:
    """The series in which something can differ."""
    return [series for series in study.series if len(series) > 1 and series.has_uid]
