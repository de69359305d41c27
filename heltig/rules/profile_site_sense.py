"""What a `[[rule]]` table asks that no data could ever answer: such a rule would find all or nothing.

Only what the standard rules out for every instance is refused; what is merely unlikely is the site's affair.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from heltig.dicom.values import parse_as, parse_da, parse_ds, parse_dt, parse_is, parse_tm
from heltig.rules.profile_positions import Path
from heltig.rules.profile_tables import FileTables
from heltig.rules.site_rules import Condition, Scalar, SiteRule
from heltig.standard.dictionary import lookup, tag_of
from heltig.standard.value_representations import VRS

_NO_VALUES: Final = frozenset({"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_UNSIGNED: Final = frozenset({"US", "UL", "UV"})
_WHOLE: Final = _UNSIGNED | {"IS", "SS", "SL", "SV"}
_NUMERIC: Final = _WHOLE | {"DS", "FL", "FD"}
_ORDERED: Final = _NUMERIC | {"DA", "TM"}
"""VRs of which a range can be asked; 20240301 is a date."""

_GREATEST: Final = 2**64 - 1
"""What UV holds, the largest of whole numbers."""

_FORMS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "AS": (parse_as, "an age such as 045Y"),
    "DA": (parse_da, "a date such as 20240301"),
    "DT": (parse_dt, "a date and time such as 20240301101500"),
    "TM": (parse_tm, "a time such as 101500"),
}
_MADE_BY: Final = {
    "series": ("SeriesInstanceUID", "StudyInstanceUID"),
    "study": ("StudyInstanceUID",),
}
"""UIDs that tell series and studies apart: of one of them there cannot be two."""


def vrs_of(attribute: str) -> frozenset[str]:
    """The VRs that the dictionary gives an attribute; none where it does not know it."""
    try:
        entry = lookup(tag_of(attribute.rpartition(".")[2]))
    except KeyError:
        return frozenset()
    return frozenset(entry.vr.split(" or ")) - {""} if entry else frozenset()


def see_that_it_can_be_asked(tables: FileTables, path: Path, key: str, attribute: str) -> None:
    """Take note of what is asked of values that cannot have it.

    Args:
        tables: The file.
        path: Where the key stands.
        key: What is asked.
        attribute: Of which.
    """
    vrs = vrs_of(attribute)
    if vrs and vrs <= _NO_VALUES:
        what = "a sequence: name an attribute of its items" if "SQ" in vrs else "binary"
        tables.problem(path, f"{key}: {attribute} is {what}; of it present, absent, non_empty can be asked")
    elif key == "range" and vrs and not vrs & _ORDERED:
        tables.problem(
            path, f"range: {attribute} is text ({' or '.join(sorted(vrs))}), no number; use matches or one_of"
        )


def see_that_it_can_be(tables: FileTables, path: Path, value: Scalar, attribute: str) -> None:
    """Take note of a value that an attribute never has, whatever its VR.

    Args:
        tables: The file.
        path: Where the value stands.
        value: One of `equals` or `one_of`.
        attribute: Of which.
    """
    if isinstance(value, int) and abs(value) > _GREATEST:
        tables.problem(path, "a number of more than 64 bits is in no attribute")
        return
    if isinstance(value, str) and not value.strip():
        tables.problem(path, "an empty value is equal to none; to ask for no value use absent")
        return
    if isinstance(value, str) and value != value.strip():
        tables.problem(path, f"{value!r}: spaces at the ends of values do not count; leave them out")
        return
    reasons = [_why_not(value, vr) for vr in sorted(vrs_of(attribute) - _NO_VALUES)]
    if reasons and all(reasons):
        tables.problem(path, f"{value} is never a value of {attribute}: {reasons[0]}")


def _why_not(value: Scalar, vr: str) -> str:
    """Why a value cannot be one of a VR (PS3.5 table 6.2-1); empty where it can."""
    if vr in _NUMERIC:
        return _why_no_number(value, vr)
    text = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    if vr in _FORMS:
        reads, form = _FORMS[vr]
        is_time = vr == "TM" and not isinstance(value, str)  # 91500 is 09:15:00: TOML has no zeros before
        return "" if is_time or reads(text) is not None else f"{vr} is {form}"
    form_of = VRS.get(vr)
    if form_of is None:
        return ""
    if form_of.multiple and "\\" in text:
        return "a backslash stands between values, and is in none"
    others = set(text) - form_of.characters if form_of.characters else set()
    if others and vr == "CS" and not set(text.upper()) - form_of.characters:
        return f"CS is written in capitals: {text.upper()}"
    if others:
        return f"{vr} has no {' '.join(sorted(others))}"
    if form_of.text and vr != "PN" and len(text) > form_of.limit:
        return f"{vr} has {form_of.limit} characters at most"
    return ""


def _why_no_number(value: Scalar, vr: str) -> str:
    number = parse_ds(value) if isinstance(value, str) else value
    if number is None:
        return f"{vr} is a number"
    if vr in _WHOLE and (number != int(number) or (isinstance(value, str) and parse_is(value) is None)):
        return f"{vr} is a whole number"
    if vr in _UNSIGNED and number < 0:
        return f"{vr} is never negative"
    return ""


def see_that_it_makes_sense(
    tables: FileTables, path: Path, table: Mapping[str, Any], declared: SiteRule
) -> None:
    """Take note of parts of a rule that leave nothing to be found, or nothing to be right.

    Args:
        tables: The file.
        path: Where the rule's table stands.
        table: The table.
        declared: What it says, every part of it right by itself.
    """
    own = declared.holds
    if declared.same_in and own.attribute in _MADE_BY[declared.same_in]:
        tables.problem(
            (*path, "same_in"),
            f"same_in: a {declared.same_in} is what has one {own.attribute}: it never has two",
        )
    if declared.same_in and own.attribute == "SOPInstanceUID":
        tables.problem((*path, "same_in"), "same_in: each instance has a SOPInstanceUID of its own")
    _see_that_modalities_agree(tables, path, table, declared)
    single = isinstance(table.get("when"), dict)
    for number, condition in enumerate(declared.when):
        at = (*path, "when") if single else (*path, "when", number)
        if condition.absent and own.path[: len(condition.path)] == condition.path:
            tables.problem(
                (*at, "absent"),
                f"when: where {condition.attribute} is absent there is nothing to ask of "
                f"{own.attribute}; use present or non_empty alone",
            )


def _see_that_modalities_agree(
    tables: FileTables, path: Path, table: Mapping[str, Any], declared: SiteRule
) -> None:
    if not declared.modalities:
        return
    among = set(declared.modalities)
    own = declared.holds
    if own.attribute == "Modality" and own.one_of:
        key = "equals" if "equals" in table else "one_of"
        if among.isdisjoint(own.one_of):
            tables.problem(
                (*path, key),
                f"{key}: modalities names none of these, so that it would never hold; leave one out",
            )
        elif among.issubset(own.one_of):
            tables.problem(
                (*path, key), f"{key}: modalities names these alone, so that it always holds; leave one out"
            )
    for condition in declared.when:
        if condition.attribute == "Modality" and _excludes(condition, among):
            tables.problem(
                (*path, "when"), "when: it asks for another Modality than modalities; it would never apply"
            )


def _excludes(condition: Condition, modalities: set[str]) -> bool:
    return condition.absent or (bool(condition.one_of) and modalities.isdisjoint(condition.one_of))
