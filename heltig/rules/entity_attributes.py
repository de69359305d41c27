"""The attributes that PS3.3 gives to a whole patient, study or series, by the module that has them.

Each is there in every instance, and says the same in all instances of its entity. Listed is what no rule of
its own compares; `docs/entities.md` says which rule has the others.
"""

from functools import cached_property
from typing import Final, NamedTuple

from heltig.dicom.table import Table
from heltig.standard.dictionary import tag_of

_PET: Final = frozenset({"PT"})


class Module(NamedTuple):
    """Attributes of one module.

    Attributes:
        clause: Where PS3.3 has the module.
        attributes: Keywords.
        modalities: Modality of the series in which they belong to the entity; elsewhere the same attribute is
            one of the image. None: of all.
    """

    clause: str
    attributes: tuple[str, ...]
    modalities: frozenset[str] | None = None


class Attribute(NamedTuple):
    """One attribute of an entity, and in which series it belongs to it (see `Module`)."""

    keyword: str
    modalities: frozenset[str] | None


class Attributes:
    """What one rule compares.

    Attributes:
        modules: The attributes by module.
        keywords: All of them, in the order of the modules.
    """

    def __init__(self, *modules: Module) -> None:
        self.modules = modules
        self.keywords = tuple([keyword for module in modules for keyword in module.attributes])

    @cached_property
    def _by_tag(self) -> dict[str, Attribute]:
        return {
            tag_of(keyword): Attribute(keyword, module.modalities)
            for module in self.modules
            for keyword in module.attributes
        }

    def varying(self, table: Table) -> list[Attribute]:
        """Those of which a table has several cells, in the order of their tags; told without decoding."""
        there = self._by_tag.keys() & table.columns.keys()
        return [self._by_tag[tag] for tag in sorted(there) if not table.columns[tag].constant]


SUBJECT: Final = Attributes(
    Module(
        "C.7.1.1",
        (
            *("QualityControlSubject", "PatientSpeciesDescription", "PatientSpeciesCodeSequence"),
            "IssuerOfPatientIDQualifiersSequence",
        ),
    ),
)
"""What else a PatientID stands for: a person, an animal or a phantom, and of which place."""

PATIENT: Final = Attributes(
    Module(
        "C.7.1.1",
        (
            *("OtherPatientNames", "PatientBirthTime", "EthnicGroup", "PatientComments", "TypeOfPatientID"),
            *("EthnicGroupCodeSequence", "OtherPatientIDsSequence", "ReferencedPatientSequence"),
            *("ReferencedPatientPhotoSequence", "PatientAlternativeCalendar"),
            *("PatientBirthDateInAlternativeCalendar", "PatientDeathDateInAlternativeCalendar"),
            *("SourcePatientGroupIdentificationSequence", "GroupOfPatientsIdentificationSequence"),
            *("PatientBreedDescription", "PatientBreedCodeSequence", "BreedRegistrationSequence"),
            *("StrainDescription", "StrainNomenclature", "StrainCodeSequence", "StrainStockSequence"),
            *("StrainAdditionalInformation", "GeneticModificationsSequence"),
            *("ResponsiblePerson", "ResponsiblePersonRole", "ResponsibleOrganization"),
            *("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
        ),
    ),
    Module(
        "C.7.1.3",
        (
            *("ClinicalTrialSponsorName", "ClinicalTrialProtocolName", "ClinicalTrialSiteName"),
            *("IssuerOfClinicalTrialProtocolID", "OtherClinicalTrialProtocolIDsSequence"),
            *("IssuerOfClinicalTrialSiteID", "IssuerOfClinicalTrialSubjectID"),
            "IssuerOfClinicalTrialSubjectReadingID",
            "ClinicalTrialProtocolEthicsCommitteeName",
            "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
        ),
    ),
)
"""Of the patient."""

STUDY: Final = Attributes(
    Module(
        "C.7.2.2",
        (
            *("PatientAge", "AdmissionID", "AdmittingDiagnosesDescription", "AdditionalPatientHistory"),
            *("MedicalAlerts", "Allergies", "PregnancyStatus", "SmokingStatus", "Occupation"),
            *("PatientSexNeutered", "PatientState", "LastMenstrualDate", "PatientBodyMassIndex"),
            *("MeasuredAPDimension", "MeasuredLateralDimension", "PatientSizeCodeSequence"),
            *("AdmittingDiagnosesCodeSequence", "ReasonForVisit", "ReasonForVisitCodeSequence"),
            *("IssuerOfAdmissionIDSequence", "ServiceEpisodeID", "ServiceEpisodeDescription"),
            "IssuerOfServiceEpisodeIDSequence",
        ),
    ),
    Module(
        "C.7.2.1",
        (
            *("NameOfPhysiciansReadingStudy", "PhysiciansOfRecord", "ConsultingPhysicianName"),
            *("ReferringPhysicianIdentificationSequence", "ConsultingPhysicianIdentificationSequence"),
            *("PhysiciansOfRecordIdentificationSequence", "PhysiciansReadingStudyIdentificationSequence"),
            *("IssuerOfAccessionNumberSequence", "RequestingService", "RequestingServiceCodeSequence"),
            *("ProcedureCodeSequence", "ReasonForPerformedProcedureCodeSequence"),
            "ReferencedStudySequence",
        ),
    ),
    Module(
        "C.7.2.3",
        (
            *("ClinicalTrialTimePointDescription", "ClinicalTrialTimePointTypeCodeSequence"),
            *("IssuerOfClinicalTrialTimePointID", "ConsentForClinicalTrialUseSequence"),
            *("LongitudinalTemporalOffsetFromEvent", "LongitudinalTemporalEventType"),
        ),
    ),
)
"""Of the study, the visit and the patient as they came to it."""

MEANING: Final = Attributes(
    Module("C.7.3.1", ("AnatomicalOrientationType",)),
    Module("C.8.11.1", ("PresentationIntentType",)),
    Module("C.8.9.1", ("Units", "SUVType", "DecayCorrection", "CountsSource"), _PET),
)
"""Of the series: what directions and pixel values mean."""

SERIES: Final = Attributes(
    Module(
        "C.7.3.1",
        (
            *("SeriesTime", "OperatorsName", "PerformingPhysicianName", "PerformedProcedureStepID"),
            *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
            *("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime"),
            *("PerformedProcedureStepDescription", "PerformedProtocolCodeSequence"),
            *("CommentsOnThePerformedProcedureStep", "ReferencedPerformedProcedureStepSequence"),
            *("RequestAttributesSequence", "SeriesDescriptionCodeSequence", "RelatedSeriesSequence"),
            *("PerformingPhysicianIdentificationSequence", "OperatorIdentificationSequence"),
            *("SmallestPixelValueInSeries", "LargestPixelValueInSeries"),
        ),
    ),
    Module(
        "C.7.3.2",
        (
            *("ClinicalTrialCoordinatingCenterName", "ClinicalTrialSeriesID"),
            *("IssuerOfClinicalTrialSeriesID", "ClinicalTrialSeriesDescription"),
        ),
    ),
    Module(
        "C.7.4.2",
        (
            *("SynchronizationFrameOfReferenceUID", "SynchronizationTrigger", "TriggerSourceOrType"),
            *("SynchronizationChannel", "AcquisitionTimeSynchronized", "TimeSource"),
            *("TimeDistributionProtocol", "NTPSourceAddress"),
        ),
    ),
    Module("C.8.1.1", ("PlateType", "PhosphorType"), frozenset({"CR"})),
    Module(
        "C.8.4.6",
        ("PatientOrientationCodeSequence", "PatientGantryRelationshipCodeSequence"),
        frozenset({"NM", "PT"}),
    ),
    Module(
        "C.8.9.1",
        (
            *("SeriesType", "NumberOfSlices", "NumberOfTimeSlices", "NumberOfRRIntervals"),
            *("NumberOfTimeSlots", "CorrectedImage", "RandomsCorrectionMethod", "ScatterCorrectionMethod"),
            *("AttenuationCorrectionMethod", "ReconstructionMethod", "ConvolutionKernel"),
            *("ReconstructionDiameter", "CollimatorType", "CollimatorGridName", "FieldOfViewShape"),
            *("FieldOfViewDimensions", "GantryDetectorTilt", "GantryDetectorSlew", "TypeOfDetectorMotion"),
            *("ScanProgressionDirection", "EnergyWindowRangeSequence", "ReprojectionMethod"),
            *("AcquisitionStartCondition", "AcquisitionStartConditionData"),
            *("AcquisitionTerminationCondition", "AcquisitionTerminationConditionData"),
            *("AxialAcceptance", "AxialMash", "TransverseMash", "DetectorElementSize"),
            *("DetectorLinesOfResponseUsed", "CoincidenceWindowWidth", "SecondaryCountsType"),
        ),
        _PET,
    ),
    Module(
        "C.8.9.2", ("RadiopharmaceuticalInformationSequence", "InterventionDrugInformationSequence"), _PET
    ),
    Module("C.8.24.1", ("PerformedProtocolType",)),
    Module(
        "C.8.24.2",
        (
            *("VolumeFrameOfReferenceUID", "TableFrameOfReferenceUID", "PatientFrameOfReferenceSource"),
            *("UltrasoundAcquisitionGeometry", "ApexPosition", "VolumeToTransducerRelationship"),
            *("VolumeToTransducerMappingMatrix", "VolumeToTableMappingMatrix"),
        ),
    ),
)
"""Of the series and its frame of reference."""

DEVICE: Final = Attributes(
    Module(
        "C.7.5.1",
        (
            *("SoftwareVersions", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"),
            *("InstitutionalDepartmentTypeCodeSequence", "GantryID", "SpatialResolution"),
            *("DateOfLastCalibration", "TimeOfLastCalibration", "DateOfManufacture", "DateOfInstallation"),
            *("PixelPaddingValue", "ManufacturerDeviceClassUID", "UDISequence"),
        ),
    ),
    Module(
        "C.8.6.1",
        (
            *("ConversionType", "SecondaryCaptureDeviceID", "SecondaryCaptureDeviceManufacturer"),
            *("SecondaryCaptureDeviceManufacturerModelName", "SecondaryCaptureDeviceSoftwareVersions"),
            *("VideoImageFormatAcquired", "DigitalImageFormatAcquired"),
        ),
    ),
    Module(
        "C.8.12.10",
        ("CameraOwnerName", "LensMake", "LensModel", "LensSerialNumber", "LensSpecification"),
    ),
)
"""Of the equipment that made the series."""
