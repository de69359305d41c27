"""Small bodies of which pictures and files are made."""

from collections.abc import Iterable

from imaging.phantom import Box, Ellipsoid, Part, Phantom, Triple


def trunk(*, spacing: Triple = (4.0, 4.0, 5.0), more: Iterable[Part] = ()) -> Phantom:
    """A small trunk: muscle and fat in boxes, T12 to S1, liver on the right, spleen on the left.

    In front is what has a smaller j, on the right what has a smaller i, as in P6.
    """
    parts: list[Part] = [
        Box("subcutaneous_fat", (4, 4, 1), (76, 56, 59), -100),
        Box("skeletal_muscle", (8, 8, 1), (72, 52, 59), 50),
        Box("torso_fat", (14, 12, 1), (66, 46, 59), -90),
        Box("liver", (16, 14, 36), (36, 34, 56), 60),
        Box("spleen", (56, 30, 40), (64, 42, 52), 50),
        Box("kidney_right", (22, 36, 30), (28, 42, 42), 35),
        Box("kidney_left", (52, 36, 32), (58, 42, 44), 35),
    ]
    for number, level in enumerate(("S1", "L5", "L4", "L3", "L2", "L1", "T12")):
        parts.append(Box(f"vertebrae_{level}", (36, 34, 3 + number * 8), (44, 44, 9 + number * 8), 200))
    return Phantom.of((80, 60, 60), spacing, [*parts, *more])


def head() -> Phantom:
    """A head with a hemorrhage mask on the right."""
    parts: list[Part] = [
        Ellipsoid("skull", (80, 90, 75), (60, 75, 65), 900),
        Ellipsoid("brain", (80, 90, 75), (54, 68, 58), 35),
        Ellipsoid("intracerebral_hemorrhage", (60, 80, 80), (16, 12, 12), 65),
    ]
    return Phantom.of((54, 60, 50), (3.0, 3.0, 3.0), parts)
