"""The documents of an analysis in its output folder, and at the end the list of all files in it."""

import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from heltig.imaging.analysis import Analysis
from heltig.imaging.documents.analysis_json import STATEMENTS, analysis_document
from heltig.imaging.documents.fhir import imaging_study, observations
from heltig.imaging.documents.id_json import id_document
from heltig.imaging.documents.table import measurements_csv
from heltig.imaging.metrics.flat import flat_view
from heltig.imaging.pictures.strip import FOLDER, Strip
from heltig.imaging.selection.codes import REJECTIONS
from heltig.imaging.selection.codes import WARNINGS as REMARKS
from heltig.imaging.selection.selecting import Audit

LIST: Final = "files.json"
SELECTION: Final = "selection.json"
SLICES: Final = "slices.json"

_MEDIA_TYPES: Final = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".dcm": "application/dicom",
}


def write_documents(analysis: Analysis, folder: Path) -> None:
    """Write JSON, CSV and FHIR.

    Args:
        analysis: The analysis.
        folder: Its output folder.

    Raises:
        OSError: A file cannot be written.
    """
    flat = flat_view(analysis.results, analysis.order.analysis_id)
    documents: dict[str, Any] = {
        "id.json": id_document(analysis),
        "resultados.json": {**flat, **STATEMENTS},
        "analysis.json": analysis_document(analysis),
        "fhir/observations.json": observations(analysis),
        "fhir/imaging-study.json": imaging_study(analysis),
    }
    (folder / "fhir").mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / name).write_bytes(_json(document))
    write_selection(analysis.selection.audit, folder)
    (folder / "measurements.csv").write_bytes(measurements_csv(analysis).encode(errors="replace"))


def write_selection(audit: Audit, folder: Path) -> None:
    """Write the audit of the selection, which there is where nothing was selected, too.

    Raises:
        OSError: The file cannot be written.
    """
    said = {reason.code for entry in audit.entries for reason in entry.reasons}
    said |= {warning for entry in audit.entries for warning in entry.warnings}
    meanings = {code: text for code, text in {**REJECTIONS, **REMARKS}.items() if code in said}
    document = {**STATEMENTS, "meanings": meanings, **msgspec.to_builtins(audit)}
    (folder / SELECTION).write_bytes(_json(document))


def write_slices(strip: Strip, folder: Path) -> None:
    """Write the pictures of slices, and where each of them lies.

    Raises:
        OSError: A file cannot be written.
    """
    (folder / FOLDER).mkdir()
    for picture in strip.pictures:
        (folder / picture.file).write_bytes(picture.jpeg)
    (folder / SLICES).write_bytes(_json({**STATEMENTS, **strip.document}))


def write_list(folder: Path) -> None:
    """Write the list of all files that are in an output folder, with size, media type and SHA-256.

    Raises:
        OSError: A file cannot be read or written.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / LIST)
    files = [_listed(path, path.relative_to(folder).as_posix()) for path in paths]
    (folder / LIST).write_bytes(_json({**STATEMENTS, "files": files}))


def _listed(path: Path, name: str) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return {"path": name, "size": path.stat().st_size, "media_type": media_type, "sha256": digest}


def _json(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_in_unicode(msgspec.to_builtins(document))))


def _in_unicode(value: Any) -> Any:
    """The same without halves of characters, which names of files may have and UTF-8 does not."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_in_unicode(key): _in_unicode(part) for key, part in value.items()}
        case list() | tuple():
            return [_in_unicode(part) for part in value]
    return value
