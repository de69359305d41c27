"""`heltig check --dcmodify`: the proposed changes as a script in a file."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from synthetic import synthetic_study

from heltig.cli import heltig
from heltig.demo.samples import part10_files
from heltig.errors import UsageError


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A file with something to mend."""
    _, content = next(iter(part10_files(synthetic_study("ct-chest"))))
    path = tmp_path / "given.dcm"
    path.write_bytes(content.replace(b"CS\x0a\x00ISO_IR 100", b"CS\x0a\x00ISO-IR 100"))
    return path


def test_the_script_is_written_and_the_data_left_alone(given: Path, tmp_path: Path) -> None:
    before = given.read_bytes()
    ran = CliRunner().invoke(heltig, ["check", str(given), "--dcmodify", str(tmp_path / "mend.sh")])
    assert ran.exit_code == 10, ran.output
    assert "'(0008,0005)=ISO_IR 100'" in (tmp_path / "mend.sh").read_text("ascii")
    assert 'SpecificCharacterSet: "ISO-IR 100" → "ISO_IR 100"' in ran.output
    assert given.read_bytes() == before


def test_it_is_refused_beside_redaction_and_without_a_folder(given: Path, tmp_path: Path) -> None:
    script = tmp_path / "mend.sh"
    both = ["check", str(given), "--dcmodify", str(script), "--redact"]
    nowhere = ["check", str(given), "--dcmodify", str(tmp_path / "none" / "mend.sh")]
    for arguments in (both, nowhere):
        assert isinstance(CliRunner().invoke(heltig, arguments).exception, UsageError)
    assert not script.exists()
