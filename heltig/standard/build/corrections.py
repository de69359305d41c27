"""Where the first source's reading of PS3.3 is corrected by hand."""

from typing import Any, Final

_BY_VALUE: Final = ["required", ["-", "0040DB73"]]
"""A content item that refers to another one (ReferencedContentItemIdentifier) has no content of its own."""

_RELATIONSHIPS: Final = [
    *("CONTAINS", "HAS ACQ CONTEXT", "HAS CONCEPT MOD", "HAS OBS CONTEXT", "HAS PROPERTIES"),
    *("INFERRED FROM", "SELECTED FROM"),
]

MODULES: Final[dict[str, list[Any]]] = {
    # Document Relationship Macro, table C.17-6: content items stand in content items. The source leaves out
    # that the macro includes itself.
    "C.17-6": [
        ["0040A032", "1C"],
        ["0040A171", "3"],
        [
            "0040A730",
            "1C",
            [
                ["0040A010", "1", 0, 0, [[0, _RELATIONSHIPS]]],
                ["0040DB73", "1C"],
                ["", "C.17-5", _BY_VALUE],
                ["", "C.17-6", _BY_VALUE],
            ],
        ],
    ],
    # Image and Waveform Reference Macros, tables C.18.4-1 and C.18.5-1: the attributes after the included
    # Composite Object Reference Macro stand in the items of its sequence. The source has them beside it.
    "C.18.4-1": [
        [
            "00081199",
            "1",
            [
                ["0008114B", "3", "10-11"],
                ["00081160", "1C"],
                ["00081199", "3", "10-11"],
                ["0062000B", "1C"],
                ["00880200", "3", "C.7-11b"],
                ["", "10-11"],
            ],
        ]
    ],
    "C.18.5-1": [["00081199", "1", [["0040A0B0", "1C"], ["", "10-11"]]]],
}
"""Modules and macros that the source has wrong, as rows of the compiled table."""

_ORIGINAL: Final = ["=", "00089007", 1, ["ORIGINAL"]]
_DERIVED: Final = ["=", "00089007", 1, ["DERIVED"]]
_OF_ORIGINAL_FRAMES: Final = ["required", _ORIGINAL]
"""Required if Frame Type Value 1 of this frame is ORIGINAL. May be present otherwise."""


def _of_frames(*when: list[Any]) -> list[Any]:
    """Required if this frame is ORIGINAL and …. Otherwise may be present if it is DERIVED and …."""
    return ["required else", ["and", _ORIGINAL, *when], ["and", _DERIVED, *when]]


_NOT_CONSTANT_ANGLE: Final = ["!=", "00189302", 1, ["CONSTANT_ANGLE"]]
_NOT_LEGACY: Final = [
    *("!=", "00080016", 1),
    ["1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.4.4", "1.2.840.10008.5.1.4.1.1.128.1"],
]
_OF_ACQUIRED_FRAMES: Final = ["required", ["and", _ORIGINAL, _NOT_LEGACY]]

_FRAME_CONDITIONS: Final[dict[str, dict[str, list[Any]]]] = {
    "C.7.6.16.2.2": dict.fromkeys(("00189074", "00189151", "00189220"), _OF_ACQUIRED_FRAMES),
    "C.8.15.3.2": {  # CT Acquisition Type
        **dict.fromkeys(("00189302", "00189333", "00189334"), _OF_ORIGINAL_FRAMES),
        "00189303": _of_frames(["=", "00189302", 1, ["CONSTANT_ANGLE"]]),
    },
    "C.8.15.3.3": {  # CT Acquisition Details
        **dict.fromkeys(("00180090", "00181120", "00181130", "00189306", "00189307"), _OF_ORIGINAL_FRAMES),
        **dict.fromkeys(("00181140", "00189305"), _of_frames(_NOT_CONSTANT_ANGLE)),
    },
    "C.8.15.3.4": {  # CT Table Dynamics
        "00189309": _of_frames(["=", "00189302", 1, ["SPIRAL", "CONSTANT_ANGLE"]]),
        **dict.fromkeys(("00189310", "00189311"), _of_frames(["=", "00189302", 1, ["SPIRAL"]])),
    },
    "C.8.15.3.5": dict.fromkeys(("00189313", "00189318", "00189327"), _OF_ORIGINAL_FRAMES),  # CT Position
    "C.8.15.3.6": dict.fromkeys(("00181110", "00189335"), _OF_ORIGINAL_FRAMES),  # CT Geometry
    "C.8.15.3.7": {  # CT Reconstruction
        **dict.fromkeys(("00181210", "00189315", "00189319", "00189320", "00189322"), _OF_ORIGINAL_FRAMES),
        "00181100": _of_frames(["-", "00189317"]),
        "00189317": _of_frames(["-", "00181100"]),
    },
    "C.8.15.3.8": {  # CT Exposure
        **dict.fromkeys(("00189323", "00189328", "00189330", "00189332", "00189345"), _OF_ORIGINAL_FRAMES),
        "00189324": _of_frames(["!=", "00189323", 1, ["NONE"]]),
    },
    "C.8.15.3.9": {  # CT X-Ray Details
        **dict.fromkeys(("00180060", "00181160", "00181190"), _OF_ORIGINAL_FRAMES),
        "00187050": ["required", ["and", _ORIGINAL, ["!=", "00181160", 1, ["NONE"]]]],
    },
}

CONDITIONS: Final[dict[tuple[str, str], list[Any]]] = {
    # "… and the reference does not apply to all segments": the source read the first half only
    ("C.8.8.5", "0062000B"): [],
    **{(ref, tag): row for ref, rows in _FRAME_CONDITIONS.items() for tag, row in rows.items()},
}
"""Conditions of attributes by module and tag, which the source read in part, or not at all.

Empty: unknown. "Of this frame" is what the source does not read; these are the macros of enhanced CT objects.
"""
