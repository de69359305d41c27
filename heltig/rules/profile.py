"""A site's settings for judging: severities, rules switched off or insisted on, thresholds.

A profile is a TOML file:

    name = "radiology"
    off = ["SER-DESC-CONFLICT"]
    required = ["SRC-QIDO-COUNT"]

    [severity]
    "STU-ACCESSION-EMPTY" = "block"

    [parameters]
    age_tolerance_years = 2

    [[for]]
    modalities = ["MG"]
    required = ["SER-LATERALITY"]

A `[[for]]` table changes the profile for the studies it names: those of the given archives that hold a series
of one of the given modalities; either list may be left out.
"""

import hashlib
import tomllib
from collections.abc import Iterable
from typing import Any

import msgspec

from heltig.errors import ConfigurationError
from heltig.rules.parameters import Parameters
from heltig.rules.rule import Rule, Severity


class Exceptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a `[[for]]` table changes, and for which studies."""

    modalities: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    off: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    severity: dict[str, Severity] = {}

    def concerns(self, *, modalities: Iterable[str], archive: str) -> bool:
        """The study is one of those named."""
        return (not self.archives or archive in self.archives) and (
            not self.modalities or not set(self.modalities).isdisjoint(modalities)
        )


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"exceptions": "for"}):
    """A profile. See the module for its form as a file.

    Attributes:
        name: A short name, shown with every verdict.
        off: Rules that are not run.
        required: Rules that must be evaluable: one that is not makes NEEDS_REVIEW.
        severity: Severities that differ from a rule's own.
        parameters: Thresholds and lists.
        exceptions: Changes for some studies.
    """

    name: str = "default"
    off: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    severity_of: dict[str, Severity] = msgspec.field(default_factory=dict, name="severity")
    parameters: Parameters = Parameters()
    exceptions: tuple[Exceptions, ...] = ()

    def runs(self, rule: str) -> bool:
        """The rule is not switched off."""
        return rule not in self.off

    def severity(self, rule: Rule) -> Severity:
        """The severity of a rule's findings."""
        return self.severity_of.get(rule.id, rule.severity)

    def for_study(self, *, modalities: Iterable[str], archive: str = "") -> "Profile":
        """This profile with the exceptions that concern a study applied, in their order."""
        modalities = tuple(modalities)
        profile = self
        for change in self.exceptions:
            if change.concerns(modalities=modalities, archive=archive):
                profile = msgspec.structs.replace(
                    profile,
                    off=profile.off | change.off,
                    required=profile.required | change.required,
                    severity_of={**profile.severity_of, **change.severity},
                )
        return profile

    @property
    def text(self) -> bytes:
        """The profile in its one canonical form (JSON, keys and sets sorted)."""
        return msgspec.json.encode(self, order="deterministic")

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical form, 64 hex digits."""
        return hashlib.sha256(self.text).hexdigest()


DEFAULT = Profile()
"""Requires nothing that a plain WADO-RS source cannot show."""


def parse_profile(text: str, *, known: Iterable[str], name: str) -> Profile:
    """Read a profile from its TOML text.

    Args:
        text: The file's content.
        known: The ids of all rules.
        name: The file's name, for error texts, and the profile's name where the text gives none.

    Raises:
        ConfigurationError: The text is not TOML, or names a rule, severity or setting that does not exist.
    """
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"profile {name} is not TOML: {error}") from None
    table.setdefault("name", name)
    try:
        profile = msgspec.convert(table, Profile)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"profile {name}: {error}") from None
    rules = set(known)
    named = {*profile.off, *profile.required, *profile.severity_of}
    for change in profile.exceptions:
        named |= {*change.off, *change.required, *change.severity}
    for rule in sorted(named):
        if rule not in rules:
            raise ConfigurationError(f"profile {name}: there is no rule {rule}; see `heltig rules`")
    return profile
