"""Real files read alike from a folder and from ZIPs, and none is lost."""

import zipfile
from pathlib import Path

import pydicom
import pydicom.data
import pytest
from unit.connectors.upload.made import Judged, judged

from connectors.upload import list_inputs, read_members
from connectors.upload.file_set import FileSet
from heltig.dicom.cell import DataSet

SHIPPED = Path(pydicom.data.__file__).parent / "test_files"


def packed(files: list[Path], root: Path, package: Path, method: int) -> Path:
    with zipfile.ZipFile(package, "w", method, compresslevel=1) as made:
        for file in files:
            made.write(file, file.relative_to(root).as_posix())
    return package


def by_name(result: Judged) -> dict[str, DataSet]:
    return {d.origin.split("!")[-1]: DataSet(d.tags, d.raws, d.encoding, d.faults) for d in result.data_sets}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_what_pydicom_ships_reads_alike_from_a_folder_and_a_zip(tmp_path: Path, method: int) -> None:
    # ZIPs among the files are members of both, so they are left out of the comparison.
    files = sorted(f for f in SHIPPED.rglob("*") if f.is_file() and f.suffix != ".zip")
    package = packed(files, SHIPPED, tmp_path / "all.zip", method)
    (zipped,) = judged(package, scratch=tmp_path, deep=True)
    (folder,) = judged(SHIPPED, scratch=tmp_path)
    expected = by_name(folder)
    assert zipped.report.members == len(files) > 100
    found = by_name(zipped)
    assert found.keys() == expected.keys() & {f.relative_to(SHIPPED).as_posix() for f in files}
    differing = [name for name, data_set in found.items() if _content(data_set) != _content(expected[name])]
    assert differing == []
    assert {n.split("!")[-1]: k for n, k in zipped.skipped.items()}.items() <= {
        (name, kind if kind != "empty" else "empty-member") for name, kind in folder.skipped.items()
    }


def test_pydicom_reads_the_same_names_in_dicomdirs(tmp_path: Path) -> None:
    folder = SHIPPED / "dicomdirtests"
    (listing,) = list_inputs([folder], scratch=tmp_path)
    found = [outcome for outcome in read_members(listing.refs) if isinstance(outcome, FileSet)]
    assert len(found) >= 7
    for file_set in found:
        records = pydicom.dcmread(folder / file_set.origin).DirectoryRecordSequence
        names = [record.ReferencedFileID for record in records if "ReferencedFileID" in record]
        expected = [name if isinstance(name, str) else "/".join(name) for name in names]
        assert file_set.files == tuple(dict.fromkeys(expected))
        assert file_set.damage == ""
    (whole,) = judged(folder, scratch=tmp_path)
    assert not [fact for fact in whole.facts if fact.kind.startswith("dicomdir-")]


def _content(data_set: DataSet) -> object:
    # How much follows the pixel data is only known where the end of the object can be reached.
    return data_set.tags, tuple(map(bytes, data_set.raws)), data_set.encoding


@pytest.mark.corpus
def test_every_file_of_the_corpus_is_an_instance_or_named(corpus: Path, tmp_path: Path) -> None:
    (result,) = judged(corpus, scratch=tmp_path)
    files = {f.relative_to(corpus).as_posix() for f in corpus.rglob("*") if f.is_file()}
    accounted = {name.split("!")[0] for name in (*result.read, *result.skipped)}
    assert accounted == files
    assert result.report.members == result.report.instances + len(result.report.skipped)
    assert set(result.skipped.values()) <= {"dicomdir", "not-dicom", "empty", "system-file", "unreadable"}
