"""Functional group macros of IODs of which the first source has none; written by hand from PS3.3 annex A.

A macro of which nothing but its sequence is said here is open: whatever is in its items is no objection.
"""

from typing import Any, Final

ROOT: Final = "1.2.840.10008.5.1.4.1.1."

_UNTILED: Final = ["or", ["-", "00209311"], ["!=", "00209311", 1, ["TILED_FULL"]]]
_NOT_TILED: Final = ["required", _UNTILED]
_IN_PATIENT: Final = ["and", ["+", "00200052"], ["-", "00480102"], ["-", "00480008"]]
"""The Frame of Reference is patient-relative: there is one, and neither ImageOrientationSlide nor tiles."""
_PLACED_BY_ITSELF: Final = ["required", ["and", ["-", "00089124"], *_IN_PATIENT[1:]]]
"""Required if there is no Derivation Image Functional Group, whose images would say where the frame lies."""
_WITH_CONTRAST: Final = ["required", ["+", "00180012"]]

_PIXEL_MEASURES: Final = ["Pixel Measures", "C.7.6.16.2.1"]
_PLANE_POSITION: Final = ["Plane Position (Patient)", "C.7.6.16.2.3"]
_PLANE_ORIENTATION: Final = ["Plane Orientation (Patient)", "C.7.6.16.2.4"]
_PLANE_POSITION_SLIDE: Final = ["Plane Position (Slide)", "C.8.12.6.1", "C"]
_FRAME_CONTENT: Final = ["Frame Content", "C.7.6.16.2.2"]
_REFERENCED_IMAGE: Final = ["Referenced Image", "C.7.6.16.2.5"]
_DERIVATION_IMAGE: Final = ["Derivation Image", "C.7.6.16.2.6"]
_CARDIAC: Final = ["Cardiac Synchronization", "C.7.6.16.2.7"]
_RESPIRATORY: Final = ["Respiratory Synchronization", "C.7.6.16.2.17"]
_FRAME_ANATOMY: Final = ["Frame Anatomy", "C.7.6.16.2.8"]
_CONTRAST: Final = ["Contrast/Bolus Usage", "C.7.6.16.2.12"]
_REAL_WORLD_VALUES: Final = ["Real World Value Mapping", "C.7.6.16.2.11"]
_FRAME_VOI_LUT: Final = ["Frame VOI LUT With LUT", "C.7.6.16.2.10b"]
_CONVERTED: Final = [
    ["Unassigned Shared Converted Attributes", "C.7.6.16.2.25.1", "U", 0, "shared"],
    ["Unassigned Per-Frame Converted Attributes", "C.7.6.16.2.25.2", "U", 0, "frame"],
]

MACROS: Final[dict[str, list[list[Any]]]] = {
    # Segmentation, PS3.3 A.51.5
    f"{ROOT}66.4": [
        [*_PIXEL_MEASURES, "C", _PLACED_BY_ITSELF],
        [*_PLANE_POSITION, "C", _PLACED_BY_ITSELF],
        [*_PLANE_ORIENTATION, "C", _PLACED_BY_ITSELF],
        _PLANE_POSITION_SLIDE,
        [*_DERIVATION_IMAGE, "C"],
        # "Required if not empty": it cannot be where each frame has indices that tiles do not imply
        [*_FRAME_CONTENT, "C", ["required", ["and", ["+", "00209222"], _UNTILED]], "frame"],
        ["Segmentation", "C.8.20.3.1", "C", _NOT_TILED],
        *_CONVERTED,
    ],
    # Parametric Map, PS3.3 A.75.5
    f"{ROOT}30": [
        [*_PIXEL_MEASURES, "M"],
        [*_PLANE_POSITION, "C", ["required", _IN_PATIENT]],
        [*_PLANE_ORIENTATION, "C", ["required", _IN_PATIENT]],
        _PLANE_POSITION_SLIDE,
        [*_REFERENCED_IMAGE, "U"],
        [*_DERIVATION_IMAGE, "C"],
        [*_FRAME_CONTENT, "M", 0, "frame"],
        [*_CARDIAC, "U"],
        [*_FRAME_ANATOMY, "U"],
        ["Identity Pixel Value Transformation", "C.7.6.16.2.9b", "M"],
        [*_FRAME_VOI_LUT, "M"],
        [*_REAL_WORLD_VALUES, "M"],
        [*_CONTRAST, "U"],
        [*_RESPIRATORY, "U"],
        ["Stored Value Color Range", "C.8.32.3.2", "C", ["required", ["=", "00089205", 1, ["COLOR_RANGE"]]]],
        ["Parametric Map Frame Type", "C.8.32.3.1", "M"],
        *_CONVERTED,
    ],
    # Ophthalmic Tomography Image, PS3.3 A.52.4.3
    f"{ROOT}77.1.5.4": [
        [*_PIXEL_MEASURES, "M"],
        [*_FRAME_CONTENT, "M", 0, "frame"],
        [*_PLANE_POSITION, "C", ["required", ["=", "00221622", 1, ["YES"]]]],
        [*_PLANE_ORIENTATION, "C", ["required", ["=", "00221622", 1, ["YES"]]]],
        [*_REFERENCED_IMAGE, "C"],
        [*_DERIVATION_IMAGE, "C"],
        [*_FRAME_ANATOMY, "M"],
        [*_CARDIAC, "C", ["required", ["!=", "00189037", 1, ["NONE"]]]],
        [*_CONTRAST, "C", _WITH_CONTRAST, "frame"],
        ["Ophthalmic Frame Location", "C.8.17.9", "U"],
    ],
}
"""The macros by SOP Class, as rows of the table of IODs."""

MODULES: Final[dict[str, list[Any]]] = {
    "C.8.20.3.1": [["0062000A", "1", [["0062000B", "1"]]]],
    "C.8.32.3.1": [["00409092", "1"]],
    "C.8.32.3.2": [["00281230", "1"]],
    "C.8.17.9": [["00220031", "1"]],
}
"""Macros that the first source does not have at all, as rows of the table of modules."""
