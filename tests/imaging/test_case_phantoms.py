"""The phantoms through whole cases: from DICOM files to the numbers in `analysis.json`."""

import json
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imaging.bodies import first_slice, rotation, torso
from imaging.cases import Case, by
from imaging.compression import transcoded
from imaging.phantom import Box, Ellipsoid, Phantom, checkerboard, noise, series, shares
from imaging.segmentations import folder, masks_of, nifti, nifti_with_table, seg
from PIL import Image
from pydicom import dcmread

from heltig.imaging.reading import read_only_volume
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.replay import record

SHOWING = {"sc-1.dcm", "sc-2.dcm", "sc-3.dcm"}
"""Pixels of the images, as DICOM objects."""

ABDOMEN = Phantom.of(
    (120, 100, 50),
    (0.8, 0.8, 2.5),
    [
        Box("liver", (5, 5, 5), (85, 65, 45), 60),
        Box("spleen", (88, 5, 10), (118, 35, 30), 50),
        Box("kidney_right", (10, 70, 10), (30, 90, 30), checkerboard(40, 80)),
        Box("kidney_left", (50, 70, 10), (80, 90, 30), noise(30, 12)),
    ],
)
SMALL = Phantom.of(
    (40, 30, 20),
    (2.0, 2.0, 5.0),
    [Box("liver", (3, 4, 2), (20, 20, 18), 60), Box("spleen", (26, 4, 3), (36, 14, 15), noise(50, 9))],
)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def analysed(case: Case, body: Phantom, masks: Phantom | None = None, **asked: Any) -> Case:
    """A case of a body whose slices are there, with the labels of it or of another drawing of it."""
    path = nifti_with_table(case.folder / "masks" / "labels.nii", masks or body)
    ran = case.run(by("byo-nifti", path=path), **asked)
    assert ran.states[-1] == "done", ran.told[-1]
    return ran


def numbers(case: Case) -> dict[tuple[str, str], Any]:
    """All that was measured, but for what slices are called."""
    return {
        key: (one["status"], one["reason"], one["value"] and float(f"{one['value']:.9g}"))
        for key, one in case.measured().items()
        if "slice" not in key[0]
    }


def test_boxes_two_values_and_noise(case: Case) -> None:
    """P1, P2, P3, P7: slices are 2.5 mm apart, whatever else is written."""
    case.put(ABDOMEN, SliceThickness="5", SpacingBetweenSlices="7")
    analysed(case, ABDOMEN)
    exact = {"liver": 307.2, "spleen": 28.8, "kidney_right": 12.8, "kidney_left": 19.2}
    for key, volume in exact.items():
        assert case.value("volume", key) == pytest.approx(volume, rel=1e-9)
    assert [case.value(f"attenuation_{name}", "liver") for name in ("mean", "sd", "median")] == [60, 0, 60]
    mixed = [case.value(f"attenuation_{name}", "kidney_right") for name in ("mean", "sd", "median")]
    assert mixed == [60, 20, 60]
    count = ABDOMEN.count("kidney_left")
    assert case.value("attenuation_mean", "kidney_left") == pytest.approx(30, abs=4 * 12 / count**0.5)
    assert case.value("attenuation_sd", "kidney_left") == pytest.approx(12, abs=4 * 12 / (2 * count) ** 0.5)
    flat = case.json("resultados.json")
    assert (flat["liver_vol_cm3"], flat["spleen_hu_mean"]) == (case.value("volume", "liver"), 50)
    assert flat == {**flat, **case.json("analysis.json")["flat"]}


@pytest.mark.parametrize("slices", [5, 6])
def test_areas_on_the_slice_through_l3(slices: int, case: Case) -> None:
    """P4: of an even number of slices the lower one of the two in the middle."""
    body = torso(slices)
    case.put(body, PatientSize="1.75")
    analysed(case, body, slice_metrics=True)
    z = first_slice("L3", slices) + (slices - 1) // 2
    assert case.value("L3_slice", "vertebrae_L3") == z
    assert case.json("resultados.json")["slice_L3"] == z
    sma, sat = pi * (150 * 100 - 125 * 80) / 100, pi * (170 * 120 - 150 * 100) / 100
    assert case.value("SMA", "skeletal_muscle") == pytest.approx(sma, rel=2e-3)
    assert case.value("SMI", "skeletal_muscle") == pytest.approx(51.29, rel=2e-3)
    assert case.value("SAT", "subcutaneous_fat") == pytest.approx(sat, rel=2e-3)
    assert case.measured()["SMA", "skeletal_muscle"]["place"]["sop_instance_uid"] == body.uids()[z]
    assert (case.output / "L3_overlay.png").is_file()


def test_values_out_of_the_window(case: Case) -> None:
    """P5: a tenth of the muscle's pixels is fat, a twentieth is too dense."""
    body = torso(5)
    z = first_slice("L3", 5) + 2
    muscle = body.mask("skeletal_muscle")
    values = shares(50, (0.1, -100), (0.05, 200))
    assert callable(values)
    for k in range(body.shape[2]):
        at = np.nonzero(muscle[:, :, k])
        body.voxels[:, :, k][at] = values(*at, np.full(at[0].shape, k))
    case.put(body)
    analysed(case, body, slice_metrics=True, height_m=1.6)
    raw = case.value("SMA_raw", "skeletal_muscle")
    assert raw == pytest.approx(muscle[:, :, z].sum() / 100)
    one = 1.5 / 100  # a pixel, and the rounding of shares
    assert case.value("SMA", "skeletal_muscle") == pytest.approx(0.85 * raw, abs=one)
    assert case.value("IMAT", "skeletal_muscle") == pytest.approx(0.10 * raw, abs=one)
    assert case.value("SMI", "skeletal_muscle") == case.value("SMA", "skeletal_muscle") / 1.6**2


def test_every_way_to_acquire_a_body_gives_the_same(case: Case) -> None:
    """P6: axes flipped, slices the other way round, sagittal, coronal; masks stay as they were."""
    parts = [Box("liver", (3, 4, 2), (20, 20, 18), 60), Box("spleen", (26, 4, 3), (36, 14, 15), noise(50, 9))]
    body = Phantom.of((40, 30, 24), (2.0, 2.0, 2.5), parts)
    case.put(body)
    expected = numbers(analysed(case, body))
    assert expected["volume", "liver"][2] == pytest.approx(body.volume_cm3("liver"))
    for row, column in ("RP", "RA", "PI", "LI"):
        turned = Case(case.folder / f"{row}{column}").put(body.turned(row, column), PatientPosition="FFP")
        assert numbers(analysed(turned, body)) == expected, (row, column)
    leaning = body.placed(rotation(0, 10))
    oblique = numbers(analysed(Case(case.folder / "oblique").put(leaning), leaning))
    assert oblique["volume", "liver"] == expected["volume", "liver"]


def test_what_is_cut_off_has_no_volume(case: Case) -> None:
    """P8."""
    cut = [Box("liver", (3, 4, 8), (20, 20, 20), 60), Box("spleen", (0, 4, 3), (2, 14, 6), 50)]
    body = Phantom.of(SMALL.shape, SMALL.spacing, cut)
    analysed(case.put(body), body)
    for part in cut:
        assert case.why("volume", part.key) == ("truncated", "cut_off")
        assert case.value("observed_volume", part.key) == pytest.approx(part.volume_cm3(body.spacing))
    faces = {one["key"]: one["cut_at"] for one in case.json("analysis.json")["structures"]}
    assert faces == {"liver": ["superior"], "spleen": ["right"]}


def faulty(how: str) -> list[Any]:
    images = series(SMALL)
    match how:
        case "missing":
            del images[9]
        case "duplicate":
            images[9].ImagePositionPatient = images[8].ImagePositionPatient
        case "mixed":
            images[9].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        case "jitter":
            place = images[9].ImagePositionPatient
            images[9].ImagePositionPatient = [place[0], place[1], place[2] + 0.2]
        case "twice":
            again = series(SMALL)
            for number, ds in enumerate(again):
                ds.AcquisitionNumber = 2
                ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
            images += again
        case "tilted":
            images = series(SMALL.tilted(15))
        case "short pixels":
            images[9].PixelData = images[9].PixelData[:-2]
    return images


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("missing", "GEOMETRY_MISSING_SLICE"),
        ("duplicate", "GEOMETRY_DUPLICATE_POSITION"),
        ("mixed", "GEOMETRY_MIXED_ORIENTATION"),
        ("jitter", "GEOMETRY_UNEVEN_SPACING"),
        ("twice", "SEVERAL_VOLUMES"),
        ("tilted", "GEOMETRY_GANTRY_TILT"),
        ("short pixels", "PIXELS_LENGTH"),
    ],
)
def test_faults_are_refused_by_name(how: str, code: str, case: Case) -> None:
    """P9."""
    case.put(*faulty(how))
    path = nifti_with_table(case.folder / "labels.nii", SMALL)
    assert case.run(by("byo-nifti", path=path), slice_metrics=True).refusal == code


def test_values_are_the_same_however_they_are_stored(case: Case, tmp_path: Path) -> None:
    """P9, P14: slopes of slices, signed 12 bits, MONOCHROME1, transfer syntaxes."""
    body = Phantom.of((64, 64, 20), (2.0, 2.0, 5.0), [Box("liver", (3, 4, 2), (60, 50, 18), noise(60, 9))])
    body.voxels[...] = body.voxels // 2 * 2  # of whole slopes of 2, too
    expected = numbers(analysed(case.put(body), body))
    stored: dict[str, Any] = {
        "slopes": series(body, slope=[1, 2] * 10, intercept=-1000.0),
        "inverse": series(body, PhotometricInterpretation="MONOCHROME1"),
        "signed": series(body, signed=True, intercept=0.0, bits_stored=12),
    }
    for syntax in ("big endian", "RLE", "JPEG 2000"):
        stored[syntax] = [transcoded(ds, syntax, tmp_path) for ds in series(body)]
    for name, images in stored.items():
        found = numbers(analysed(Case(case.folder / name).put(*images), body))
        assert found == expected, name


def test_the_volume_of_a_hemorrhage_mask(case: Case) -> None:
    """P10: what lies outside of the skull is in the raw volume only. No volume of a head is written out."""
    body = Phantom.of(
        (85, 100, 76),
        (2.0, 2.0, 2.0),
        [
            Ellipsoid("brain", (84, 99, 74), (70, 85, 60), 35),
            Ellipsoid("intracerebral_hemorrhage", (90, 90, 74), (30, 20, 15), 65),
            Box("intracerebral_hemorrhage", (1, 1, 2), (6, 6, 6), 65),
        ],
    )
    analysed(case.put(body), body)
    region = "intracerebral_hemorrhage"
    volume, raw = (case.value(name, region) for name in ("hemorrhage_volume", "hemorrhage_raw_volume"))
    assert volume == pytest.approx(37.70, rel=1e-2)
    assert raw - volume == pytest.approx(5 * 5 * 4 * 8 / 1000)
    assert case.value("hemorrhage_abc_volume", region) == pytest.approx(36.0, rel=0.05)
    slices = case.json("resultados.json")["hemorrhage_analysis_slices"]
    assert slices == [30 + index for index in (2, 7, 12)]
    assert len(list(case.output.glob("bleed_overlay_*.png"))) == 3
    assert not (case.output / "volume.nii.gz").exists()
    assert {path.name for path in (case.output / "dicom").glob("*.dcm")}.isdisjoint(SHOWING)
    assert analysed(case.again(), body, allow_identified=True)
    assert (case.output / "volume.nii.gz").is_file()
    assert {path.name for path in (case.output / "dicom").glob("*.dcm")} >= SHOWING


def test_a_head_is_not_shown_from_the_side(case: Case) -> None:
    """A sagittal slice is a profile: pictures are axial, unless identified data is allowed."""
    body = Phantom.of((30, 40, 24), (2.0, 2.0, 2.5), [Box("brain", (4, 4, 4), (24, 32, 20), 60)]).turned(
        "P", "I"
    )
    shapes = []
    for allowed in (False, True):
        analysed(case.again() if allowed else case.put(body), body, allow_identified=allowed)
        with Image.open(case.output / "organs_overlay_1.png") as picture:
            shapes.append(picture.height > picture.width * 0.8)
        assert (case.output / "dicom/gsps-1.dcm").is_file(), "outlines without pixels, as acquired"
    assert shapes == [True, False]


@pytest.mark.parametrize(
    ("values", "phase"),
    [
        ((40, 40, 55), "native"),
        ((350, 80, 65), "arterial"),
        ((150, 170, 110), "portal_venous"),
        ((), "unknown"),
    ],
)
def test_phases(values: tuple[int, ...], phase: str, case: Case) -> None:
    """P11, P12: one voxel of a liver is no abdomen."""
    keys = ("aorta", "portal_vein_and_splenic_vein", "liver")
    parts = [
        Box(key, (2 + 22 * n, 2, 2), (22 + 22 * n, 22, 22), value)
        for n, (key, value) in enumerate(zip(keys, values, strict=False))
    ]
    body = Phantom.of((70, 24, 24), (1, 1, 1), [*parts, Box("spleen", (67, 2, 2), (68, 3, 3), 50)])
    analysed(case.put(body), body)
    found = case.json("analysis.json")
    assert found["phase"]["phase"] == phase
    assert case.json("id.json")["series"]["contrast_phase"] == phase
    presence = {one["name"]: one["presence"] for one in found["regions"]}
    assert presence["abdomen"] == "absent"
    assert case.json("resultados.json")["body_regions"] == []


def test_regions(case: Case) -> None:
    """P12."""
    body = Phantom.of(
        (100, 80, 40),
        (2.0, 2.0, 2.0),
        [
            Box("liver", (5, 5, 5), (55, 30, 36), 60),  # 310 cm³
            Box("brain", (60, 5, 5), (65, 50, 25), 35),  # 36 of 300
            Box("sacrum", (5, 60, 10), (6, 70, 20), 200),  # less than a tenth of 40
        ],
    )
    analysed(case.put(body), body)
    presence = {one["name"]: one["presence"] for one in case.json("analysis.json")["regions"]}
    assert {name: presence[name] for name in ("abdomen", "head", "pelvis", "legs")} == {
        "abdomen": "present",
        "head": "partial",
        "pelvis": "absent",
        "legs": "not_evaluated",
    }


def test_one_of_many_series_is_chosen(case: Case) -> None:
    """P13: whatever order the files have, with a line in the audit for each series."""
    zoo: dict[str, dict[str, Any]] = {
        "soft": {"SeriesDescription": "Abdome partes moles", "ConvolutionKernel": "B31f"},
        "bone": {"SeriesDescription": "Osso", "ConvolutionKernel": "B70f"},
        "lung": {"SeriesDescription": "PULMÃO 1mm", "ConvolutionKernel": "B60f"},
        "mip": {"ImageType": ["DERIVED", "SECONDARY", "MIP"], "SeriesDescription": "MIP"},
        "report": {"SeriesDescription": "Dose Report"},
        "scout": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        "no HU": {"RescaleType": "US"},
        "own": {"Manufacturer": "Heltig"},
    }
    bodies = {"thick": Phantom.of((40, 30, 20), (2.0, 2.0, 12.0), []), "short": torso_piece(4)}
    for number, (name, said) in enumerate({**zoo, **{key: {} for key in bodies}}.items()):
        given = {"SeriesNumber": number + 1, "SeriesDescription": name, **said, "StudyInstanceUID": "1.2.3"}
        case.put(bodies.get(name, SMALL), name=name, **given)
    analysed(case, SMALL, target="soft_tissue")
    audit = case.json("selection.json")
    assert case.told[-1].series == SMALL.volume(name="soft").series_instance_uid
    codes = {entry["series_number"]: [one["code"] for one in entry["reasons"]] for entry in audit["entries"]}
    codes.pop(None, None)  # a scout has no images, and so no number
    assert codes == {
        1: [],
        2: [],
        3: ["DESCRIPTION_LUNG"],
        4: ["IMAGE_REFORMATTED", "IMAGE_DERIVED", "DESCRIPTION_UNWANTED"],
        5: ["DESCRIPTION_UNWANTED"],
        7: ["NOT_HOUNSFIELD"],
        8: ["OWN_RESULT"],
        9: ["SLICES_FAR_APART"],
        10: ["SLICES_TOO_FEW"],
    }
    other = Case(case.folder / "other")
    paths = sorted(case.objects.iterdir(), reverse=True)
    analysed(other.put(*(path.read_bytes() for path in paths)), SMALL, target="soft_tissue")
    assert other.json("selection.json") == audit
    assert other.fingerprint == case.fingerprint


def torso_piece(slices: int) -> Phantom:
    return Phantom.of((40, 30, slices), (2.0, 2.0, 5.0), [])


def test_mr_has_volumes_and_no_attenuation(case: Case) -> None:
    """P16."""
    voxels = Phantom(np.abs(SMALL.voxels), SMALL.labels, SMALL.keys, SMALL.spacing)
    analysed(case.put(voxels, modality="MR"), SMALL)
    assert case.value("volume", "liver") == pytest.approx(SMALL.volume_cm3("liver"))
    assert case.why("attenuation_mean", "liver") == ("suppressed", "not_ct")
    flat = case.json("resultados.json")
    assert (flat["modality"], flat["liver_hu_mean"]) == ("MR", None)


@pytest.mark.parametrize(("named", "warnings"), [("T1 MPRAGE sag", []), ("T2 FLAIR", ["t1_only"])])
def test_a_brain_on_mr_is_known_to_be_t1_weighted_or_not(named: str, warnings: list[str], case: Case) -> None:
    head = Phantom.of(SMALL.shape, SMALL.spacing, [Box("brain", (3, 4, 2), (30, 20, 18), 60)], background=3)
    analysed(case.put(head, modality="MR", SeriesDescription=named), head, allow_identified=True)
    assert case.measured()["volume", "brain"]["warnings"] == warnings


def test_three_backends_give_the_same_numbers(case: Case) -> None:
    """P17: NIfTI, DICOM SEG and both together; not only alike, but bit by bit."""
    masks = masks_of(SMALL)
    case.put(SMALL)
    expected = analysed(case, SMALL).json("analysis.json")["measurements"]
    by_folder = case.again().run(by("byo-nifti", path=folder(case.folder / "files", SMALL, masks)))
    assert by_folder.json("analysis.json")["measurements"] == expected
    case.put(seg(SMALL, {"spleen": masks["spleen"]}))
    liver = folder(case.folder / "liver", SMALL, {"liver": masks["liver"]})
    both = case.again().run(by("byo-dicom-seg"), by("byo-nifti", path=liver), by("replay", path=case.folder))
    assert both.json("analysis.json")["measurements"] == expected
    notes = {note["code"]: note["observed"] for note in both.json("analysis.json")["notes"]}
    assert notes["DID_NOT_RUN"] == "replay: no_input"


def test_a_real_series_by_three_backends(corpus: Path, case: Case) -> None:
    """A sagittal MPRAGE; masks are made by its values."""
    paths = sorted((corpus / "gh_FNNDSC__SAG-anon").glob("*.dcm"))
    case.put(*(path.read_bytes() for path in paths))
    volume = read_only_volume(paths)
    box = np.zeros(volume.shape, bool)
    box[60:180, 100:200, 4:20] = True
    bright = volume.voxels > np.median(volume.voxels[box])
    masks = {"liver": box & bright, "spleen": box & ~bright}
    labels = np.select(list(masks.values()), [1, 2]).astype(np.uint16)
    drawn = Phantom(volume.voxels, labels, {1: "liver", 2: "spleen"}, volume.spacing)
    path = nifti(case.folder / "masks.nii.gz", labels, volume.affine)
    path.with_name("masks.json").write_text(json.dumps(dict(drawn.keys)))
    case.run(by("byo-nifti", path=path), allow_identified=True)
    assert case.states[-1] == "done", case.told[-1]
    expected = case.json("analysis.json")["measurements"]
    counted = {one["key"]: one["voxels"] for one in case.json("analysis.json")["structures"]}
    assert counted == {key: mask.sum() for key, mask in masks.items()}
    record(ByoNifti(path).segment(volume), volume, case.folder / "recorded")
    replayed = case.again().run(by("replay", path=case.folder / "recorded"), allow_identified=True)
    assert replayed.json("analysis.json")["measurements"] == expected
    places = [one.sop_instance_uid for one in volume.slices]
    sources = sorted(map(dcmread, paths), key=lambda ds: places.index(ds.SOPInstanceUID))
    case.put(seg(drawn, masks, sources=sources))
    by_seg = case.again().run(by("byo-dicom-seg"), allow_identified=True)
    assert by_seg.json("analysis.json")["measurements"] == expected
