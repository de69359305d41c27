"""What decides the results of an analysis, as one number: analyses with the same one have the same results.

with Hashing(stack) as hashing:            in a thread of its own, while the voxels are read
    volume = read_volume(stack)
images = hashing.images()
fingerprint(order, images=images, policy_digest=..., provenance=...)
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from heltig.imaging.metrics.measurement import VERSION
from heltig.imaging.objects import Source
from heltig.imaging.order import Order
from heltig.imaging.segment.segmenter import Provenance
from heltig.imaging.stacking import SliceStack

_CODE: Final = ("imaging", "dicom", "standard")
"""Packages of Heltig that results depend on."""

_KINDS: Final = (".py", ".toml", ".json")


class Image(NamedTuple):
    """A slice as it came.

    Attributes:
        sop_instance_uid: SOP Instance UID (0008,0018) of its object.
        frame: Its number in the object; 0 in objects of one image.
        sha256: Of the file.
    """

    sop_instance_uid: str
    frame: int
    sha256: str


class Hashing:
    """The hashes of the files of a stack, made in a thread.

    Hashing takes as long as reading and needs no Python: while another thread reads the same files, they are
    hashed besides.

    Args:
        stack: The stack.
    """

    def __init__(self, stack: SliceStack) -> None:
        self._stack = stack
        self._thread = ThreadPoolExecutor(1)
        rows = {stack.planes.frames[plane].row: stack.planes.object(plane).source for plane in stack.order}
        self._hashed = self._thread.submit(lambda: {row: _sha256(source) for row, source in rows.items()})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def images(self) -> list[Image]:
        """One for each slice.

        Raises:
            OSError: A file cannot be read.
        """
        planes, hashed = self._stack.planes, self._hashed.result()
        instances = planes.texts("SOPInstanceUID")
        return [
            Image(instances[plane], planes.frames[plane].number, hashed[planes.frames[plane].row])
            for plane in self._stack.order
        ]


def fingerprint(
    order: Order,
    *,
    images: Iterable[Image],
    policy_digest: str,
    provenance: Sequence[Provenance],
    phase_providers: Sequence[str] = (),
) -> str:
    """SHA-256 of all that decides the results, in hexadecimal digits.

    The order of images and of mask files changes nothing. The order of segmenters does: of two structures of
    one name, the second one gets another name.

    Args:
        order: What was asked for. Where files stand and what the analysis is called does not count.
        images: The slices that were read.
        policy_digest: SHA-256 of the selection policy.
        provenance: The segmenters that ran, in this order.
        phase_providers: Versions of what says the contrast phase, beside headers and values.
    """
    decides = {
        "images": sorted(images),
        "policy": policy_digest,
        "segmenters": [_segmenter(one) for one in provenance],
        "request": [order.target, order.slice_metrics, sorted(order.modalities), order.series],
        "optional": sorted(order.optional),
        "height_m": order.height_m,
        "allow_identified": order.allow_identified,
        "converter": order.converter,
        "phase_providers": phase_providers,
        "metrics": VERSION,
        "code": code_digest(),
    }
    return hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()


def _segmenter(ran: Provenance) -> dict[str, object]:
    return {
        "tool": ran.tool,
        "version": ran.version,
        "arguments": ran.arguments,
        "models": ran.models,
        "device": ran.device,
        "inputs": sorted((one.structure, one.sop_instance_uid or "", one.sha256) for one in ran.inputs),
    }


@cache
def code_digest() -> str:
    """SHA-256 over the code that results depend on: the readers, the tables of the standard, imaging."""
    digest = hashlib.sha256()
    for package in _CODE:
        for name, part in _sources(files("heltig") / package, package):
            digest.update(name.encode() + b"\0" + hashlib.sha256(part.read_bytes()).digest())
    return digest.hexdigest()


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    """The files of a package that decide, in the order of their paths; caches and build scripts do not."""
    for part in sorted(folder.iterdir(), key=lambda one: one.name):
        inner = f"{name}/{part.name}"
        if part.is_dir():
            if part.name not in {"__pycache__", "build"}:
                yield from _sources(part, inner)
        elif part.name.endswith(_KINDS):
            yield inner, part


def _sha256(source: Source) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
