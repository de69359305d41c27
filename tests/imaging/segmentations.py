"""Masks of phantoms as files that others would send: DICOM SEG, NIfTI with a label table, a folder."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
from highdicom.sr import CodedConcept
from imaging.phantom import Phantom, encode, series
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from heltig.imaging.labels import STRUCTURES
from heltig.imaging.volume import Structure


def seg(
    phantom: Phantom,
    masks: Mapping[str, NDArray[Any]],
    *,
    kind: str = "BINARY",
    structures: Mapping[str, Structure] = STRUCTURES,
    name: str = "phantom",
    labels: Mapping[str, str] | None = None,
    slices: Sequence[int] | None = None,
    sources: Sequence[Dataset] = (),
) -> bytes:
    """Masks by key as a segmentation of the phantom's series; values from 0 to 1 if it is FRACTIONAL.

    The slices may be those of another series, in the order of the masks.
    """
    sources = sources or [dcmread(BytesIO(encode(ds))) for ds in series(phantom, name=name)]
    if slices is not None:
        sources = [sources[k] for k in slices]
    chosen = range(phantom.shape[2]) if slices is None else slices
    stacked = np.stack([masks[key][:, :, list(chosen)].transpose(2, 1, 0) for key in masks], axis=-1)
    descriptions = [
        _description(number, structures[key], (labels or {}).get(key, key))
        for number, key in enumerate(masks, 1)
    ]
    if kind == "LABELMAP":
        numbers = np.arange(1, len(masks) + 1, dtype=np.uint8)
        stacked = (stacked.astype(np.uint8) * numbers).max(axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = highdicom.seg.Segmentation(
            source_images=sources,
            pixel_array=stacked.astype(np.float32 if kind == "FRACTIONAL" else np.uint8),
            segmentation_type=kind,
            segment_descriptions=descriptions,
            series_instance_uid=highdicom.UID(),
            series_number=900,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="Phantom Works",
            manufacturer_model_name="made",
            software_versions="1",
            device_serial_number="1",
            omit_empty_frames=True,
        )
    stream = BytesIO()
    made.save_as(stream)
    return stream.getvalue()


def altered(source: bytes, change: Callable[[Dataset], None]) -> bytes:
    """An object that was changed by somebody careless."""
    ds = dcmread(BytesIO(source))
    change(ds)
    stream = BytesIO()
    ds.save_as(stream)
    return stream.getvalue()


def nifti(path: Path, values: NDArray[Any], affine: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def nifti_with_table(path: Path, phantom: Phantom) -> Path:
    """The labels of a phantom and, beside it, what they mean."""
    nifti(path, phantom.labels, phantom.affine)
    path.with_name(path.name.split(".")[0] + ".json").write_text(json.dumps(dict(phantom.keys)))
    return path


def folder(path: Path, phantom: Phantom, masks: Mapping[str, NDArray[Any]]) -> Path:
    """One file a structure, below `total`."""
    for key, mask in masks.items():
        nifti(path / "total" / f"{key}.nii.gz", mask.astype(np.uint8), phantom.affine)
    return path


def masks_of(phantom: Phantom) -> dict[str, NDArray[Any]]:
    return {key: phantom.mask(key) for key in phantom.keys.values()}


def _description(number: int, structure: Structure, label: str) -> Any:
    made = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=CodedConcept(*structure.category),
        segmented_property_type=CodedConcept(*structure.type),
        algorithm_type="MANUAL",
    )
    if structure.laterality:
        item = made.SegmentedPropertyTypeCodeSequence[0]
        item.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept(*structure.laterality)]
    return made
