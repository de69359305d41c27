"""Backend `byo-nifti`: masks that were made elsewhere, as NIfTI.

One file with a label for each structure and a label table in JSON, or a folder with one file a structure, as
TotalSegmentator writes it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec

from heltig.imaging.labels import TASKS, TISSUE
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.layers import Mask, renumbered
from heltig.imaging.segment.naming import Named, by_code, by_name
from heltig.imaging.segment.nifti_masks import (
    SUFFIXES,
    files_in,
    labels_in,
    labels_of,
    structure_patches,
)
from heltig.imaging.segment.recording import Recording
from heltig.imaging.segment.segmenter import Availability, Capabilities, Note, SegmentationResult
from heltig.imaging.volume import Code, LabelMap, Volume

_LARGEST_TABLE: Final = 1 << 20
"""Bytes of a label table."""


_Label: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class _CodeText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code as label tables write it."""

    value: str
    scheme: str
    meaning: str

    def code(self) -> Code:
        return Code(self.value, self.scheme, self.meaning)


class _CodedText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of a label table that has a code."""

    name: str
    type: _CodeText
    category: _CodeText | None = None
    laterality: _CodeText | None = None


@dataclass(frozen=True, slots=True)
class ByoNifti:
    """Masks in NIfTI files.

    Attributes:
        path: A file with a label for each structure, or a folder with a file for each.
        table: The label table of the file: JSON as `{"1": "liver", "2": {"name": …, "type": {"value": …,
            "scheme": …, "meaning": …}}}`; else the one that has the file's name and ends with `.json`.
        task: Instead of a table, one of TotalSegmentator's tasks whose labels they are.
    """

    path: Path
    table: Path | None = None
    task: str | None = None

    id = "byo-nifti"
    version = "1"

    def capabilities(self) -> Capabilities:
        """Any structure, on CT and MR."""
        return Capabilities(frozenset({"CT", "MR"}), None, needs_weights=False, licence="that of the masks")

    def available(self) -> Availability:
        """Whether there are files."""
        if self.path.is_file() or (self.path.is_dir() and any(files_in(self.path))):
            return Availability("ok")
        return Availability("no_input", "There is no NIfTI file of masks.")

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Read the masks; see `Segmenter.segment`."""
        if self.available().condition != "ok":
            raise Refused("MASKS_NOT_FOUND")
        recording = Recording(volume)
        if self.path.is_dir():
            return recording.result(
                self._files(recording),
                tool=self.id,
                version=self.version,
                wanted=wanted,
                arguments={"layout": "file a structure"},
            )
        maps = self._labels(recording, wanted)
        arguments = {"layout": "labels", **({"task": self.task} if self.task else {})}
        return recording.result_of(maps, tool=self.id, version=self.version, arguments=arguments)

    def _files(self, recording: Recording) -> list[Mask]:
        """One mask a file, each read when its turn comes."""
        names, paths = zip(*files_in(self.path), strict=True)
        structures = recording.structures([by_name(name) for name in names])
        return [
            Mask(structure, partial(structure_patches, path, structure.key, recording))
            for structure, path in zip(structures, paths, strict=True)
        ]

    def _labels(self, recording: Recording, wanted: Collection[str] | None) -> tuple[LabelMap, ...]:
        """The labels of a file, which cannot overlap."""
        table = self._table(recording)
        labels = labels_of(self.path, recording)
        unknown = [label for label in labels_in(labels) if label not in table]
        recording.notes += [Note("NOT_IN_TABLE", str(label)) for label in unknown]
        named = {**table, **{label: by_name(f"label {label}") for label in unknown}}
        structures = dict(zip(named, recording.structures(list(named.values())), strict=True))
        asked = {n: one for n, one in structures.items() if wanted is None or one.key in wanted}
        return (renumbered(labels, asked),) if asked else ()

    def _table(self, recording: Recording) -> Mapping[int, Named]:
        """What the labels mean."""
        if self.task is not None:
            if self.task not in TASKS:
                raise Refused("MASKS_LABEL_TABLE", "a task that is not known")
            return {label: by_name(key) for label, key in TASKS[self.task].items()}
        suffix = next((end for end in SUFFIXES if self.path.name.endswith(end)), "")
        path = self.table or self.path.with_name(self.path.name.removesuffix(suffix) + ".json")
        if not path.is_file():
            raise Refused("MASKS_LABEL_TABLE")
        if path.stat().st_size > _LARGEST_TABLE:
            raise Refused("MASKS_LABEL_TABLE", f"more than {_LARGEST_TABLE} bytes")
        try:
            entries = msgspec.json.decode(path.read_bytes(), type=dict[_Label, str | _CodedText])
        except (msgspec.DecodeError, UnicodeDecodeError):  # what it says shows what is in the file
            raise Refused("MASKS_LABEL_TABLE", "not of the form that is described") from None
        recording.read(path)
        return {label: _named(entry) for label, entry in entries.items()}


def _named(entry: str | _CodedText) -> Named:
    if isinstance(entry, str):
        return by_name(entry)
    return by_code(
        entry.category.code() if entry.category else TISSUE,
        entry.type.code(),
        laterality=entry.laterality.code() if entry.laterality else None,
        label=entry.name,
    )
