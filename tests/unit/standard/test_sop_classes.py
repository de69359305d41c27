"""The storage SOP Classes and what their IODs are."""

import pytest

from heltig.standard import sop_classes, uids
from heltig.standard.sop_classes import SopClass, lookup

ROOT = "1.2.840.10008.5.1.4.1.1."


def found(uid: str) -> SopClass:
    row = lookup(uid)
    assert row is not None, uid
    return row


def test_a_single_frame_image() -> None:
    assert found(ROOT + "2") == SopClass(
        uid=ROOT + "2",
        name="CT Image Storage",
        iod="CT Image",
        modality=("CT",),
        image=True,
        multi_frame=False,
        enhanced=False,
        study=True,
        retired=False,
    )


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.1", "1.3.12.2.1107.5.9.1", "1.2.840.10008.1.3.10", ""])
def test_what_an_archive_does_not_store_by_the_standard_is_none(uid: str) -> None:
    assert lookup(uid) is None


def test_every_storage_class_of_the_registry_has_a_row() -> None:
    assert {row.uid for row in sop_classes.entries()} == {
        entry.uid for entry in uids.entries() if uids.is_storage_sop_class(entry.uid)
    }


@pytest.mark.parametrize(
    ("uid", "modality"),
    [
        (ROOT + "1.2", ("MG",)),  # every module that enumerates it has a say
        (ROOT + "1.1", ("DX", "IO", "MG", "PX")),
        (ROOT + "128", ("PT",)),
        (ROOT + "481.5", ("RTPLAN",)),  # one of the five that the RT Series module enumerates
        (ROOT + "66.4", ("SEG",)),
        (ROOT + "88.59", ("KO",)),
        (ROOT + "9.1.1", ("ECG",)),
        (ROOT + "7", ()),  # anything can be captured
        (ROOT + "104.1", ()),
        (ROOT + "66", ()),
    ],
)
def test_modalities_are_expected_where_something_restricts_them(uid: str, modality: tuple[str, ...]) -> None:
    assert found(uid).modality == modality


@pytest.mark.parametrize(
    ("uid", "image", "multi_frame", "enhanced"),
    [
        (ROOT + "4", True, False, False),
        (ROOT + "4.1", True, True, True),
        (ROOT + "4.2", False, True, True),  # spectra are no pixel data
        (ROOT + "3.1", True, True, False),
        (ROOT + "7.2", True, True, False),  # functional groups are optional
        (ROOT + "12.1", True, True, False),
        (ROOT + "20", True, True, False),
        (ROOT + "30", True, True, True),  # floating point pixels
        (ROOT + "66.8", True, True, True),
        (ROOT + "481.2", True, True, False),
        (ROOT + "481.3", False, False, False),
        (ROOT + "481.23", True, True, True),  # only highdicom has its IOD
        (ROOT + "88.22", False, False, False),
        (ROOT + "5", True, True, False),  # retired, no IOD any more
    ],
)
def test_an_iod_is_an_image_or_has_frames(uid: str, image: bool, multi_frame: bool, enhanced: bool) -> None:
    row = found(uid)
    assert (row.image, row.multi_frame, row.enhanced) == (image, multi_frame, enhanced)


def test_enhanced_objects_have_frames() -> None:
    assert all(row.multi_frame for row in sop_classes.entries() if row.enhanced)


def test_non_patient_objects_have_no_study() -> None:
    without_study = {row.name for row in sop_classes.entries() if not row.study}
    assert without_study == {
        "CT Defined Procedure Protocol Storage",
        "Color Palette Storage",
        "Generic Implant Template Storage",
        "Hanging Protocol Storage",
        "Implant Assembly Template Storage",
        "Implant Template Group Storage",
        "Inventory Storage",
        "Protocol Approval Storage",
        "XA Defined Procedure Protocol Storage",
    }


def test_only_retired_and_foreign_classes_have_no_iod() -> None:
    assert all(
        row.retired or row.uid.startswith((ROOT + "501.", ROOT + "601."))
        for row in sop_classes.entries()
        if not row.iod
    )
