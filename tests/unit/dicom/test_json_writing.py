"""A study's evidence written as DICOM JSON again."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pydicom.data
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.dataset import Dataset
from synthetic import synthetic_studies

from heltig.demo.samples import part10_files
from heltig.dicom.cell import ABSENT, Cell, DataSet, Encoding
from heltig.dicom.digest import content_digest, series_digests
from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.json_writing import instances_as_json
from heltig.dicom.study import StudyCollector, StudyTable
from heltig.dicom.table import decoded
from heltig.pipeline.reading import read_inputs

EXPLICIT = Encoding("explicit")


def written(table: StudyTable) -> bytes:
    return b"[" + b",".join(instances_as_json(table, range(table.rows))) + b"]"


def shipped() -> list[Path]:
    """The files that came with pydicom; it would fetch others."""
    return sorted(Path(pydicom.data.__file__).parent.glob("test_files/**/*.dcm"))


def read_back(body: bytes) -> list[StudyTable]:
    splitter, studies = InstanceSplitter(), StudyCollector()
    for dataset in [*splitter.feed(body), *splitter.close()]:
        studies.add(dataset)
    return studies.studies()


def from_json(body: bytes) -> StudyTable:
    (table,) = read_back(body)
    return table


def told(table: StudyTable, row: int) -> Iterator[tuple[str, Cell]]:
    """What can be told of an instance."""
    for tag in table.columns:
        cell = table.at(tag, row)
        if cell is not ABSENT and not cell.bulk and tag[:4] != "0002" and tag[4:8] != "0000":
            yield tag, cell


def cell_at(table: StudyTable, tag: str, row: int) -> Cell:
    return table.at(tag, row) if tag in table.columns else ABSENT


def same(one: Cell, other: Cell) -> bool:
    """The same value, whether a number is written as text or not, however items are encoded."""
    if len(one.items) != len(other.items):
        return False
    if one.items:
        return all(
            same(decoded(tag, raw, mine.encoding), decoded(tag, again[tag], theirs.encoding))
            for mine, theirs in zip(one.items, other.items, strict=True)
            for again in [dict(zip(theirs.tags, theirs.raws, strict=True))]
            for tag, raw in zip(mine.tags, mine.raws, strict=True)
            if tag in again
        )
    return [v or None for v in one.values] == [
        v or None for v in other.values
    ] or one.numbers == other.numbers


def assert_written_as_read(tables: Iterable[StudyTable]) -> None:
    for table in tables:
        for row, instance in enumerate(instances_as_json(table, range(table.rows))):
            back = from_json(b"[" + instance + b"]")
            assert [t for t, cell in told(table, row) if not same(cell, cell_at(back, t, 0))] == []


def test_what_pydicom_ships_is_written_as_it_was_read() -> None:
    assert_written_as_read(read_inputs(shipped()).studies)


def test_text_of_every_character_set_is_written_as_it_was_read() -> None:
    assert_written_as_read(read_inputs([Path(p) for p in get_charset_files("*.dcm")]).studies)


@pytest.mark.corpus
def test_real_files_are_written_as_they_were_read(corpus: Path) -> None:
    assert_written_as_read(read_inputs([corpus]).studies)


def test_synthetic_studies_say_the_same_as_their_files(tmp_path: Path) -> None:
    for study in synthetic_studies().values():
        for name, content in part10_files(study):
            file = tmp_path / study.name / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    for table in read_inputs([tmp_path]).studies:
        for tag in [tag for tag in table.columns if any(cell.bulk for cell in cells(table, tag))]:
            del table.columns[tag]  # its value was not kept
        back = from_json(written(table))
        assert content_digest(series_digests(back)) == content_digest(series_digests(table))


def cells(table: StudyTable, tag: str) -> list[Cell]:
    return [table.at(tag, row) for row in range(table.rows)]


def test_pydicom_reads_what_is_written() -> None:
    (table,) = read_inputs([Path(p) for p in get_testdata_files("CT_small.dcm")]).studies
    (instance,) = instances_as_json(table, [0])
    dataset = Dataset.from_json(instance.decode())
    assert (dataset.PatientName, dataset.Modality, dataset.PixelSpacing) == (
        "CompressedSamples^CT1",
        "CT",
        [0.661468] * 2,
    )
    assert "PixelData" not in dataset
    assert dataset[0x0009, 0x1001].value == "GE_GENESIS_FF"


def test_tags_ascend_and_file_meta_information_is_left_out() -> None:
    (table,) = read_inputs([Path(p) for p in get_testdata_files("CT_small.dcm")]).studies
    (instance,) = instances_as_json(table, [0])
    tags = list(json.loads(instance))
    assert tags == sorted(tags)
    assert not [tag for tag in tags if tag.startswith("0002") or tag.endswith("0000")]


def test_clean_json_is_written_as_it_came() -> None:
    body = b'[{"00080018":{"vr":"UI","Value":["1.2"]},"00200013":{"vr":"IS","Value":["01"]}}]'
    assert written(from_json(body)) == body


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        (b'{"vr":"LO","Value":"bare"}', {"vr": "LO", "Value": ["bare"]}),
        (b'{"vr":"LO","Value":["a\x01b"]}', {"vr": "LO", "Value": ["a\x01b"]}),
        (b'{"vr":"DS","Value":[NaN]}', {"vr": "DS", "Value": ["NaN"]}),
    ],
)
def test_what_was_no_legal_json_is_legal_afterwards(came: bytes, goes: dict[str, object]) -> None:
    body = b'[{"00080018":{"vr":"UI","Value":["1.2"]},"00081030":' + came + b"}]"
    (instance,) = json.loads(written(from_json(body)))
    assert instance["00081030"] == goes


def test_private_blocks_stand_where_each_instance_had_them() -> None:
    def of(block: str, uid: str) -> dict[str, object]:
        return {
            "00080018": {"vr": "UI", "Value": [uid]},
            f"002900{block}": {"vr": "LO", "Value": ["ACME"]},
            f"0029{block}01": {"vr": "LO", "Value": ["x"]},
        }

    instances = [of("10", "1.2"), of("11", "1.3")]
    assert json.loads(written(from_json(msgspec.json.encode(instances)))) == instances


@given(
    st.lists(
        st.tuples(st.sampled_from(["LO", "PN", "DS", "FD", "UN", "SQ", "AT", "??"]), st.binary(max_size=40))
    )
)
def test_whatever_was_read_legal_json_is_written(elements: list[tuple[str, bytes]]) -> None:
    table = StudyTable("1.2", "1.2")
    tags = [f"0018{number:04X}" for number in range(0x10, 0x10 + len(elements))]
    raws = [vr.encode() + len(value).to_bytes(2, "little") + value for vr, value in elements]
    table.add(DataSet(("00080018", *tags), [b"UI\x04\x001.2\x00", *raws], EXPLICIT))
    table.arrange()
    (instance,) = instances_as_json(table, [0])
    assert set(json.loads(instance)) <= {"00080018", *tags}
