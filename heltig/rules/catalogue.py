"""All rules: the families of this package, and a site's own through the entry point group `heltig.rules`."""

import hashlib
from functools import cache
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import ModuleType

from heltig.errors import ConfigurationError
from heltig.rules.installed import digest_of_installed, distribution_of, installed
from heltig.rules.rule import Rule
from heltig.rules.site_rules import PREFIX

FAMILIES = {
    "source": "Source and transport",
    "source_watched": "Source and transport",
    "delivery": "Source and transport",
    "patient": "Patient",
    "demographics": "Patient",
    "study": "Study",
    "study_content": "Study",
    "series": "Series",
    "examination": "Series",
    "entities": "Series",
    "entity_conflicts": "Series",
    "given_in_part": "Series",
    "time_zones": "Series",
    "instance": "Instance",
    "instance_number": "Instance",
    "uid": "UID",
    "charset": "Character set",
    "values": "Values, VR and VM",
    "value_meanings": "Values, VR and VM",
    "value_ranges": "Values, VR and VM",
    "elements": "Values, VR and VM",
    "structured_reports": "Values, VR and VM",
    "references": "References, rejection, target",
    "references_derived": "References, rejection, target",
    "references_frames": "References, rejection, target",
    "references_radiotherapy": "References, rejection, target",
    "radiotherapy": "References, rejection, target",
    "control_points": "References, rejection, target",
    "references_rejection": "References, rejection, target",
    "deidentification": "De-identification leakage",
    "deidentification_identity": "De-identification leakage",
    "deidentification_profile": "De-identification leakage",
    "deidentification_dates": "De-identification leakage",
    "deidentification_pictures": "De-identification leakage",
    "deidentification_text": "De-identification leakage",
    "targets": "References, rejection, target",
    "targets_aws": "References, rejection, target",
    "targets_dcm4chee": "References, rejection, target",
    "encoding": "Encoding, file meta, transfer syntax",
    "encoding_start": "Encoding, file meta, transfer syntax",
    "encoding_transfer": "Encoding, file meta, transfer syntax",
    "encoding_values": "Encoding, file meta, transfer syntax",
    "pixel": "Image pixel module",
    "pixel_data": "Image pixel module",
    "pixel_compression": "Image pixel module",
    "pixel_values": "Image pixel module",
    "uptake": "Image pixel module",
    "pixel_window": "Image pixel module",
    "presentation": "Image pixel module",
    "value_maps": "Image pixel module",
    "frame_types": "Image pixel module",
    "pixel_series": "Image pixel module",
    "nuclear": "Image pixel module",
    "nuclear_frames": "Image pixel module",
    "ultrasound": "Image pixel module",
    "lookup_tables": "Image pixel module",
    "overlays": "Image pixel module",
    "slides": "Image pixel module",
    "slide_tiles": "Image pixel module",
    "waveforms": "Waveform",
    "waveform_channels": "Waveform",
    "waveform_kinds": "Waveform",
    "geometry": "Geometry",
    "geometry_series": "Geometry",
    "geometry_spaces": "Geometry",
    "geometry_stacks": "Geometry",
    "geometry_order": "Geometry",
    "orientation_letters": "Geometry",
    "geometry_frames": "Geometry",
    "geometry_dimensions": "Geometry",
    "dimension_organization": "Geometry",
    "contours": "Geometry",
    "contour_shapes": "Geometry",
    "annotations": "Geometry",
    "dose_grid": "Geometry",
    "segmentation_frames": "Geometry",
    "conformance": "IOD conformance",
    "context": "Across studies",
    "context_patient": "Across studies",
}
"""The modules of the catalogue with the family each belongs to, in the order in which people read them."""

VERSION = "0.1.0"
"""The version of the catalogue."""


@cache
def catalogue() -> dict[str, Rule]:
    """Every rule by its id, families in order, a site's own rules last.

    Raises:
        ConfigurationError: Two rules have one id, one has an id of those that profiles declare, or a site's
            module cannot be read.
    """
    rules: dict[str, Rule] = {}
    modules = [import_module(f"heltig.rules.{name}") for name in FAMILIES]
    for module in [*modules, *(one.module for one in installed())]:
        for found in rules_of(module):
            if found.id.startswith(PREFIX):
                raise ConfigurationError(
                    f"{found.id} in {module.__name__}: {PREFIX} is for rules of profiles, give it another id"
                )
            if rules.setdefault(found.id, found) is not found:
                raise ConfigurationError(
                    f"two rules are called {found.id}: the second is in {module.__name__}"
                )
    return rules


def rules_of(module: ModuleType) -> list[Rule]:
    """The rules that a module declares, in the order of its text."""
    return [value for value in vars(module).values() if isinstance(value, Rule)]


def family_of(rule: Rule) -> str:
    """The title of a rule's family; `Site` for a site's own."""
    module = rule.check.__module__.rpartition(".")
    return FAMILIES.get(module[2], "Site") if module[0] == "heltig.rules" else "Site"


def since_of(rule: Rule) -> str:
    """The version of Heltig that brought a rule.

    Of a site's rule with code the distribution that it is in with its version; empty for one of a profile.
    """
    return distribution_of(rule.check.__module__) if family_of(rule) == "Site" else rule.since


@cache
def ruleset_hash() -> str:
    """SHA-256 over everything a verdict depends on beside its input, 64 hex digits.

    The bytes of the rules, the readers, the standard's tables and the verdict logic, a site's own rules with
    them.
    """
    digest = hashlib.sha256()
    root = files("heltig")
    parts = [
        *_sources(root / "rules"),
        *_sources(root / "dicom"),
        *_sources(root / "standard"),
        root / "verdict.py",
    ]
    for part in parts:
        digest.update(part.name.encode() + b"\0" + hashlib.sha256(part.read_bytes()).digest())
    if installed():
        digest.update(digest_of_installed())
    return digest.hexdigest()


def _sources(folder: Traversable) -> list[Traversable]:
    """The files of a package that decide, in the order of their paths; caches and build scripts do not."""
    found: list[Traversable] = []
    for part in sorted(folder.iterdir(), key=lambda part: part.name):
        if part.is_dir():
            if part.name not in {"__pycache__", "build"}:
                found.extend(_sources(part))
        elif part.name.endswith((".py", ".json")):
            found.append(part)
    return found
