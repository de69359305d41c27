from datetime import UTC, datetime
from typing import Any

import msgspec

from heltig.dicom.digest import series_digests
from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.snapshot import read_combinations, read_snapshot, series_evidence, snapshot_id
from heltig.dicom.source import FILES
from heltig.dicom.study import StudyCollector, StudyTable
from heltig.pipeline.evidence import DEVICE_TAGS, device_text, devices_of, new_snapshot, study_attributes
from heltig.store.packing import unpack_series
from heltig.store.records import Device, Location, NewSnapshot, Patient

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def instance(number: int, **values: Any) -> dict[str, Any]:
    plain = {
        "0020000D": ("UI", "1.2"),
        "0020000E": ("UI", f"1.2.{1 + number // 3}"),
        "00080018": ("UI", f"1.2.9.{number}"),
        "00080060": ("CS", "CT"),
        "00080020": ("DA", "20260301"),
        "00100020": ("LO", "P1"),
    }
    plain |= values
    dataset: dict[str, Any] = {}
    for tag, (vr, value) in sorted(plain.items()):
        dataset[tag] = {"vr": vr, "Value": value if isinstance(value, list) else [value]}
    return dataset


def table(*instances: dict[str, Any]) -> StudyTable:
    collector, splitter = StudyCollector(), InstanceSplitter()
    for found in (*splitter.feed(msgspec.json.encode(list(instances))), *splitter.close()):
        collector.add(found)
    (study,) = collector.studies()
    return study


def test_of_several_values_the_commonest() -> None:
    numbers = range(5)
    dates = ["20260301", "20260302", "20260302", "", "20260301"]
    made = table(*(instance(n, **{"00080020": ("DA", dates[n])}) for n in numbers))
    assert study_attributes(made).study_date == "20260301"  # the smaller of two that are as common
    assert study_attributes(table(instance(0), instance(1))).accession_number == ""


def test_modalities_and_values_of_several() -> None:
    made = table(
        instance(0, **{"00080060": ("CS", "SR")}),
        instance(1, **{"00081030": ("LO", ["A", "B"])}),
        instance(2),
    )
    assert study_attributes(made).modalities_in_study == ("CT", "SR")
    assert study_attributes(made).study_description == "A\\B"


def test_every_patient_that_instances_name_the_commonest_first() -> None:
    jane = {"00100010": ("PN", {"Alphabetic": "Doe^Jane"})}
    other = {"00100020": ("LO", "P2")}
    made = table(instance(0, **jane), instance(1, **jane), instance(2, **other), instance(3))
    assert study_attributes(made).patients == (
        Patient(patient_id="P1", patient_name="Doe^Jane", instances=2),
        Patient(patient_id="P1", instances=1),
        Patient(patient_id="P2", instances=1),
    )
    nobody = instance(0)
    del nobody["00100020"]
    assert study_attributes(table(nobody)).patients == ()


def test_devices_are_those_that_any_instance_names_and_the_evidence_says_the_same() -> None:
    acme = {"00080070": ("LO", " Acme  Medical "), "00081090": ("LO", "CT 9"), "00081010": ("SH", "CT1")}
    console = {"00080070": ("LO", "Acme Medical"), "00081010": ("SH", "WS")}
    for given in (
        [instance(n, **acme) for n in range(4)],
        [instance(0, **acme), instance(1, **acme), instance(2, **console), instance(4, **console)],
        [instance(0), instance(1, **console), instance(3)],
        [instance(0)],
    ):
        made = table(*given)
        read = {
            Device(*map(device_text, texts))
            for kept in series_evidence(made)
            for texts in read_combinations(kept.content, DEVICE_TAGS)
        }
        assert devices_of(made) == tuple(sorted(read))
    assert devices_of(made) == (Device(),)
    assert devices_of(table(*(instance(n, **acme) for n in range(4)))) == (
        Device("Acme Medical", "CT 9", "CT1"),
    )


def snapshot_of(made: StudyTable) -> NewSnapshot:
    evidence = series_evidence(made)
    return new_snapshot(
        made,
        evidence,
        series_digests(made),
        id=snapshot_id(made, evidence),
        content_digest="d" * 64,
        location=Location("upload", "u1"),
        received=NOW,
        reference_date=NOW.date(),
    )


def test_a_snapshot_reads_back_as_the_study_it_was_made_of() -> None:
    snapshot = snapshot_of(table(*(instance(n) for n in range(5))))
    assert [(s.series_key, s.instances, s.modality) for s in snapshot.series] == [
        ("1.2.1", 3, "CT"),
        ("1.2.2", 2, "CT"),
    ]
    assert snapshot.series[0].sop_instance_uids == ("1.2.9.0", "1.2.9.1", "1.2.9.2")
    contents = [unpack_series(blob.body, address=blob.address) for blob in snapshot.series]
    assert snapshot_of(read_snapshot("1.2", "1.2", FILES, contents)) == snapshot
