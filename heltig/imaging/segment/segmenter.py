"""What every backend offers, and what it gives back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from heltig.imaging.volume import LabelMap, Volume

Condition: TypeAlias = Literal["ok", "missing_weights", "missing_executable", "missing_licence", "no_input"]

NoteCode: TypeAlias = Literal[
    "RESAMPLED",
    "THRESHOLD",
    "UNMAPPED",
    "SAME_STRUCTURE",
    "NOT_IN_TABLE",
    "BY_FRAME_OF_REFERENCE",
    "OTHER_FRAME_OF_REFERENCE",
    "BESIDE_VOLUME",
    "PART_OF_VOLUME",
    "DID_NOT_RUN",
]

NOTES: Final[Mapping[NoteCode, str]] = {
    "RESAMPLED": "Masks came on another grid, of this size: each voxel took the nearest value.",
    "PART_OF_VOLUME": "The grid of the masks, of this size, is only about a part of the volume: what is "
    "beyond it was not looked at.",
    "BESIDE_VOLUME": "Frames of a segmentation lie beside the volume, and do not count.",
    "THRESHOLD": "Fractions from this one on are inside.",
    "BY_FRAME_OF_REFERENCE": "This segmentation was taken for its frame of reference: it does not refer to "
    "the series.",
    "OTHER_FRAME_OF_REFERENCE": "This segmentation refers to the series, but says that its positions are in "
    "another frame of reference.",
    "UNMAPPED": "This structure is none of Heltig's table: it has its own code and name.",
    "NOT_IN_TABLE": "This label has no name.",
    "SAME_STRUCTURE": "A structure is there again, under this key.",
    "DID_NOT_RUN": "This segmenter was left out.",
}
"""What a note means, in words."""


class Capabilities(NamedTuple):
    """What a backend can do.

    Attributes:
        modalities: Modality (0008,0060) of the series it takes.
        structures: Keys of what it can find; None where its input says that.
        needs_weights: It needs files of a model that do not come with it.
        licence: Whose terms hold for its results, in words.
        research_only: Its results are for research only.
    """

    modalities: frozenset[str]
    structures: frozenset[str] | None
    needs_weights: bool
    licence: str
    research_only: bool = True


class Availability(NamedTuple):
    """Whether a backend could run now. Found without any network.

    Attributes:
        condition: `ok`, or what is missing.
        detail: What to do, in words.
    """

    condition: Condition
    detail: str = ""


class Note(NamedTuple):
    """Something that whoever reads the results should know.

    Attributes:
        code: What it is.
        observed: The structure by its key, a label, a count. Keys may come from names in files: notes go
            where results go, not into logs.
    """

    code: NoteCode
    observed: str


class Input(NamedTuple):
    """What masks were read from.

    Attributes:
        sha256: Of the bytes of the file.
        sop_instance_uid: SOP Instance UID (0008,0018); None where it is no DICOM object.
        structure: The key of the structure that it is the mask of; empty where it says that itself.
    """

    sha256: str
    sop_instance_uid: str | None = None
    structure: str = ""


class Grid(NamedTuple):
    """The grid that masks came on.

    Attributes:
        shape: Voxels along its axes.
        affine: Rows of the 4 × 4 matrix from voxel index to RAS millimetres.
    """

    shape: tuple[int, ...]
    affine: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """How label maps came about.

    Attributes:
        tool: The backend.
        version: Its version.
        inputs: What the masks were read from.
        arguments: With what options, by name.
        models: Identifiers of the models that were used.
        device: What it ran on.
        seconds: How long it took.
        exit_code: Of the program that ran; None where none did.
        resampled_from: Grids that were not the volume's: their masks were resampled, each voxel taking the
            nearest value.
        synthetic: The masks are made up or recorded; they say nothing about this patient.
    """

    tool: str
    version: str
    inputs: tuple[Input, ...]
    arguments: Mapping[str, str]
    seconds: float
    models: tuple[str, ...] = ()
    device: str = "cpu"
    exit_code: int | None = None
    resampled_from: tuple[Grid, ...] = ()
    synthetic: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationResult:
    """What a backend gave.

    Attributes:
        maps: Label maps on the grid of the volume; more than one where structures overlap.
        provenance: How they came about.
        notes: What should be known about them.
    """

    maps: tuple[LabelMap, ...]
    provenance: Provenance
    notes: tuple[Note, ...]


class Segmenter(Protocol):
    """A backend."""

    @property
    def id(self) -> str:
        """Its name, as `byo-nifti`."""

    @property
    def version(self) -> str:
        """Its version; another version may give other masks."""

    def capabilities(self) -> Capabilities:
        """What it can do."""

    def available(self) -> Availability:
        """Whether it could run now."""

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Find structures.

        Args:
            volume: The volume.
            wanted: Keys of the structures that are asked for; None for all there are.

        Raises:
            Refused: There are no masks for this volume, or none that can be read.
        """
