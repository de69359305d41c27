"""Which attributes an option of PS3.15 table E.1-1 keeps or cleans, by keyword; written by hand.

The package that the actions come from has no columns for the options. Not listed are times, which the Retain
Longitudinal Temporal Information Options (113106, 113107) keep or shift, UIDs, which the Retain UIDs Option
(113110) keeps, and the repeating groups of curves and overlays (113103).
"""

RETAIN_DEVICE = (
    "BeamHoldTransitionDateTime", "CalibrationDate", "CalibrationDateTime", "CalibrationTime", "CassetteID",
    "DateOfInstallation", "DateOfLastCalibration", "DateOfLastDetectorCalibration", "DateOfManufacture",
    "DateTimeOfLastCalibration", "DestinationAE", "DetectorID", "DeviceDescription", "DeviceLabel",
    "DeviceSerialNumber", "DeviceUID", "GantryID", "GeneratorID", "LensMake", "LensModel", "LensSerialNumber",
    "LensSpecification", "ManufacturerDeviceClassUID", "ManufacturerDeviceIdentifier", "ModifyingDeviceID",
    "ModifyingSystem", "NetworkID", "Originator", "PerformedStationAETitle",
    "PerformedStationGeographicLocationCodeSequence", "PerformedStationName",
    "PerformedStationNameCodeSequence", "PlateID", "ReceivingAE", "RequestingAE", "RetrieveAETitle",
    "ScheduledProcedureStepLocation", "ScheduledStationAETitle",
    "ScheduledStationGeographicLocationCodeSequence", "ScheduledStationName",
    "ScheduledStationNameCodeSequence", "ScheduledStudyLocation", "ScheduledStudyLocationAETitle",
    "SelectorAEValue", "SourceManufacturer", "SourceSerialNumber", "StationAETitle", "StationName",
    "TimeOfLastCalibration", "TimeOfLastDetectorCalibration", "TransducerIdentificationSequence",
    "TreatmentMachineName", "UDISequence", "UniqueDeviceIdentifier", "XRayDetectorID", "XRayDetectorLabel",
    "XRaySourceID",
)  # fmt: skip
"""113109, Retain Device Identity Option."""

RETAIN_INSTITUTION = (
    "ClinicalTrialCoordinatingCenterName", "ClinicalTrialProtocolEthicsCommitteeName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "InstitutionAddress", "InstitutionCodeSequence", "InstitutionName",
    "InstitutionalDepartmentName", "InstitutionalDepartmentTypeCodeSequence", "SourceOfPreviousValues",
)  # fmt: skip
"""113112, Retain Institution Identity Option."""

RETAIN_PATIENT = (
    "Allergies", "EthnicGroup", "PatientAge", "PatientSex", "PatientSexNeutered", "PatientSize",
    "PatientState", "PatientWeight", "PreMedication", "PregnancyStatus", "SelectorASValue", "SmokingStatus",
    "SpecialNeeds",
)  # fmt: skip
"""113108, Retain Patient Characteristics Option."""

CLEAN_DESCRIPTORS = (
    "AcquisitionComments", "AcquisitionDeviceProcessingDescription", "AcquisitionFieldOfViewLabel",
    "AcquisitionProtocolDescription", "AdditionalPatientHistory", "AdmittingDiagnosesCodeSequence",
    "AdmittingDiagnosesDescription", "Allergies", "AnnotationGroupDescription", "AnnotationGroupLabel",
    "BeamDescription", "BolusDescription", "ClinicalTrialSeriesDescription",
    "ClinicalTrialTimePointDescription", "CommentsOnRadiationDose", "CommentsOnThePerformedProcedureStep",
    "CompensatorDescription", "ConceptualVolumeCombinationDescription", "ConceptualVolumeDescription",
    "ContainerDescription", "ContrastBolusAgent", "ContributionDescription", "DecompositionDescription",
    "DerivationDescription", "DeviceSettingDescription", "DischargeDiagnosisDescription",
    "DisplacementReferenceLabel", "DoseReferenceDescription", "EntityDescription", "EntityLabel",
    "EntityLongLabel", "EntityName", "EquipmentFrameOfReferenceDescription", "FilterLookupTableDescription",
    "FixationDeviceDescription", "FractionGroupDescription", "FractionationNotes", "FrameComments",
    "IdentifyingComments", "ImageComments", "ImagingServiceRequestComments", "Impressions",
    "InterlockDescription", "InterlockOriginDescription", "InterpretationDiagnosisDescription",
    "InterpretationText", "LabelText", "LongDeviceDescription", "MakerNote", "MedicalAlerts",
    "MultienergyAcquisitionDescription", "Occupation", "PatientComments", "PatientSetupPhotoDescription",
    "PatientState", "PatientTreatmentPreparationMethodDescription",
    "PatientTreatmentPreparationProcedureParameterDescription", "PerformedProcedureStepDescription",
    "PositionAcquisitionTemplateDescription", "PositionAcquisitionTemplateName", "PrescriptionDescription",
    "PrescriptionNotes", "PrescriptionNotesSequence", "PriorTreatmentDoseDescription", "ProtocolName",
    "PyramidDescription", "PyramidLabel", "ROIDescription", "ROIGenerationDescription", "ROIName",
    "ROIObservationDescription", "ROIObservationLabel", "RTPhysicianIntentNarrative", "RTPlanDescription",
    "RTPlanLabel", "RTPlanName", "RTPrescriptionLabel", "RTToleranceSetLabel", "RTTreatmentApproachLabel",
    "RadiationDoseIdentificationLabel", "RadiationDoseInVivoMeasurementLabel",
    "RadiationGenerationModeDescription", "RadiationGenerationModeLabel", "ReasonForOmissionDescription",
    "ReasonForRequestedProcedureCodeSequence", "ReasonForStudy", "ReasonForSuperseding",
    "ReasonForTheAttributeModification", "ReasonForTheImagingServiceRequest",
    "ReasonForTheRequestedProcedure", "ReasonForVisit", "ReasonForVisitCodeSequence",
    "RequestAttributesSequence", "RequestedContrastAgent", "RequestedProcedureComments",
    "RequestedProcedureDescription", "RequestedSeriesDescription", "RequestingService",
    "RespiratoryMotionCompensationTechniqueDescription", "ResultsComments",
    "ScheduledProcedureStepDescription", "SelectorLOValue", "SelectorLTValue", "SelectorSHValue",
    "SelectorSTValue", "SelectorUTValue", "SeriesDescription", "ServiceEpisodeDescription",
    "SetupTechniqueDescription", "ShieldingDeviceDescription", "SpecimenDetailedDescription",
    "SpecimenShortDescription", "StructureSetDescription", "StructureSetLabel", "StructureSetName",
    "StudyComments", "StudyDescription", "TreatmentPositionGroupLabel", "TreatmentSite", "TreatmentSites",
    "TreatmentTechniqueNotes", "TreatmentToleranceViolationDescription", "UserContentLabel",
    "UserContentLongLabel", "VisitComments", "WaveformFilterDescription",
)  # fmt: skip
"""113105, Clean Descriptors Option."""

CLEAN_STRUCTURED = (
    "AcquisitionContextSequence", "ContentSequence", "SpecimenPreparationSequence",
)  # fmt: skip
"""113104, Clean Structured Content Option."""

CLEAN_GRAPHICS = (
    "GraphicAnnotationSequence",
)  # fmt: skip
"""113103, Clean Graphics Option."""

BY_OPTION = {
    "113103": CLEAN_GRAPHICS,
    "113104": CLEAN_STRUCTURED,
    "113105": CLEAN_DESCRIPTORS,
    "113108": RETAIN_PATIENT,
    "113109": RETAIN_DEVICE,
    "113112": RETAIN_INSTITUTION,
}
"""The keywords by the code of the option (PS3.16 CID 7050)."""
