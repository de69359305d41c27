"""The site's plan for analyses: what finds structures, with its options, and what is analysed of itself.

    policy = "select-site.toml"          # beside this file
    default = ["classical"]
    phase_python = "/opt/phase/bin/python"

    [segmenters.classical]

    [segmenters.totalsegmentator]
    executable = "/opt/totalsegmentator/bin/TotalSegmentator"
    tasks = "total"

    [[automatic]]
    locations = ["archive:main", "gate:*"]
    modalities = ["CT"]
    segmenters = ["totalsegmentator"]

Whoever orders an analysis names segmenters; their options, programs among them, are the site's alone.
"""

import tomllib
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from heltig.errors import ConfigurationError, UsageError
from heltig.imaging.order import OPTIONAL_FAMILIES, Modality, SegmenterOrder
from heltig.imaging.segment.options import read_options
from heltig.imaging.selection.policy import site_policy
from heltig.pipeline.research.asked import Asked, Target
from heltig.store.records import Location

USUAL: Final[Mapping[str, Mapping[str, str]]] = {"byo-dicom-seg": {}, "classical": {}}
"""The segmenters of a site without a plan: they need nothing beside the images."""


Place: TypeAlias = Annotated[str, Meta(pattern=r"^(\*|(archive|gate|upload):.+)$")]


class Automatic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """READY studies that are analysed without anybody asking for it.

    Attributes:
        locations: Where, such as `archive:main` or `gate:*`; `*` alone is anywhere.
        modalities: A study has to have one of them.
        segmenters: See `Asked`, as of the following.
        target: What the selection looks for.
        slice_metrics: Something is measured on single slices.
        optional: Families of measurements.
    """

    locations: Annotated[tuple[Place, ...], Meta(min_length=1)]
    modalities: Annotated[tuple[Modality, ...], Meta(min_length=1)]
    segmenters: tuple[str, ...] = ()
    target: Target = "soft_tissue"
    slice_metrics: bool = False
    optional: tuple[str, ...] = ()

    def wants(self, location: Location, modalities: Collection[str]) -> bool:
        """Whether a study is one of them."""
        return not set(self.modalities).isdisjoint(modalities) and any(
            fnmatchcase(str(location), pattern) for pattern in self.locations
        )

    @property
    def asked(self) -> Asked:
        """What is to be done with it."""
        return Asked(
            segmenters=self.segmenters,
            target=self.target,
            slice_metrics=self.slice_metrics,
            modalities=self.modalities,
            optional=self.optional,
        )


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A site's plan.

    Attributes:
        policy: Its selection policy, a path; None for the one that Heltig brings.
        default: The segmenters where none are asked for.
        segmenters: The options of each segmenter that may be asked for.
        automatic: What is analysed of itself.
        phase_python: The python of an environment with the contrast phase classifier; None for none.
    """

    policy: str | None = None
    default: tuple[str, ...] = ()
    segmenters: dict[str, dict[str, str]] = msgspec.field(
        default_factory=lambda: {name: dict(options) for name, options in USUAL.items()}
    )
    automatic: tuple[Automatic, ...] = ()
    phase_python: str | None = None

    def segmenters_for(self, asked: Asked, modalities: Collection[str]) -> tuple[str, ...]:
        """The segmenters of an analysis.

        Args:
            asked: What is asked for.
            modalities: Those of the study.

        Raises:
            UsageError: The plan does not have one of them, or there is none for such a study.
        """
        wanted = asked.segmenters or self.default or tuple(self._usual(modalities))
        unknown = [name for name in wanted if name not in self.segmenters]
        if unknown:
            known = ", ".join(self.segmenters) or "none"
            raise UsageError(
                f"segmenters: HELTIG_ANALYSIS_PLAN does not have {', '.join(unknown)}. It has {known}."
            )
        if len(set(wanted)) < len(wanted):
            raise UsageError("segmenters: each of them runs once; one is named twice.")
        if not wanted:
            raise UsageError(
                "segmenters: there is none for such a study by itself. Name one, or set `default` in "
                "HELTIG_ANALYSIS_PLAN."
            )
        return wanted

    def orders_for(self, names: Collection[str]) -> tuple[SegmenterOrder, ...]:
        """Segmenters with their options.

        Raises:
            KeyError: The plan does not have one of them.
        """
        return tuple(SegmenterOrder(id=name, options=self.segmenters[name]) for name in names)

    def automatic_for(self, location: Location, modalities: Collection[str]) -> Asked | None:
        """What is done with a READY study of itself, None for nothing: the first entry that wants it."""
        return next((one.asked for one in self.automatic if one.wants(location, modalities)), None)

    def _usual(self, modalities: Collection[str]) -> list[str]:
        if "SEG" in modalities and "byo-dicom-seg" in self.segmenters:
            return ["byo-dicom-seg"]
        return ["classical"] if "CT" in modalities and "classical" in self.segmenters else []


def read_plan(path: Path | None) -> Plan:
    """Reads a plan; without a file it is what any site can do.

    Raises:
        ConfigurationError: It cannot be read, or is none.
    """
    if path is None:
        return Plan()
    plan = _in_file(path)
    _see_that_it_makes_sense(plan, path)
    if plan.policy is None:
        return plan
    policy = path.parent / plan.policy
    if not policy.is_file():
        raise ConfigurationError(
            f"HELTIG_ANALYSIS_PLAN: {path}: policy = {plan.policy} is no file beside it."
        )
    try:
        site_policy(policy.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ConfigurationError) as wrong:
        why = wrong.detail if isinstance(wrong, ConfigurationError) else "It is no text in UTF-8."
        raise ConfigurationError(f"HELTIG_ANALYSIS_PLAN: {path}: policy = {plan.policy}: {why}") from wrong
    return msgspec.structs.replace(plan, policy=str(policy.resolve()))


def _in_file(path: Path) -> Plan:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(given, Plan)
    except OSError as wrong:
        raise ConfigurationError(
            f"HELTIG_ANALYSIS_PLAN: {path} cannot be read ({wrong.strerror}). Name a TOML file."
        ) from wrong
    except ValueError as wrong:  # not UTF-8, not TOML, or no plan
        raise ConfigurationError(f"HELTIG_ANALYSIS_PLAN: {path}: {wrong}. See docs/research.md.") from wrong


def _see_that_it_makes_sense(plan: Plan, path: Path) -> None:
    if not plan.segmenters:
        raise ConfigurationError(f"HELTIG_ANALYSIS_PLAN: {path}: there is no [segmenters.NAME].")
    for name, options in plan.segmenters.items():
        try:
            read_options(SegmenterOrder(id=name, options=options))
        except UsageError as wrong:
            raise ConfigurationError(
                f"HELTIG_ANALYSIS_PLAN: {path}: [segmenters.{name}]: {wrong.detail}"
            ) from wrong
    named = {*plan.default, *(name for one in plan.automatic for name in one.segmenters)}
    if absent := sorted(named - plan.segmenters.keys()):
        raise ConfigurationError(
            f"HELTIG_ANALYSIS_PLAN: {path} names {', '.join(absent)}, and has no [segmenters.NAME] of it."
        )
    for several in (plan.default, *(one.segmenters for one in plan.automatic)):
        if len(set(several)) < len(several):
            raise ConfigurationError(f"HELTIG_ANALYSIS_PLAN: {path} names a segmenter twice in one list.")
    if unknown := sorted({name for one in plan.automatic for name in one.optional} - {*OPTIONAL_FAMILIES}):
        raise ConfigurationError(
            f"HELTIG_ANALYSIS_PLAN: {path}: optional: there is no family {unknown[0]!r}. "
            f"There are {', '.join(OPTIONAL_FAMILIES)}."
        )
    if plan.phase_python is not None and not Path(plan.phase_python).is_absolute():
        raise ConfigurationError(
            f"HELTIG_ANALYSIS_PLAN: {path}: phase_python = {plan.phase_python} is no absolute path."
        )
