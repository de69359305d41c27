"""The conformance statement says what the code does."""

import re
from pathlib import Path

from connectors.dimse.library import MAXIMUM_PDU
from connectors.dimse.part10 import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION
from heltig.api.qido import parse_search
from heltig.auth.policy import ROUTES
from heltig.gate import response
from heltig.pipeline import publish
from heltig.pipeline.gate import refusal_codes
from heltig.settings import Settings
from heltig.standard.dictionary import entries

TEXT = (Path(__file__).parents[2] / "docs/conformance-statement.md").read_text(encoding="utf-8")


def table_after(heading: str) -> list[list[str]]:
    """The rows of the first table after a heading, without its head."""
    lines = TEXT[TEXT.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows[2:]


def test_status_codes() -> None:
    told = {row[0].strip("| ") for row in table_after("### 8.4")}
    codes = {
        refusal_codes.SUCCESS,
        refusal_codes.SITE_RULE,
        *refusal_codes.MEANINGS,
        *refusal_codes.FAMILIES.values(),
    }
    assert told - {"any other"} == {f"{code:04X}H" for code in codes}
    for family, code in refusal_codes.FAMILIES.items():
        (row,) = [row for row in table_after("### 8.4") if row[0].strip("| ") == f"{code:04X}H"]
        assert family == "IOD" or f"({family})" in row[1]


def test_private_attributes() -> None:
    told = {row[0].strip("| "): row[1] for row in table_after("### 8.2")}
    written = {
        f"({tag[:4]},{tag[4:]})"
        for module in (publish, response)
        for tag in re.findall(r'"(0099[0-9]{4})"', Path(str(module.__file__)).read_text(encoding="utf-8"))
        if tag != publish.CREATOR_TAG
    }
    assert written == set(told)
    assert publish.CREATOR in TEXT


def test_settings_and_routes_exist() -> None:
    known = {f"HELTIG_{name.upper()}" for name in Settings.__struct_fields__}
    assert set(re.findall(r"HELTIG_[A-Z_]+", TEXT)) <= known
    for resource in re.findall(r"`((?:/dicom-web|/consult)[^`]*)`", TEXT):
        assert any(f"{route} ".partition(" ")[2].startswith(resource) for route in ROUTES), resource


def test_what_an_association_is_told() -> None:
    assert IMPLEMENTATION_CLASS in TEXT
    assert f"| {IMPLEMENTATION_VERSION} |" in TEXT
    assert f"{MAXIMUM_PDU:,} bytes" in TEXT


def test_matching_keys() -> None:
    told = re.findall(
        r"[A-Z]\w+(?=[,\n])", "".join(f"{row[0].strip('| ')}\n" for row in table_after("| attribute"))
    )
    assert len(told) == 13
    for keyword in told:
        assert parse_search(f"{keyword}=".encode()).warnings == (), keyword
    others = {
        entry.keyword for entry in entries() if entry.keyword and entry.tag[:4] in ("0008", "0010", "0020")
    }
    for keyword in sorted(others - set(told)):
        assert parse_search(f"{keyword}=".encode()).warnings, keyword
