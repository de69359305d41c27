"""Geometry: are the letters of PatientOrientation ones that there are (PS3.3 C.7.6.1.1.1)?"""

import re
from collections.abc import Iterator
from typing import Final

from heltig.rules.rule import Hit, rule
from heltig.rules.views import Values
from heltig.rules.wording import cut

_BIPED: Final = re.compile(r"[APRLHF]{1,3}")
_QUADRUPED: Final = re.compile(r"(?:LE|RT|CR|CD|PR|DI|PA|PL|[DVRML]){1,3}")
_FORMS: Final = {"BIPED": (_BIPED,), "QUADRUPED": (_QUADRUPED,)}
_EITHER: Final = (_BIPED, _QUADRUPED)
"""Where AnatomicalOrientationType is absent letters of both kinds are let pass: it is younger than most
images of animals."""

_LETTERS: Final = "A, P, R, L, H and F"
_OF_ANIMALS: Final = "LE, RT, D, V, CR, CD, R, M, L, PR, DI, PA and PL"
_EXPECTED: Final = {"BIPED": _LETTERS, "QUADRUPED": _OF_ANIMALS}


@rule("GEO-PATORIENT-TERM", level="instance", severity="review", reference="PS3.3 C.7.6.1.1.1",
    reads=("PatientOrientation", "AnatomicalOrientationType"),
    when=lambda at: at.has("PatientOrientation"))  # fmt: skip
def orientation_term(at: Values) -> Iterator[Hit]:
    r"""PatientOrientation has letters that are no directions.

    Finds: Values of PatientOrientation (0020,0020) that are not made of one to three of A, P, R, L, H and F,
        or for a quadruped of LE, RT, D, V, CR, CD, R, M, L, PR, DI, PA and PL. Where
        AnatomicalOrientationType (0010,2210) is absent both are let pass. Letters that contradict each other
        are a matter of GEO-PATORIENT, lower case and other characters of VAL-CS, the number of values of
        VAL-VM.
    Why: Viewers write these letters at the edges of the image, or none: left and right are then not marked,
        or marked by letters that nobody knows.
    Mend: Look at the image, and have the letters corrected. What is not known is sent empty.
    Example: `X\Y`, or `LEFT\FOOT`.
    """
    kind = at["AnatomicalOrientationType"].text.upper()
    forms = _FORMS.get(kind, _EITHER)
    for value in at["PatientOrientation"].values[:2]:
        text = str(value).strip() if value is not None else ""
        if text and text.isascii() and _WORD.fullmatch(text) and not any(f.fullmatch(text) for f in forms):
            yield Hit(
                tags=("PatientOrientation",),
                observed=cut(at["PatientOrientation"].shown),
                expected=f"letters {_EXPECTED.get(kind, _LETTERS)}",
            )
            return


_WORD: Final = re.compile(r"[A-Z0-9_ ]{1,16}")
"""The characters of CS."""
