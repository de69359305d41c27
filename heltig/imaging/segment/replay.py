"""Backend `replay`: gives back what another backend once gave, for tests and demonstrations."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import nibabel

from heltig.imaging.refusal import Refused
from heltig.imaging.segment.layers import Mask, Patch
from heltig.imaging.segment.nifti_masks import labels_of, patches_by_label
from heltig.imaging.segment.recording import Recording
from heltig.imaging.segment.segmenter import Availability, Capabilities, SegmentationResult
from heltig.imaging.volume import LabelMap, Structure, Volume

_LIST: Final = "recording.json"
_FORM: Final = 1


class _Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a recording says.

    Attributes:
        form: The version of this form.
        tool: The backend that gave the masks.
        maps: For each label map, the structures of its labels; the map is `map-1.nii.gz` and so on.
    """

    form: int
    tool: str
    maps: tuple[dict[int, Structure], ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """Masks that were recorded.

    Attributes:
        folder: A recording, as `record` writes it.
    """

    folder: Path

    id = "replay"
    version = "1"

    def capabilities(self) -> Capabilities:
        """Any structure, on CT and MR."""
        return Capabilities(frozenset({"CT", "MR"}), None, needs_weights=False, licence="that of the masks")

    def available(self) -> Availability:
        """Whether there is a recording."""
        if (self.folder / _LIST).is_file():
            return Availability("ok")
        return Availability("no_input", "There is no recording.")

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Read the recording; see `Segmenter.segment`. Its provenance says `synthetic`."""
        if self.available().condition != "ok":
            raise Refused("MASKS_NOT_FOUND")
        try:
            recorded = msgspec.json.decode((self.folder / _LIST).read_bytes(), type=_Recorded)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Refused("MASKS_UNREADABLE", "the list of a recording") from None
        if recorded.form != _FORM:
            raise Refused("MASKS_UNREADABLE", f"a recording of form {recorded.form}")
        recording = Recording(volume)
        recording.read(self.folder / _LIST)
        masks = []
        for number, structures in enumerate(recorded.maps, 1):
            patches = patches_by_label(labels_of(self.folder / _file(number), recording))
            masks += [
                Mask(structure, partial(_patches, patches, label)) for label, structure in structures.items()
            ]
        return recording.result(
            masks,
            tool=self.id,
            version=self.version,
            wanted=wanted,
            arguments={"recorded": recorded.tool},
            synthetic=True,
        )


def record(result: SegmentationResult, volume: Volume, folder: Path) -> None:
    """Write what a backend gave, for `Replay`.

    Args:
        result: What it gave for the volume.
        volume: The volume.
        folder: Where to; it is made if need be.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, found in enumerate(result.maps, 1):
        image: Any = cast(Any, nibabel.Nifti1Image)(found.labels, volume.affine)
        nibabel.save(image, folder / _file(number))
    recorded = _Recorded(_FORM, result.provenance.tool, tuple(_table(found) for found in result.maps))
    (folder / _LIST).write_bytes(msgspec.json.format(msgspec.json.encode(recorded)))


def _table(found: LabelMap) -> dict[int, Structure]:
    return dict(found.structures)


def _file(number: int) -> str:
    return f"map-{number}.nii.gz"


def _patches(patches: dict[int, Patch], label: int) -> list[Patch]:
    return [patches[label]] if label in patches else []
