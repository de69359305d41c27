"""What a judged study took is free at once: a large one must not wait for Python's cycle collector."""

import gc
import weakref
from datetime import date

import pytest
from bench import synthetic

from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.study import StudyTable
from heltig.pipeline.judging import judge
from heltig.rules.profile import Profile


@pytest.fixture
def _collector_off():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_collector_off")
def test_nothing_keeps_a_study_after_it_was_judged():
    splitter = InstanceSplitter()
    table = StudyTable("1.2", "1.2")
    for instance in splitter.feed(synthetic.body(20)) + splitter.close():
        table.add(instance)
    table.arrange()
    verdict = judge(table, Profile(), reference_date=date(2026, 1, 1)).verdict
    items = [weakref.ref(table.items(column)) for tag, column in table.columns.items() if tag == "00081032"]
    study = weakref.ref(table)
    del table
    assert verdict
    assert items
    assert study() is None
    assert [item() for item in items] == [None]
