"""DICOM JSON without identifiers, whatever it looks like."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.pipeline.identifiers.masks import DataSet
from heltig.pipeline.identifiers.sights import NOTHING, Sight
from heltig.store.keyed import Keyed

HASHED = Sight(evidence=False, keyed=Keyed(b"k" * 32))

SECRET = "Zqxmark"

_values = st.recursive(
    st.sampled_from([SECRET, f"{SECRET}^X", 1, None, 1.5, {"Alphabetic": SECRET}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["vr", "Value"]), inner),
    max_leaves=6,
)
_elements = st.fixed_dictionaries(
    {"vr": st.sampled_from(["PN", "LO", "DA", "SQ", "UN", "OB", "UI", "DS", "US"])},
    optional={
        "Value": st.lists(_values, max_size=3),
        "InlineBinary": st.just(SECRET),
        "BulkDataURI": st.just(f"http://archive/{SECRET}"),
    },
)
_datasets = st.dictionaries(
    st.sampled_from(["00100010", "00100020", "00100030", "00100040", "00080050", "00091001", "00081140",
                     "0020000D", "00200032", "00280010", "00104000", "00081155", "7FE00010"]),
    _elements | _values,
)  # fmt: skip


@given(_datasets)
def test_no_text_is_left(dataset: dict[str, Any]) -> None:
    for sight in (NOTHING, HASHED):
        told = sight.instance(msgspec.json.encode(dataset))
        assert SECRET.encode() not in told


def test_what_is_no_identifier_stays() -> None:
    dataset: DataSet = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00081030": {"vr": "LO", "Value": ["CT chest"]},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]},
        "00100010": {"vr": "PN"},
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "00280010": {"vr": "US", "Value": [512]},
        "00180050": {"vr": "DS", "Value": [1.5, "2.5"]},
    }
    assert NOTHING.dataset(dataset) == dataset
    assert Sight().dataset(dataset) is dataset


@pytest.mark.parametrize(
    ("tag", "element", "masked"),
    [
        ("00100010", {"vr": "PN", "Value": [{"Alphabetic": "A"}]}, [{"Alphabetic": "[redacted]"}]),
        ("00100020", {"vr": "LO", "Value": ["A"]}, ["[redacted]"]),
        ("00100030", {"vr": "DA", "Value": ["19700101"]}, None),
        ("00100040", {"vr": "CS", "Value": ["F"]}, None),
        ("00185100", {"vr": "CS", "Value": ["HFS", "MILLER ANNA"]}, ["HFS", None]),
        ("00091001", {"vr": "UN", "InlineBinary": "QUE="}, None),
    ],
)
def test_a_mask_is_what_its_vr_holds(tag: str, element: dict[str, Any], masked: list[Any] | None) -> None:
    told = NOTHING.dataset({tag: element})[tag]
    assert told.get("Value") == masked
    assert told["vr"] == element["vr"]


def test_identifiers_are_told_by_their_hashes() -> None:
    keyed = HASHED.keyed
    assert keyed
    dataset: DataSet = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "D"}]},
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "00104000": {"vr": "LT", "Value": ["called"]},
    }
    assert HASHED.dataset(dataset) == {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": keyed.token("patient_name", "Doe^Jane")}]},
        "00100020": {"vr": "LO", "Value": [keyed.token("patient_id", "P1")]},
        "00104000": {"vr": "LT", "Value": ["[redacted]"]},
    }
