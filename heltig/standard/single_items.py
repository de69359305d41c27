"""Sequences of which PS3.3 wants no more than one item; written by hand, since the compiled tables lack it.

They are those of which every module and macro that was looked at says "Only a single Item shall be included
in this Sequence", or the like: all functional group macros (PS3.3 C.7.6.16.2), the coded entries that name
one concept, and the references that can be one thing only.
"""

from typing import Final

from heltig.standard.dictionary import tag_of

_FUNCTIONAL_GROUPS: Final = (
    *("CTAcquisitionTypeSequence", "CTExposureSequence", "CTGeometrySequence", "CTImageFrameTypeSequence"),
    *("CTPositionSequence", "CTReconstructionSequence", "CTTableDynamicsSequence"),
    *("CalibrationSequence", "CardiacSynchronizationSequence", "FieldOfViewSequence"),
    *("FrameAcquisitionSequence", "FrameAnatomySequence", "FrameContentSequence"),
    *("FrameDetectorParametersSequence", "FrameDisplayShutterSequence", "FramePixelDataPropertiesSequence"),
    *("IrradiationEventIdentificationSequence", "IsocenterReferenceSystemSequence"),
    *("ObjectThicknessSequence", "PatientOrientationInFrameSequence", "PixelMeasuresSequence"),
    *("PixelValueTransformationSequence", "PlaneOrientationSequence", "PlaneOrientationVolumeSequence"),
    *("PlanePositionSequence", "PlanePositionVolumeSequence", "PositionerPositionSequence"),
    *("ProjectionPixelCalibrationSequence", "RespiratorySynchronizationSequence"),
    *("SharedFunctionalGroupsSequence", "TablePositionSequence", "TemporalPositionSequence"),
    *("UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence"),
    *("XAXRFFrameCharacteristicsSequence", "XRayGeometrySequence"),
)
_CODES: Final = (
    *("AnatomicRegionSequence", "BreedRegistryCodeSequence", "ConceptNameCodeSequence"),
    *("ContainerTypeCodeSequence", "MeasurementUnitsCodeSequence", "PatientSpeciesCodeSequence"),
    *("SpecimenTypeCodeSequence", "StrainSourceRegistryCodeSequence", "ViewCodeSequence"),
    "WaterEquivalentDiameterCalculationMethodCodeSequence",
)
_OTHERS: Final = (
    *("AssigningAgencyOrDepartmentCodeSequence", "AssigningFacilitySequence"),
    *("AssigningJurisdictionCodeSequence", "IssuerOfAccessionNumberSequence", "IssuerOfAdmissionIDSequence"),
    *("IssuerOfPatientIDQualifiersSequence", "IssuerOfServiceEpisodeIDSequence"),
    *("IssuerOfTheContainerIdentifierSequence", "IssuerOfTheSpecimenIdentifierSequence"),
    *("ModalityLUTSequence", "ModifiedAttributesSequence", "PredecessorStructureSetSequence"),
    *("ReferencedPatientPhotoSequence", "ReferencedPatientSequence", "ReferencedStructureSetSequence"),
    *("ReferringPhysicianIdentificationSequence", "SourcePatientGroupIdentificationSequence"),
)

SINGLE_ITEM: Final = frozenset(map(tag_of, (*_FUNCTIONAL_GROUPS, *_CODES, *_OTHERS)))
"""Their tags."""
