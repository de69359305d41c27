"""Reads a profile from its TOML file.

    name = "radiology"
    base = "strict"                       # a shipped profile, or a file beside this one
    off = ["SER-DESC-CONFLICT", "GEO-*"]  # `*` stands for any characters
    on = ["STU-STUDY-ID"]                 # what the base switches off
    required = ["SRC-QIDO-COUNT"]         # insisted on; `optional` takes it back
    second_person = ["release"]           # what one person alone may not do with a study in quarantine

    [severity]
    "STU-ACCESSION-EMPTY" = "block"

    [parameters]
    age_tolerance_years = 2

    [[for]]
    modalities = ["MG"]
    required = ["SER-LATERALITY"]

    [[rule]]                              # see `heltig.rules.site_rules`
    id = "SITE-ACCESSION-FORM"
    ...

Whatever is wrong is told at once, with file, line, column and the nearest name that there is.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final, TypeAlias

import msgspec

from heltig.errors import ConfigurationError
from heltig.rules.parameters import Parameters
from heltig.rules.profile import DEFAULT, Change, Exceptions, Profile, Shared, changed_parameters, is_like
from heltig.rules.profile_layers import Layer, see_that_they_agree
from heltig.rules.profile_positions import Path
from heltig.rules.profile_shipped import SHIPPED, shipped_text
from heltig.rules.profile_site_rules import read_site_rule
from heltig.rules.profile_tables import EnoughError, FileTables, nearest
from heltig.rules.profile_words import modality_named, named, sop_class_named, transfer_syntax_named
from heltig.rules.rule import Severity
from heltig.rules.site_rules import SiteRule

FindFile: TypeAlias = Callable[[str, str], tuple[str, str]]
"""Finds the file of a base, given what is written and the name of the file it is written in: name and text.

Raises:
    ConfigurationError: There is none.
"""

_CHANGES: Final = ("off", "on", "required", "optional", "severity", "parameters")
_SCOPES: Final = ("archives", "modalities", "sop_classes", "manufacturers")
_KEYS: Final = ("name", "base", *_CHANGES, "for", "rule", "second_person")
_CONTRADICTIONS: Final = (("off", "on"), ("off", "required"), ("required", "optional"))
_NAMED: Final = {
    "accepted_sop_classes": sop_class_named,
    "accepted_transfer_syntaxes": transfer_syntax_named,
}
"""Parameters that list what the standard has names for."""

_DEEPEST: Final = 16
"""Profiles on one another."""

_MOST_EXCEPTIONS: Final = 1_000
"""`[[for]]` tables, and ids of archives in them: each is compared with each other."""

_NAME: Final = re.compile(r"[^\W_](?:[\w .+-]{0,62}[^\W_])?")


def parse_profile(
    text: str, *, known: Iterable[str], name: str, find_file: FindFile | None = None
) -> Profile:
    """Read a profile from its TOML text.

    Args:
        text: The file's content.
        known: The ids of all rules of the catalogue.
        name: The file's name, for error texts; without its ending the profile's name where the text gives
            none.
        find_file: Finds the files of bases; without it only shipped profiles can be built on.

    Raises:
        ConfigurationError: Something in the text, or in a base, is wrong; the detail has a line for each.
    """
    reading = _Reading(frozenset(known), find_file)
    try:
        reading.file(name, text, ())
    except EnoughError:
        reading.problems.append(f"{name}: there is more; mend this first")
    if reading.problems:
        raise ConfigurationError("\n".join(reading.problems))
    profile = DEFAULT
    for layer in reading.layers:
        own = {declared.id: declared for declared in (*profile.site_rules, *layer.site_rules)}
        profile = msgspec.structs.replace(
            profile.changed(layer.change),
            name=layer.name,
            exceptions=(*profile.exceptions, *layer.exceptions),
            site_rules=tuple(own[id] for id in sorted(own)),
        )
        if layer.second_person is not None:
            wanted = layer.second_person or msgspec.UNSET
            profile = msgspec.structs.replace(profile, second_person=wanted)
    return profile


def shipped_profile(name: str, *, known: Iterable[str]) -> Profile:
    """A shipped profile.

    Raises:
        KeyError: There is none of this name.
    """
    return parse_profile(shipped_text(name), known=known, name=f"{name}.toml")


class _Reading:
    """A profile's file and those it is built on.

    Attributes:
        layers: What each says, the base of all first.
        problems: What is wrong, a line each.
    """

    def __init__(self, known: frozenset[str], find_file: FindFile | None) -> None:
        self.layers: list[Layer] = []
        self.problems: list[str] = []
        self._known = known
        self._find_file = find_file

    def file(self, name: str, text: str, above: tuple[str, ...]) -> None:
        """Read a file, its base first.

        Args:
            name: The file's name.
            text: Its content.
            above: The files that are built on it.
        """
        tables = FileTables(name, text)
        try:
            self._read(tables, above)
        finally:
            self.problems += tables.problems

    def _read(self, tables: FileTables, above: tuple[str, ...]) -> None:
        root, name = tables.root, tables.name
        tables.keys(root, (), _KEYS, what="setting of a profile")
        if "base" in root:
            self._base(tables, (*above, name))
        declared: dict[str, SiteRule] = {}
        for path, table in tables.tables((), "rule", root):
            found = read_site_rule(tables, path, table)
            if found is None:
                continue
            if found.id in self._known or found.id in declared:
                tables.problem((*path, "id"), f"there is a rule {found.id} already")
            declared[found.id] = found
        of_base = {site_rule.id for layer in self.layers for site_rule in layer.site_rules}
        # A wrong one too: what names it has nothing wrong of its own.
        own = {str(table["id"]) for _, table in tables.tables((), "rule", root) if "id" in table}
        rules = sorted(self._known | of_base | own)
        change = _read_change(tables, (), root, rules)
        exceptions = [
            _read_exceptions(tables, path, table, rules) for path, table in tables.tables((), "for", root)
        ]
        if sum(1 + len(one.archives) for one in exceptions) > _MOST_EXCEPTIONS:
            tables.problem(
                ("for",), f"more than {_MOST_EXCEPTIONS:,} [[for]] tables and ids of archives in them"
            )
            return
        called = tables.take(root, (), "name", str, PurePath(name).stem)
        if not _NAME.fullmatch(called):
            said = f"name: {called!r} is no name: 64 letters, digits, spaces and . + - _ at most"
            tables.problem(("name",), said)
        see_that_they_agree(tables, change, exceptions, self.layers)
        shared: frozenset[Shared] | None = tables.take(root, (), "second_person", frozenset[Shared], None)
        self.layers.append(Layer(called, change, tuple(exceptions), tuple(declared.values()), shared))

    def _base(self, tables: FileTables, chain: tuple[str, ...]) -> None:
        base: str | None = tables.take(tables.root, (), "base", str, None)
        if base is None:
            return
        try:
            name, text = self._find(base, chain[-1])
        except ConfigurationError as missing:
            tables.problem(("base",), missing.detail)
            return
        if name in chain or len(chain) >= _DEEPEST:
            tables.problem(("base",), f"base: {' is built on '.join((*chain, name))}: that never ends")
            return
        self.file(name, text, chain)

    def _find(self, base: str, of: str) -> tuple[str, str]:
        if base in SHIPPED:
            return f"{base}.toml (shipped)", shipped_text(base)
        if self._find_file is None or not is_path(base):
            raise ConfigurationError(f"base: there is no profile {base}{nearest(base, SHIPPED)}")
        return self._find_file(base, of)


def is_path(profile: str) -> bool:
    """What a user wrote for a profile is the path of a file, not the name of a shipped one."""
    return profile not in SHIPPED and (profile.endswith(".toml") or "/" in profile or "\\" in profile)


def _read_change(tables: FileTables, path: Path, table: Mapping[str, Any], rules: list[str]) -> Change:
    listed = {
        key: _read_rules(tables, (*path, key), tables.take(table, path, key, list[str], []), rules)
        for key in ("off", "on", "required", "optional")
    }
    for one, other in _CONTRADICTIONS:
        for rule in sorted(listed[one] & listed[other]):
            tables.problem((*path, other), f"{rule} is named by both {one} and {other}")
    return Change(
        off=listed["off"],
        on=listed["on"],
        required=listed["required"],
        optional=listed["optional"],
        severity=_read_severity(tables, (*path, "severity"), table.get("severity", {}), rules),
        parameters=_read_parameters(tables, (*path, "parameters"), table.get("parameters", {})),
    )


def _read_rules(tables: FileTables, path: Path, named: list[str], rules: list[str]) -> frozenset[str]:
    found: set[str] = set()
    for number, name in enumerate(named):
        found.update(_rules_named(tables, (*path, number), name, rules))
    return frozenset(found)


def _rules_named(tables: FileTables, path: Path, name: str, rules: Collection[str]) -> list[str]:
    """The rules that a name, or a form with `*`, stands for."""
    if name in rules:
        return [name]
    if "*" in name:
        if found := [rule for rule in rules if is_like(name, rule)]:
            return found
        tables.problem(path, f"no rule is like {name}; `heltig rules` lists them")
    else:
        near = nearest(name, rules) or "; `heltig rules` lists them"
        tables.problem(path, f"there is no rule {name}{near}")
    return []


def _read_severity(tables: FileTables, path: Path, table: Any, rules: list[str]) -> dict[str, Severity]:
    """Severities by rule: a rule's own name counts before forms with `*`, a later form before an earlier."""
    if not isinstance(table, dict):
        tables.problem(path, "severity is no table; write [severity] above its lines")
        return {}
    found: dict[str, Severity] = {}
    for name in sorted(table, key=lambda name: "*" not in name):
        severity: Any = tables.convert(table[name], (*path, name), Severity, None)
        for rule in _rules_named(tables, (*path, name), name, rules):
            if severity:
                found[rule] = severity
    return found


def _read_parameters(tables: FileTables, path: Path, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        tables.problem(path, "parameters is no table; write [parameters] above its lines")
        return {}
    fields = {field.name: field.type for field in msgspec.structs.fields(Parameters)}
    tables.keys(table, path, fields, what="parameter")
    found: dict[str, Any] = {}
    for key in [key for key in table if key in fields]:
        value: Any = tables.convert(table[key], (*path, key), fields[key], None)
        if value is None:
            continue
        if key in _NAMED:
            value = named(tables, (*path, key), value, _NAMED[key])
        try:
            whole = changed_parameters(Parameters(), {**found, key: msgspec.to_builtins(value)})
        except msgspec.ValidationError as error:
            tables.problem((*path, key), str(error))
        else:
            found[key] = msgspec.to_builtins(getattr(whole, key))
    return found


def _read_exceptions(
    tables: FileTables, path: Path, table: Mapping[str, Any], rules: list[str]
) -> Exceptions:
    tables.keys(table, path, (*_SCOPES, *_CHANGES), what="setting of [[for]]")
    scopes: dict[str, tuple[str, ...]] = {
        key: tables.take(table, path, key, tuple[str, ...], ()) for key in _SCOPES
    }
    if not any(scopes.values()):
        tables.problem(path, f"[[for]] names no study: give {', '.join(_SCOPES[:-1])} or {_SCOPES[-1]}")
    change = _read_change(tables, path, table, rules)
    return Exceptions(
        **msgspec.structs.asdict(change),
        archives=scopes["archives"],
        modalities=named(tables, (*path, "modalities"), scopes["modalities"], modality_named),
        sop_classes=named(tables, (*path, "sop_classes"), scopes["sop_classes"], sop_class_named),
        manufacturers=scopes["manufacturers"],
    )
