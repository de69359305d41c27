"""Rows of a study's table as rules see them."""

from datetime import date

import pytest

from heltig.rules.cases import study_of
from heltig.rules.conflict import parts, patients
from heltig.rules.parameters import Parameters
from heltig.rules.views import Context, RowsView, StudyView

CONTEXT = Context(date(2026, 1, 1), Parameters())
INSTANCES = [
    {"SOPInstanceUID": "1.2.1", "PatientID": "A1", "InstanceNumber": 1},
    {"SOPInstanceUID": "1.2.2", "PatientID": "A1", "InstanceNumber": "2"},
    {"SOPInstanceUID": "1.2.3", "PatientID": "a1", "InstanceNumber": ""},
    {
        "SOPInstanceUID": "1.2.4",
        "PatientID": "B2",
        "SeriesInstanceUID": "1.9",
        "InstanceNumber": {"vr": "IS", "Value": [None, 4]},
    },
    {"SOPInstanceUID": "1.2.5", "SeriesInstanceUID": "1.9", "InstanceNumber": "é"},
]


def view(syntax="json", instances=INSTANCES):
    return StudyView(study_of({"study": instances, "syntax": syntax}), CONTEXT)


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "PatientID", "InstanceNumber", "Modality"])
def test_texts_are_those_of_the_cells(keyword):
    study = view()
    assert study.texts(keyword) == [cell.text for cell in study.cells(keyword)]
    for series in study.series:
        assert series.texts(keyword) == [cell.text for cell in series.cells(keyword)]


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_texts_of_files_too(syntax):
    study = view(syntax, INSTANCES[:3])
    assert study.texts("InstanceNumber") == ["1", "2", ""]


def test_some_rows_are_a_view_like_any_other():
    study = view()
    rows = study.groups("PatientID")[0].rows
    assert rows == [0, 1]
    some = RowsView(study.table, [1, 3], CONTEXT)
    assert [(g.key, g.count, g.rows) for g in some.groups("PatientID")] == [("A1", 1, [1]), ("B2", 1, [3])]
    assert some.texts("SOPInstanceUID") == ["1.2.2", "1.2.4"]
    assert some.has("PatientID")
    assert not some.uniform("PatientID")
    assert some.uniform("Modality")


def test_the_first_value_is_the_most_frequent_one_there_is():
    study = view()
    assert study.first("PatientID").text == "A1"
    assert study.first("Modality").vr == ""
    assert view(instances=[{"Modality": ""}, {"Modality": "CT"}]).first("Modality").text == "CT"
    assert view(instances=[{"Modality": ""}]).first("Modality").vr == ""


def test_the_patients_of_a_study():
    assert [list(patient.rows) for patient in patients(view())] == [[0, 1, 2], [4], [3]]


def test_one_patient_is_the_study_itself():
    study = view(instances=INSTANCES[:3])
    assert patients(study) == [study]
    assert parts(study, "Modality") == [study]


@pytest.mark.parametrize("keywords", [("PatientID",), ("PatientID", "InstanceNumber"), ("Modality",)])
def test_rows_that_are_alike_have_the_same_cells(keywords):
    study = view()
    for rows in (study.rows, [4, 2, 1]):
        part = RowsView(study.table, rows, CONTEXT)
        cells = {row: tuple(study.cells(keyword)[row] for keyword in keywords) for row in rows}
        alike = part.alike(*keywords)
        assert sorted(row for _, of_these in alike for row in of_these) == sorted(rows)
        assert all(cells[row] == shared for shared, of_these in alike for row in of_these)
        assert len({shared for shared, _ in alike}) == len(alike)
