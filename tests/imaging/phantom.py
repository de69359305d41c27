"""Phantoms: bodies made of boxes, ellipsoids and rings, whose volumes and values are known exactly.

    phantom = Phantom.of((100, 80, 40), (0.8, 0.8, 2.5), [Box("liver", (10, 10, 5), (90, 70, 35), 60)])
    phantom.volume()               a Volume made without DICOM
    phantom.label_map()            the LabelMap on its grid
    phantom.volume_cm3("liver")    by counting; `Box(...).volume_cm3(spacing)` by formula
    series(phantom)                its slices as pydicom data sets, for `write(data_sets, folder)`
    series(phantom.turned("L", "I"))      the same body, acquired coronally

A phantom is drawn on a grid (i, j, k) whose axes are left, posterior and superior, as axial slices of a
patient who lies head first on the back. `turned` gives the same body on another grid; `placed` puts it
elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from heltig.imaging.volume import (
    HOUNSFIELD,
    NO_UNIT,
    Code,
    LabelMap,
    Slice,
    Structure,
    Technique,
    Volume,
)

Index = tuple[int, int, int]
Triple = tuple[float, float, float]
Values = float | Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], Any]
"""A value for all voxels of a part, or one for each of its voxels by their indices i, j, k."""

AIR: Final = -1000
CT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.4"

_LETTERS: Final = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}


class Part(Protocol):
    """Something that is drawn; later parts are drawn over earlier ones. Without a key it has no label."""

    key: str
    value: Values

    def mask(self, shape: Index, spacing: Triple) -> NDArray[Any]: ...

    def volume_cm3(self, spacing: Triple) -> float: ...


@dataclass(frozen=True)
class Box:
    """Voxels from `low` up to but without `high`."""

    key: str
    low: Index
    high: Index
    value: Values

    def mask(self, shape: Index, spacing: Triple) -> NDArray[Any]:
        mask = np.zeros(shape, bool)
        mask[tuple(slice(a, b) for a, b in zip(self.low, self.high, strict=True))] = True
        return mask

    def volume_cm3(self, spacing: Triple) -> float:
        edges = [(b - a) * mm for a, b, mm in zip(self.low, self.high, spacing, strict=True)]
        return edges[0] * edges[1] * edges[2] / 1000


@dataclass(frozen=True)
class Ellipsoid:
    """Voxels whose centres are inside; millimetres from the centre of voxel (0, 0, 0)."""

    key: str
    centre: Triple
    radii: Triple
    value: Values

    def mask(self, shape: Index, spacing: Triple) -> NDArray[Any]:
        axes = _axes(shape, spacing)
        terms = [((a - c) / r) ** 2 for a, c, r in zip(axes, self.centre, self.radii, strict=True)]
        return terms[0] + terms[1] + terms[2] <= 1

    def volume_cm3(self, spacing: Triple) -> float:
        return 4 / 3 * np.pi * self.radii[0] * self.radii[1] * self.radii[2] / 1000


@dataclass(frozen=True)
class Ring:
    """An elliptic tube along k, from slice `low` up to but without `high`; without inner radii a full one."""

    key: str
    centre: tuple[float, float]
    outer: tuple[float, float]
    value: Values
    inner: tuple[float, float] = (0.0, 0.0)
    low: int = 0
    high: int | None = None

    def mask(self, shape: Index, spacing: Triple) -> NDArray[Any]:
        x, y, _ = _axes(shape, spacing)
        x, y = x - self.centre[0], y - self.centre[1]
        mask = (x / self.outer[0]) ** 2 + (y / self.outer[1]) ** 2 <= 1
        if all(self.inner):
            mask = mask & ((x / self.inner[0]) ** 2 + (y / self.inner[1]) ** 2 > 1)
        slices = np.zeros(shape, bool)
        slices[:, :, self.low : self.high] = True
        return mask & slices

    def area_cm2(self) -> float:
        return float(np.pi * (self.outer[0] * self.outer[1] - self.inner[0] * self.inner[1]) / 100)

    def volume_cm3(self, spacing: Triple) -> float:
        assert self.high is not None, "a tube without end has no volume"
        return self.area_cm2() * (self.high - self.low) * spacing[2] / 10


def checkerboard(a: float, b: float) -> Values:
    """Two values by turns, like the fields of a chess board in space."""
    return lambda i, j, k: np.where((i + j + k) % 2, b, a)


def noise(mean: float, sd: float, *, seed: int = 1) -> Values:
    """Normally distributed whole numbers."""
    return lambda i, j, k: np.random.default_rng(seed).normal(mean, sd, i.shape).round()


def shares(rest: float, *parts: tuple[float, float]) -> Values:
    """Exact shares of voxels that have other values: `shares(50, (0.1, -100), (0.05, 200))`."""

    def values(i: NDArray[Any], j: NDArray[Any], k: NDArray[Any]) -> Any:
        found, start = np.full(i.shape, float(rest)), 0
        for share, value in parts:
            count = round(share * i.size)
            found[start : start + count] = value
            start += count
        return found

    return values


@dataclass(frozen=True, eq=False)
class Phantom:
    """A body on a grid.

    Attributes:
        voxels: int16 by (i, j, k).
        labels: uint16 by (i, j, k), 0 is background.
        keys: What each label is called.
        directions: In LPS, unit vectors in which i and j grow, and the step from slice to slice in units of
            the spacing (it leans where the stack is tilted).
        spacing: Millimetres along i, j and the normal.
        origin: LPS position of voxel (0, 0, 0).
    """

    voxels: NDArray[Any]
    labels: NDArray[Any]
    keys: Mapping[int, str]
    spacing: Triple
    origin: Triple = (-100.0, -120.0, -60.0)
    directions: NDArray[Any] = field(default_factory=lambda: np.eye(3))

    @classmethod
    def of(
        cls,
        shape: Index,
        spacing: Triple,
        parts: Iterable[Part],
        *,
        background: float = AIR,
        noise_sd: float = 0.0,
        seed: int = 1,
    ) -> "Phantom":
        """Draw parts, one over the other, then add noise to all of it."""
        voxels = np.full(shape, background, np.int16, order="F")
        labels = np.zeros(shape, np.uint16, order="F")
        numbers: dict[str, int] = {}
        for part in parts:
            mask = part.mask(shape, spacing)
            voxels[mask] = part.value(*np.nonzero(mask)) if callable(part.value) else part.value
            labels[mask] = numbers.setdefault(part.key, len(numbers) + 1) if part.key else 0
        if noise_sd:
            voxels += np.random.default_rng(seed).normal(0, noise_sd, shape).round().astype(np.int16)
        return cls(voxels, labels, {number: key for key, number in numbers.items()}, spacing)

    # -- the same body otherwise

    def turned(self, row: str, column: str) -> "Phantom":
        """The same body on a grid whose i and j grow towards `row` and `column`: L R P A S I, of this grid.

        The third axis is their cross product, in which slices are counted.
        """
        axes = [_LETTERS[row], _LETTERS[column]]
        vectors = [sign * np.eye(3)[axis] for axis, sign in axes]
        third = np.cross(vectors[0], vectors[1])
        axes.append((int(np.argmax(np.abs(third))), int(third.sum())))
        order = [axis for axis, _ in axes]
        flips = tuple(slice(None, None, sign) for _, sign in axes)
        start = [0 if sign > 0 else self.voxels.shape[axis] - 1 for axis, sign in axes]
        index = np.zeros(3)
        index[order] = start
        return replace(
            self,
            voxels=np.asfortranarray(self.voxels.transpose(order)[flips]),
            labels=np.asfortranarray(self.labels.transpose(order)[flips]),
            spacing=tuple(self.spacing[axis] for axis in order),
            origin=tuple(self.point(index).tolist()),
            directions=np.stack([sign * self.directions[:, axis] for axis, sign in axes], axis=1),
        )

    def placed(self, rotation: NDArray[Any] | None = None, origin: Triple | None = None) -> "Phantom":
        """The same body turned in space by a rotation matrix (LPS), its first voxel elsewhere."""
        directions = self.directions if rotation is None else rotation @ self.directions
        return replace(self, directions=directions, origin=origin or self.origin)

    def tilted(self, degrees: float) -> "Phantom":
        """Slices stay as they are, but each is shifted along j, as with a tilted gantry."""
        directions = self.directions.copy()
        directions[:, 2] += np.tan(np.radians(degrees)) * directions[:, 1]
        return replace(self, directions=directions)

    # -- exact answers

    @property
    def shape(self) -> Index:
        i, j, k = self.voxels.shape
        return i, j, k

    def point(self, index: Any) -> Any:
        """The LPS position of a voxel."""
        return np.asarray(self.origin) + (self.directions * np.asarray(self.spacing)) @ np.asarray(index)

    @property
    def affine(self) -> NDArray[Any]:
        """From (i, j, k) to RAS millimetres."""
        affine = np.eye(4)
        affine[:3, :3] = self.directions * np.asarray(self.spacing)
        affine[:3, 3] = self.origin
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine

    @property
    def voxel_mm3(self) -> float:
        return float(np.prod(self.spacing))

    def count(self, key: str) -> int:
        return int(self.mask(key).sum())

    def mask(self, key: str) -> NDArray[Any]:
        return self.labels == {key: number for number, key in self.keys.items()}[key]

    def volume_cm3(self, key: str) -> float:
        """By counting voxels."""
        return self.count(key) * self.voxel_mm3 / 1000

    # -- as the types of the product

    def uids(self, name: str = "phantom") -> list[str]:
        return [_uid(name, "instance", str(k)) for k in range(self.shape[2])]

    def volume(self, *, modality: str = "CT", name: str = "phantom", **technique: Any) -> Volume:
        """What reading its series should give, made without DICOM."""
        sop_class = MR_IMAGE if modality == "MR" else CT_IMAGE
        places = [tuple(self.point((0, 0, k)).tolist()) for k in range(self.shape[2])]
        return Volume(
            voxels=self.voxels,
            affine=self.affine,
            slices=tuple(Slice(u, sop_class, p) for u, p in zip(self.uids(name), places, strict=True)),
            technique=Technique(modality=modality, **technique),
            study_instance_uid=_uid(name, "study"),
            series_instance_uid=_uid(name, "series"),
            frame_of_reference_uid=_uid(name, "frame of reference"),
            unit=NO_UNIT if modality == "MR" else HOUNSFIELD,
            tilted=bool(np.any(np.abs(self.directions.T @ self.directions - np.eye(3)) > 1e-3)),
        )

    def label_map(self, structures: Mapping[str, Structure] = MappingProxyType({})) -> LabelMap:
        """Its labels; structures not given have codes of no scheme."""
        return LabelMap(
            self.labels, {n: structures.get(key) or structure(key) for n, key in self.keys.items()}
        )


def structure(key: str) -> Structure:
    """A structure with codes that only tests have."""
    return Structure(key, key, Code("anatomy", "99TEST", "Anatomy"), Code(key, "99TEST", key))


def series(
    phantom: Phantom,
    *,
    name: str = "phantom",
    modality: str = "CT",
    slope: float | Sequence[float] = 1.0,
    intercept: float = -1024.0,
    signed: bool = False,
    bits_stored: int = 16,
    transfer_syntax: str = ExplicitVRLittleEndian,
    **attributes: Any,
) -> list[Dataset]:
    """The slices of a phantom as data sets, by k, which a test may then spoil.

    Args:
        phantom: The body.
        name: What all UIDs are made of; but for the series', those of instances have it too.
        modality: CT or MR. MR has no rescale unless slope or intercept is not the default.
        slope: Rescale Slope, of all or of each slice. Stored values are (value - intercept) / slope.
        intercept: Rescale Intercept.
        signed: Pixel Representation 1.
        bits_stored: Bits Stored; 16 are allocated.
        transfer_syntax: Of the file meta; the pixel data stay native (see `encode`).
        attributes: By keyword, for every slice.
    """
    slices = phantom.shape[2]
    slopes = [float(slope)] * slices if isinstance(slope, int | float) else [float(one) for one in slope]
    if modality == "MR" and intercept == -1024.0:
        intercept = 0.0
    found = []
    for k, uid in enumerate(phantom.uids(name)):
        ds = _identified(name, modality, transfer_syntax)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
        ds.InstanceNumber = k + 1
        ds.AcquisitionNumber = 1
        ds.ImagePositionPatient = [_ds(x) for x in phantom.point((0, 0, k))]
        ds.ImageOrientationPatient = [_ds(x) for x in phantom.directions[:, :2].T.ravel()]
        ds.PixelSpacing = [_ds(phantom.spacing[1]), _ds(phantom.spacing[0])]
        ds.SliceThickness = _ds(phantom.spacing[2])
        if modality == "CT" or slopes[k] != 1 or intercept:
            ds.RescaleSlope, ds.RescaleIntercept = _ds(slopes[k]), _ds(intercept)
        stored = (phantom.voxels[:, :, k].T.astype(float) - intercept) / slopes[k]
        put_pixels(ds, stored.round(), signed=signed, bits_stored=bits_stored)
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
        found.append(ds)
    return found


def put_pixels(ds: Dataset, stored: NDArray[Any], *, signed: bool = False, bits_stored: int = 16) -> None:
    """Set the image pixel module of a data set: rows × columns, or frames × rows × columns."""
    low, high = (
        (-(1 << bits_stored - 1), (1 << bits_stored - 1) - 1) if signed else (0, (1 << bits_stored) - 1)
    )
    assert stored.min() >= low, "the stored values do not fit"
    assert stored.max() <= high, "the stored values do not fit"
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits_stored, bits_stored - 1
    ds.PixelRepresentation = int(signed)
    ds.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
    ds["PixelData"].VR = "OW"


def encode(ds: Dataset) -> bytes:
    """A data set as a Part 10 file in the transfer syntax of its file meta (native ones)."""
    stream = BytesIO()
    syntax = ds.file_meta.TransferSyntaxUID
    ds.save_as(stream, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    return stream.getvalue()


def write(data_sets: Iterable[Dataset], folder: Path) -> list[Path]:
    """Data sets as files, in the order given."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(data_sets):
        path = folder / f"{number:05}.dcm"
        path.write_bytes(encode(ds))
        paths.append(path)
    return paths


def _identified(name: str, modality: str, transfer_syntax: str) -> Dataset:
    """What all images of a series have in common."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.SOPClassUID = MR_IMAGE if modality == "MR" else CT_IMAGE
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if modality == "CT" else ["ORIGINAL", "PRIMARY", "M"]
    ds.Modality, ds.Manufacturer = modality, "Phantom Works"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20260102", "101500", "A1", "1"
    ds.ReferringPhysicianName = ""
    ds.PatientName, ds.PatientID = "Phantom^Heltig", "PHANTOM-1"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientPosition = "", "O", "HFS"
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "made, not measured"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(name, "study"), _uid(name, "series")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = _uid(name, "frame of reference"), ""
    ds.SeriesNumber, ds.SeriesDescription = 2, "Phantom"
    if modality == "CT":
        ds.KVP, ds.ConvolutionKernel, ds.RescaleType = "120", "Br40", "HU"
    return ds


def _uid(name: str, *what: str) -> str:
    return str(generate_uid(prefix="1.2.826.0.1.3680043.10.1.", entropy_srcs=[name, *what]))


def _ds(number: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2)."""
    for digits in range(16, 0, -1):
        text = f"{float(number) + 0.0:.{digits}g}"
        if len(text) <= 16:
            return text
    raise AssertionError(number)


def _axes(shape: Index, spacing: Triple) -> Any:
    """Millimetres of voxel centres along each axis, to be broadcast."""
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    return [grid * mm for grid, mm in zip(grids, spacing, strict=True)]
