"""What conformance rules say: one sentence for each kind of objection, naming IOD, module and place."""

from collections.abc import Collection
from typing import NamedTuple

from heltig.rules.conformance_owners import NOT_OF_VAL_ENUM, VALUES_REPORTED_ELSEWHERE
from heltig.rules.wording import cut
from heltig.standard.conditions import is_number_as_text
from heltig.standard.dictionary import keyword_of
from heltig.standard.iods import Iod, MacroUse, ModuleUse
from heltig.standard.modules import Attribute
from heltig.standard.terms import enumerated
from heltig.standard.value_representations import VRS


class Objection(NamedTuple):
    """Something wrong with all objects of a shape.

    Attributes:
        rule: The rule that reports it.
        path: The tags from the data set down to the attribute.
        observed: What is there.
        expected: What should be there.
        message: One sentence.
        more: The other attributes concerned; those in items as paths of tags joined by a slash.
        seen: What was observed, as a hit has it (`Hit.seen`): `()` where nothing is left out.
    """

    rule: str
    path: tuple[str, ...]
    observed: str
    expected: str
    message: str
    more: tuple[str, ...] = ()
    seen: tuple[str, ...] | None = None


Path = tuple[str, ...]


class Words:
    """The sentences about objects of one IOD."""

    def __init__(self, iod: Iod) -> None:
        self._iod = iod.name

    def absent(self, rule: str, path: Path, attribute: Attribute, part: str) -> Objection:
        """An attribute that must be there is not."""
        because = f" and required, since {attribute.condition.when.words}" if attribute.condition else ""
        return self._objection(
            rule,
            (*path, attribute.tag),
            "absent",
            "a value" if attribute.type.startswith("1") else "the attribute, with a value or empty",
            f"is type {attribute.type} in {self._part(part)}{because}, but absent",
            seen=(),
        )

    def all_absent(self, rule: str, part: str, tags: Path) -> Objection:
        """No attribute of a module is there that must have a value."""
        keywords = ", ".join(keyword_of(tag) or tag for tag in tags)
        message = f"None of the attributes of type 1 of {self._part(part)} is there: {cut(keywords, 400)}"
        observed = f"absent ({self._iod})"
        return Objection(rule, tags[:1], observed, cut(keywords, 200), message, tags[1:], seen=())

    def empty_item(self, rule: str, path: Path, part: str, tags: Path) -> Objection:
        """An item of a sequence has nothing in it, and several attributes must be there."""
        keywords = ", ".join(keyword_of(tag) or tag for tag in tags)
        first, *others = ["/".join((*path, tag)) for tag in tags]
        sentence = (
            f"has an item without anything in it, where {self._part(part)} asks for {cut(keywords, 400)}"
        )
        objection = self._objection(rule, path, "absent", cut(keywords, 200), sentence, seen=())
        return objection._replace(path=tuple(first.split("/")), more=tuple(others))

    def empty(self, rule: str, path: Path, attribute: Attribute, part: str) -> Objection:
        """An attribute that must have a value, or a sequence that must have an item, has none."""
        because = f", since {attribute.condition.when.words}" if attribute.condition else ""
        what = "no value" if attribute.items is None else "no item"
        return self._objection(
            rule,
            (*path, attribute.tag),
            "empty" if attribute.items is None else "no items",
            "a value" if attribute.items is None else "at least one item",
            f"is type {attribute.type} in {self._part(part)}{because}, but has {what}",
            seen=(),
        )

    def forbidden(self, path: Path, attribute: Attribute, part: str) -> Objection:
        """An attribute is there that must not be."""
        when = attribute.condition.forbidden_words if attribute.condition else ""
        sentence = f"must not be there in {self._part(part)} {when}"
        return self._objection(
            "IOD-NOT-ALLOWED", (*path, attribute.tag), "present", f"absent {when}", sentence
        )

    def value(
        self, path: Path, attribute: Attribute, number: int, value: str, allowed: Collection[str], part: str
    ) -> Objection | None:
        """A value is not among those enumerated; None where another rule tells."""
        if attribute.tag in VALUES_REPORTED_ELSEWHERE:
            return None
        keyword = keyword_of(attribute.tag)
        anywhere = None if attribute.tag in NOT_OF_VAL_ENUM else enumerated(keyword, max(number, 1))
        if anywhere is not None and value not in {str(term) for term in anywhere}:
            return None  # VAL-ENUM
        which = f"value {number} of it" if number else "it"
        if is_number_as_text(attribute.tag):  # of other numbers a shape does not tell which
            expected = cut(", ".join(sorted(allowed)), 200)
            sentence = f"has a number that {self._part(part)} does not allow"
            return self._objection("IOD-ENUM", (*path, attribute.tag), "another number", expected, sentence)
        if not VRS["CS"].characters.issuperset(value):
            return None  # VAL-CS
        return self._objection(
            "IOD-ENUM",
            (*path, attribute.tag),
            f"value {number}: {cut(value)}" if number else cut(value),
            cut(", ".join(sorted(allowed)), 200),
            f"has {cut(value, 40)!r}, but {self._part(part)} does not allow {which}",
            seen=(value,),
        )

    def extended(self, path: Path) -> Objection:
        """An attribute of the standard is there that the IOD does not have; the rule tells all at once."""
        return Objection("IOD-EXTENDED", path, self._iod, "", "")

    def too_many_items(self, rule: str, path: Path, count: int, part: str) -> Objection:
        """A sequence has more items than the one that it may have."""
        sentence = f"has {count} items, of which {self._part(part)} allows one"
        return self._objection(rule, path, "more than one item", "one item", sentence)

    def module_missing(self, module: ModuleUse, needed: Path) -> Objection:
        """Nothing of a mandatory module is there, or of one that a condition requires."""
        by_condition = module.usage == "C" and module.condition is not None
        rule, why = ("IOD-TYPE1C", "required") if by_condition else ("IOD-MODULE", "mandatory")
        since = f", since {module.condition.when.words}" if by_condition and module.condition else ""
        keywords = ", ".join(keyword_of(tag) or tag for tag in needed)
        message = f"Nothing of the {module.name} module is there, which is {why} in {self._iod}{since}"
        observed = f"absent ({self._iod})"
        return Objection(rule, needed[:1], observed, cut(keywords, 200), message, needed[1:], seen=())

    def module_forbidden(self, module: ModuleUse, tags: Path) -> Objection:
        """Attributes of a module are there that must not be."""
        when = module.condition.forbidden_words if module.condition else ""
        message = f"The {module.name} module must not be there in {self._iod} {when}"
        observed = f"present ({self._iod})"
        return Objection("IOD-NOT-ALLOWED", tags[:1], observed, f"absent {when}", message, tags[1:])

    def group_missing(self, tag: str, macro: MacroUse, frames: str) -> Objection:
        """A functional group is in neither place, or not in every frame."""
        why = f"required, since {macro.condition.when.words}" if macro.condition else "mandatory"
        observed = "absent" if frames == "all" else "absent in some frames"
        sentence = f"is {why} in {self._iod} ({macro.name}), but {observed}"
        return self._objection(
            "IOD-FUNCTIONAL-GROUP",
            (tag,),
            observed,
            "in the shared groups or in each frame's",
            sentence,
            seen=() if frames == "all" else None,
        )

    def groups_missing(self, tags: Path) -> Objection:
        """Several functional groups are in neither place."""
        keywords = ", ".join(keyword_of(tag) or tag for tag in tags)
        message = f"Functional groups that {self._iod} must have are in neither place: {cut(keywords, 400)}"
        expected = "in the shared groups or in each frame's"
        observed = f"absent ({self._iod})"
        return Objection("IOD-FUNCTIONAL-GROUP", tags[:1], observed, expected, message, tags[1:], seen=())

    def group_misplaced(self, tag: str, macro: MacroUse, place: str) -> Objection:
        """A functional group stands where this macro may not."""
        other = "per-frame" if place == "shared" else "shared"
        sentence = f"stands in the {place} functional groups, but {self._iod} has it in the {other} ones only"
        return self._objection("IOD-FUNCTIONAL-GROUP", (tag,), place, other, sentence)

    def _part(self, part: str) -> str:
        return f"the {part} module of {self._iod}"

    def _objection(
        self,
        rule: str,
        path: Path,
        observed: str,
        expected: str,
        sentence: str,
        seen: tuple[str, ...] | None = None,
    ) -> Objection:
        place = ".".join(keyword_of(tag) or tag for tag in path)
        return Objection(rule, path, f"{observed} ({self._iod})", expected, f"{place} {sentence}", seen=seen)
