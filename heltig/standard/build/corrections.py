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

_ORIGINAL_OR_MIXED: Final = ["=", "00080008", 1, ["ORIGINAL", "MIXED"]]
_PLANE_MACROS: Final = {
    "Pixel Measures": "00289110",
    "Plane Position (Patient)": "00209113",
    "Plane Orientation (Patient)": "00209116",
}
_THERE: Final = {name: ["+", tag] for name, tag in _PLANE_MACROS.items()}


def _or(*names: str) -> list[Any]:
    return ["required", ["or", *(_THERE[name] for name in names)]]


_WITH_CONTRAST: Final = ["required", ["+", "00180012"]]
_DERIVED_FROM: Final = "00089124"
_COLOR: Final = ["=", "00089205", 1, ["COLOR", "TRUE_COLOR"]]

_GRID: Final = ["+", "00280010"]
"""RT Dose has grid-based doses if it has rows; pixel data are left out of metadata."""

USES: Final[dict[tuple[str, str], list[Any]]] = {
    **{
        (name, "Required if dose data contains grid-based doses."): ["required", _GRID]
        for name in ("General Image", "Image Pixel", "Image Plane")
    },
    ("Multi-frame", "Required if dose data contains grid-based doses and pixel data is multi-frame data."): [
        "required",
        ["and", _GRID, [">", "00280008", 1, ["1"]]],
    ],
    # the source has lost the names of modules that its text refers to
    ("Contrast/Bolus Usage", "Required if the is present."): _WITH_CONTRAST,
    ("Contrast/Bolus Usage", "Required if the Enhanced Contrast/Bolus Module is present."): _WITH_CONTRAST,
    (
        "MR Diffusion",
        "Required if Acquisition Contrast (0008,9209) in any MR Image Frame Type Functional Group in the SOP "
        "Instance equals DIFFUSION and Image Type (0008,0008) Value 1 is ORIGINAL or MIXED. May be present "
        "otherwise.",
    ): ["required", ["and", ["=", "00089209", 1, ["DIFFUSION"]], _ORIGINAL_OR_MIXED]],
    (
        "Pixel Measures",
        "Required if Plane Position (Patient) or Plane Orientation (Patient) Macros Present",
    ): _or("Plane Position (Patient)", "Plane Orientation (Patient)"),
    (
        "Plane Position (Patient)",
        "Required if Pixel Measures or Plane Orientation (Patient) Macros Present",
    ): _or("Pixel Measures", "Plane Orientation (Patient)"),
    (
        "Plane Orientation (Patient)",
        "Required if Pixel Measures or Plane Position (Patient) Macros Present",
    ): _or("Pixel Measures", "Plane Position (Patient)"),
    (
        "Frame of Reference",
        "Required if Pixel Measures or Plane Position (Patient) or Plane Orientation (Patient) Functional "
        "Group Macros Present",
    ): _or(*_PLANE_MACROS),
    (
        "Frame of Reference",
        "Required if Derivation Image Functional Group ( ) is not present. May be present otherwise.",
    ): ["required", ["-", _DERIVED_FROM]],
    ("Common Instance Reference", "Required if Derivation Image Functional Group ( ) is present."): [
        "required",
        ["+", _DERIVED_FROM],
    ],
    # a Referenced Image is a reason, too, but has the tag of an attribute of the data set itself
    (
        "Common Instance Reference",
        "Required if Referenced Image Functional Group ( ) or Derivation Image Functional Group ( ) is "
        "present.",
    ): ["required", ["+", _DERIVED_FROM]],
    (
        "ICC Profile",
        "Required if Pixel Presentation (0008,9205) in the Photoacoustic Image Module equals TRUE_COLOR or "
        "COLOR ( )",
    ): ["required", _COLOR],
}
"""Conditions of modules and macros, by name and the words of PS3.3 as the source has them."""

_DERIVED: Final = ["=", "00089007", 1, ["DERIVED"]]
_ORIGINAL: Final = ["=", "00089007", 1, ["ORIGINAL"]]

_NOT_CODED: Final = ["-", "00540410"]
_SLICES: Final = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "4", "2.1", "4.1", "4.3", "4.2")]
_OF_SLICES: Final = ["and", _NOT_CODED, ["=", "00080016", 1, _SLICES]]

CONDITIONS: Final[dict[tuple[str, str], list[Any]]] = {
    # "… and the reference does not apply to all segments": the source read the first half only
    ("C.8.8.5", "0062000B"): [],
    # "Only required for MR Spectroscopy SOP Instances", which stands before the condition
    ("C.8.13.5.5", "00189168"): [
        "required",
        [
            "and",
            ["=", "00080016", 1, ["1.2.840.10008.5.1.4.1.1.4.2"]],
            _ORIGINAL,
            ["=", "00189077", 1, ["YES"]],
        ],
    ],
    # the first source reads the first value of attributes that have several, and the first of two reasons
    ("C.8.3.1", "00180080"): [
        "required",
        ["or", ["=", "00180021", 0, ["SK"]], ["!=", "00180020", 0, ["EP"]]],
    ],
    # the words name these two as examples of heart gating
    ("C.8.3.1", "00181060"): ["required", ["=", "00180022", 0, ["CG", "PPG"]]],
    # "Required if … is: WHOLE BODY or STATIC", and nothing of otherwise: the source takes that for "may be"
    ("C.8.4.9", "00181242"): ["required else forbidden", ["=", "00080008", 3, ["WHOLE BODY", "STATIC"]]],
    # "May be present for other SOP Classes if Patient Orientation Code Sequence is not present"
    ("C.7.3.1", "00185100"): ["required else", _OF_SLICES, _NOT_CODED],
    # the sequences that are meant stand in functional groups
    ("10.42-1", "00089092"): ["required", ["+", "groups/00081140"]],
    ("10.42-1", "00089154"): ["required", ["+", "groups/00082112"]],
    # PET Reconstruction: the words have the tag of Frame Type behind the name of Image Type
    ("C.8.22.5.6", "00189317"): [
        "required else",
        ["and", _ORIGINAL, ["-", "00181100"]],
        ["and", _DERIVED, ["-", "00181100"]],
    ],
}
"""Conditions of attributes by module and tag, which the source read in part, or not at all.

Empty: unknown.
"""

ADDED: Final[dict[str, list[list[Any]]]] = {
    # SR Document Content: "Required if … this is the Root Content Item", which is the data set itself
    "C.17.3": [["0040A043", "1"]],
}
"""What a module asks for beside the macros that it includes, by module."""

_VOLUMETRIC: Final = [[0, ["DISTORTED", "MIXED", "SAMPLED", "VOLUME"]]]

VALUES: Final[dict[tuple[str, str], list[Any]]] = {
    # C.10.9.1.5: integers of 8 to 64 bits, and 8 bits by A-law and mu-law
    ("C.10.9", "54001006"): [[0, ["AB", "MB", "SB", "SL", "SS", "SV", "UB", "UL", "US", "UV"]]],
    # tables C.8-132 and C.8-133, to which these modules and macros refer
    ("C.8-131", "00089205"): [[0, ["COLOR", "MIXED", "MONOCHROME", "TRUE_COLOR"]]],
    ("C.8-131", "00089206"): _VOLUMETRIC,
    ("C.8-107", "00089206"): _VOLUMETRIC,
    ("C.8.24.6.1", "00089206"): _VOLUMETRIC,
}
"""Enumerated values by module and tag that stand in the text behind the module's table, not in it."""
