"""The UID registry and the transfer syntaxes."""

import pytest
from pydicom.uid import UID, AllTransferSyntaxes

from heltig.standard import uids
from heltig.standard.build.dictionary import registry_of_pydicom
from heltig.standard.uids import UidEntry, is_storage_sop_class, lookup, transfer_syntax

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_a_sop_class_has_its_row() -> None:
    assert lookup(CT) == UidEntry(CT, "CTImageStorage", "CT Image Storage", "SOP Class", False)


def test_an_unregistered_uid_is_none() -> None:
    assert lookup("1.2.840.10008.5.1.4.1.1.2.999") is None
    assert lookup("") is None


def test_a_well_known_frame_of_reference_is_registered() -> None:
    entry = lookup("1.2.840.10008.1.4.1.1")
    assert entry is not None
    assert (entry.kind, entry.keyword) == ("Well-known Frame of Reference", "TalairachBrainAtlas")


def test_pydicom_has_the_same_registry() -> None:
    for uid, (_, kind, _, retired, keyword) in registry_of_pydicom().items():
        entry = lookup(uid)
        assert entry is not None, uid
        assert (entry.keyword, entry.kind.lower(), entry.retired) == (keyword, kind.lower(), bool(retired))


def test_uids_newer_than_pydicom_have_keywords() -> None:
    label_map = lookup("1.2.840.10008.5.1.4.1.1.66.7")
    assert label_map is not None
    assert label_map.keyword == "LabelMapSegmentationStorage"


def test_deflated_frames_are_in_data_sets_that_are_not_deflated() -> None:
    syntax = transfer_syntax("1.2.840.10008.1.2.8.1")
    assert syntax is not None
    assert (syntax.name, syntax.implicit, syntax.little_endian, syntax.deflated) == (
        "Deflated Image Frame Compression",
        False,
        True,
        False,
    )


def test_transfer_syntaxes_mean_what_pydicom_says() -> None:
    for uid in AllTransferSyntaxes:
        ours = transfer_syntax(uid)
        assert ours is not None, uid
        theirs = UID(uid)
        assert (ours.implicit, ours.little_endian) == (theirs.is_implicit_VR, theirs.is_little_endian), uid
        if ours.deflated != theirs.is_deflated:
            # pydicom knows only the plain deflated syntax
            assert uid in {"1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}


@pytest.mark.parametrize(
    ("uid", "encapsulated", "lossy", "retired"),
    [
        ("1.2.840.10008.1.2", False, "never", False),
        ("1.2.840.10008.1.2.1", False, "never", False),
        ("1.2.840.10008.1.2.1.98", True, "never", False),
        ("1.2.840.10008.1.2.1.99", False, "never", False),
        ("1.2.840.10008.1.2.2", False, "never", True),
        ("1.2.840.10008.1.2.4.50", True, "always", False),
        ("1.2.840.10008.1.2.4.51", True, "always", False),
        ("1.2.840.10008.1.2.4.52", True, "always", True),
        ("1.2.840.10008.1.2.4.57", True, "never", False),
        ("1.2.840.10008.1.2.4.65", True, "never", True),
        ("1.2.840.10008.1.2.4.70", True, "never", False),
        ("1.2.840.10008.1.2.4.80", True, "never", False),
        ("1.2.840.10008.1.2.4.81", True, "possible", False),
        ("1.2.840.10008.1.2.4.90", True, "never", False),
        ("1.2.840.10008.1.2.4.91", True, "possible", False),
        ("1.2.840.10008.1.2.4.94", False, "possible", False),
        ("1.2.840.10008.1.2.4.100.1", True, "always", False),
        ("1.2.840.10008.1.2.4.108", True, "always", False),
        ("1.2.840.10008.1.2.4.110", True, "never", False),
        ("1.2.840.10008.1.2.4.112", True, "possible", False),
        ("1.2.840.10008.1.2.4.201", True, "never", False),
        ("1.2.840.10008.1.2.4.203", True, "possible", False),
        ("1.2.840.10008.1.2.5", True, "never", False),
        ("1.2.840.10008.1.2.8.1", True, "never", False),
    ],
)
def test_a_transfer_syntax_says_how_pixel_data_is_kept(
    uid: str, encapsulated: bool, lossy: str, retired: bool
) -> None:
    syntax = transfer_syntax(uid)
    assert syntax is not None
    assert (syntax.encapsulated, syntax.lossy, syntax.retired) == (encapsulated, lossy, retired)


@pytest.mark.parametrize("uid", [CT, "1.2.840.113619.5.2", ""])
def test_what_is_no_registered_transfer_syntax_is_none(uid: str) -> None:
    assert transfer_syntax(uid) is None


@pytest.mark.parametrize(
    ("uid", "stored"),
    [
        (CT, True),
        ("1.2.840.10008.5.1.4.1.1.1.2.1", True),  # … Storage - For Processing
        ("1.2.840.10008.5.1.4.1.1.77.1", True),  # … Storage - Trial
        ("1.2.840.10008.5.1.1.27", True),  # Stored Print Storage SOP Class
        ("1.2.840.10008.5.1.4.38.1", True),  # Hanging Protocol Storage
        ("1.2.840.10008.5.1.4.1.1.40", True),  # retired without a name
        ("1.2.840.10008.1.20.1", False),  # Storage Commitment
        ("1.2.840.10008.1.3.10", False),  # DICOMDIR
        ("1.2.840.10008.1.1", False),
        ("1.2.840.10008.5.1.4.1.2.2.1", False),
        ("1.2.840.10008.1.2.1", False),
        ("1.2.3", False),
    ],
)
def test_storage_sop_classes_are_told_from_other_uids(uid: str, stored: bool) -> None:
    assert is_storage_sop_class(uid) is stored


def test_every_image_storage_class_is_stored() -> None:
    named = [
        uid
        for uid, row in registry_of_pydicom().items()
        if row[1] == "SOP Class" and "Image Storage" in row[0]
    ]
    assert len(named) > 60
    assert all(uids.is_storage_sop_class(uid) for uid in named)
