"""Compiles the Basic Application Level Confidentiality Profile and its options (PS3.15 table E.1-1)."""

import ast
import hashlib
import importlib.metadata
from collections.abc import Iterator
from typing import Any

from heltig.standard import dictionary
from heltig.standard.build.deidentification_options import BY_OPTION
from heltig.standard.build.sources import package_folder, written
from heltig.standard.edition import Source

PACKAGE = "dicom-anonymizer"
SOURCE_EDITION = "2024b"
FILE = f"dicom_anonymization_databases/dicomfields_{SOURCE_EDITION}.py"

CLEAN_GRAPHICS = "113103"
UIDS = "113110"
FULL_DATES = "113106"
MODIFIED_DATES = "113107"
OF_TIME = {"DA", "TM", "DT"}
OF_TIME_BY_ANOTHER_VR = {"TimezoneOffsetFromUTC", "FrameOriginTimestamp"}
OF_TIME_NEVER_KEPT = {"PatientBirthDate", "PatientBirthTime", "GPSTimeStamp"}


def deidentification() -> str:
    """Return the text of the table: `[tag, action, options]`.

    The actions come from the package's transcription, which has no columns for options; which option keeps or
    cleans an attribute is written by hand, except for times and UIDs, which their VR and action tell.
    """
    path = package_folder("dicomanonymizer") / FILE
    source = Source(
        package=PACKAGE,
        version=importlib.metadata.version(PACKAGE),
        edition=SOURCE_EDITION,
        file=f"dicomanonymizer/{FILE}",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        licence="BSD-3-Clause",
    )
    actions = {_pattern(tag): action for tag, action in _actions(path.read_text(encoding="utf-8"))}
    unknown = set().union(*BY_OPTION.values()) - {
        dictionary.keyword_of(tag.replace("x", "0")) for tag in actions
    }
    if unknown:
        raise SystemExit(f"the profile does not have {sorted(unknown)}: see deidentification_options.py")
    return written(
        ([tag, action, _options(tag, action)] for tag, action in sorted(actions.items())), sources=[source]
    )


def _actions(text: str) -> Iterator[tuple[tuple[int, ...], str]]:
    """Return the lists of the package's module, `X_Z_TAGS = [...]` and so on, without importing it."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if name != "ALL_TAGS":
                action = name.removesuffix("_TAGS").replace("_STAR", "*").replace("_", "/")
                value: Any = ast.literal_eval(statement.value)
                yield from ((tag, action) for tag in value)


def _pattern(tag: tuple[int, ...]) -> str:
    """Return group and element, or group, element and the masks of both, as PS3.6 writes them."""
    digits = f"{tag[0]:04X}{tag[1]:04X}"
    if len(tag) == 2:
        return digits
    mask = f"{tag[2]:04X}{tag[3]:04X}"
    return "".join("x" if m == "0" else digit for digit, m in zip(digits, mask, strict=True))


def _options(tag: str, action: str) -> list[str]:
    entry = dictionary.lookup(tag.replace("x", "0"))
    keyword, vr = (entry.keyword, entry.vr) if entry else ("", "")
    if "x" in tag:  # curves and overlays
        return [CLEAN_GRAPHICS]
    options = [option for option, keywords in BY_OPTION.items() if keyword in keywords]
    if (vr in OF_TIME and keyword not in OF_TIME_NEVER_KEPT) or keyword in OF_TIME_BY_ANOTHER_VR:
        options += [FULL_DATES, MODIFIED_DATES]
    if "U" in action:
        options.append(UIDS)
    return sorted(options)
