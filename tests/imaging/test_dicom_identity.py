"""What all DICOM objects of an analysis have in common: whose they are, who made them, their UIDs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imaging.analyses import FINGERPRINT, analysis_of
from imaging.phantom import Box, Phantom, series
from pydicom import dcmread
from pydicom.dataset import Dataset

from heltig.dicom.uid import uid_faults
from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.headers import header_of, patient_and_study, source_images
from heltig.imaging.dicom_out.identity import (
    PDF,
    PRESENTATION_STATE,
    SECONDARY_CAPTURE,
    SEG,
    SR,
    encoded,
    instance_uid,
    object_of,
    put,
    series_uid,
    tracking_uid,
    uid_of,
)
from heltig.imaging.own_results import IMPLEMENTATION_CLASS, is_own_result
from heltig.imaging.refusal import Refused
from heltig.imaging.statements import GATE_USE, RESEARCH_USE, SERIES_PREFIX

KINDS = (SEG, SR, SECONDARY_CAPTURE, PRESENTATION_STATE, PDF)
BODY = Phantom.of((12, 10, 4), (2.0, 2.0, 5.0), [Box("liver", (2, 2, 1), (10, 8, 3), 60)])


def with_headers(*changes: Callable[[Dataset], object]) -> Analysis:
    """An analysis of images with changed headers; the last change is for all further ones."""

    def images(phantom: Phantom) -> Sequence[Dataset]:
        made = series(phantom)
        for number, ds in enumerate(made):
            changes[min(number, len(changes) - 1)](ds)
        return made

    return analysis_of(BODY, images=images)


def with_values(**values: Any) -> Analysis:
    return with_headers(lambda ds: [put(ds, keyword, value) for keyword, value in values.items()])


def read_back(analysis: Analysis) -> Dataset:
    return dcmread(BytesIO(encoded(object_of(analysis, SEG))))


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analysis_of(BODY)


def test_the_same_analysis_has_the_same_bytes(analysis: Analysis) -> None:
    again = analysis_of(BODY)
    for kind in KINDS:
        assert encoded(object_of(analysis, kind)) == encoded(object_of(again, kind))


def test_every_kind_and_number_and_analysis_has_uids_of_its_own(analysis: Analysis) -> None:
    other = replace(analysis, fingerprint="6b" * 32)
    made = [object_of(one, kind, number=n) for one in (analysis, other) for kind in KINDS for n in (1, 2)]
    assert len({ds.SOPInstanceUID for ds in made}) == len(made)
    assert len({ds.SeriesInstanceUID for ds in made}) == 2 * len(KINDS)
    assert {ds.StudyInstanceUID for ds in made} == {analysis.volume.study_instance_uid}
    assert {(ds.SeriesNumber, ds.InstanceNumber) for ds in made} == {
        (9001 + at, n) for at in range(len(KINDS)) for n in (1, 2)
    }


@given(st.text(), st.text(), st.text())
def test_uids_are_legal_and_follow_from_fingerprint_and_role(one: str, other: str, role: str) -> None:
    assert uid_faults(uid_of(one, role)) == ()
    assert (uid_of(one, role) == uid_of(other, role)) == (one == other)
    assert tracking_uid("1.2.3", role) != uid_of("1.2.3", role)


def test_who_made_it_and_what_it_is_not_for(analysis: Analysis) -> None:
    for kind in KINDS:
        made = dcmread(BytesIO(encoded(object_of(analysis, kind))))
        assert made.SeriesDescription.startswith(SERIES_PREFIX)
        acquired, processed = made.ContributingEquipmentSequence
        assert (acquired.Manufacturer, processed.Manufacturer) == ("Phantom Works", "Heltig")
        assert RESEARCH_USE in processed.ContributionDescription
        assert GATE_USE in processed.ContributionDescription
        assert made.ContentQualification == "RESEARCH"
        assert made.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS
        assert is_own_result(manufacturer=made.Manufacturer)
        assert is_own_result(series_description=made.SeriesDescription)
        assert is_own_result(implementation_class=made.file_meta.ImplementationClassUID)


def test_what_others_made_is_not_ours() -> None:
    assert is_own_result(series_description="RESEARCH USE ONLY ? Segmentation")
    assert not is_own_result(manufacturer="Phantom Works", series_description="Research use only: AI")
    assert not is_own_result(manufacturer="Phantom Works", series_description="Abdomen")
    assert not is_own_result()


def test_patient_and_study_are_those_of_the_images(analysis: Analysis) -> None:
    made, source = read_back(analysis), header_of(analysis.stack, 0)
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
        *("AccessionNumber", "StudyInstanceUID", "PatientIdentityRemoved", "DeidentificationMethod"),
        "ReferringPhysicianName",
    ):
        assert made[keyword].value == source[keyword].value, keyword
    assert "PixelData" not in source
    assert made.ContentDate == made.SeriesDate == "20260304"
    assert made.ContentTime == made.InstanceCreationTime == "050607"


def test_what_is_missing_is_there_without_a_value() -> None:
    def poor(ds: Dataset) -> None:
        for keyword in ("StudyID", "PatientSex", "PatientBirthDate", "StudyTime", "ReferringPhysicianName"):
            del ds[keyword]

    made = read_back(with_headers(poor))
    assert not any((made.StudyID, made.PatientSex, made.PatientBirthDate, made.StudyTime))
    assert made.PatientID == "PHANTOM-1"


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        (["ISO_IR 100"], "Äneas^Rüdiger"),
        (["GB18030"], "Wang^XiaoDong=王^小东="),
        (["ISO_IR 192"], "Ærøskøbing^Åse^^Dr."),
    ],
)
def test_text_of_any_character_set(charset: list[str], name: str) -> None:
    made = read_back(with_values(SpecificCharacterSet=charset, PatientName=name, StudyDescription=name[:5]))
    assert made.SpecificCharacterSet == "ISO_IR 192"
    assert str(made.PatientName) == name.rstrip("=")
    assert made.StudyDescription == name[:5]


def test_text_that_cannot_be_read_is_refused() -> None:
    def broken(ds: Dataset) -> None:
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.add_new(0x00100010, "UN", b"M\xfcller^A ")

    with pytest.raises(Refused, match="STUDY_TEXT") as refused:
        object_of(with_headers(broken), SEG)
    assert "ller" not in str(refused.value)


def test_odd_values_are_copied_as_they_stand() -> None:
    def odd(ds: Dataset) -> None:
        ds.add_new(0x00101020, "LO", "1,75")  # PatientSize, in a VR it does not have
        ds.add_new(0x00101030, "DS", "")
        put(ds, "PatientID", "X" * 70)
        put(ds, "PatientName", "^^^^" + "N" * 80)
        item = Dataset()
        item.add_new(0x00091001, "LO", "private")
        item.PatientID, item.TypeOfPatientID = "Ä2", "TEXT"
        ds.OtherPatientIDsSequence = [item]

    made = object_of(with_headers(odd), SEG)
    assert encoded(made)
    assert made.PatientID == "X" * 70
    assert str(made.PatientName) == "^^^^" + "N" * 80
    assert made.PatientSize == "1,75"
    (other,) = made.OtherPatientIDsSequence
    assert (other.PatientID, len(other)) == ("Ä2", 2)


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "StudyDate", "AccessionNumber"])
def test_images_of_two_patients_or_studies_are_refused(keyword: str) -> None:
    def other(ds: Dataset) -> None:
        setattr(ds, keyword, "20200101" if keyword == "StudyDate" else "SECRET")

    analysis = with_headers(other, lambda ds: None)
    with pytest.raises(Refused, match=f"STUDY_CONFLICT.*{keyword}") as refused:
        patient_and_study(analysis.stack)
    assert "SECRET" not in str(refused.value)


def test_images_without_legal_uids_are_refused(analysis: Analysis) -> None:
    assert [image.sop_instance_uid for image in source_images(analysis.stack)] == BODY.uids()
    assert {image.frame for image in source_images(analysis.stack)} == {None}
    for change in ({"SOPClassUID": ""}, {"StudyInstanceUID": "1.02.3"}):
        with pytest.raises(Refused, match=r"SOURCE_NOT_NAMED.*4 of 4"):
            source_images(with_values(**change).stack)


def test_times_are_in_the_zone_of_the_images() -> None:
    started = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
    for offset, date, time in (("+0130", "20260305", "010000"), ("", "20260304", "233000")):
        one = replace(with_values(TimezoneOffsetFromUTC=offset), started=started)
        made = read_back(one)
        assert (made.ContentDate, made.ContentTime) == (date, time)
        assert made.ContributingEquipmentSequence[-1].ContributionDateTime == "20260304233000+0000"
    assert instance_uid(one, SEG) == uid_of(FINGERPRINT, f"seg {SEG.sop_class_uid} 1")
    later = replace(one, started=started + timedelta(days=1))
    assert series_uid(later, SEG) == series_uid(one, SEG)
