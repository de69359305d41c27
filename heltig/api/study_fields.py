"""`includefield`: what a search shows of a study beside what it always does (PS3.18 8.3.4.3).

The verdict's findings come from the prepared answer; other attributes of the patient and the study, and
private ones, from what the study was judged by.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

import msgspec

from heltig.dicom.snapshot import read_elements
from heltig.dicom.table import private_key
from heltig.pipeline.publish import CREATOR, CREATOR_TAG, FINDINGS_TAG, DataSet, element
from heltig.standard.dictionary import lookup, tag_of
from heltig.standard.iods import iod_of
from heltig.store.records import Study
from heltig.store.series_contents import content_at, series_of_newest
from heltig.store.transaction import ReadTransaction

ALWAYS: Final = frozenset(
    {
        *("00080005", "00080020", "00080030", "00080050", "00080061", "00080090", "00081030"),
        *("00100010", "00100020", "00100021", "00100030", "00100040"),
        *("0020000D", "00200010", "00201206", "00201208"),
    }
)
"""What every row has where the study has it, beside the verdict."""

_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_OF_STUDIES: Final = frozenset({"C.7.1.1", "C.7.1.3", "C.7.2.1", "C.7.2.2", "C.7.2.3"})
"""Patient, Clinical Trial Subject, General Study, Patient Study, Clinical Trial Study (PS3.3 A.1.2)."""

_NAME: Final = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)
_MOST_SERIES: Final = 5
"""Series that are looked into for an attribute: the first that has it says what it is."""


class Fields(msgspec.Struct, frozen=True):
    """What `includefield` names.

    Attributes:
        findings: The verdict's findings.
        further: Attributes to be read from the evidence: the column there, and the tag to show.
        creators: Private creator elements to show with them.
        warnings: What the client has to be told: PS3.18 leaves out silently what is not supported.
    """

    findings: bool = False
    further: Mapping[str, str] = {}
    creators: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()


def fields_of(names: Iterable[str], creators: Mapping[str, str]) -> Fields:
    """What some values of `includefield` name.

    Args:
        names: Keywords, tags, `all`; of a path into a sequence the sequence counts.
        creators: The private creators that the query gives, by their tags (PS3.18 8.3.4.3).
    """
    further: dict[str, str] = {}
    shown: dict[str, str] = {}
    warnings: list[str] = []
    findings = False
    for name in names:
        tag = tag_named(name.partition(".")[0])
        if name == "all" or (tag == FINDINGS_TAG and creators.get(CREATOR_TAG, CREATOR) == CREATOR):
            findings = True
        elif not tag:
            warnings.append(f"includefield: {_shown(name)} names no attribute")
        elif _is_private(tag):
            block = f"{tag[:4]}00{tag[4:6]}"
            creator = creators.get(block)
            if tag[:6] == FINDINGS_TAG[:6] and creator in (None, CREATOR):
                continue  # of the verdict, which every row has
            if creator is None or block == CREATOR_TAG:
                warnings.append(f"includefield: {tag} is not included without its private creator at {block}")
                continue
            further[private_key(tag, creator)] = tag
            shown[block] = creator
        elif tag in _of_studies():
            further[tag] = tag
        elif tag not in ALWAYS:
            warnings.append(f"includefield: {_shown(name)} is no attribute of a study")
    return Fields(findings, further, shown, tuple(warnings))


def further_attributes(transaction: ReadTransaction, study: Study, fields: Fields) -> DataSet:
    """The attributes that are read from what a study was judged by, of those that are there.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    found: dict[str, bytes] = {}
    for series in series_of_newest(transaction, study.location, study.study_key)[:_MOST_SERIES]:
        missing = fields.further.keys() - found.keys()
        if not missing:
            break
        content = content_at(transaction, series.address)
        found |= {key: text for key, text in read_elements(content, missing).items() if text}
    rows = {fields.further[key]: msgspec.json.decode(text) for key, text in found.items()}
    blocks = {f"{tag[:4]}00{tag[4:6]}" for tag in rows if _is_private(tag)}
    return rows | {block: element("LO", fields.creators[block]) for block in blocks}


def tag_named(name: str) -> str:
    """The tag that a keyword or eight hex digits name; empty for what names no attribute."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        tag = name.upper()
        return tag if _is_private(tag) or lookup(tag) else ""
    try:
        return tag_of(name)
    except KeyError:
        return ""


def is_creator(tag: str) -> bool:
    """Whether a private creator stands there (PS3.5 7.8.1)."""
    return tag[3] in "13579BDF" and tag[4:6] == "00" and tag[6:] >= "10"


def _is_private(tag: str) -> bool:
    return tag[3] in "13579BDF"


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else "a value"


@cache
def _of_studies() -> frozenset[str]:
    """The attributes of patients and studies: every IOD has them, so that any will do."""
    iod = iod_of(_CT)
    modules = iod.modules if iod else ()
    return (
        frozenset(tag for use in modules if use.ref in _OF_STUDIES for tag in use.attributes.by_tag) - ALWAYS
    )
