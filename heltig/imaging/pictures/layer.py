"""What is drawn over an image: structures, in colours that are told apart by everybody."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from heltig.imaging.pictures.contours import contours
from heltig.imaging.pictures.view import Points
from heltig.imaging.segmentation import Mask


class Colour(NamedTuple):
    """Red, green and blue, from 0 to 255."""

    red: int
    green: int
    blue: int


SKY: Final = Colour(86, 180, 233)
ORANGE: Final = Colour(230, 159, 0)
YELLOW: Final = Colour(240, 228, 66)
PURPLE: Final = Colour(204, 121, 167)
WHITE: Final = Colour(235, 235, 235)
BLUE: Final = Colour(64, 126, 222)

PALETTE: Final = (SKY, ORANGE, YELLOW, PURPLE, WHITE, BLUE)
"""After Okabe and Ito, without their greens and reds, which would look like a judgement; with white and a
lighter blue, to be seen on black."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One structure on one slice.

    Attributes:
        name: As the legend has it.
        colour: Of its edges and its surface.
        mask: Where it is, by (row, column).
        surface: It is drawn as a surface that the image shines through, and not by its edges.
        number: Stands in it and in the legend, since there are more structures than colours; 0 for none.
        told: What the legend says beside its name.
        key: What the legend calls it where the font does not have the letters of its name.
    """

    name: str
    colour: Colour
    mask: Mask
    surface: bool = False
    number: int = 0
    told: str = ""
    key: str = ""

    @cached_property
    def lines(self) -> list[Points]:
        """Its edges."""
        return contours(self.mask)
