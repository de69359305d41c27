"""In which phase of contrast enhancement a series was acquired: by what it says, and by its values (8.7).

The phase is a property of the acquisition. Providers that do not agree give `unknown`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, get_args

from heltig.dicom.dates import parse_tm
from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.organs import core_of
from heltig.imaging.selection.policy import PhaseName
from heltig.imaging.volume import Technique

PHASES: Final[tuple[PhaseName, ...]] = get_args(PhaseName)

HU_RULE: Final = "phase_hu/1"
METADATA_RULE: Final = "phase_metadata/1"

_ENHANCED: Final = ("arterial", "portal_venous", "delayed")

_WORDS: Final = {
    "native": r"native?|nativ[ao]|nonc|noncon|noncontrast|ncct|nect|(un|non ?)enhanced|plain"
    r"|(no|non|without|w o|wo|w out|sem|sin|sans|senza|ohne) (iv |i v |intravenous )?"
    r"(contrast[eo]?|kontrast\w*|km)|non con|s contraste|pre ?contrast[eo]?",
    "arterial": r"(spat|fruh)?arteri(al|el|os)\w*",
    "portal_venous": r"portal\w*|venous|venos\w*|portoven\w*",
    "delayed": r"delay\w*|tardi\w*|spatphase|equilibri\w*|excret\w*",
}
"""Whole words of descriptions, in small letters and without accents."""

_NO_PHASE: Final = re.compile(
    r"\b((with|w|com|c|con|mit|avec)( and| e| y| und| et)? (without|w o|wo|sem|s|sin|ohne|sans)"
    r"|pre( ?contrast[eo]?)?( and| e| y| und| et)? post?( ?contrast[eo]?)?"
    r"|post?( ?contrast[eo]?)?( and| e| y| und| et)? pre( ?contrast[eo]?)?"
    r"|(?<=contraste )venos[oa])\b"
)
"""With and without contrast agent is an examination; a *venous contrast agent* is one that is injected."""

_NO_AGENT: Final = re.compile(
    r"(none|no|non|nil|na|n|n a|0|without|w o|wo|sem|sin|sans|senza|ohne)"
    r"( (iv )?(contrast[eo]?|kontrast\w*|km|agent))?"
    r"|(none|not) (given|used|applicable|administered)|nenhum|ning(un|uno|una)|aucun|keine?s?|nessuno|water"
)
"""What stands for a contrast agent where there is none."""

_IN_NO_VESSEL: Final = frozenset(
    {"oral", "rectal", "po", "os", "enteral", "barium", "gastrografin", "gastrographin"}
)
"""Words of a contrast agent that is in no vessel."""

_BESIDE_IT: Final = frozenset({"contrast", "contraste", "water", "per", "and", "e", "y", "or", "only"})
"""What may stand beside them."""

_DELAYS_S: Final = ((15.0, 45.0, "arterial"), (55.0, 110.0, "portal_venous"), (150.0, 1800.0, "delayed"))
"""Seconds from the start of the injection to the acquisition."""

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class PhaseReading:
    """What one provider says.

    Attributes:
        provider: The rule and its version.
        phase: One of `PHASES`.
        evidence: What it was read from: names of attributes, or medians in HU.
    """

    provider: str
    phase: str
    evidence: tuple[str, ...] = ()


PhaseProvider: TypeAlias = Callable[[Inventory], PhaseReading]
"""Something else that says the phase."""


@dataclass(frozen=True, slots=True)
class ContrastPhase:
    """The phase of a series.

    Attributes:
        phase: One of `PHASES`.
        readings: What each provider says.
        disagree: Providers contradict one another.
    """

    phase: str
    readings: tuple[PhaseReading, ...]
    disagree: bool = False


@dataclass(frozen=True, slots=True)
class PhaseLimits:
    """Medians in HU that tell phases apart. They are engineering limits, not reference values.

    Attributes:
        native_below: Aorta and portal vein without contrast agent.
        arterial_from: Aorta in the arterial phase.
        arterial_lead: By how much the aorta is then above the portal vein.
        venous_from: Aorta in the portal venous phase.
        venous_apart: By how much the two may then differ.
        liver_from: Liver in the portal venous phase.
        portal_from: Or the portal vein.
    """

    native_below: float = 80.0
    arterial_from: float = 150.0
    arterial_lead: float = 60.0
    venous_from: float = 90.0
    venous_apart: float = 50.0
    liver_from: float = 80.0
    portal_from: float = 110.0


def contrast_phase(
    inventory: Inventory, *, limits: PhaseLimits | None = None, others: Sequence[PhaseReading] = ()
) -> ContrastPhase:
    """The phase on which all providers agree that know one.

    A provider that only sees that there is contrast agent agrees with each of the enhanced phases, and values
    of the portal venous phase do not contradict a delayed one.

    Args:
        inventory: The volume and its structures.
        limits: Of the rule on Hounsfield units.
        others: What further providers say.
    """
    readings = (
        phase_by_metadata(inventory.segmentation.volume.technique),
        phase_by_values(inventory, limits or PhaseLimits()),
        *others,
    )
    known = [reading.phase for reading in readings if reading.phase != "unknown"]
    agreed = next(iter(known), "unknown")
    for phase in known[1:]:
        both = {agreed, phase}
        if "enhanced_unclassified" in both and both & set(_ENHANCED):
            agreed = phase if agreed == "enhanced_unclassified" else agreed
        elif both == {"delayed", "portal_venous"}:
            agreed = "delayed"
        elif len(both) > 1:
            return ContrastPhase("unknown", readings, disagree=True)
    return ContrastPhase(agreed, readings)


def phase_by_metadata(technique: Technique) -> PhaseReading:
    """What the series says: words of its descriptions, then the time since the injection.

    That no contrast agent is named says nothing: the attribute is often left out.
    """
    said = {
        phase: name
        for name in ("series_description", "protocol")
        for phase in _phases_in(getattr(technique, name) or "")
    }
    if len(said) == 1:
        return PhaseReading(METADATA_RULE, next(iter(said)), tuple(said.values()))
    if said or not _is_injected(_plain(technique.contrast_agent or "")):
        return PhaseReading(METADATA_RULE, "unknown", tuple(said.values()))
    seconds = _seconds_since_injection(technique)
    if seconds is not None and seconds < 0:
        return PhaseReading(METADATA_RULE, "unknown", ("contrast_start", "acquisition_time"))
    for first, last, phase in _DELAYS_S:
        if seconds is not None and first <= seconds <= last:
            return PhaseReading(METADATA_RULE, phase, ("contrast_start", "acquisition_time"))
    return PhaseReading(METADATA_RULE, "enhanced_unclassified", ("contrast_agent",))


def phase_by_values(inventory: Inventory, limits: PhaseLimits) -> PhaseReading:
    """What the medians of the aorta, of a large vein and of the liver say, without their outermost 3 mm."""
    if not inventory.segmentation.in_hounsfield:
        return PhaseReading(HU_RULE, "unknown")
    medians = {
        key: core.median
        for key in ("aorta", "portal_vein_and_splenic_vein", "inferior_vena_cava", "liver")
        if inventory.has(key) and (core := core_of(inventory, key))
    }
    evidence = tuple(f"{key} {median:g}" for key, median in medians.items())
    artery = medians.get("aorta")
    vein = medians.get("portal_vein_and_splenic_vein", medians.get("inferior_vena_cava"))
    if artery is None or vein is None:
        return PhaseReading(HU_RULE, "unknown", evidence)
    return PhaseReading(HU_RULE, _by_limits(artery, vein, medians.get("liver"), limits), evidence)


def _by_limits(artery: float, vein: float, liver: float | None, limits: PhaseLimits) -> str:
    if artery < limits.native_below and vein < limits.native_below:
        return "native"
    if artery >= limits.arterial_from and artery - vein >= limits.arterial_lead:
        return "arterial"
    filled = vein >= limits.portal_from or (liver is not None and liver >= limits.liver_from)
    if artery >= limits.venous_from and abs(artery - vein) <= limits.venous_apart and filled:
        return "portal_venous"
    return "enhanced_unclassified"


def _is_injected(agent: str) -> bool:
    words = set(agent.split())
    elsewhere = bool(words & _IN_NO_VESSEL) and words <= _IN_NO_VESSEL | _BESIDE_IT
    return bool(words) and not elsewhere and not _NO_AGENT.fullmatch(agent)


def _phases_in(text: str) -> Iterator[str]:
    words = _NO_PHASE.sub(" ", _plain(text))
    for phase, pattern in _WORDS.items():
        if re.search(rf"\b(?:{pattern})\b", words):
            yield phase


def _plain(text: str) -> str:
    """Words in small letters and without accents, parted by spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"[a-z0-9]+", "".join(c for c in letters if not unicodedata.combining(c))))


def _seconds_since_injection(technique: Technique) -> float | None:
    """Negative where the images were made before. The two are less than half a day apart."""
    times = [parse_tm(text or "") for text in (technique.contrast_start, technique.acquisition_time)]
    if times[0] is None or times[1] is None:
        return None
    start, acquired = (time.hour * 3600 + time.minute * 60 + time.second for time in times if time)
    return float((acquired - start + _DAY_S // 2) % _DAY_S - _DAY_S // 2)
