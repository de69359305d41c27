"""What imaging says: both statements in every file that it writes, and no word that judges a patient.

Looked through are the strings of its code, its documentation, pages and what an analysis really writes. Words
of the statements, and the name of one code of SNOMED CT, are none of ours.
"""

import ast
import gzip
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from imaging.analyses import analysis_of
from imaging.small_bodies import head, trunk
from pydicom import dcmread

from heltig.imaging.case.outputs import write_outputs
from heltig.imaging.labels import ABNORMAL_STRUCTURE
from heltig.imaging.statements import FOOTER, GATE_USE, RESEARCH_USE

ROOT: Final = Path(__file__).parents[2]

FORBIDDEN: Final = re.compile(
    r"\b(osteopor\w*|osteopen\w*|sarcop\w*|suggestive|suggests|suspicious\w*|suspect\w*|detected"
    r"|abnormal\w*|normal (range|value|limit|finding)s?|critical\w*|alert\w*|alarm\w*|triage\w*"
    r"|(\w+-)?diagnos\w*|patholog\w*|malignan\w*|benign|notif\w*)",
    re.IGNORECASE,
)

ALLOWED: Final = (
    RESEARCH_USE,
    GATE_USE,
    FOOTER,
    ABNORMAL_STRUCTURE.meaning,
)

DISCLAIMER: Final = re.compile(
    r"not for diagnosis(, triage)?(,? (or )?(treatment|triage))?( or clinical decisions)?\b", re.IGNORECASE
)
"""The statement in fewer words."""

CODE: Final = ("imaging/**/*.py", "pipeline/research/*.py", "api/v1/research*.py", "cli/analyze*.py")
PAGES: Final = ("dashboard/templates/**/*research*", "dashboard/templates/**/*analys*", "imaging/**/*.toml")
DOCUMENTS: Final = ("imaging.md", "measurements.md", "research.md")


def judging(text: str) -> list[str]:
    """Words that judge, outside of the statements."""
    plain = re.sub(r"[>*\s]+", " ", text)
    for allowed in ALLOWED:
        plain = re.sub(re.escape(allowed), " ", plain, flags=re.IGNORECASE)
    plain = DISCLAIMER.sub(" ", plain)
    return [found[0] for found in FORBIDDEN.finditer(plain)]


def strings(source: str) -> Iterator[str]:
    """The strings of a module, docstrings and parts of formatted ones too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def _files(patterns: tuple[str, ...]) -> list[Path]:
    return sorted({path for one in patterns for path in (ROOT / "heltig").glob(one) if path.is_file()})


@pytest.mark.parametrize(
    "text",
    [
        "Findings suggestive of osteoporosis",
        "sarcopenia",
        "a suspicious region",
        "within the normal range",
        "Critical alert",
        "Hemorrhage detected",
        "the diagnosis",
        "non-diagnostic",
    ],
)
def test_words_that_judge_are_found(text: str) -> None:
    assert judging(text)
    assert judging(f"{RESEARCH_USE} {text}")


def test_statements_and_plain_words_are_none() -> None:
    assert not judging("Research use only; not for diagnosis, triage or treatment.")
    assert not judging("not for diagnosis, triage, treatment or clinical decisions")
    assert judging("Not for diagnosis, but of diagnostic value")
    assert not judging(
        f"> **Research use only.**{RESEARCH_USE.removeprefix('Research use only.')}\n{GATE_USE}"
    )
    assert not judging(f"{FOOTER} along their normal, normally distributed")


def test_no_string_of_the_code_judges() -> None:
    files = _files(CODE)
    assert len(files) > 100
    found = {
        f"{path.relative_to(ROOT)}: {words}"
        for path in files
        for text in strings(path.read_text("utf-8"))
        if (words := judging(text))
    }
    assert not found


def test_no_page_and_no_document_judges() -> None:
    files = [*_files(PAGES), *(ROOT / "docs" / name for name in DOCUMENTS)]
    assert len(files) > len(DOCUMENTS)
    assert not {f"{path.name}: {words}" for path in files if (words := judging(path.read_text("utf-8")))}


@pytest.fixture(scope="module", params=["trunk", "head"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that a case writes."""
    found = tmp_path_factory.mktemp(request.param)
    write_outputs(analysis_of({"trunk": trunk, "head": head}[request.param]()), found, seconds=dict)
    return found


def _said(path: Path) -> str:
    """The text in a file."""
    content = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(content)[:2000].decode("latin-1")
        case ".dcm":
            ds = dcmread(BytesIO(content))
            values = [str(one.value) for one in ds.iterall() if one.VR not in ("OB", "OW", "SQ", "UI", "FL")]
            return " ".join([*values, _report(bytes(ds.get("EncapsulatedDocument", b"")))])
        case ".png" | ".jpg":
            return content.decode("latin-1")
    return content.decode("utf-8")


def _report(document: bytes) -> str:
    """The text of a PDF, its lines joined."""
    return re.sub(rb"\) Tj[^()]*\(", b" ", document).decode("latin-1")


def test_every_file_has_both_statements(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert kinds - {".jpg"} == {".json", ".csv", ".gz", ".png", ".dcm"}
    for path in files:
        said = _said(path)
        assert RESEARCH_USE in said, path.name
        assert GATE_USE in said, path.name


def test_nothing_that_is_written_judges(folder: Path) -> None:
    found = {
        path.name: words
        for path in folder.rglob("*")
        if path.suffix in (".json", ".csv", ".dcm") and (words := judging(_said(path)))
    }
    assert not found


def test_series_say_what_they_are_for(folder: Path) -> None:
    for path in (folder / "dicom").iterdir():
        assert dcmread(path).SeriesDescription.startswith("RESEARCH USE ONLY")
