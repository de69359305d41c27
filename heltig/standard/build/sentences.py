"""Compiles sentences of PS3.3 that say when an attribute is required into conditions of the tables.

"Required if Frame Type (0008,9007) Value 1 of this frame is ORIGINAL. May be present otherwise." becomes
`["required", ["=", "00089007", 1, ["ORIGINAL"]]]`. A sentence is compiled only if every word of what it
depends on is understood. Of several reasons joined by "or" those that no attribute tells are left out: the
attribute is then required if one of the others is true.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from heltig.standard.conditions import FIRST_ITEM
from heltig.standard.dictionary import lookup, tag_of

Row = list[Any]

_REQUIRED: Final = re.compile(
    r"(?:^|[ ,])(?:Otherwise, r|R)equired:?,?:? (?=if|when|for)(?:(?:if|when):? )?(?:Required if )?"
    r"(?P<when>.*?)"
    r"(?=\.(?= |$)|;|,? ?\bmay (?:only )?be (?:present|included)|,? ?\botherwise\b|,? ?\bshall not be|$)",
    re.IGNORECASE,
)
_OTHERWISE: Final = re.compile(
    r"(?:Otherwise,? may be present|May be present otherwise|May be present),?"
    r"(?: otherwise)?(?: only)? if (?P<when>.*?)(?=\.(?= |$)|;|$)",
    re.IGNORECASE,
)
_OTHERWISE_SAID: Final = re.compile(
    r"otherwise|may (?:only )?be (?:present|included)|shall not", re.IGNORECASE
)
_NEVER_OTHERWISE: Final = re.compile(r"shall not be (?:present|included) otherwise", re.IGNORECASE)

_NAME: Final = r"(?:(?! (?:and|or|if|is|are|equals|has) )[^;]){2,90}?"
_ATTRIBUTE: Final = (
    rf"(?:(?:either )?(?:the )?(?:value of )?(?:the )?(?:Attribute )?(?P<name>{_NAME}) ?"
    r"\((?P<group>[0-9A-F]{4}),? ?(?P<element>[0-9A-F]{4})\)"
    r"|(?:the )?(?P<uid>SOP Class UID)(?: \(0008,0016\))?)"
    r"(?:,? [Vv]alue (?P<number>\d))?(?: of this frame)?"
    r"(?: in the [A-Z][A-Za-z -]+ Module| in the(?= equals))?"
)
_VALUE: Final = r"\"?[A-Z0-9][A-Z0-9_.]*(?: [A-Z0-9_]{2,})*\"?(?! ?\([0-9A-F]{4},)(?![A-Za-z])"
_VALUES: Final = (
    rf"(?P<values>{_VALUE}(?: \([A-Za-z][^()]*\))?"
    rf"(?:(?:,? or |,? and not |, |/)(?:equals? )?{_VALUE}(?: \([A-Za-z][^()]*\))?)*)"
)
_IS: Final = (
    r"(?:is (?:present|provided) and )?(?:Attribute )?(?:[Vv]alue )?"
    r"(?:equals|is equal to|is set to|has (?:a|the) value(?: of)?|has value|contains the value|is)"
    r"(?: either)?(?: a value of)?"
)
_ONE_OF: Final = re.compile(
    rf"(?:either )?(?P<one>{_NAME} ?\([0-9A-F]{{4}},[0-9A-F]{{4}}\)) or (?P<two>{_NAME} ?"
    r"\([0-9A-F]{4},[0-9A-F]{4}\)) (?:is|are) present"
)
_TERMS: Final = (
    ("first", re.compile(r"(?:for )?(?:the )?first Item (?:of|in) (?:[A-Z]\w+ )*Control Point Sequence")),
    ("-", re.compile(rf"{_ATTRIBUTE} (?:is (?:not present|absent)|does not exist)")),
    (
        "+",
        re.compile(
            rf"{_ATTRIBUTE} (?:is present and has a value|is not empty|is present|are present|exists|is used)"
        ),
    ),
    ("points", re.compile(rf"{_ATTRIBUTE} (?:contains|includes|points to)(?: the [Tt]ag for)? {_NAME} ?"
                          r"\((?P<group2>[0-9A-F]{4}),(?P<element2>[0-9A-F]{4})\)")),
    ("any", re.compile(rf"{_ATTRIBUTE} has values of {_VALUES}")),
    (">", re.compile(rf"{_ATTRIBUTE} (?:is (?:non-zero|not zero|greater than (?:zero|0)))")),
    ("!=", re.compile(rf"{_ATTRIBUTE} (?:is|are|equals) (?:other than|not(?: equal to)?) {_VALUES}")),
    ("=", re.compile(rf"{_ATTRIBUTE} (?:{_IS}) {_VALUES}")),
    ("=", re.compile(r"(?P<uid>SOP Class UID) is [A-Z][A-Za-z -]+ \((?P<values>\"[\d.]+\")\)(?P<number>)")),
)  # fmt: skip
_JOINED: Final = re.compile(r"(?P<comma>,?) (?P<word>and|or|(?=if ))(?:(?<!\s) |)(?:if )?(?:the )?")
_LATER_ITEMS: Final = re.compile(r", and in subsequent control points if ")
_END: Final = re.compile(r"[.,; ]*$")


def compiled(text: str) -> Row:
    """The condition that the description of an attribute, module or macro gives; empty where it is unknown.

    Args:
        text: What PS3.3 says, without mark-up.
    """
    found = [match["when"] for match in _REQUIRED.finditer(text)]
    required = _any([_reason(words) for words in found])
    if required is None:
        return []
    whole = all(_expression(words) is not None for words in found)
    if whole and (_NEVER_OTHERWISE.search(text) or _is_forbidden_otherwise(text, required)):
        return ["required else forbidden", required]
    otherwise = _OTHERWISE.search(text)
    other = _expression(otherwise["when"]) if otherwise else None
    return ["required else", required, other] if whole and other else ["required", required]


def _is_forbidden_otherwise(text: str, when: Row) -> bool:
    """Nothing is said of what holds otherwise: it must then not be there (PS3.5 7.4.2, 7.4.4).

    What depends on the presence of others is left alone: their absence may be the very defect.
    """
    return not _OTHERWISE_SAID.search(text) and _asks_for_values(when)


def _asks_for_values(when: Row) -> bool:
    if when[0] in ("and", "or"):
        return all(_asks_for_values(part) for part in when[1:])
    return when[0] not in ("+", "-")


def _reason(words: str) -> Row | None:
    """What follows "required if"; where not all of it is understood, the reasons that are."""
    parts = re.split(r",? or if |, or ", _LATER_ITEMS.sub(", or if ", words))
    if ", and " in parts[-1]:
        return _expression(words)  # of which of the reasons that is said nobody can tell
    return _expression(words) or _any([_expression(part) for part in parts])


def _any(parts: list[Row | None]) -> Row | None:
    known = [part for part in parts if part is not None]
    return _joined("or", known) if known else None


def _joined(word: str, parts: list[Row]) -> Row:
    return parts[0] if len(parts) == 1 else [word, *parts]


def _expression(words: str) -> Row | None:
    """Comparisons joined by "and" and "or"; None where something is not understood, or in two ways."""
    parts: list[Row] = []
    joints: list[str] = []
    place = 0
    while True:
        term = _term(words, place)
        if term is None:
            return None
        part, place = term
        parts.append(part)
        if _END.match(words, place):
            return _bound(parts, joints)
        joint = _JOINED.match(words, place)
        if joint is None:
            return None
        joints.append(f"{joint['comma']}{joint['word'] or 'and'}")
        place = joint.end()


def _bound(parts: list[Row], joints: list[str]) -> Row | None:
    """The comparisons as they belong together: "and" binds first, where a comma says so."""
    if len({joint.strip(",") for joint in joints}) < 2:
        return _joined(joints[0].strip(",") if joints else "and", parts)
    if any(joint == "or" for joint in joints) or any(joint == ",and" for joint in joints):
        return None
    groups = [[parts[0]]]
    for joint, part in zip(joints, parts[1:], strict=True):
        if joint == ",or":
            groups.append([part])
        else:
            groups[-1].append(part)
    return _joined("or", [_joined("and", group) for group in groups])


def _term(words: str, place: int) -> tuple[Row, int] | None:
    if found := _ONE_OF.match(words, place):
        ends = [_term(f"{found[which]} is present", 0) for which in ("one", "two")]
        return (_joined("or", [end[0] for end in ends if end]), found.end()) if all(ends) else None
    for operator, pattern in _TERMS:
        found = pattern.match(words, place)
        if found is None:
            continue
        if operator == "first":
            return ["+", FIRST_ITEM], found.end()
        tag = _tag(found)
        if tag is None:
            return None
        return _compared(operator, tag, found), found.end()
    return None


def _compared(operator: str, tag: str, found: re.Match[str]) -> Row:
    number = int(found["number"] or 1)
    if operator in ("+", "-"):
        return [operator, tag]
    if operator == "points":
        return ["=", tag, 0, [found["group2"] + found["element2"]]]
    if operator == "any":
        return ["=", tag, 0, list(_values(found["values"]))]
    if operator == ">":
        return [">", tag, number, ["0"]]
    return [operator, tag, number, list(_values(found["values"]))]


def _tag(found: re.Match[str]) -> str | None:
    """The attribute that is spoken of; None where its name is not that of its tag."""
    if found["uid"]:
        return tag_of("SOPClassUID")
    tag = found["group"] + found["element"]
    entry = lookup(tag)
    return tag if entry and _letters(found["name"]) == _letters(entry.name) else None


def _values(words: str) -> Iterator[str]:
    without_names = re.sub(r" \([A-Za-z][^()]*\)", "", words)
    for value in re.split(r",? or |,? and not |, |/", without_names):
        yield value.removeprefix("equals ").removeprefix("equal ").strip('"')


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
