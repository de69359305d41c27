"""A study's table: the same whatever the order of arrival, whatever the number of parts it was read in."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.cell import ABSENT, DataSet, Encoding, Fault
from heltig.dicom.digest import content_digest, series_digests
from heltig.dicom.frames import FrameTable
from heltig.dicom.snapshot import read_snapshot, series_evidence, snapshot_id
from heltig.dicom.source import FILES
from heltig.dicom.study import StudyCollector, StudyTable
from heltig.pipeline.reading import read_inputs

JSON = Encoding("json")


def element(vr, *values):
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def data_set(elements, faults=(), origin=""):
    tags = tuple(sorted(elements))
    return DataSet(tags, [msgspec.json.encode(elements[tag]) for tag in tags], JSON, faults, origin)


def instance(number, *, series="1.2.3.1", study="1.2.3", **more):
    uid = element("UI", f"{series}.{number}")
    known = {"00080018": uid, "0020000D": element("UI", study), "0020000E": element("UI", series)}
    return known | {tag.lstrip("t"): value for tag, value in more.items()}


def table_of(instances):
    table = StudyTable("1.2.3", "1.2.3")
    for each in instances:
        table.add(each if isinstance(each, DataSet) else data_set(each))
    table.arrange()
    return table


def texts(table, tag):
    return [table.at(tag, row).text for row in range(table.rows)]


def test_rows_stand_by_series_and_sop_instance_uid():
    table = table_of([instance(2), instance(1, series="1.2.3.2"), instance(1)])
    assert texts(table, "00080018") == ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.2.1"]
    assert [(s.key, s.rows) for s in table.series] == [("1.2.3.1", range(2)), ("1.2.3.2", range(2, 3))]


def test_a_constant_column_is_stored_once_and_a_varying_one_row_by_row():
    table = table_of([instance(n, t00080060=element("CS", "CT")) for n in range(300)])
    assert len(table.columns["00080060"].cells) == 2
    assert table.columns["00080060"].constant
    assert len(table.columns["00080018"].cells) == 301


def test_small_studies_share_columns_in_which_nothing_changes():
    one, other = (
        table_of([instance(n, study=study, t00080060=element("CS", "CT")) for n in range(3)])
        for study in ("1.2.3", "1.2.4")
    )
    assert one.columns["00080060"] is other.columns["00080060"]
    assert texts(one, "0020000D") == ["1.2.3"] * 3
    assert texts(other, "0020000D") == ["1.2.4"] * 3


@pytest.mark.parametrize(("charset", "name"), [(("ISO_IR 100",), "Müller"), (("ISO_IR 144",), "Mќller")])
def test_a_shared_column_is_read_as_its_study_says(charset, name):
    cells = {"00080018": b"UI\x04\x001.2\0", "00100010": b"PN\x06\x00M\xfcller"}
    table = table_of([DataSet(tuple(cells), list(cells.values()), Encoding("explicit", charset))])
    assert texts(table, "00100010") == [name]


def test_columns_of_more_studies_than_are_kept_are_right():
    names = [f"P{number % 150}" for number in range(300)]
    tables = [table_of([instance(1, t00100020=element("LO", name))]) for name in names]
    assert [texts(table, "00100020") for table in tables] == [[name] for name in names]


def test_what_a_row_does_not_have_is_absent():
    table = table_of(
        [instance(1, t00100020=element("LO", "A")), instance(2), instance(3, t00100020=element("LO"))]
    )
    cells = [table.at("00100020", row) for row in range(3)]
    assert cells[0].text == "A"
    assert cells[1] is ABSENT
    assert cells[2].empty
    assert cells[2] is not ABSENT
    assert table.at("00104000", 0) is ABSENT


def test_private_elements_are_one_column_whatever_block_was_reserved():
    first = {"00290010": element("LO", "MAKER"), "00291001": element("LO", "x")}
    second = {"00290012": element("LO", "MAKER"), "00291201": element("LO", "x")}
    other = {"00290010": element("LO", "OTHER"), "00291001": element("LO", "y")}
    table = table_of([instance(n) | block for n, block in enumerate((first, second, other), 1)])
    assert texts(table, "0029xx01 MAKER") == ["x", "x", ""]
    assert texts(table, "0029xx01 OTHER") == ["", "", "y"]


def test_a_private_element_without_a_creator_keeps_its_tag():
    table = table_of([instance(1) | {"00291001": element("LO", "x")}])
    assert texts(table, "00291001") == ["x"]


def test_of_a_tag_that_stands_twice_the_first_is_taken():
    tags = ("00080018", "00100020", "00100020")
    raws = [msgspec.json.encode(element(vr, v)) for vr, v in (("UI", "1"), ("LO", "A"), ("LO", "B"))]
    table = table_of([DataSet(tags, raws, JSON)])
    assert texts(table, "00100020") == ["A"]


def test_instances_without_uids_stand_under_keys_that_are_no_uids():
    lost = {"00100020": element("LO", "A"), "00080060": element("CS", "CT")}
    collector = StudyCollector()
    for each in (lost, lost, instance(1)):
        collector.add(data_set(each))
    studies = collector.studies()
    assert [(s.uid, s.rows) for s in studies] == [("1.2.3", 1), (None, 2)]
    keys = [studies[1].key, studies[1].series[0].key, studies[1].instance_key(0)]
    assert [key[:10] for key in keys] == ["no-uid-stu", "no-uid-ser", "no-uid-ins"]


def varied():
    """Two series of several shapes, with private blocks, faults, a duplicate and missing UIDs."""
    made = []
    for n in range(150):
        more = {"t00200013": element("IS", n), "t00080060": element("CS", "CT" if n % 2 else "MR")}
        if n % 3 == 0:
            more["t00104000"] = element("LT", f"comment {n % 5}")
        if n % 7 == 0:
            more |= {"t00290010": element("LO", "MAKER"), "t00291001": element("LO", str(n))}
        faults = (Fault("json-nan", f"at {n}"),) if n % 40 == 0 else ()
        made.append(data_set(instance(n, series=f"1.2.3.{n % 2}", **more), faults, f"file{n}"))
    return [*made, made[3], data_set({"00100020": element("LO", "A"), "0020000D": element("UI", "1.2.3")})]


MANY = varied()


def evidence_of(table):
    return [(s.key, s.digest) for s in series_evidence(table)]


@given(seed=st.integers(0, 1000))
def test_the_order_of_arrival_does_not_matter(seed):
    shuffled = MANY.copy()
    random.Random(seed).shuffle(shuffled)
    assert evidence_of(table_of(shuffled)) == evidence_of(table_of(MANY))


@given(cut=st.integers(0, 152), seed=st.integers(0, 100))
def test_a_study_read_in_two_parts_is_the_same(cut, seed):
    shuffled = MANY.copy()
    random.Random(seed).shuffle(shuffled)
    whole = StudyCollector()
    for part in (shuffled[:cut], shuffled[cut:]):
        collector = StudyCollector()
        for key in {collector.add(each).key for each in part}:
            whole.absorb(collector.release(key))
    (table,) = whole.studies()
    expected = table_of(MANY)
    assert evidence_of(table) == evidence_of(expected)
    assert table.origins == expected.origins
    assert table.faults == expected.faults


def test_a_snapshot_reads_back_as_the_same_table():
    table = table_of(MANY)
    evidence = series_evidence(table)
    again = read_snapshot("1.2.3", "1.2.3", FILES, [series.content for series in reversed(evidence)])
    assert series_evidence(again) == evidence
    assert snapshot_id(again, evidence) == snapshot_id(table, reversed(evidence))
    for tag in table.columns:
        assert texts(again, tag) == texts(table, tag)


@pytest.mark.parametrize(
    "other",
    [
        {"00181030": {"Value": ["A "], "vr": "LO"}},
        {"00180050": element("DS", "5.0")},
        {"00081190": element("UR", "http://elsewhere/studies/1")},
        {"7FE00010": {"vr": "OW", "BulkDataURI": "http://elsewhere/bulk"}},
        {"00080056": element("CS", "NEARLINE")},
        {"00104000": element("LT")},
        {"00081140": element("SQ", {"00081155": element("UI", "1.2 ")})},
    ],
)
def test_the_content_digest_is_blind_to_how_the_same_is_written(other):
    plain = {
        "00181030": element("LO", "A"),
        "00180050": element("DS", 5),
        "00081190": element("UR", "http://here/studies/1"),
        "7FE00010": {"vr": "OW", "BulkDataURI": "http://here/bulk"},
        "00081140": element("SQ", {"00081155": element("UI", "1.2")}),
    }
    assert digest_of(instance(1) | plain) == digest_of(instance(1) | plain | other)


@pytest.mark.parametrize(
    "other",
    [
        {"00181030": element("LO", "B")},
        {"00180050": element("DS", 6)},
        {"00081140": element("SQ", {"00081155": element("UI", "1.3")})},
        {"00104000": element("LT", "new")},
    ],
)
def test_the_content_digest_sees_a_change(other):
    plain = {"00181030": element("LO", "A"), "00081140": element("SQ", {"00081155": element("UI", "1.2")})}
    assert digest_of(instance(1) | plain) != digest_of(instance(1) | plain | other)


def digest_of(*instances):
    return content_digest(series_digests(table_of(instances)))


def functional_groups(position):
    plane = {"00209113": element("SQ", {"00200032": element("DS", *position)})} if position else {}
    return plane


def test_a_frame_has_its_own_macro_or_the_shared_one():
    shared = {"00209116": element("SQ", {"00200037": element("DS", 1, 0, 0, 0, 1, 0)})}
    frames = [functional_groups((0, 0, z)) for z in (0, 5, 10)]
    enhanced = instance(1) | {"52009229": element("SQ", shared), "52009230": element("SQ", *frames)}
    plain = instance(2, t00200032=element("DS", 1, 2, 3))
    table = FrameTable(table_of([enhanced, plain]), range(2))
    assert [(f.row, f.number) for f in table.frames] == [(0, 1), (0, 2), (0, 3), (1, 0)]
    positions = table.cells("PlanePositionSequence", "ImagePositionPatient")
    assert [cell.numbers for cell in positions] == [(0, 0, 0), (0, 0, 5), (0, 0, 10), (1, 2, 3)]
    orientations = table.cells("PlaneOrientationSequence", "ImageOrientationPatient")
    assert [len(cell.values) for cell in orientations] == [6, 6, 6, 0]


@pytest.mark.corpus
def test_real_files_read_back_from_their_snapshot_as_they_were(corpus: Path):
    read = read_inputs([corpus])
    assert read.studies
    for table in read.studies:
        evidence = series_evidence(table)
        again = read_snapshot(table.key, table.uid, FILES, [series.content for series in evidence])
        assert series_evidence(again) == evidence
        assert content_digest(series_digests(again)) == content_digest(series_digests(table))
