"""The radiotherapy chain: structure set, plan and dose over a planning CT (PS3.3 A.19, A.20, A.18)."""

from heltig.demo.attributes import Attributes, references
from heltig.demo.exam import Series, pixels, stamp
from heltig.demo.modalities.volume import Grid, frame_of_reference

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
"""What Referenced SOP Class UID of the RT Referenced Study Sequence conventionally names (retired)."""


def structure_set(series: Series, slices: list[Attributes], grid: Grid) -> Attributes:
    """Body and target outlined on every slice (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8)."""
    frame = slices[0]["FrameOfReferenceUID"]
    regions = [(1, "BODY", "EXTERNAL", 0.4, [0, 255, 0]), (2, "PTV 60", "PTV", 0.1, [255, 0, 0])]
    image_series = {
        "SeriesInstanceUID": slices[0]["SeriesInstanceUID"],
        "ContourImageSequence": references(slices),
    }
    study = {
        "ReferencedSOPClassUID": DETACHED_STUDY_MANAGEMENT,
        "ReferencedSOPInstanceUID": slices[0]["StudyInstanceUID"],
        "RTReferencedSeriesSequence": [image_series],
    }
    when = series.exam.at(series.seconds)
    return {
        **series.document(1, RT_STRUCTURE_SET, seconds=0),
        **frame_of_reference(frame),
        **stamp("StructureSet", when),
        "StructureSetLabel": "PLAN CT",
        "ApprovalStatus": "UNAPPROVED",
        "ReferencedFrameOfReferenceSequence": [
            {"FrameOfReferenceUID": frame, "RTReferencedStudySequence": [study]}
        ],
        "StructureSetROISequence": [
            {
                "ROINumber": number,
                "ReferencedFrameOfReferenceUID": frame,
                "ROIName": name,
                "ROIGenerationAlgorithm": "MANUAL",
            }
            for number, name, *_ in regions
        ],
        "ROIContourSequence": [
            {
                "ReferencedROINumber": number,
                "ROIDisplayColor": colour,
                "ContourSequence": [
                    _contour(image, grid.location(index), grid.width * share)
                    for index, image in enumerate(slices)
                ],
            }
            for number, _, _, share, colour in regions
        ],
        "RTROIObservationsSequence": [
            {
                "ObservationNumber": number,
                "ReferencedROINumber": number,
                "RTROIInterpretedType": kind,
                "ROIInterpreter": "",
            }
            for number, _, kind, *_ in regions
        ],
    }


def _contour(image: Attributes, z: float, half: float) -> Attributes:
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
    return {
        "ContourImageSequence": references([image]),
        "ContourGeometricType": "CLOSED_PLANAR",
        "NumberOfContourPoints": len(corners),
        "ContourData": [round(v, 4) for x, y in corners for v in (x, y, z)],
    }


def plan(series: Series, structures: Attributes) -> Attributes:
    """A plan of one static photon beam (PS3.3 C.8.8.9 to C.8.8.14)."""
    start: Attributes = {
        "ControlPointIndex": 0,
        "NominalBeamEnergy": 6.0,
        "DoseRateSet": 400.0,
        "BeamLimitingDevicePositionSequence": [
            {"RTBeamLimitingDeviceType": device, "LeafJawPositions": [-50.0, 50.0]} for device in ("X", "Y")
        ],
        "GantryAngle": 0.0,
        "GantryRotationDirection": "NONE",
        "BeamLimitingDeviceAngle": 0.0,
        "BeamLimitingDeviceRotationDirection": "NONE",
        "PatientSupportAngle": 0.0,
        "PatientSupportRotationDirection": "NONE",
        "TableTopEccentricAngle": 0.0,
        "TableTopEccentricRotationDirection": "NONE",
        "TableTopVerticalPosition": "",
        "TableTopLongitudinalPosition": "",
        "TableTopLateralPosition": "",
        "TableTopPitchAngle": 0.0,
        "TableTopPitchRotationDirection": "NONE",
        "TableTopRollAngle": 0.0,
        "TableTopRollRotationDirection": "NONE",
        "IsocenterPosition": [0.0, 0.0, 0.0],
        "CumulativeMetersetWeight": 0.0,
    }
    beam: Attributes = {
        "BeamNumber": 1,
        "BeamName": "AP",
        "BeamType": "STATIC",
        "RadiationType": "PHOTON",
        "TreatmentMachineName": "LINAC 2",
        "PrimaryDosimeterUnit": "MU",
        "SourceAxisDistance": 1000.0,
        "BeamLimitingDeviceSequence": [
            {"RTBeamLimitingDeviceType": device, "NumberOfLeafJawPairs": 1} for device in ("X", "Y")
        ],
        "TreatmentDeliveryType": "TREATMENT",
        "NumberOfWedges": 0,
        "NumberOfCompensators": 0,
        "NumberOfBoli": 0,
        "NumberOfBlocks": 0,
        "FinalCumulativeMetersetWeight": 1.0,
        "NumberOfControlPoints": 2,
        "ReferencedPatientSetupNumber": 1,
        "ControlPointSequence": [start, {"ControlPointIndex": 1, "CumulativeMetersetWeight": 1.0}],
    }
    fractions: Attributes = {
        "FractionGroupNumber": 1,
        "NumberOfFractionsPlanned": 30,
        "NumberOfBeams": 1,
        "NumberOfBrachyApplicationSetups": 0,
        "ReferencedBeamSequence": [{"ReferencedBeamNumber": 1, "BeamDose": 2.0, "BeamMeterset": 212.0}],
    }
    return {
        **series.document(1, RT_PLAN, seconds=0),
        **frame_of_reference(structures["FrameOfReferenceUID"]),
        **stamp("RTPlan", series.exam.at(series.seconds)),
        "RTPlanLabel": "AP 60 Gy",
        "RTPlanGeometry": "PATIENT",
        "PlanIntent": "CURATIVE",
        "ReferencedStructureSetSequence": references([structures]),
        "DoseReferenceSequence": [
            {
                "DoseReferenceNumber": 1,
                "DoseReferenceStructureType": "SITE",
                "DoseReferenceType": "TARGET",
                "DoseReferenceDescription": "PTV 60",
                "TargetPrescriptionDose": 60.0,
            }
        ],
        "FractionGroupSequence": [fractions],
        "PatientSetupSequence": [{"PatientSetupNumber": 1, "PatientPosition": "HFS"}],
        "BeamSequence": [beam],
        "ApprovalStatus": "UNAPPROVED",
    }


def dose(series: Series, treatment: Attributes, grid: Grid) -> Attributes:
    """The plan's dose as one multi-frame volume (PS3.3 C.8.8.3)."""
    first = Grid(grid.count, grid.step, grid.width, size=16)
    return {
        **series.document(1, RT_DOSE, seconds=0),
        **stamp("Content", series.exam.at(series.seconds)),
        **frame_of_reference(treatment["FrameOfReferenceUID"]),
        **pixels(16, 16, stored=16),
        "PixelSpacing": first.spacing,
        "ImageOrientationPatient": first.cosines,
        "ImagePositionPatient": first.position(0),
        "SliceThickness": "",
        "NumberOfFrames": first.count,
        "FrameIncrementPointer": "3004000C",
        "GridFrameOffsetVector": [round(index * first.step, 4) for index in range(first.count)],
        "DoseUnits": "GY",
        "DoseType": "PHYSICAL",
        "DoseSummationType": "PLAN",
        "DoseGridScaling": 0.001,
        "ReferencedRTPlanSequence": references([treatment]),
        "TissueHeterogeneityCorrection": "IMAGE",
    }
