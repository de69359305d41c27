"""Volumes in one object, with functional groups: enhanced CT and MR (PS3.3 A.38, A.36)."""

from heltig.demo.attributes import Attributes, code
from heltig.demo.exam import Series, pixels, stamp
from heltig.demo.modalities.tomography import Weighting
from heltig.demo.modalities.volume import Grid, frame_of_reference

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"

_BY_STACK = [("00209056", "00209111"), ("00209057", "00209111")]
"""Dimensions of an image: Stack ID and In-Stack Position Number, both of Frame Content."""

_PRODUCT: Attributes = {
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
}


def dimensions(organization: str, pointers: list[tuple[str, str]]) -> Attributes:
    """Multi-frame Dimension module (PS3.3 C.7.6.17) over pairs of attribute and functional group."""
    return {
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
        "DimensionIndexSequence": [
            {
                "DimensionOrganizationUID": organization,
                "DimensionIndexPointer": attribute,
                "FunctionalGroupPointer": group,
            }
            for attribute, group in pointers
        ],
    }


def _shared_groups(grid: Grid, region: list[Attributes]) -> Attributes:
    """Functional groups that CT and MR share between all frames (PS3.3 C.7.6.16.2)."""
    return {
        "PixelMeasuresSequence": [{"SliceThickness": grid.step, "PixelSpacing": grid.spacing}],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": grid.cosines}],
        "FrameAnatomySequence": [{"FrameLaterality": "U", "AnatomicRegionSequence": region}],
        "FrameVOILUTSequence": [{"WindowCenter": 40.0, "WindowWidth": 400.0}],
    }


def _frame(series: Series, grid: Grid, index: int) -> Attributes:
    """Functional groups of one frame: where it lies and when it was acquired."""
    when = series.exam.at(series.seconds + index * 0.5)
    return {
        "FrameContentSequence": [
            {
                "FrameAcquisitionNumber": 1,
                "FrameReferenceDateTime": _moment(when),
                "FrameAcquisitionDateTime": _moment(when),
                "FrameAcquisitionDuration": 500.0,
                "StackID": "1",
                "InStackPositionNumber": index + 1,
                "DimensionIndexValues": [1, index + 1],
            }
        ],
        "PlanePositionSequence": [{"ImagePositionPatient": grid.position(index)}],
    }


def _moment(when: object) -> str:
    return f"{when:%Y%m%d%H%M%S.%f}"


def _volume(series: Series, grid: Grid, *, sop_class: str, frame: str, image_type: list[str]) -> Attributes:
    """What the enhanced image objects share outside their functional groups."""
    begun = series.exam.at(series.seconds)
    return {
        **series.document(1, sop_class, seconds=grid.count * 0.5),
        **stamp("Content", series.exam.at(series.seconds + grid.count * 0.5 + 1)),
        **frame_of_reference(frame),
        **pixels(32, 32),
        **dimensions(series.uid("dimensions"), _BY_STACK),
        **_PRODUCT,
        "ImageType": image_type,
        "NumberOfFrames": grid.count,
        "AcquisitionNumber": 1,
        "AcquisitionDateTime": _moment(begun),
        "AcquisitionDuration": grid.count * 0.5,
        "ContentQualification": "PRODUCT",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "PresentationLUTShape": "IDENTITY",
        "AcquisitionContextSequence": [],
        "PerFrameFunctionalGroupsSequence": [_frame(series, grid, index) for index in range(grid.count)],
    }


def enhanced_ct(series: Series, grid: Grid, *, frame: str, region: list[Attributes]) -> Attributes:
    """A spiral CT volume (PS3.3 C.8.15)."""
    groups: Attributes = {
        **_shared_groups(grid, region),
        "IrradiationEventIdentificationSequence": [{"IrradiationEventUID": series.uid("irradiation")}],
        "CTImageFrameTypeSequence": [{"FrameType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], **_PRODUCT}],
        "PixelValueTransformationSequence": [
            {"RescaleIntercept": -1024.0, "RescaleSlope": 1.0, "RescaleType": "HU"}
        ],
        "CTAcquisitionTypeSequence": [
            {
                "AcquisitionType": "SPIRAL",
                "ConstantVolumeFlag": "NO",
                "FluoroscopyFlag": "NO",
            }
        ],
        "CTAcquisitionDetailsSequence": [
            {
                "RotationDirection": "CW",
                "RevolutionTime": 0.5,
                "SingleCollimationWidth": 0.6,
                "TotalCollimationWidth": 38.4,
                "TableHeight": 152.5,
                "GantryDetectorTilt": 0.0,
                "DataCollectionDiameter": 500.0,
            }
        ],
        "CTTableDynamicsSequence": [
            {"TableSpeed": 61.4, "TableFeedPerRotation": 30.7, "SpiralPitchFactor": 0.8}
        ],
        "CTPositionSequence": [
            {
                "TablePosition": 0.0,
                "DataCollectionCenterPatient": [0.0, 0.0, 0.0],
                "ReconstructionTargetCenterPatient": [0.0, 0.0, 0.0],
            }
        ],
        "CTGeometrySequence": [
            {"DistanceSourceToDetector": 1085.6, "DistanceSourceToDataCollectionCenter": 595.0}
        ],
        "CTReconstructionSequence": [
            {
                "ReconstructionAlgorithm": "FILTER_BACK_PROJ",
                "ConvolutionKernel": "STANDARD",
                "ConvolutionKernelGroup": "SOFT_TISSUE",
                "ReconstructionDiameter": grid.width,
                "ReconstructionPixelSpacing": grid.spacing,
                "ReconstructionAngle": 360.0,
                "ImageFilter": "NONE",
            }
        ],
        "CTExposureSequence": [
            {
                "ExposureModulationType": "NONE",
                "ExposureTimeInms": 500.0,
                "XRayTubeCurrentInmA": 210.0,
                "ExposureInmAs": 105.0,
                "CTDIvol": 7.4,
                "CTDIPhantomTypeCodeSequence": code("113691", "DCM", "IEC Body Dosimetry Phantom"),
            }
        ],
        "CTXRayDetailsSequence": [
            {"KVP": 120.0, "FocalSpots": 1.2, "FilterType": "FLAT", "FilterMaterial": "ALUMINUM"}
        ],
    }
    volume = _volume(
        series, grid, sop_class=ENHANCED_CT, frame=frame, image_type=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    )
    return {**volume, "SharedFunctionalGroupsSequence": [groups]}


def enhanced_mr(
    series: Series, grid: Grid, weighting: Weighting, *, frame: str, region: list[Attributes]
) -> Attributes:
    """A two-dimensional spin echo MR volume (PS3.3 C.8.13)."""
    contrast: Attributes = {"ComplexImageComponent": "MAGNITUDE", "AcquisitionContrast": "T2"}
    groups: Attributes = {
        **_shared_groups(grid, region),
        "MRImageFrameTypeSequence": [
            {"FrameType": ["ORIGINAL", "PRIMARY", "T2", "NONE"], **_PRODUCT, **contrast}
        ],
        "PixelValueTransformationSequence": [
            {"RescaleIntercept": 0.0, "RescaleSlope": 1.0, "RescaleType": "US"}
        ],
        "MRTimingAndRelatedParametersSequence": [
            {
                "RepetitionTime": weighting.repetition,
                "FlipAngle": weighting.flip,
                "EchoTrainLength": weighting.train,
                "RFEchoTrainLength": weighting.train,
                "GradientEchoTrainLength": 0,
                "SpecificAbsorptionRateSequence": [
                    {"SpecificAbsorptionRateDefinition": "IEC_WHOLE_BODY", "SpecificAbsorptionRateValue": 0.8}
                ],
                "GradientOutputType": "DB_DT",
                "GradientOutput": 18.5,
                "OperatingModeSequence": [
                    {"OperatingModeType": kind, "OperatingMode": "IEC_NORMAL"}
                    for kind in ("STATIC FIELD", "RF", "GRADIENT")
                ],
            }
        ],
        "MRFOVGeometrySequence": [
            {
                "InPlanePhaseEncodingDirection": "ROW",
                "MRAcquisitionFrequencyEncodingSteps": 32,
                "MRAcquisitionPhaseEncodingStepsInPlane": 32,
                "PercentSampling": 100.0,
                "PercentPhaseFieldOfView": 100.0,
            }
        ],
        "MREchoSequence": [{"EffectiveEchoTime": weighting.echo}],
        "MRModifierSequence": [
            {
                "InversionRecovery": "NO",
                "FlowCompensation": "NONE",
                "Spoiling": "NONE",
                "T2Preparation": "NO",
                "SpectrallySelectedExcitation": "NONE",
                "SpatialPresaturation": "NONE",
                "PartialFourier": "NO",
                "ParallelAcquisition": "NO",
            }
        ],
        "MRImagingModifierSequence": [
            {
                "MagnetizationTransfer": "NONE",
                "BloodSignalNulling": "NO",
                "Tagging": "NONE",
                "TransmitterFrequency": 123.25,
                "PixelBandwidth": 220.0,
            }
        ],
        "MRReceiveCoilSequence": [
            {
                "ReceiveCoilName": "HEAD",
                "ReceiveCoilManufacturerName": "",
                "ReceiveCoilType": "VOLUME",
                "QuadratureReceiveCoil": "YES",
            }
        ],
        "MRTransmitCoilSequence": [
            {"TransmitCoilName": "BODY", "TransmitCoilManufacturerName": "", "TransmitCoilType": "BODY"}
        ],
        "MRAveragesSequence": [{"NumberOfAverages": 1.0}],
    }
    volume = _volume(
        series, grid, sop_class=ENHANCED_MR, frame=frame, image_type=["ORIGINAL", "PRIMARY", "T2", "NONE"]
    )
    return {
        **volume,
        **contrast,
        "SharedFunctionalGroupsSequence": [groups],
        "MagneticFieldStrength": 3.0,
        "ResonantNucleus": "1H",
        "KSpaceFiltering": "NONE",
        "ApplicableSafetyStandardAgency": "IEC",
        "PulseSequenceName": "tse2d",
        "MRAcquisitionType": "2D",
        "EchoPulseSequence": "SPIN",
        "MultipleSpinEcho": "NO",
        "MultiPlanarExcitation": "NO",
        "PhaseContrast": "NO",
        "TimeOfFlightContrast": "NO",
        "SteadyStatePulseSequence": "NONE",
        "EchoPlanarPulseSequence": "NO",
        "SaturationRecovery": "NO",
        "SpectrallySelectedSuppression": "NONE",
        "OversamplingPhase": "NONE",
        "GeometryOfKSpaceTraversal": "RECTILINEAR",
        "RectilinearPhaseEncodeReordering": "LINEAR",
        "SegmentedKSpaceTraversal": "SINGLE",
        "NumberOfKSpaceTrajectories": 1,
    }
