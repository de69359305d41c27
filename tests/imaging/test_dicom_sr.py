"""Measurements as a structured report: the same numbers, and what has none says why."""

import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from imaging.analyses import analysis_of
from imaging.multiframe import enhanced
from imaging.phantom import Box, Phantom, series
from pydicom import dcmread
from pydicom.dataset import Dataset
from unit.dciodvfy import errors_by_dciodvfy

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.identity import encoded, tracking_uid
from heltig.imaging.dicom_out.objects import result_objects
from heltig.imaging.dicom_out.seg import segmentation_object
from heltig.imaging.dicom_out.sr import report_object
from heltig.imaging.dicom_out.sr_codes import concept_of, is_plain, own_code
from heltig.imaging.labels import STRUCTURES
from heltig.imaging.metrics import OPTIONAL
from heltig.imaging.metrics.measurement import REASONS, WARNINGS, Measurement
from heltig.imaging.metrics.phase import PHASES
from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.imaging.volume import LabelMap, Volume

BODY = Phantom.of(
    (60, 50, 24),
    (2.0, 2.0, 5.0),
    [
        Box("skeletal_muscle", (4, 4, 2), (56, 46, 22), 50),
        Box("subcutaneous_fat", (4, 4, 2), (56, 8, 22), -100),
        Box("torso_fat", (30, 30, 2), (40, 40, 22), -90),
        Box("gallbladder", (10, 10, 5), (12, 12, 7), 10),  # the liver is drawn over it: absent
        Box("liver", (8, 10, 4), (28, 30, 18), lambda i, j, k: 55.0 + (i * 7 + j * 3 + k) % 11),
        Box("spleen", (45, 10, 16), (54, 20, 24), 45),  # cut off
        Box("kidney_left", (45, 24, 4), (54, 34, 12), 30),
        Box("vertebrae_L3", (20, 36, 7), (30, 44, 13), 200),
        Box("rib_left_3", (2, 20, 5), (3, 21, 7), 300),  # too small
    ],
    noise_sd=3.0,
)


def with_bodies(volume: Volume) -> list[LabelMap]:
    """The labels, and a second map that says which part of vertebrae is their body."""
    bodies = np.zeros(BODY.shape, np.uint16)
    bodies[20:30, 36:42, 7:13] = 1
    return [BODY.label_map(STRUCTURES), LabelMap(bodies, {1: STRUCTURES["vertebrae_body"]})]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analysis_of(BODY, maps=with_bodies, optional=tuple(OPTIONAL), height_m=1.75)


@pytest.fixture(scope="module")
def objects(analysis: Analysis) -> dict[str, Dataset]:
    return {name: dcmread(BytesIO(encoded(made))) for name, made in result_objects(analysis)}


@pytest.fixture(scope="module")
def groups(objects: dict[str, Dataset]) -> dict[str, Any]:
    """Measurement groups by their tracking identifier, as highdicom reads them."""
    report = highdicom.sr.Comprehensive3DSR.from_dataset(objects["sr.dcm"])
    content = report.content
    found = [*content.get_volumetric_roi_measurement_groups(), *content.get_image_measurement_groups()]
    return {group.tracking_identifier: group for group in found}


def items_of(dataset: Dataset) -> Iterator[Dataset]:
    """All content items below a data set."""
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from items_of(item)


def is_of(number: Any, one: Measurement) -> bool:
    """A number of a report is that of a measurement."""
    meant = concept_of(one)
    return (
        number.name.value == meant.name.value
        and (number.derivation and number.derivation.value) == (meant.derivation and meant.derivation.value)
        and (number.method and number.method.value) == (meant.method and meant.method.value)
    )


def word(code: Any) -> str:
    """Heltig's word that a code stands for."""
    assert code.scheme_designator == "99HELTIG"
    return str(code.meaning).replace(" ", "_")


def test_numbers_are_those_that_were_measured(analysis: Analysis, groups: dict[str, Any]) -> None:
    measured = [one for one in analysis.results.measurements if one.value is not None]
    seen = 0
    for one in measured:
        group = groups[one.region if one.place is None else f"{one.region}, single slices"]
        (number,) = (number for number in group.get_measurements() if is_of(number, one))
        assert number.value == one.value, one
        assert number.unit.value == one.unit
        assert number.unit.scheme_designator == "UCUM"
        seen += 1
    assert seen == sum(len(group.get_measurements()) for group in groups.values())
    assert {one.unit for one in measured} >= {"cm3", "cm2", "[hnsf'U]", "1", "cm2/m2"}


def test_what_has_no_number_says_why(analysis: Analysis, groups: dict[str, Any]) -> None:
    def said(name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in groups[name].get_qualitative_evaluations():
            if one.name.scheme_designator == "99HELTIG":
                found.setdefault(word(one.name), []).append(word(one.value))
        return found

    assert said("liver") == {"structure_status": ["complete"], "fat_fraction_estimate": ["phase_not_native"]}
    assert said("spleen") == {"structure_status": ["truncated"], "volume": ["cut_off"]}
    assert said("gallbladder") == {"structure_status": ["absent"]}
    assert said("rib_left_3")["structure_status"] == ["too_small"]
    assert said("vertebrae_L1")["L1_attenuation_mean"] == ["not_segmented"]
    assert said("images")["contrast_phase"] == ["unknown"]
    assert said("images")["region_abdomen"] == ["partial"]
    for one in analysis.results.measurements:
        if one.value is None and one.region not in ("gallbladder", "rib_left_3"):
            sliced = one.place is not None
            assert one.reason in said(f"{one.region}, single slices" if sliced else one.region)[one.name]


def test_groups_refer_to_the_segments_of_their_structures(
    analysis: Analysis, objects: dict[str, Dataset], groups: dict[str, Any]
) -> None:
    segmentation = objects["seg.dcm"]
    segments = {item.TrackingID: item for item in segmentation.SegmentSequence}
    assert set(segments) == {key for key in analysis.segmentation.structures if key != "gallbladder"}
    for key, item in segments.items():
        reference = groups[key].reference_type, groups[key].referenced_segment
        assert reference[0].meaning == "Referenced Segment"
        (named,) = reference[1][0].ReferencedSOPSequence
        assert named.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert named.ReferencedSegmentNumber == item.SegmentNumber
        assert groups[key].tracking_uid == item.TrackingUID
        assert groups[key].finding_type.value == STRUCTURES[key].type.value
    (site,) = groups["kidney_left"].finding_sites
    assert site.laterality.meaning == "Left"
    slices = groups["skeletal_muscle, single slices"]
    assert slices.tracking_uid == tracking_uid(
        analysis.volume.study_instance_uid, "skeletal_muscle, single slices"
    )


def test_what_is_measured_on_a_slice_refers_to_its_image(analysis: Analysis, groups: dict[str, Any]) -> None:
    area = analysis.results.one("SMA", "skeletal_muscle")
    assert area is not None
    assert area.place is not None
    seen = set()
    for number in groups["skeletal_muscle, single slices"].get_measurements():
        (image,) = number.referenced_images
        seen.add(image.referenced_sop_instance_uid)
        if is_of(number, area):
            assert image.referenced_sop_instance_uid == BODY.uids()[area.place.index]
            assert image.referenced_frame_numbers is None
    assert len(seen) == 3, "the slice, and the ones 5 mm below and above"


def test_frames_are_named_by_number() -> None:
    analysis = analysis_of(BODY, images=lambda phantom: [enhanced([phantom])])
    report = report_object(analysis, None)
    place = analysis.results.one("L3_slice", "vertebrae_L3")
    assert place is not None
    assert place.place is not None
    frames = [
        item.ReferencedSOPSequence[0].ReferencedFrameNumber
        for item in items_of(report)
        if item.ValueType == "IMAGE"
    ]
    assert place.place.index + 1 in frames


def test_all_that_is_referred_to_is_listed_as_evidence(objects: dict[str, Dataset]) -> None:
    report = objects["sr.dcm"]
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == report.StudyInstanceUID
    images, segmentations = study.ReferencedSeriesSequence
    assert [one.ReferencedSOPInstanceUID for one in images.ReferencedSOPSequence] == BODY.uids()
    assert segmentations.SeriesInstanceUID == objects["seg.dcm"].SeriesInstanceUID
    listed = {
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for item in study.ReferencedSeriesSequence
        for one in item.ReferencedSOPSequence
    }
    named = {
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for item in items_of(report)
        for one in item.get("ReferencedSOPSequence", ())
    }
    assert named <= listed
    assert (objects["seg.dcm"].SOPClassUID, objects["seg.dcm"].SOPInstanceUID) in named


def test_it_is_preliminary_unverified_and_says_what_it_is_not_for(objects: dict[str, Dataset]) -> None:
    report = objects["sr.dcm"]
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        *("COMPLETE", "PRELIMINARY", "UNVERIFIED"),
    )
    texts = [str(item.get("TextValue", "")) for item in report.ContentSequence]
    assert {RESEARCH_USE, GATE_USE} <= set(texts)
    assert "Heltig" in texts, "the observer is a device"


def test_what_is_seen_of_a_structure_is_no_volume_of_it(groups: dict[str, Any]) -> None:
    names = {number.name.value for number in groups["spleen"].get_measurements()}
    assert "observed_volume" in names
    assert "118565006" not in names


def test_own_codes_are_short_and_all_different(analysis: Analysis) -> None:
    names = {one.name for one in analysis.results.measurements}
    parts = {f"component_{number}_volume" for number in range(1, 100)}
    words = {*names, *parts, *REASONS, *WARNINGS, *PHASES, "structure_status", "contrast_phase"}
    units = {one.name: one.unit for one in analysis.results.measurements}
    words |= {f"observed_{name}" for name, unit in units.items() if unit in ("cm2", "cm3")}
    codes = {own_code(word).value for word in words}
    assert len(codes) == len(words)
    assert [code for code in codes if len(code) > 16] == []


def test_names_of_what_is_measured_are_all_different(analysis: Analysis) -> None:
    for sliced in (False, True):
        named: dict[Any, Measurement] = {}
        for one in analysis.results.measurements:
            if one.value is not None and (one.place is not None) is sliced:
                other = named.setdefault((one.region, concept_of(one)), one)
                assert other is one, (one, other)
                assert is_plain(one) == (concept_of(one).method is None and "observed" not in one.name) or (
                    concept_of(one).name.scheme == "99HELTIG"
                )


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", ["CT", "MR", "enhanced", "nothing found", "no modality"])
def test_dciodvfy_has_no_objection_and_dsrdump_shows_it(kind: str, *, plain: bool, tmp_path: Path) -> None:
    small = Phantom.of((20, 20, 6), (2.0, 2.0, 5.0), [Box("liver", (2, 2, 1), (18, 18, 5), 60)])
    nothing = [LabelMap(np.zeros(small.shape, np.uint16), {1: STRUCTURES["liver"]})]
    chosen: dict[str, Any] = {
        "CT": {},
        "MR": {"images": lambda phantom: series(phantom, modality="MR", signed=True)},
        "enhanced": {"images": lambda phantom: [enhanced([phantom])]},
        "no modality": {"images": lambda phantom: series(phantom, Modality="")},
        "nothing found": {"maps": lambda volume: nothing},
    }
    analysis = analysis_of(small, **chosen[kind])
    segmentation = segmentation_object(analysis)
    assert (segmentation is None) == (kind == "nothing found")
    file = tmp_path / "sr.dcm"
    file.write_bytes(encoded(report_object(analysis, segmentation, plain=plain)))
    assert errors_by_dciodvfy(file) == []
    if shutil.which("dsrdump"):
        shown = subprocess.run(["dsrdump", str(file)], capture_output=True, text=True, check=True).stdout
        assert "Imaging Measurement Report" in shown
        assert ("Referenced Segment" in shown) == (segmentation is not None)


def test_the_same_analysis_writes_the_same_bytes(analysis: Analysis) -> None:
    again = analysis_of(BODY, maps=with_bodies, optional=tuple(OPTIONAL), height_m=1.75)
    first, second = ({name: encoded(made) for name, made in result_objects(one)} for one in (analysis, again))
    assert first == second
    other = analysis_of(BODY, fingerprint="00" * 32, maps=with_bodies)
    uids = [
        {made[keyword].value for _, made in result_objects(one)}
        for one in (analysis, other)
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID")
    ]
    assert sum(map(len, uids)) == len(set.union(*uids)) == 8
