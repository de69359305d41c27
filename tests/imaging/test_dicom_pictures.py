"""Secondary captures, presentation states and the PDF: legal, in their place, and read by others."""

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session_from_user_pass
from hypothesis import given
from hypothesis import strategies as st
from imaging.analyses import analysis_of
from imaging.bodies import rotation
from imaging.multiframe import enhanced
from imaging.phantom import Box, Part, Phantom, encode, series, structure, write
from imaging.small_bodies import trunk
from pydicom import dcmread
from pydicom.dataset import Dataset
from servers.orthanc import Orthanc
from unit.dciodvfy import errors_by_dciodvfy

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.gsps import presentation_state
from heltig.imaging.dicom_out.identity import encoded
from heltig.imaging.dicom_out.pdf import encapsulated_pdf
from heltig.imaging.dicom_out.picture_objects import picture_objects
from heltig.imaging.documents.report import report
from heltig.imaging.labels import TASKS
from heltig.imaging.own_results import is_own_result
from heltig.imaging.pictures.colour_space import to_cielab
from heltig.imaging.pictures.layer import Colour
from heltig.imaging.pictures.overlays import Picture, pictures
from heltig.imaging.statements import FOOTER, GATE_USE, RESEARCH_USE
from heltig.imaging.volume import LabelMap

ENCODINGS: dict[str, Any] = {
    "as acquired": lambda body: body,
    "slices reversed": lambda body: body.turned("L", "A"),
    "feet first": lambda body: body.turned("R", "A"),
    "transposed": lambda body: body.turned("P", "L"),
    "oblique": lambda body: body.placed(rotation(0, 10)),
    "sagittal": lambda body: body.turned("P", "I"),
    "coronal, from behind": lambda body: body.turned("R", "I"),
}


class Made:
    """An analysis, its pictures, and the objects made of them as they are read back."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.pictures = pictures(analysis)
        self.files = {name: encoded(ds) for name, ds in picture_objects(analysis, self.pictures)}
        self.objects = {name: dcmread(BytesIO(file)) for name, file in self.files.items()}

    def of(self, kind: str) -> list[tuple[Picture, Dataset]]:
        """Pictures and their objects."""
        return [
            (picture, self.objects[name])
            for number, picture in enumerate(self.pictures, 1)
            if (name := f"{kind}-{number}.dcm") in self.objects
        ]


@cache
def _made(encoding: str = "as acquired") -> Made:
    return Made(analysis_of(ENCODINGS[encoding](trunk())))


def _multi_frame() -> Made:
    return Made(analysis_of(trunk(), images=lambda body: [enhanced([body])]))


# -- all of them


@pytest.mark.oracle
@pytest.mark.parametrize("of", [*ENCODINGS, "multi-frame"])
def test_dciodvfy_has_no_objection(of: str, tmp_path: Path) -> None:
    made = _multi_frame() if of == "multi-frame" else _made(of)
    for name, content in made.files.items():
        file = tmp_path / name
        file.write_bytes(content)
        assert errors_by_dciodvfy(file) == [], name


def test_there_is_an_object_for_each_picture_and_a_report() -> None:
    made = _made()
    count = len(made.pictures)
    assert list(made.files) == [
        *(f"sc-{n}.dcm" for n in range(1, count + 1)),
        *(f"gsps-{n}.dcm" for n in range(1, count + 1)),
        "pdf.dcm",
    ]
    for ds in made.objects.values():
        assert ds.StudyInstanceUID == made.analysis.volume.study_instance_uid
        assert ds.SeriesDescription.startswith("RESEARCH USE ONLY")
        said = ds.ContributingEquipmentSequence[-1].ContributionDescription
        assert RESEARCH_USE in said
        assert GATE_USE in said
        assert is_own_result(manufacturer=ds.Manufacturer)


def test_the_same_analysis_makes_the_same_objects() -> None:
    again = Made(analysis_of(trunk()))
    assert again.files == _made().files


# -- secondary captures


def test_a_capture_has_the_pixels_of_its_picture() -> None:
    for picture, ds in _made().of("sc"):
        assert np.array_equal(ds.pixel_array, picture.pixels)
        assert ds.ImageType == ["DERIVED", "SECONDARY"]
        assert ds.BurnedInAnnotation == "YES"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_pixels_of_a_capture_are_where_those_of_the_image_are(encoding: str) -> None:
    """The middle of a structure, by the plane of the capture and by the phantom."""
    made = _made(encoding)
    body = ENCODINGS[encoding](trunk())
    seen = 0
    for picture, ds in made.of("sc"):
        if picture.view.source is None:
            assert "ImagePositionPatient" not in ds
            continue
        panel, shape = picture.panel, picture.view.shape
        directions = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
        for layer in (one for one in picture.layers if one.number):
            rows, columns = np.nonzero(layer.mask)
            row = panel.top + (rows.mean() + 0.5) / shape[0] * panel.rows - 0.5
            column = panel.left + (columns.mean() + 0.5) / shape[1] * panel.columns - 0.5
            row_mm, column_mm = map(float, ds.PixelSpacing)
            place = np.array(ds.ImagePositionPatient, float)
            place = place + directions[0] * column * column_mm + directions[1] * row * row_mm
            mask = body.mask(layer.name.replace(" ", "_")).copy()
            mask[:, :, [k for k in range(mask.shape[2]) if k != picture.view.index]] = False
            assert np.allclose(place, body.point(np.argwhere(mask).mean(axis=0)), atol=0.01)
            seen += 1
        assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID == picture.view.source.sop_instance_uid
    assert seen >= 4


def test_rows_and_columns_go_to_the_left_and_to_the_back() -> None:
    for encoding in ("as acquired", "feet first", "slices reversed"):
        for _, ds in _made(encoding).of("sc"):
            assert np.allclose(np.array(ds.ImageOrientationPatient, float), [1, 0, 0, 0, 1, 0])
            assert ds.PatientOrientation == ["L", "P"]


# -- presentation states


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_outlines_enclose_the_structures_in_the_image(encoding: str) -> None:
    made = _made(encoding)
    body = ENCODINGS[encoding](trunk())
    states = made.of("gsps")
    assert len(states) >= 2
    for picture, ds in states:
        image = ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
        k = body.uids().index(image.ReferencedSOPInstanceUID)
        names = {one.GraphicLayer: one.GraphicLayerDescription for one in ds.GraphicLayerSequence}
        for annotation in ds.GraphicAnnotationSequence:
            name = names[annotation.GraphicLayer]
            if name not in ("liver", "spleen", "kidney left", "kidney right"):
                continue
            lines = [np.array(one.GraphicData).reshape(-1, 2) for one in annotation.GraphicObjectSequence]
            expected = body.mask(name.replace(" ", "_"))[:, :, k].T
            low, high = lines[0].min(axis=0), lines[0].max(axis=0)
            rows, columns = np.nonzero(expected)
            assert (low.tolist(), high.tolist()) == (
                [columns.min(), rows.min()],
                [columns.max() + 1, rows.max() + 1],
            )
        assert ds.PresentationLUTShape == "IDENTITY"
        assert (float(ds.RescaleSlope), float(ds.RescaleIntercept)) == (1, -1024)
        shown = ds.SoftcopyVOILUTSequence[0]
        low_high = (picture.window.low, picture.window.high)
        assert (float(shown.WindowCenter), float(shown.WindowWidth)) == (sum(low_high) / 2, np.ptp(low_high))


def test_pictures_across_images_have_no_presentation_state() -> None:
    made = _made("coronal, from behind")
    across = [one for one in made.pictures if one.view.source is None]
    assert [one.name for one in across] == ["L3_overlay"]
    assert presentation_state(made.analysis, across[0], number=1) is None


def test_frames_of_enhanced_images_are_named() -> None:
    made = _multi_frame()
    for picture, ds in made.of("gsps"):
        item = ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
        assert picture.view.source is not None
        assert item.ReferencedFrameNumber == picture.view.source.frame
    for picture, ds in made.of("sc"):
        assert picture.view.source is not None
        assert ds.SourceImageSequence[0].ReferencedFrameNumber == picture.view.source.frame


def test_white_is_black_again_where_the_image_is_inverse() -> None:
    inverse = partial(series, PhotometricInterpretation="MONOCHROME1")
    for _, ds in Made(analysis_of(trunk(), images=inverse)).of("gsps"):
        assert ds.PresentationLUTShape == "INVERSE"


def test_mr_has_no_rescale() -> None:
    made = Made(analysis_of(trunk(), images=partial(series, modality="MR", signed=True)))
    for _, ds in made.of("gsps"):
        assert "RescaleSlope" not in ds


def test_long_outlines_are_parted() -> None:
    """A comb: its outline has more points than the length of an element can say."""
    parts: list[Part] = [Box("liver", (1, 1, 0), (2, 4000, 3), 60)]
    parts += [Box("liver", (1, j, 0), (5, j + 1, 3), 60) for j in range(1, 4000, 2)]
    body = Phantom.of((6, 4002, 3), (1.0, 1.0, 1.0), parts)
    made = Made(analysis_of(body))
    ((picture, ds),) = made.of("gsps")
    lines = picture.layers[0].lines
    assert max(map(len, lines)) > 8191
    drawn = ds.GraphicAnnotationSequence[0].GraphicObjectSequence
    assert sum(len(one.GraphicData) // 2 - 1 for one in drawn) == sum(len(line) - 1 for line in lines)
    assert all(one.NumberOfGraphicPoints == len(one.GraphicData) // 2 <= 8000 for one in drawn)


def test_dcmtk_shows_the_image_as_the_presentation_state_says(tmp_path: Path) -> None:
    program = shutil.which("dcmp2pgm")
    if program is None:
        pytest.skip("needs dcmp2pgm (Debian: dcmtk)")
    made = _made()
    images = write(series(trunk()), tmp_path)
    for number, (picture, _) in enumerate(made.of("gsps"), 1):
        state = tmp_path / f"gsps-{number}.dcm"
        state.write_bytes(made.files[state.name])
        shown = tmp_path / "shown.pgm"
        ran = subprocess.run(
            [program, "--pstate", state, images[picture.view.index], shown], capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        width, height, _, pixels = re.match(
            rb"P5\s+(?:#.*\s+)?(\d+) (\d+)\s+(\d+)\s(.*)", shown.read_bytes(), re.S
        ).groups()  # type: ignore[union-attr]
        grey = np.frombuffer(pixels, np.uint8).reshape(int(height), int(width))
        expected = picture.window.grey(picture.view.values).astype(int)
        inside = (expected > 0) & (expected < 255)
        assert np.abs(grey.astype(int) - expected)[inside].max() <= 2


def test_colours_of_layers_are_those_of_cielab() -> None:
    """White, black and primary red under D50, by the formulas of CIE 15."""
    assert to_cielab(Colour(255, 255, 255)) == pytest.approx((65535, 32896, 32896), abs=40)
    assert to_cielab(Colour(0, 0, 0)) == pytest.approx((0, 32896, 32896), abs=2)
    lightness, a, b = to_cielab(Colour(255, 0, 0))
    assert lightness / 655.35 == pytest.approx(54.29, abs=0.05)
    assert (a / 257 - 128, b / 257 - 128) == pytest.approx((80.8, 69.9), abs=0.2)


# -- the report


def _text(document: bytes) -> str:
    """The text of a PDF, as its pages have it."""
    return " ".join(part.decode("latin-1") for part in re.findall(rb"\(([^()]*)\) Tj", document))


def test_the_report_is_whole_and_names_no_patient() -> None:
    made = _made()
    document = report(made.analysis, made.pictures)
    assert RESEARCH_USE.encode() in document
    assert GATE_USE.encode() in document
    text = _text(document)
    for expected in (FOOTER, "liver", "640.0", "SMA", "Research use only"):
        assert expected in text
    assert "Phantom" not in text.replace("Phantom Works", "")
    assert "PHANTOM-1" not in text
    assert document == report(made.analysis, made.pictures)


def test_the_report_of_many_structures_has_two_pages() -> None:
    parts: list[Part] = [
        Box(key, (2 + 4 * (n % 20), 2 + 4 * (n // 20), 1), (5 + 4 * (n % 20), 5 + 4 * (n // 20), 9), 50)
        for n, key in enumerate(TASKS["total"].values())
    ]
    found = analysis_of(Phantom.of((90, 30, 10), (3.0, 3.0, 3.0), parts))
    document = report(found, pictures(found))
    assert document.count(b"/Type /Page\n") + document.count(b"/Type /Page ") == 2


def test_names_stay_in_their_column_of_the_report() -> None:
    """Of one in letters that the fonts do not have the key is shown."""
    body = Phantom.of((40, 20, 8), (3.0, 3.0, 3.0), [Box("W" * 64, (2, 2, 1), (9, 9, 7), 60)])
    other = {1: replace(structure("a_key"), name="肝臓")}
    text = _text(report(analysis_of(body), ()))
    assert re.search(r" W{10,20}\.\.\. ", text)
    assert "a_key" in _text(report(analysis_of(body, maps=lambda _: [LabelMap(body.labels, other)]), ()))


def test_dcm2pdf_gives_the_file_back(tmp_path: Path) -> None:
    program = shutil.which("dcm2pdf")
    if program is None:
        pytest.skip("needs dcm2pdf (Debian: dcmtk)")
    made = _made()
    (tmp_path / "pdf.dcm").write_bytes(made.files["pdf.dcm"])
    subprocess.run([program, tmp_path / "pdf.dcm", tmp_path / "back.pdf"], check=True)
    expected = report(made.analysis, made.pictures)
    assert (tmp_path / "back.pdf").read_bytes().rstrip(b"\0") == expected.rstrip(b"\0")


@given(st.integers(0, 9))
def test_documents_of_any_length_are_encapsulated(length: int) -> None:
    document = b"%PDF" + b"x" * length
    ds = dcmread(BytesIO(encoded(encapsulated_pdf(_made().analysis, document))))
    assert ds.EncapsulatedDocumentLength == len(document)
    assert ds.EncapsulatedDocument[: len(document)] == document
    assert len(ds.EncapsulatedDocument) % 2 == 0


def test_odd_names_are_written_where_they_can_be() -> None:
    body = Phantom.of(
        (30, 30, 4),
        (2.0, 2.0, 5.0),
        [Box("<b>肝\\\n&", (2, 2, 1), (20, 20, 3), 60), Box("x" * 300, (21, 2, 1), (28, 20, 3), 60)],
    )
    made = Made(analysis_of(body))
    ((_, ds),) = made.of("gsps")
    names = [one.GraphicLayerDescription for one in ds.GraphicLayerSequence]
    assert names == ["<b>肝  &", "x" * 64, FOOTER]


# -- archives


@pytest.mark.orthanc
def test_orthanc_takes_them_and_gives_them_back(orthanc: Orthanc) -> None:
    made = _made()
    client = DICOMwebClient(
        orthanc.root, session=create_session_from_user_pass(orthanc.username, orthanc.password)
    )
    sources = [dcmread(BytesIO(encode(ds))) for ds in series(trunk())[:1]]
    answer = client.store_instances([*sources, *made.objects.values()])
    assert not answer.get("FailedSOPSequence"), answer
    assert len(answer.ReferencedSOPSequence) == len(made.objects) + 1
    for ds in made.objects.values():
        back = client.retrieve_instance(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
        assert back == ds
