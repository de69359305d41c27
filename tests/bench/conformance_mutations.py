"""What can be taken away unnoticed, for every SOP Class: `python tests/bench/conformance_mutations.py`.

Prints the account of docs/conformance.md ("Every SOP Class"). Of each SOP Class whose IOD the tables have one
object is made that has all it must have. Each of its attributes, at every depth, is taken away and then
emptied, and Heltig is asked what is new. Where it has nothing to say, dciodvfy (dicom3tools) is: if it misses
the attribute, the mutation is *silent*. It takes some minutes. Names or UIDs of SOP Classes as arguments keep
it to these; `--each` lists what is silent in each.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pydicom

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from checkers.messages import dciodvfy_said  # noqa: E402

from heltig.dicom.json_stream import InstanceSplitter  # noqa: E402
from heltig.dicom.study import StudyTable  # noqa: E402
from heltig.rules.conformance_check import check  # noqa: E402
from heltig.rules.conformance_owners import NOTHING  # noqa: E402
from heltig.rules.conformance_study import reader  # noqa: E402
from heltig.rules.conformance_words import Objection  # noqa: E402
from heltig.standard import sop_classes  # noqa: E402
from heltig.standard.dictionary import Entry, keyword_of, lookup, tag_of  # noqa: E402
from heltig.standard.iods import Iod, iod_of  # noqa: E402
from heltig.standard.iods import sop_classes as known_classes  # noqa: E402
from heltig.standard.modules import Attribute, Attributes  # noqa: E402

Data = dict[str, Any]
"""A data set in DICOM JSON."""
Place = tuple[str | int, ...]
"""The way down to an attribute: tags, and numbers of items."""

KINDS = ("absent", "empty")
DCIODVFY = Path(sys.executable).with_name("dciodvfy")
UID = "1.2.826.0.1.3680043.10.999"
DEEPEST = 6
ROUNDS = 12  # of mending an object: what is added may ask for more
GROUPS = tuple(map(tag_of, ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")))
CODE = tuple(map(tag_of, ("CodeMeaning", "CodeValue", "CodingSchemeDesignator")))
LEFT_ALONE = {tag_of("SOPClassUID"), *CODE}
"""Without the one nothing is known of an object; what codes lack is a matter of VAL-CODE-SEQ."""
VALUES: dict[str, Any] = {
    "AE": "AET", "AS": "030Y", "AT": "00080018", "CS": "A", "DA": "20200101", "DS": 1, "DT": "20200101120000",
    "FD": 1.0, "FL": 1.0, "IS": 1, "LO": "A", "LT": "A", "PN": {"Alphabetic": "Doe^Jane"}, "SH": "A", "SL": 1,
    "SS": 1, "ST": "A", "SV": 1, "TM": "120000", "UC": "A", "UI": f"{UID}.7", "UL": 1, "UR": "http://x/",
    "US": 1, "UT": "A", "UV": 1,
}  # fmt: skip
FACTS: dict[str, Any] = {
    "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0, "Rows": 2, "Columns": 2,
    "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "NumberOfFrames": 1, "PatientSex": "F",
    "ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "LossyImageCompression": "00",
    "SpecificCharacterSet": "ISO_IR 100", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"],
    "FrameType": ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"],
}  # fmt: skip


class Measured(NamedTuple):
    """What came of one SOP Class.

    Attributes:
        tried: The mutations, by kind.
        noticed: How many of them we notice, by kind.
        silent: Those that dciodvfy notices, and we do not: kind and place.
        base: What dciodvfy misses in the whole object; None where it does not know the SOP Class.
    """

    tried: Counter[str]
    noticed: Counter[str]
    silent: list[tuple[str, Place]]
    base: list[str] | None


# -- an object that has all it must have


def whole(uid: str, iod: Iod) -> Data:
    """An object of a SOP Class with everything that its IOD demands."""
    data: Data = {}
    for module in iod.modules:
        if module.usage == "M":
            _fill(data, module.attributes)
    sop_class = sop_classes.lookup(uid)
    _put(data, tag_of("SOPClassUID"), value=uid)
    if sop_class and sop_class.modality:
        _put(data, tag_of("Modality"), value=sop_class.modality[0])
    if iod.macros:
        shared: Data = {}
        for macro in iod.macros:
            if macro.usage == "M" and macro.where != "frame":
                _fill(shared, macro.attributes)
        frame: Data = {}
        for macro in iod.macros:
            if macro.usage == "M" and macro.where == "frame":
                _fill(frame, macro.attributes)
        for tag, groups in zip(GROUPS, (shared, frame), strict=True):
            data[tag] = {"vr": "SQ", "Value": [groups]}
    for _ in range(ROUNDS):
        missing = [one for one in objections(iod, data) if one.observed.split(" (")[0] in _MENDED]
        for objection in missing:
            if objection.rule == "IOD-FUNCTIONAL-GROUP":
                for tag in (objection.path[0], *objection.more):
                    _add_group(data, tag, iod)
                continue
            for path in _paths(objection):
                _mend(data, path, iod)
        if not missing:
            break
    return data


_MENDED = ("absent", "empty", "no items", "absent in some frames")


def _fill(data: Data, attributes: Attributes, depth: int = 0) -> None:
    for attribute in attributes:
        if attribute.type in ("1", "2") and not attribute.guard and not attribute.condition:
            _put(data, attribute.tag, attribute, depth)


def _put(
    data: Data, tag: str, attribute: Attribute | None = None, depth: int = 0, *, value: str | None = None
) -> None:
    entry = lookup(tag)
    if entry is None or (tag in data and value is None):
        return
    vr = entry.vr.split(" or ")[0]
    if vr == "SQ":
        item: Data = {}
        if attribute and attribute.items and depth < DEEPEST:
            _fill(item, attribute.items, depth + 1)
            for code in CODE if CODE[0] in attribute.items else ():
                _put(item, code)
        data[tag] = {"vr": "SQ", "Value": [item]}
    elif vr in ("OB", "OW", "OD", "OF", "OL", "OV", "UN"):
        data[tag] = {"vr": vr, "InlineBinary": "AAAAAAAAAAA="}
    elif value is not None:
        data[tag] = {"vr": vr, "Value": [value]}
    else:
        data[tag] = {"vr": vr, "Value": _values(entry, vr, attribute)}


def _values(entry: Entry, vr: str, attribute: Attribute | None) -> list[Any]:
    """As many values as there must be; those that are enumerated are of the list."""
    least = int(entry.vm.split("-")[0]) if entry.vm[:1].isdigit() else 1
    fact = FACTS.get(entry.keyword, VALUES[vr])
    values = list(fact) if isinstance(fact, list) else [fact] * least
    for number, allowed in (attribute.values if attribute else {}).items():
        values += [VALUES["CS"]] * (number - len(values))
        for place in range(len(values)) if number == 0 else (number - 1,):
            if str(values[place]) not in allowed:
                values[place] = sorted(allowed)[0]
    return values


def _mend(data: Data, path: tuple[str, ...], iod: Iod) -> None:
    """Put an attribute where an objection misses it, in every item on the way."""
    known = _known(iod, path)
    inner = [data]
    for tag in path[:-1]:
        inner = [item for one in inner for item in one.get(tag, {}).get("Value", [])]
    for one in inner:
        one.pop(path[-1], None)
        _put(one, path[-1], known, len(path))


def _add_group(data: Data, tag: str, iod: Iod) -> None:
    """Put a functional group where its macro may stand."""
    macro = iod.macros_of[tag][0]
    place = GROUPS[macro.where == "frame"]
    _put(data[place]["Value"][0], tag, macro.attributes.by_tag[tag][0])


def _known(iod: Iod, path: tuple[str, ...]) -> Attribute | None:
    """The attribute at a path as some module or macro has it, one with items if there is one."""
    lists: list[Attributes] = [module.attributes for module in iod.modules]
    if path[0] in GROUPS:
        lists, path = [macro.attributes for macro in iod.macros], path[1:] or path
    found: list[Attribute] = []
    for tag in path:
        found = [attribute for one in lists for attribute in one.by_tag.get(tag, ())]
        lists = [attribute.items for attribute in found if attribute.items]
    return max(found, key=lambda one: (one.items is not None, bool(one.values)), default=None)


# -- what is said of it


def objections(iod: Iod, data: Data) -> tuple[Objection, ...]:
    """What our check says of an object."""
    splitter, table = InstanceSplitter(), StudyTable("1", "1")
    for instance in splitter.feed(json.dumps([data]).encode()) + splitter.close():
        table.add(instance)
    table.arrange()
    (shape,) = reader().shapes(table)
    return check(iod, shape, owned=NOTHING)


def _ours(iod: Iod, data: Data) -> set[tuple[str, tuple[str, ...]]]:
    return {(one.rule, path) for one in objections(iod, data) for path in _paths(one)}


def _paths(objection: Objection) -> list[tuple[str, ...]]:
    """The attributes that an objection is about."""
    return [objection.path, *(tuple(path.split("/")) for path in objection.more)]


def _theirs(path: Path) -> Counter[str] | None:
    """How often dciodvfy misses each attribute; it names no place. None: it does not know the SOP Class."""
    done = subprocess.run([DCIODVFY, path], capture_output=True, check=False, timeout=60)
    text = done.stderr.decode("utf-8", "replace")
    if done.returncode not in (0, 1) or "Information Object Not found" in text:
        return None
    said, _ = dciodvfy_said(text)
    lines = text.splitlines()
    return Counter(
        {
            keyword: sum(f"<{keyword}>" in line for line in lines)
            for kind, keyword in said
            if kind in ("missing", "empty")
        }
    )


def written(data: Data, path: Path, uid: str) -> Path:
    dataset = pydicom.Dataset.from_json(json.dumps(data))
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.UID(uid)
    dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"{UID}.7")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


# -- taken away, attribute by attribute


def _places(data: Data, above: Place = ()) -> Iterator[Place]:
    for tag, element in data.items():
        yield (*above, tag)
        for number, item in enumerate(element.get("Value", []) if element["vr"] == "SQ" else []):
            yield from _places(item, (*above, tag, number))


def _mutated(data: Data, place: Place, kind: str) -> Data:
    changed = deepcopy(data)
    inner = changed
    for step in place[:-1]:
        inner = inner["Value"][step] if isinstance(step, int) else inner[step]
    tag = str(place[-1])
    if kind == "absent":
        del inner[tag]
    else:
        inner[tag] = {"vr": inner[tag]["vr"]}
    return changed


def measure(uid: str, iod: Iod, folder: Path, pool: ThreadPoolExecutor) -> Measured:
    """Mutate the object of one SOP Class."""
    data = whole(uid, iod)
    ours = _ours(iod, data)
    theirs = _theirs(written(data, folder / "whole.dcm", uid))
    mutations = [(kind, place) for place in _places(data) for kind in KINDS if place[-1] not in LEFT_ALONE]
    unnoticed: list[tuple[str, Place]] = []
    paths: list[Path] = []
    for kind, place in mutations:
        mutated = _mutated(data, place, kind)
        if _ours(iod, mutated) <= ours:
            unnoticed.append((kind, place))
            if theirs is not None:
                paths.append(written(mutated, folder / f"{len(paths)}.dcm", uid))
    silent = []
    for (kind, place), said in zip(unnoticed, pool.map(_theirs, paths), strict=theirs is not None):
        keyword = keyword_of(str(place[-1]))
        if theirs is not None and said is not None and said[keyword] > theirs[keyword]:
            silent.append((kind, place))
    tried = Counter(kind for kind, _ in mutations)
    noticed = tried - Counter(kind for kind, _ in unnoticed)
    return Measured(tried, noticed, silent, None if theirs is None else sorted(theirs))


def main() -> None:
    """Measure all SOP Classes, or those named."""
    wanted = {name for name in sys.argv[1:] if not name.startswith("-")}
    rows: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        for uid in known_classes():
            iod = iod_of(uid)
            if iod is not None and (not wanted or {uid, iod.name} & wanted):
                rows[f"{iod.name} ({uid})"] = measured = measure(uid, iod, Path(folder), pool)
                if "--each" in sys.argv:
                    _tell(iod.name, measured)
    unknown = [name for name, row in rows.items() if row.base is None]
    print(f"{len(rows)} SOP Classes, of which dciodvfy does not know {len(unknown)}: {', '.join(unknown)}\n")
    for kind in KINDS:
        tried = sum(row.tried[kind] for row in rows.values())
        noticed = sum(row.noticed[kind] for row in rows.values())
        silent = Counter(
            keyword_of(str(place[-1])) for row in rows.values() for one, place in row.silent if one == kind
        )
        print(f"{kind}: {tried} mutations, {noticed} noticed, {silent.total()} silent")
        for keyword, number in silent.most_common():
            print(f"- {keyword}: {number}")
    misses = Counter(keyword for row in rows.values() for keyword in row.base or ())
    print(f"\nMissed by dciodvfy in whole objects: {dict(misses.most_common())}")


def _tell(name: str, measured: Measured) -> None:
    print(name, dict(measured.tried), dict(measured.noticed), measured.base, file=sys.stderr, flush=True)
    for kind, place in measured.silent:
        named = ".".join(keyword_of(tag) for tag in place if isinstance(tag, str))
        print(f"    {kind} {named}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
