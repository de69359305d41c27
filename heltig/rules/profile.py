"""A site's settings for judging: severities, rules switched off or insisted on, thresholds, its own rules.

`heltig.rules.profile_file` reads a profile from its TOML file; this module says what one means. A profile is
the empty one with changes applied to it, those of its base first; for some studies further changes apply.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from heltig.rules.parameters import Parameters
from heltig.rules.rule import Rule, Severity
from heltig.rules.site_rules import SiteRule

Shared: TypeAlias = Literal["release", "discard"]
"""What one person asks for, and a second one consents to: what is done with a study in quarantine."""


class InstanceKind(NamedTuple):
    """What kind of instance a study has, for the scopes of a profile.

    Attributes:
        modality: Modality (0008,0060).
        sop_class: SOP Class UID (0008,0016).
        manufacturer: Manufacturer (0008,0070).
    """

    modality: str = ""
    sop_class: str = ""
    manufacturer: str = ""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one table of a profile changes.

    Attributes:
        off: Rules that are switched off.
        on: Rules that are switched on again.
        required: Rules that are insisted on.
        optional: Rules that are insisted on no more.
        severity: Severities.
        parameters: Thresholds and lists, each in place of the former one.
    """

    off: frozenset[str] = frozenset()
    on: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    severity: dict[str, Severity] = {}
    parameters: dict[str, Any] = {}

    def then(self, later: "Change") -> "Change":
        """The change that does what this one does and then what a later one does."""
        return Change(
            off=(self.off - later.on) | later.off,
            on=(self.on - later.off) | later.on,
            required=(self.required - later.optional) | later.required,
            optional=(self.optional - later.required) | later.optional,
            severity={**self.severity, **later.severity},
            parameters={**self.parameters, **later.parameters},
        )


class Exceptions(Change, frozen=True, forbid_unknown_fields=True):
    """A `[[for]]` table: what it changes, and for which studies.

    Each list that is given must name something of the study; a study is named by modality, SOP Class and
    manufacturer when one of its instances is all that is asked for.

    In ids of archives and in manufacturers case means nothing, and `*` stands for any characters.

    Attributes:
        archives: Ids of archives; `*` alone is any archive, but no file.
        modalities: Values of Modality, in capitals.
        sop_classes: SOP Class UIDs.
        manufacturers: Values of Manufacturer.
    """

    archives: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    sop_classes: tuple[str, ...] = ()
    manufacturers: tuple[str, ...] = ()

    def concerns(self, *, kinds: Iterable[InstanceKind], archive: str) -> bool:
        """The study is one of those named."""
        if self.archives and not (archive and any(_fits(name, archive) for name in self.archives)):
            return False
        by_kind = self.modalities or self.sop_classes or self.manufacturers
        return not by_kind or any(map(self._names, kinds))

    def may_meet(self, other: "Exceptions") -> bool:
        """Some study may be concerned by both: one has one location, but instances of several kinds."""
        if not self.archives or not other.archives:
            return True
        return any(
            _fits(one, another) or _fits(another, one) or ("*" in one and "*" in another)
            for one in self.archives
            for another in other.archives
        )

    def covers(self, other: "Exceptions") -> bool:
        """Every study that is concerned by another is by this one, as far as one table can tell."""
        return (
            _all_fit(self.archives, other.archives)
            and _all_fit(self.modalities, other.modalities)
            and _all_fit(self.sop_classes, other.sop_classes)
            and _all_fit(self.manufacturers, other.manufacturers)
        )

    def _names(self, kind: InstanceKind) -> bool:
        return (
            (not self.modalities or kind.modality.upper() in self.modalities)
            and (not self.sop_classes or kind.sop_class in self.sop_classes)
            and (not self.manufacturers or any(_fits(name, kind.manufacturer) for name in self.manufacturers))
        )


def _fits(wanted: str, text: str) -> bool:
    """A text is as wanted, whatever the case; `*` stands for any characters."""
    return is_like(wanted.casefold().strip(), text.casefold().strip())


def _all_fit(wanted: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    """Whoever is named by some texts is named as wanted; none wanted are all."""
    return not wanted or (bool(texts) and all(any(_fits(name, text) for name in wanted) for text in texts))


def is_like(form: str, text: str) -> bool:
    """A text is as a form says, in which `*` stands for any characters; never slow."""
    begin, *middle = form.split("*")
    if not middle:
        return text == begin
    end = middle.pop()
    if not text.startswith(begin) or not text.endswith(end) or len(text) < len(begin) + len(end):
        return False
    at, last = len(begin), len(text) - len(end)
    for part in middle:
        at = text.find(part, at, last)
        if at < 0:
            return False
        at += len(part)
    return True


class Profile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"exceptions": "for", "site_rules": "rule"},
):
    """A profile.

    Attributes:
        name: A short name, shown with every verdict.
        off: Rules that are not run.
        required: Rules that must be evaluable: one that is not makes NEEDS_REVIEW.
        severity: Severities that differ from a rule's own.
        parameters: Thresholds and lists.
        exceptions: Changes for some studies, in the order in which they apply.
        site_rules: Rules of the site without code, in the order of their ids.
        second_person: What one person alone may not do. Without it a profile has the hash that it always had.
    """

    name: str = "default"
    off: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    severity_of: dict[str, Severity] = msgspec.field(default_factory=dict, name="severity")
    parameters: Parameters = Parameters()
    exceptions: tuple[Exceptions, ...] = ()
    site_rules: tuple[SiteRule, ...] = ()
    second_person: frozenset[Shared] | msgspec.UnsetType = msgspec.UNSET

    def wants_two(self, act: Shared) -> bool:
        """One person alone may not do it."""
        return self.second_person is not msgspec.UNSET and act in self.second_person

    def runs(self, rule: str) -> bool:
        """The rule is not switched off."""
        return rule not in self.off

    def severity(self, rule: Rule) -> Severity:
        """The severity of a rule's findings."""
        return self.severity_of.get(rule.id, rule.severity)

    def rules_among(self, catalogue: Mapping[str, Rule]) -> dict[str, Rule]:
        """The rules there are under this profile, by id: those of the catalogue, then the profile's own."""
        return {**catalogue, **{declared.id: declared.as_rule() for declared in self.site_rules}}

    def changed(self, change: Change) -> "Profile":
        """This profile with a change applied.

        Raises:
            msgspec.ValidationError: A parameter does not exist or has a value that it cannot have.
        """
        return msgspec.structs.replace(
            self,
            off=(self.off - change.on) | change.off,
            required=(self.required - change.optional) | change.required,
            severity_of={**self.severity_of, **change.severity},
            parameters=changed_parameters(self.parameters, change.parameters),
        )

    def for_study(self, *, kinds: Iterable[InstanceKind], archive: str = "") -> "Profile":
        """This profile with the exceptions that concern a study applied, in their order.

        Args:
            kinds: The kinds of instances that the study has.
            archive: The id of the archive it was seen in; empty for files.
        """
        kinds = tuple(kinds)
        profile = self
        for exceptions in self.exceptions:
            if exceptions.concerns(kinds=kinds, archive=archive):
                profile = profile.changed(exceptions)
        return profile

    @property
    def text(self) -> bytes:
        """The profile in its one canonical form (JSON, keys and sets sorted)."""
        return msgspec.json.encode(self, order="deterministic")

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical form, 64 hex digits."""
        return hashlib.sha256(self.text).hexdigest()


def changed_parameters(parameters: Parameters, changes: Mapping[str, Any]) -> Parameters:
    """Thresholds and lists with some of them in place of the former ones.

    Raises:
        msgspec.ValidationError: One does not exist or has a value that it cannot have.
    """
    if not changes:
        return parameters
    return msgspec.convert({**msgspec.to_builtins(parameters), **changes}, Parameters)


DEFAULT = Profile()
"""Requires nothing that a plain WADO-RS source cannot show."""
