"""Sentences of PS3.3 compiled into conditions."""

from typing import Any

import pytest

from heltig.standard.build.sentences import compiled
from heltig.standard.conditions import FIRST_ITEM

ORIGINAL = ["=", "00089007", 1, ["ORIGINAL"]]
SPIRAL = ["=", "00189302", 1, ["SPIRAL"]]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (
            "Required if Frame Type (0008,9007) Value 1 of this frame is ORIGINAL. May be present otherwise.",
            ["required", ORIGINAL],
        ),
        (
            "Required if Frame Type (0008,9007) Value 1 of this frame is ORIGINAL and Acquisition Type "
            "(0018,9302) is SPIRAL. May be present otherwise if Frame Type (0008,9007) Value 1 of this "
            "frame is "
            "DERIVED and Acquisition Type (0018,9302) is SPIRAL.",
            [
                "required else",
                ["and", ORIGINAL, SPIRAL],
                ["and", ["=", "00089007", 1, ["DERIVED"]], SPIRAL],
            ],
        ),
        (
            "Required if Image Type (0008,0008) Value 1 is ORIGINAL or MIXED. Shall not be present "
            "otherwise.",
            ["required else forbidden", ["=", "00080008", 1, ["ORIGINAL", "MIXED"]]],
        ),
        (
            "Required if Frame Type (0008,9007) Value 1 of this frame is ORIGINAL and the value of "
            "Filter Type "
            "(0018,1160) is other than NONE. May be present otherwise.",
            ["required", ["and", ORIGINAL, ["!=", "00181160", 1, ["NONE"]]]],
        ),
        (
            'Required if SOP Class UID is not "1.2.840.10008.5.1.4.1.1.2.2" (Legacy Converted Enhanced '
            "CT Image "
            'Storage) and not "1.2.840.10008.5.1.4.1.1.4.4" (Legacy), may be present otherwise.',
            [
                "required",
                ["!=", "00080016", 1, ["1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.4.4"]],
            ],
        ),
        (
            "Required if: Frame Type (0008,9007) Value 1 of this frame is ORIGINAL and Volumetric Properties "
            "(0008,9206) of this frame is other than DISTORTED, or SOP Class UID is Segmentation Storage "
            '("1.2.840.10008.5.1.4.1.1.66.4") and Frame of Reference UID (0020,0052) is present. May be '
            "present "
            "otherwise.",
            [
                "required",
                [
                    "or",
                    ["and", ORIGINAL, ["!=", "00089206", 1, ["DISTORTED"]]],
                    ["and", ["=", "00080016", 1, ["1.2.840.10008.5.1.4.1.1.66.4"]], ["+", "00200052"]],
                ],
            ],
        ),
        (
            "Required if the value of Frame Increment Pointer (0028,0009) includes the Tag for Rotation "
            "Vector "
            "(0054,0050). See Section C.8.4.8.1.5 for specialization.",
            ["required else forbidden", ["=", "00280009", 0, ["00540050"]]],
        ),
        (
            "Required if either Image Position (Patient) (0020,0032) or Image Orientation (Patient) "
            "(0020,0037) "
            "is present.",
            ["required", ["or", ["+", "00200032"], ["+", "00200037"]]],
        ),
        (
            "Required for first Item of Control Point Sequence, or if Gantry Angle changes during Beam.",
            ["required", ["+", FIRST_ITEM]],
        ),
        (
            "Required for first Item of Control Point Sequence if Number of Wedges (300A,00D0) is "
            "non-zero, and "
            "in subsequent control points if Wedge Position (300A,0118) changes during Beam.",
            ["required", ["and", ["+", FIRST_ITEM], [">", "300A00D0", 1, ["0"]]]],
        ),
        (
            "Required if present and consistent in the contributing SOP Instances. Required if Modality "
            "(0008,0060) is MG.",
            ["required", ["=", "00080060", 1, ["MG"]]],
        ),
        (
            "Required if Scanning Sequence (0018,0020) has values of IR.",
            ["required else forbidden", ["=", "00180020", 0, ["IR"]]],
        ),
    ],
)
def test_a_sentence_is_compiled(text: str, condition: list[Any]) -> None:
    assert compiled(text) == condition


@pytest.mark.parametrize(
    "text",
    [
        "Required if contrast media was applied. May be present otherwise.",
        # a part that is not understood may make it false
        "Required if Modality (0008,0060) is MG and contrast media was applied.",
        # the name is not that of the tag: one of the two is wrong
        "Required if Image Type (0008,9007) Value 1 equals ORIGINAL.",
        # of which of the two reasons is the last part said?
        "Required for first Item of Control Point Sequence, or if kVp changes during setup, and Nominal Beam "
        "Energy (300A,0114) is not present.",
        "Required if Modality (0008,0060) is MG or Image Type (0008,0008) Value 1 is ORIGINAL and Frame of "
        "Reference UID (0020,0052) is present.",
        # that attribute stands in another sequence
        "Required if the value of Referenced SOP Class UID (0008,1150) within Referenced Image Sequence "
        "(0008,1140) is 1.2.840.10008.5.1.4.1.1.77.1.6 (VL Whole Slide Microscopy Image).",
        "The date and time. A single value shall be present.",
        "",
    ],
)
def test_what_is_not_understood_is_unknown(text: str) -> None:
    assert compiled(text) == []
