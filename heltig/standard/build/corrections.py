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

NOT_EVALUABLE: Final = frozenset(
    {
        # "… and the reference does not apply to all segments": the source read the first half only
        ("C.8.8.5", "0062000B"),
    }
)
"""Conditions of attributes, by module and tag, of which the source read only a part: they are unknown."""
