"""How UIDs must be written (PS3.5 chapter 9)."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import RE_VALID_UID, generate_uid

from heltig.dicom.uid import UID_FAULTS, is_valid, uid_faults


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("1.2.840.10008.1.2", ()),
        ("2.999", ()),
        ("0.39.0", ()),
        ("1.2." + "3" * 60, ()),
        ("1.2." + "3" * 61, ("too-long",)),
        ("1.2.840.A", ("characters",)),
        ("1.2.840.10008.1.2 ", ("characters",)),
        ("1.2.840\x00", ("characters",)),
        ("1.2.٣", ("characters",)),
        ("1.2.840\n", ("characters",)),
        ("1..2", ("empty-component",)),
        (".1.2", ("empty-component",)),
        ("1.2.", ("empty-component",)),
        ("", ("empty-component",)),
        ("1.2.03", ("leading-zero",)),
        ("1.2.00", ("leading-zero",)),
        ("1.02.3", ("leading-zero",)),
        ("3.1", ("root",)),
        ("12", ("root",)),
        ("1.40.5", ("root",)),
        ("0.123456.5", ("root",)),
        ("2.40.5", ()),
        ("0.0", ("only-zeros",)),
        ("0.0.0", ("only-zeros",)),
        ("0", ("root", "only-zeros")),
        ("2.25.0", ()),
        (f"2.25.{2**128 - 1}", ()),
        (f"2.25.{2**128}", ("uuid",)),
        ("2.25." + "9" * 50, ("uuid",)),
        ("2.25", ("uuid",)),
        ("2.25.1.2", ()),
        ("2.250", ()),
        ("3..0x" + "1" * 64, ("too-long", "characters", "empty-component")),
        ("4.." + "1" * 64, ("too-long", "empty-component")),
    ],
)
def test_each_violation_is_named(text: str, faults: tuple[str, ...]) -> None:
    assert uid_faults(text) == faults


def test_registered_uids_have_no_fault() -> None:
    assert not [uid for uid in UID_dictionary if uid_faults(uid)]


def test_generated_uids_have_no_fault() -> None:
    assert uid_faults(f"2.25.{uuid.UUID('f81d4fae-7dec-11d0-a765-00a0c91e6bf6').int}") == ()
    assert uid_faults(generate_uid(entropy_srcs=["a"])) == ()


components = st.integers(0, 10**12).map(str) | st.text("0123456789A", max_size=4)
texts = (
    st.lists(components, max_size=8).map(".".join)
    | st.text("0123456789.", max_size=70)
    | st.text(max_size=10)
)


@given(texts)
def test_valid_means_free_of_what_chapter_9_forbids(text: str) -> None:
    faults = uid_faults(text)
    assert is_valid(text) == (not set(faults) - {"only-zeros", "uuid"})
    assert list(faults) == [fault for fault in UID_FAULTS if fault in faults]


@given(texts)
def test_what_pydicom_rejects_has_a_fault(text: str) -> None:
    if len(text) > 64 or re.fullmatch(RE_VALID_UID, text) is None:
        assert uid_faults(text)
