"""Addresses made of UIDs that are none: each stays one segment, or is refused."""

from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.dicomweb.address import LONGEST_UID, instance_address, metadata_address, search_address
from heltig.errors import ArchiveAnswerError

ROOT = "http://archive.example/dicom-web"


def test_addresses_are_those_of_ps3_18() -> None:
    assert metadata_address(ROOT, "1.2") == f"{ROOT}/studies/1.2/metadata"
    assert metadata_address(ROOT, "1.2", "3.4") == f"{ROOT}/studies/1.2/series/3.4/metadata"
    assert metadata_address(ROOT, "1", "2", "3") == f"{ROOT}/studies/1/series/2/instances/3/metadata"
    assert instance_address(ROOT, "1", "2", "3") == f"{ROOT}/studies/1/series/2/instances/3"
    assert search_address(ROOT, {"limit": "2"}) == f"{ROOT}/studies?limit=2"
    assert search_address(ROOT, {"limit": "2"}, study="1") == f"{ROOT}/studies/1/series?limit=2"
    assert search_address(ROOT, {}, study="1", series="2") == f"{ROOT}/studies/1/series/2/instances?"


def test_a_root_may_end_in_a_slash() -> None:
    assert metadata_address(f"{ROOT}/", "1.2") == f"{ROOT}/studies/1.2/metadata"


def test_what_orthanc_does_not_decode_stands_as_it_is() -> None:
    asked = search_address(ROOT, {"PatientName": "Mül*^A&b=c", "StudyDate": "20260101-", "x": "1,2"})
    assert asked == f"{ROOT}/studies?PatientName=M%C3%BCl*%5EA%26b%3Dc&StudyDate=20260101-&x=1,2"


@given(st.text(min_size=1))
@example("1.2.840.113619")
@example("ABC.def_ghi")
@example("9" * 70)
@example("1.2 3")
@example("a/b?c#d@e")
@example("%2e%2e")
@example("..")
@example("a/../b")
@example("a\\..")
@example("./a")
@example("\ud800")
@example("1\r\n2")
def test_a_uid_is_one_segment_or_refused(uid: str) -> None:
    try:
        address = httpx.URL(metadata_address(ROOT, uid, "2"))
    except ArchiveAnswerError:
        assert not uid.isprintable() or {".", ".."} & set(uid.replace("\\", "/").split("/"))
        return
    *root, kind, study, series, second, metadata = address.raw_path.decode("ascii").split("/")
    assert ([*root], kind, series, second, metadata) == (
        ["", "dicom-web"],
        "studies",
        "series",
        "2",
        "metadata",
    )
    assert unquote(study) == uid
    assert study not in (".", "..")
    assert not urlsplit(str(address)).query
    assert not urlsplit(str(address)).fragment


@pytest.mark.parametrize("uid", ["", "1" * (LONGEST_UID + 1)])
def test_no_uid_and_an_endless_one_are_refused(uid: str) -> None:
    with pytest.raises(ArchiveAnswerError):
        metadata_address(ROOT, uid)
    with pytest.raises(ArchiveAnswerError):
        search_address(ROOT, {}, study="1.2", series=uid)
