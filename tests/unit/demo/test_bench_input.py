"""The benchmarks' input is what it says it is, always the same."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pydicom
import pytest
from bench import synthetic


def test_an_instance_has_the_size_it_says() -> None:
    body = synthetic.body(200)
    rows = json.loads(body)
    assert {len(row) for row in rows} == {119}
    assert all(list(row) == sorted(row) for row in rows[:3])
    assert len(body) / len(rows) == pytest.approx(6900, rel=0.01)
    ((_, content),) = synthetic.files(1)
    assert len(content) == pytest.approx(528_000, rel=0.002)


def test_most_cells_repeat() -> None:
    rows = list(synthetic.instances(200))
    cells = sum(len({json.dumps(row[tag]) for row in rows}) for tag in rows[0])
    assert 0.05 < cells / (200 * 119) < 0.1


def test_shapes_are_the_same_amount_of_work() -> None:
    assert {studies * count for studies, count in synthetic.SHAPES.values()} == {2000}
    assert [len(json.loads(body)) for body in synthetic.bodies("20x100")] == [100] * 20


def test_studies_differ_and_repeat_exactly() -> None:
    bodies = [synthetic.body(3, study=study) for study in (0, 1, 0)]
    assert bodies[0] == bodies[2]
    first, second = (json.loads(body) for body in bodies[:2])
    for tag in ("0020000D", "0020000E", "00080018", "00100020", "00080050"):
        assert first[0][tag] != second[0][tag]


def test_chunks_are_the_body() -> None:
    parts = list(synthetic.chunks(50))
    assert b"".join(parts) == synthetic.body(50)
    assert {len(part) for part in parts[:-1]} == {synthetic.CHUNK}


def test_folder_and_zips_hold_the_same_files(tmp_path: Path) -> None:
    synthetic.write_folder(tmp_path / "folder", 3)
    files = {file.name: file.read_bytes() for file in (tmp_path / "folder").iterdir()}
    for deflated, share in ((False, 1.0), (True, 0.43)):
        place = tmp_path / f"{deflated}.zip"
        synthetic.write_zip(place, 3, deflated=deflated)
        with zipfile.ZipFile(place) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == files
        assert place.stat().st_size == pytest.approx(share * sum(map(len, files.values())), rel=0.1)


def test_pydicom_reads_the_files() -> None:
    contents = [content for _, content in synthetic.files(2)]
    datasets = [pydicom.dcmread(io.BytesIO(content)) for content in contents]
    assert [dataset.InstanceNumber for dataset in datasets] == [1, 2]
    assert len({hashlib.sha256(dataset.PixelData).digest() for dataset in datasets}) == 2
    assert {len(dataset.PixelData) for dataset in datasets} == {512 * 512 * 2}
