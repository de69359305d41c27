"""Why images are refused: closed codes that a person, a page and a program can act upon.

A refusal is a normal outcome, not a fault of Heltig. The codes of geometry name what the gate's rules GEO-…
find in the same images; a volume is stricter, since what is measured in it must be right.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from heltig.errors import InputError

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NO_IMAGES": "There is no CT or MR image among the files.",
        "INSTANCE_CONFLICT": "Images that differ have one SOP Instance UID: nobody could say which is meant.",
        "GEOMETRY_NOT_GIVEN": "Images have no position, orientation or spacing. Send the series again "
        "from the modality: these cannot be made up.",
        "GEOMETRY_ORIENTATION": "The directions of rows and columns are not of length 1, or not at a right "
        "angle.",
        "GEOMETRY_MIXED_ORIENTATION": "The images of the series are not parallel. Take stray images out.",
        "GEOMETRY_MIXED_FRAME_OF_REFERENCE": "The images of one stack have several frames of reference: "
        "their positions cannot be compared.",
        "GEOMETRY_TOO_FEW_SLICES": "Fewer than two slices are no volume.",
        "GEOMETRY_MISSING_SLICE": "The stack has gaps of whole slices. Send the series again, complete.",
        "GEOMETRY_DUPLICATE_POSITION": "Several images stand at one place, and nothing tells them apart.",
        "GEOMETRY_UNEVEN_SPACING": "The slices are not at even distances.",
        "GEOMETRY_SHIFTED_SLICE": "Slices are shifted sideways against the others.",
        "GEOMETRY_GANTRY_TILT": "The slices are tilted against the axis of the stack: nothing is measured on "
        "single slices.",
        "PIXELS_FORMAT": "Pixels are not single numbers of 8 or 16 bits each: colour, floats, packed bits.",
        "PIXELS_LENGTH": "The pixel data are shorter than rows and columns ask for. Send the image again.",
        "PIXELS_UNDECODABLE": "Compressed pixel data could not be decompressed.",
        "RESCALE_NOT_LINEAR": "A table maps the values, or a slope that is zero or far too large.",
        "SEVERAL_VOLUMES": "There is more than one volume. Say which one is meant.",
        "TOO_LARGE": "The volume is larger than the limit.",
        "MASKS_NOT_FOUND": "There are no masks for this series.",
        "MASKS_UNREADABLE": "Masks are damaged, or of a kind that is not read. Export them again.",
        "MASKS_VALUES": "Values of masks are no labels: whole numbers from 0 to 65,535, or one value in the "
        "file of one structure.",
        "MASKS_LABEL_TABLE": "Nothing says what the labels mean: a label table in JSON belongs beside the "
        "masks.",
        "MASKS_GRID": "Masks do not say where their voxels lie in the patient.",
        "MASKS_ELSEWHERE": "Masks lie wholly beside the volume: they are of other images.",
        "MASKS_TOO_LARGE": "Masks have more voxels than the limit.",
        "IDENTIFIED": "Objects do not say that the identity of the patient was removed (0012,0062), and "
        "identified data is not allowed.",
        "STUDIES_MIXED": "The objects are of more than one study. Give those of one.",
        "SERIES_NOT_FOUND": "The series that was asked for is not among the objects.",
        "NO_SERIES": "No series is fit to be measured. The audit of the selection says why of each.",
        "NO_SEGMENTER": "No segmenter that was ordered can run for this series now.",
        "STUDY_CONFLICT": "The images do not agree on the patient or the study: nothing can be written for "
        "either.",
        "STUDY_TEXT": "The images name the patient or the study with bytes that their character set does not "
        "have: what is written could not name them as the archive does.",
        "SOURCE_NOT_NAMED": "Images, their series or their study have no legal UID that results could refer "
        "to.",
        "SEGMENTER_NOT_READY": "The program, the weights or the licence of a segmenter are missing.",
        "SEGMENTER_MODALITY": "The segmenter takes no series of this modality.",
        "SEGMENTER_COVERAGE": "The series does not cover what the segmenter has to see.",
        "SEGMENTER_TIMEOUT": "The program of a segmenter did not end in time and was ended.",
        "SEGMENTER_FAILED": "The program of a segmenter ended with an error, or did not give what it has to.",
    }
)
"""What each code means and what to do, in words."""


class Refused(InputError):
    """Images that no volume is made of, masks that cannot be taken for one, or a study not to be analysed.

    Attributes:
        code: One of `CODES`.
        observed: What was seen, in numbers, as the widest gap; empty where the code says it all.
    """

    problem_type: ClassVar[str] = "/problems/imaging-refused"
    title: ClassVar[str] = "Images refused"

    def __init__(self, code: str, observed: str = "") -> None:
        words = CODES[code]
        super().__init__(f"{code}: {words}" + (f" Observed: {observed}." if observed else ""))
        self.code = code
        self.observed = observed
