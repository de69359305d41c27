"""Simple rules of a site without code: an attribute, when it matters, and what must hold.

A `[[rule]]` table of a profile becomes a rule like any other:

    [[rule]]
    id = "SITE-ACCESSION-FORM"
    title = "AccessionNumber is not one of ours"
    attribute = "AccessionNumber"
    modalities = ["CT", "MR"]
    matches = "R[0-9]{8}"
    mend = "Correct it from the order."

An attribute inside a sequence is a path, `RequestAttributesSequence.ScheduledProcedureStepID`: it has a value
in each item. What must hold, holds for each value there is; `present` and `non_empty` ask for one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from heltig.dicom.cell import ABSENT, Cell, DataSet
from heltig.dicom.study import element
from heltig.rules.rule import Hit, Rule, Severity
from heltig.rules.site_pattern import pattern_of
from heltig.rules.views import RowsView, Values
from heltig.rules.wording import counted, cut
from heltig.standard.dictionary import tag_of

Scalar: TypeAlias = str | int | float
Whole: TypeAlias = Literal["series", "study"]

PREFIX: Final = "SITE-"
"""How the id of such a rule begins."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that is so or not so of an attribute.

    Attributes:
        attribute: A keyword, or keywords joined by dots from a sequence down to an attribute of its items.
        present: The attribute is there, with a value or without.
        absent: It is not there.
        non_empty: It has a value.
        one_of: A value is one of these; numbers are compared as numbers.
        matches: A value matches this expression as a whole (`heltig.rules.site_pattern`).
        max_length: A value has at most this many characters.
        range: A value is a number from the first to the second, both included.
    """

    attribute: str
    present: bool = False
    absent: bool = False
    non_empty: bool = False
    one_of: tuple[Scalar, ...] = ()
    matches: str = ""
    max_length: int | None = None
    range: tuple[float, float] | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The keywords from the data set down."""
        return tuple(self.attribute.split("."))

    @property
    def asks_for_absence(self) -> bool:
        """Whether it is so depends on an attribute not being there."""
        return self.present or self.absent or self.non_empty

    @property
    def tests(self) -> list[tuple[str, Callable[[Cell, int], bool]]]:
        """What is asked of each value: in words, and as a function of a cell and the value's number."""
        found: list[tuple[str, Callable[[Cell, int], bool]]] = []
        if self.one_of:
            words = " or ".join(str(value) for value in self.one_of)
            found.append((words, lambda cell, n: any(_equal(cell, n, value) for value in self.one_of)))
        if self.matches:
            pattern = pattern_of(self.matches)
            found.append((f"a value like {self.matches}", lambda cell, n: pattern.matches(_text(cell, n))))
        if self.max_length is not None:
            most = self.max_length
            found.append((f"{most} characters at most", lambda cell, n: len(_text(cell, n)) <= most))
        if self.range is not None:
            least, greatest = self.range
            words = f"a number from {_plain(least)} to {_plain(greatest)}"
            found.append((words, lambda cell, n: _within(cell.numbers[n], least, greatest)))
        return found

    def holds(self, cells: list[Cell]) -> bool:
        """It is so of what an instance has under the path: as a condition, one value is enough."""
        if self.absent:
            return all(cell is ABSENT for cell in cells)
        if self.present and all(cell is ABSENT for cell in cells):
            return False
        if self.non_empty and all(cell.empty for cell in cells):
            return False
        tests = [test for _, test in self.tests]
        return not tests or any(
            all(test(cell, n) for test in tests) for cell in cells for n in range(len(cell.values))
        )

    @property
    def words(self) -> str:
        """The condition as a person would say it."""
        said = [
            *(["is there"] if self.present else []),
            *(["is absent"] if self.absent else []),
            *(["has a value"] if self.non_empty else []),
            *(f"is {words}" for words, _ in self.tests),
        ]
        return f"{self.attribute} {' and '.join(said)}"


class SiteRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[rule]]` table of a profile.

    Attributes:
        id: Its public name, `SITE-` first.
        title: What it finds, in a few words.
        holds: The attribute, and what must hold of it.
        mend: What to do about it.
        severity: Of its findings.
        modalities: Only instances of these (values of Modality); all where none is named.
        when: Only instances of which all of this is so.
        same_in: The attribute has one value in each series, or in the study; nothing else is asked then.
        why: Why it matters.
        example: A value that it objects to.
    """

    id: str
    title: str
    holds: Condition
    mend: str
    severity: Severity = "review"
    modalities: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()
    same_in: Whole | None = None
    why: str = "A rule of this site, from its profile."
    example: str = "None is given."

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """When it applies, modality among it."""
        if not self.modalities:
            return self.when
        return (Condition("Modality", one_of=self.modalities), *self.when)

    @property
    def reads(self) -> tuple[str, ...]:
        """The attributes of the data set itself that it reads, its own first."""
        return tuple(dict.fromkeys(c.path[0] for c in (self.holds, *self.conditions)))

    @property
    def words(self) -> str:
        """When it applies and what must hold, as the manual says it."""
        if self.same_in:
            must = f"{self.holds.attribute} has one value in the {self.same_in}"
        else:
            must = self.holds.words
        applies = " and ".join(condition.words for condition in self.conditions)
        return f"What must hold: {must}" + (f", where {applies}." if applies else ".")

    def as_rule(self) -> Rule:
        """The rule that the engine runs."""
        asks = any(c.asks_for_absence for c in (self.holds, *self.when))
        tags = map(tag_of, self.reads)
        needs = {
            "metadata",
            *(["all_attributes"] if asks else []),
            *(["file_meta"] if any(tag.startswith("0002") for tag in tags) else []),
        }
        return Rule(
            id=self.id,
            level=self.same_in or "instance",
            severity=self.severity,
            check=_Agreement(self) if self.same_in else _Requirement(self),
            when=self._applies_to_some_row if self.same_in else self._applies,
            reads=self.reads,
            vrs=frozenset(),
            needs=frozenset(needs),
            compares=False,
            reference="",
            since="",
            title=self.title,
            manual={
                "Finds": f"{self.title}. {self.words}",
                "Why": self.why,
                "Mend": self.mend,
                "Example": self.example,
            },
        )

    def _applies(self, at: Values) -> bool:
        if not all(condition.holds(cells_under(condition.path, at)) for condition in self.conditions):
            return False
        return self.holds.asks_for_absence or not all(c.empty for c in cells_under(self.holds.path, at))

    def _applies_to_some_row(self, view: RowsView) -> bool:
        return view.has_uid and view.has(self.holds.path[0]) and any(self.rows_of(view))

    def rows_of(self, view: RowsView) -> Iterator[tuple[int, list[Cell]]]:
        """The instances that it applies to, each with what is under its path and is not empty."""
        columns = {keyword: view.cells(keyword) for keyword in self.reads}
        for number, row in enumerate(view.rows):
            at = {keyword: cells[number] for keyword, cells in columns.items()}
            if all(condition.holds(cells_under(condition.path, at)) for condition in self.conditions):
                filled = [cell for cell in cells_under(self.holds.path, at) if not cell.empty]
                if filled:
                    yield row, filled


class _Requirement:
    """What must hold of each instance."""

    def __init__(self, declared: SiteRule) -> None:
        self._holds = declared.holds
        self._tags = _tags(declared.holds)
        self._tests = declared.holds.tests

    def __call__(self, at: Values) -> Iterator[Hit]:
        must = self._holds
        cells = cells_under(must.path, at)
        for cell in cells:
            if must.absent and cell is not ABSENT:
                there = "there, without a value" if cell.empty else cell.shown or "there"
                yield self._hit(there, f"no {must.attribute}")
            if must.present and cell is ABSENT:
                yield self._hit("absent", f"{must.attribute} there")
            if must.non_empty and cell.empty:
                yield self._hit("absent" if cell is ABSENT else "empty", f"a value in {must.attribute}")
        for words, test in self._tests:
            for cell in cells:
                for n, value in enumerate(cell.values):
                    if value not in (None, "") and not test(cell, n):
                        yield self._hit(_text(cell, n), words)

    def _hit(self, observed: str, expected: str) -> Hit:
        return Hit(tags=self._tags, observed=cut(observed), expected=cut(expected, 200))


class _Agreement:
    """What must be the same in all instances of a series or study."""

    def __init__(self, declared: SiteRule) -> None:
        self._declared = declared
        self._tags = _tags(declared.holds)

    def __call__(self, view: RowsView) -> Iterator[Hit]:
        rows: dict[str, list[int]] = {}
        for row, cells in self._declared.rows_of(view):
            for shown in dict.fromkeys(cell.shown.strip() for cell in cells):
                rows.setdefault(shown, []).append(row)
        if len(rows) > 1:
            ordered = sorted(rows.items(), key=lambda pair: (-len(pair[1]), pair[0]))
            yield Hit(
                tags=self._tags,
                observed=counted((shown, len(having)) for shown, having in ordered),
                expected=f"one {self._declared.holds.attribute} in the {self._declared.same_in}",
                rows=sorted({row for _, having in ordered[1:] for row in having}),
                seen=tuple(f"{shown} ({len(having)})" for shown, having in ordered),
            )


def cells_under(path: tuple[str, ...], at: Values | Mapping[str, Cell]) -> list[Cell]:
    """The cells of an attribute: one, or of a path one for each item it leads through.

    A path that leads through no item gives one `ABSENT`.
    """
    cells = [at[path[0]]]
    for keyword in path[1:]:
        tag = tag_of(keyword)
        items = (item for cell in cells for item in cell.items)
        cells = [element(DataSet(item.tags, item.raws, item.encoding), tag) for item in items] or [ABSENT]
    return cells


def _tags(condition: Condition) -> tuple[str, ...]:
    return ("/".join(map(tag_of, condition.path)),)


def _text(cell: Cell, n: int) -> str:
    value: Any = cell.values[n]
    return f"{len(value)} bytes" if isinstance(value, bytes) else "" if value is None else str(value).strip()


def _plain(number: float) -> str:
    """A number as a person would write it, with all its digits."""
    return str(int(number)) if number.is_integer() else repr(number)


def _equal(cell: Cell, n: int, wanted: Scalar) -> bool:
    return _text(cell, n) == wanted if isinstance(wanted, str) else cell.numbers[n] == wanted


def _within(number: float | None, least: float, greatest: float) -> bool:
    return number is not None and least <= number <= greatest
