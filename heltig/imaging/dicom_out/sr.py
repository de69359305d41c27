"""The measurements of an analysis as a structured report (PS3.16 TID 1500) that refers to its segmentation.

Each structure has a measurement group of its own; what is measured on single slices of it has another one,
whose numbers refer to their image. What has no number is said by a coded evaluation, never by a zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceImageForMeasurement,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr import Measurement as Number
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.headers import SourceImage, source_images
from heltig.imaging.dicom_out.identity import (
    COMPREHENSIVE_SR,
    SR,
    code_item,
    object_of,
    tracking_uid,
    uid_of,
)
from heltig.imaging.dicom_out.seg_frames import reference_to
from heltig.imaging.dicom_out.segments import Segment, segments_of
from heltig.imaging.dicom_out.sr_codes import (
    COMMENT,
    PROCEDURE,
    PROCEDURES,
    REPORT,
    concept_of,
    is_plain,
    own_code,
    unit_code,
)
from heltig.imaging.labels import ANATOMICAL_STRUCTURE, STRUCTURES
from heltig.imaging.metrics.measurement import VERSION, Measurement
from heltig.imaging.own_results import MANUFACTURER, MODEL
from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.imaging.volume import Code, Structure

_STATUS: Final = "structure_status"
_GONE: Final = frozenset({"absent", "too_small"})
"""Statuses of a structure that say all there is to say about its measurements."""


def report_object(analysis: Analysis, segmentation: Dataset | None, *, plain: bool = False) -> Dataset:
    """The measurements of an analysis as a structured report.

    Args:
        analysis: The analysis.
        segmentation: Its segmentation, if there is any.
        plain: As Comprehensive SR, for archives that do not take Comprehensive 3D SR.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
    """
    made = object_of(analysis, COMPREHENSIVE_SR if plain else SR)
    made.CompletionFlag = "COMPLETE"
    made.PreliminaryFlag = "PRELIMINARY"
    made.VerificationFlag = "UNVERIFIED"
    made.ReferencedPerformedProcedureStepSequence = []
    made.PerformedProcedureCodeSequence = []
    groups = _Groups(analysis, segmentation)
    made.CurrentRequestedProcedureEvidenceSequence = [_evidence(analysis, groups.images, segmentation)]
    modality = analysis.volume.technique.modality
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer()),
        procedure_reported=concept(PROCEDURES.get(modality, PROCEDURE)),
        imaging_measurements=list(groups.all()),
        title=concept(REPORT),
    )
    made.update(report[0])
    for statement in (RESEARCH_USE, GATE_USE):
        text = TextContentItem(concept(COMMENT), statement, RelationshipTypeValues.CONTAINS)
        made.ContentSequence.append(text)
    _settle(made, convert_encodings(made.SpecificCharacterSet))
    return made


def concept(code: Code) -> CodedConcept:
    """A code as content items take it."""
    return CodedConcept.from_dataset(code_item(code), copy=False)


def _settle(made: Dataset, encodings: str | list[str]) -> None:
    """Say of a data set and all its items that they are as they are written.

    For thousands of nested items pydicom would look again and again whether VRs are still to be decided.
    """
    made.set_original_encoding(False, True, encodings)
    for element in made:
        for item in element.value if element.VR == "SQ" else ():
            _settle(item, default_encoding)


@dataclass(frozen=True, eq=False)
class _Groups:
    """Measurement groups (PS3.16 TID 1411, TID 1501)."""

    analysis: Analysis
    segmentation: Dataset | None

    @cached_property
    def images(self) -> tuple[SourceImage, ...]:
        return source_images(self.analysis.stack)

    @cached_property
    def _series(self) -> SourceSeriesForSegmentation:
        return SourceSeriesForSegmentation(self.analysis.volume.series_instance_uid)

    @cached_property
    def _segments(self) -> Mapping[str, Segment]:
        return {one.structure.key: one for one in segments_of(self.analysis)}

    def all(self) -> Iterator[Any]:
        """A group for each region, one for what is measured on its slices, and one of the images."""
        found = self.analysis.results.inventory.found
        regions: dict[str, list[Measurement]] = {key: [] for key in found}
        on_slices: dict[str, list[Measurement]] = {}
        for one in self.analysis.results.measurements:
            places = regions if one.place is None else on_slices
            places.setdefault(one.region, []).append(one)
        for region, measurements in regions.items():
            yield self._of_region(region, measurements)
        for region, measurements in on_slices.items():
            yield self._group(region, measurements, name=f"{region}, single slices")
        yield self._of_images()

    def _of_region(self, region: str, measurements: Sequence[Measurement]) -> Any:
        found = self.analysis.results.inventory.found.get(region)
        if found is None:
            return self._group(region, measurements, name=region)
        status = _evaluation(_STATUS, found.status)
        told = [one for one in measurements if found.status not in _GONE or one.value is not None]
        return self._group(
            region, told, name=region, evaluations=[status], segment=self._segments.get(region)
        )

    def _group(
        self,
        region: str,
        measurements: Sequence[Measurement],
        *,
        name: str,
        evaluations: Sequence[QualitativeEvaluation] = (),
        segment: Segment | None = None,
    ) -> Any:
        structures = self.analysis.segmentation.structures
        told = {
            "tracking_identifier": self._tracking(name),
            "measurements": [self._number(one, one.value) for one in measurements if one.value is not None],
            "qualitative_evaluations": [*evaluations, *_evaluations(measurements)],
            "algorithm_id": AlgorithmIdentification(MODEL, VERSION),
            **_finding(structures.get(region) or STRUCTURES.get(region)),
        }
        if segment is None or self.segmentation is None:
            return MeasurementsAndQualitativeEvaluations(**told)
        reference = ReferencedSegment(
            self.segmentation.SOPClassUID,
            self.segmentation.SOPInstanceUID,
            segment.number,
            source_series=self._series,
        )
        return VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=reference, **told)

    def _of_images(self) -> Any:
        """What is known of the images as a whole: contrast phase and regions of the body."""
        results = self.analysis.results
        evaluations = [
            _evaluation("contrast_phase", results.phase.phase),
            *(_evaluation(f"region_{one.name}", one.presence) for one in results.regions),
        ]
        return MeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._tracking("images"), qualitative_evaluations=evaluations
        )

    def _tracking(self, name: str) -> TrackingIdentifier:
        return TrackingIdentifier(
            identifier=name, uid=tracking_uid(self.analysis.volume.study_instance_uid, name)
        )

    def _number(self, one: Measurement, value: float) -> Number:
        meant = concept_of(one)
        return Number(
            name=concept(meant.name),
            value=value,
            unit=concept(unit_code(one.unit)),
            derivation=concept(meant.derivation) if meant.derivation else None,
            method=concept(meant.method) if meant.method else None,
            algorithm_id=None if is_plain(one) else _how(one),
            referenced_images=self._image(one),
        )

    def _image(self, one: Measurement) -> list[SourceImageForMeasurement] | None:
        """The image of the slice that something was measured on."""
        if one.place is None or one.place.sop_instance_uid is None:
            return None
        image = self.images[one.place.index]
        frames = None if image.frame is None else [image.frame]
        return [SourceImageForMeasurement(image.sop_class_uid, image.sop_instance_uid, frames)]


def _how(one: Measurement) -> AlgorithmIdentification:
    """How a number was measured, where its quantity does not say it."""
    window = [f"values from {one.window[0]:g} to {one.window[1]:g}"] if one.window else None
    return AlgorithmIdentification(one.method, one.version, window)


def _finding(structure: Structure | None) -> dict[str, Any]:
    """What a group is about."""
    if structure is None:
        return {}
    side = concept(structure.laterality) if structure.laterality else None
    sites = [FindingSite(concept(structure.type), side)] if side else None
    return {
        "finding_category": concept(structure.category),
        "finding_type": concept(structure.type),
        "finding_sites": sites if structure.category == ANATOMICAL_STRUCTURE else None,
    }


def _evaluation(name: str, value: str) -> QualitativeEvaluation:
    return QualitativeEvaluation(concept(own_code(name)), concept(own_code(value)))


def _evaluations(measurements: Sequence[Measurement]) -> Iterator[QualitativeEvaluation]:
    """Why numbers are missing, and what to keep in mind about others."""
    for one in measurements:
        if one.value is None:
            yield _evaluation(one.name, one.reason)
        yield from (_evaluation(one.name, warning) for warning in one.warnings)


def _observer() -> ObserverContext:
    """Who measured: software (PS3.16 TID 1004)."""
    device = DeviceObserverIdentifyingAttributes(
        uid=uid_of(MODEL, "device"), name=MODEL, manufacturer_name=MANUFACTURER, model_name=MODEL
    )
    return ObserverContext(concept(Code(*codes.DCM.Device[:3])), device)


def _evidence(analysis: Analysis, images: Sequence[SourceImage], segmentation: Dataset | None) -> Dataset:
    """All objects that the report refers to (PS3.3 C.17.2.1)."""
    named = {image.sop_instance_uid: image._replace(frame=None) for image in images}
    series = [(analysis.volume.series_instance_uid, list(named.values()))]
    if segmentation is not None:
        one = SourceImage(segmentation.SOPClassUID, segmentation.SOPInstanceUID, None)
        series.append((segmentation.SeriesInstanceUID, [one]))
    study = Dataset()
    study.StudyInstanceUID = analysis.volume.study_instance_uid
    study.ReferencedSeriesSequence = []
    for uid, instances in series:
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedSOPSequence = [reference_to(one) for one in instances]
        study.ReferencedSeriesSequence.append(item)
    return study
