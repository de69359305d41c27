"""The fingerprint of an analysis: the same for the same inputs in any order, another for any other."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imaging.phantom import Box, Phantom, encode, series, write

from heltig.imaging.fingerprint import Hashing, Image, code_digest, fingerprint
from heltig.imaging.order import Order
from heltig.imaging.reading import survey
from heltig.imaging.segment.segmenter import Input, Provenance

ORDER = Order(analysis_id="a", objects=Path("here"), output=Path("there"))
IMAGES = [Image(f"1.2.{n}", 0, f"{n:064x}") for n in range(6)]
MASKS = (Input("b" * 64, structure="liver"), Input("c" * 64, structure="spleen"))
SWAPPED = (Input("b" * 64, structure="spleen"), Input("c" * 64, structure="liver"))
RAN = Provenance("byo-nifti", "1", MASKS, {"layout": "file a structure"}, seconds=1.0)


def made(order: Order = ORDER, images: Any = tuple(IMAGES), policy: str = "p", ran: Any = (RAN,)) -> str:
    return fingerprint(order, images=images, policy_digest=policy, provenance=ran)


@given(st.permutations(IMAGES), st.permutations(MASKS))
def test_the_order_of_files_changes_nothing(images: list[Image], masks: list[Input]) -> None:
    assert made(images=images, ran=[replace(RAN, inputs=tuple(masks))]) == made()


def test_nothing_that_leaves_the_results_as_they_are_changes_it() -> None:
    moved = msgspec.structs.replace(
        ORDER, analysis_id="b", objects=Path("x"), output=Path("y"), verdict="READY", override="asked"
    )
    assert made(moved) == made()
    assert made(ran=[replace(RAN, seconds=9.0)]) == made()
    assert len(made()) == 64


def test_everything_that_decides_changes_it() -> None:
    first, second = MASKS
    other = [
        made(images=IMAGES[1:]),
        made(images=[IMAGES[0]._replace(sha256="f" * 64), *IMAGES[1:]]),
        made(images=[IMAGES[0]._replace(frame=2), *IMAGES[1:]]),
        made(images=[IMAGES[0]._replace(sop_instance_uid="1.3"), *IMAGES[1:]]),
        made(policy="q"),
        made(ran=[]),
        made(ran=[replace(RAN, version="2")]),
        made(ran=[replace(RAN, tool="replay")]),
        made(ran=[replace(RAN, arguments={"layout": "labels"})]),
        made(ran=[replace(RAN, models=("m",))]),
        made(ran=[replace(RAN, device="gpu")]),
        made(ran=[replace(RAN, inputs=(first,))]),
        made(ran=[replace(RAN, inputs=(first._replace(sha256="d" * 64), second))]),
        made(ran=[replace(RAN, inputs=SWAPPED)]),
        made(ran=[RAN, replace(RAN, version="2")]),
        made(ran=[replace(RAN, version="2"), RAN]),
        *(
            made(msgspec.structs.replace(ORDER, **{name: value}))
            for name, value in {
                "target": "brain",
                "slice_metrics": True,
                "modalities": ("CT",),
                "series": "1.2.3",
                "optional": ("aorta",),
                "height_m": 1.75,
                "allow_identified": True,
                "converter": "dcm2niix",
            }.items()
        ),
    ]  # fmt: skip
    assert len({made(), *other}) == len(other) + 1


@pytest.mark.parametrize("as_bytes", [False, True])
def test_files_are_hashed_as_they_are(as_bytes: bool, tmp_path: Path) -> None:
    body = Phantom.of((12, 10, 4), (1.0, 1.0, 2.0), [Box("liver", (2, 2, 1), (8, 8, 3), 60)])
    images = series(body)
    sources = [encode(ds) for ds in images] if as_bytes else write(images, tmp_path)
    (stack,) = survey(reversed(sources)).series[0].stacks
    with Hashing(stack) as hashing:
        pass
    expected = [
        Image(ds.SOPInstanceUID, 0, hashlib.sha256(one if as_bytes else one.read_bytes()).hexdigest())
        for ds, one in zip(images, sources, strict=True)
    ]
    assert hashing.images() == expected


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    paths = write(series(Phantom.of((12, 10, 4), (1.0, 1.0, 2.0), [])), tmp_path)
    (stack,) = survey(paths).series[0].stacks
    paths[2].unlink()
    with Hashing(stack) as hashing:
        pass
    with pytest.raises(FileNotFoundError):
        hashing.images()


def test_code_is_of_one_version() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 64
