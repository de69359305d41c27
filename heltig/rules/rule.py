"""What a rule is: a small pure function with a declaration.

A rule is written as a function with a decorator. Its docstring is its manual, under fixed headings:

    @rule("PAT-SEX-ENUM", level="instance", severity="review", reads=("PatientSex",))
    def sex_enumerated(at: Values) -> Iterator[Hit]:
        '''PatientSex is not M, F or O.

        Finds: ...
        Why: ...
        Mend: ...
        Example: ...
        '''

*When it applies* (`when`, and for rules about attributes that one of them is there) is apart from *what must
hold* (the function, which yields a `Hit` for what does not).
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from heltig.dicom.source import SHOWS
from heltig.rules.proposal import Change
from heltig.standard.dictionary import entries, tag_of
from heltig.standard.value_representations import VRS

Severity: TypeAlias = Literal["block", "review", "note"]
Level: TypeAlias = Literal["value", "instance", "series", "study", "context", "input"]

SEVERITIES: Final = ("block", "review", "note")
_ID: Final = re.compile(r"[A-Z0-9]+(?:[-.][A-Z0-9]+)*")
HEADINGS: Final = ("Finds", "Why", "Mend", "Example")

MOST_HITS: Final = 100_000
"""Hits of one call of a rule: one that yields without end must not keep a study from its verdict."""

_MOST_ROWS: Final = 10_000_000
"""Rows of one hit, likewise."""


class Hit(msgspec.Struct, frozen=True):
    """What a rule found.

    Attributes:
        tags: Keywords of the attributes concerned (eight hex digits where there is none); empty for a value
            rule, where the engine knows the attribute.
        observed: What is there, as a person would write it; findings are grouped by it.
        expected: What should be there.
        rows: The instances concerned; None means all that the rule looked at.
        message: A sentence for this hit; None takes the rule's title.
        changes: What could be written to mend it, where exactly one correction is possible.
        seen: All that was observed, where `observed` may leave some of it out; `()` where it leaves nothing
            out. None: all that the rule was given. A waiver covers nothing else.
    """

    observed: str
    expected: str
    tags: tuple[str, ...] = ()
    rows: Iterable[int] | None = None
    message: str | None = None
    changes: tuple[Change, ...] = ()
    seen: tuple[str, ...] | None = None


class WrongHitError(TypeError):
    """A rule yielded what is no hit. The text names fields and types, no values."""


def see_that_it_is_a_hit(hit: object) -> None:
    """Refuse what a rule must not yield: nobody checks what is in a report any more.

    Raises:
        WrongHitError: It is no `Hit`, or one of its fields is of another type than `Hit` says.
    """
    if not isinstance(hit, Hit):
        raise WrongHitError(f"it yields {_kind(hit)}, not a Hit")
    for field, wanted in _FIELDS.items():
        value = getattr(hit, field)
        if not isinstance(value, wanted):
            raise WrongHitError(f"it yields a Hit whose {field} is {_kind(value)}")
    for field, of in _MEMBERS.items():
        for member in getattr(hit, field) or ():
            if not isinstance(member, of):
                raise WrongHitError(f"it yields a Hit with {_kind(member)} in {field}")


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"


def hits_of(rule: "Rule", view: object) -> list[Hit]:
    """What a rule yields about what it is given.

    Raises:
        WrongHitError: It yields more than `MOST_HITS`.
    """
    found = list(islice(rule.check(view) or (), MOST_HITS + 1))
    if len(found) > MOST_HITS:
        raise _too_many(MOST_HITS, "hits in one call")
    return found


def rows_of(rows: Iterable[int]) -> list[int]:
    """The rows of a hit or of a change.

    Raises:
        WrongHitError: There are more than any study has.
    """
    found = list(islice(rows, _MOST_ROWS + 1))
    if len(found) > _MOST_ROWS:
        raise _too_many(_MOST_ROWS, "rows in a Hit")
    return found


def _too_many(most: int, what: str) -> WrongHitError:
    return WrongHitError(f"it yields more than {most:,} {what}")


_FIELDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "observed": str,
    "expected": str,
    "tags": tuple,
    "message": (str, type(None)),
    "changes": tuple,
    "seen": (tuple, type(None)),
}
_MEMBERS: Final[Mapping[str, type]] = {"tags": str, "changes": Change, "seen": str}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule's declaration and its function. See `rule` for the fields."""

    id: str
    level: Level
    severity: Severity
    check: Callable[[Any], Iterable[Hit] | None]
    when: Callable[[Any], bool] | None
    reads: tuple[str, ...]
    vrs: frozenset[str]
    needs: frozenset[str]
    compares: bool
    reference: str
    since: str
    title: str
    manual: Mapping[str, str]
    requires: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """How to mend it, from the manual."""
        return self.manual["Mend"]


def rule(
    id: str,
    *,
    level: Level,
    severity: Severity,
    reads: tuple[str, ...] = (),
    requires: tuple[str, ...] = (),
    vrs: tuple[str, ...] = (),
    needs: tuple[str, ...] = ("metadata",),
    when: Callable[[Any], bool] | None = None,
    compares: bool = False,
    reference: str = "",
    since: str = "0.1.0",
) -> Callable[[Callable[[Any], Iterable[Hit] | None]], Rule]:
    """Declare a rule.

    Args:
        id: Its public name: upper-case words joined by hyphens, family first. Never reused.
        level: What the function gets: `value` one distinct value (`Place`), `instance` one distinct
            combination of the values it reads (`Values`), `series` a `SeriesView`, `study` a `StudyView`,
            `context` a `ContextView` (a study, and what the index of all studies says about it), `input` a
            `PackageView` (a file, folder or ZIP as it was handed in).
        severity: The default: `block`, `review` or `note`.
        reads: Keywords of the attributes it reads. A value rule runs on these attributes at any depth; an
            instance, series, study or context rule does not apply where all of them are absent, unless
            `when` says more.
        requires: Those of `reads` without which it applies to nothing in a study, whatever `when` says. For
            instance rules that also read what is another one in each image: so they are not asked about every
            image of studies that they have nothing to do with.
        vrs: A value rule on every attribute of these VRs at any depth, instead of `reads`.
        needs: What the source must be able to show (`heltig.dicom.source.SHOWS`), else *not evaluable*.
        when: When it applies, given what the function gets.
        compares: A series or study rule that looks for differences: where the rows agree in each attribute it
            reads there is nothing to find, and it is not called.
        reference: The clause of the standard; empty for a rule of practice.
        since: The version of Heltig that brought it.

    Raises:
        ValueError: The declaration or the manual is incomplete.
    """

    def declare(check: Callable[[Any], Iterable[Hit] | None]) -> Rule:
        if not _ID.fullmatch(id):
            raise ValueError(
                f"rule {id!r}: an id is capitals and digits joined by hyphens, such as ACME-MY-RULE"
            )
        title, manual = parse_manual(id, inspect.getdoc(check) or "")
        unknown = set(needs) - set(SHOWS)
        if unknown:
            raise ValueError(f"rule {id}: unknown need {sorted(unknown)}; known are {sorted(SHOWS)}")
        _see_that_it_names_what_there_is(id, level=level, severity=severity, reads=reads, vrs=vrs)
        if level == "value" and bool(reads) == bool(vrs):
            raise ValueError(f"rule {id}: a value rule names attributes or VRs, one of the two")
        if compares and (level not in ("series", "study") or not reads):
            raise ValueError(f"rule {id}: only a series or study rule compares, and it names attributes")
        if not set(requires) <= set(reads) or (requires and level in ("value", "input")):
            raise ValueError(f"rule {id}: it requires what it does not read, or is no rule on rows")
        return Rule(
            id=id,
            level=level,
            severity=severity,
            check=check,
            when=when,
            reads=reads,
            vrs=frozenset(vrs),
            needs=frozenset(needs),
            compares=compares,
            reference=reference,
            since=since,
            title=title,
            manual=manual,
            requires=requires,
        )

    return declare


def _see_that_it_names_what_there_is(
    id: str, *, level: str, severity: str, reads: Iterable[str], vrs: Iterable[str]
) -> None:
    """Refuse what a declaration misspells.

    Raises:
        ValueError: There is no such level, severity, keyword or VR.
    """
    for what, named, known in (("level", level, get_args(Level)), ("severity", severity, SEVERITIES)):
        if named not in known:
            raise ValueError(f"rule {id}: {named!r} is no {what}; known are {', '.join(known)}")
    for keyword in reads:
        try:
            tag_of(keyword)
        except KeyError:
            near = difflib.get_close_matches(keyword, [entry.keyword for entry in entries()], n=1)
            hint = f"; the nearest one is {near[0]}" if near else ""
            raise ValueError(f"rule {id}: there is no keyword {keyword}{hint}") from None
    unknown = set(vrs) - {"", *VRS}
    if unknown:
        raise ValueError(f"rule {id}: unknown VR {sorted(unknown)}")


def parse_manual(id: str, text: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into its title and the texts under `HEADINGS`.

    Raises:
        ValueError: A heading is missing, empty or unknown.
    """
    title, _, rest = text.partition("\n")
    parts = re.split(r"^(\w+):\s", rest.strip() + "\n", flags=re.MULTILINE)
    manual = {name: inspect.cleandoc(body) for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    manual = {name: re.sub(r"(?<!\n)\n(?!\n)\s*", " ", body).strip() for name, body in manual.items()}
    if not title.strip() or tuple(manual) != HEADINGS or not all(manual.values()):
        raise ValueError(f"rule {id}: its docstring needs a title and, in this order, {', '.join(HEADINGS)}")
    return title.strip().rstrip("."), manual
