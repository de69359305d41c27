"""How the objects that an analysis writes are known, so that none of them is ever analysed or fetched again.

Whoever takes objects in asks `is_own_result`. Nothing here needs the extra `heltig[imaging]`.
"""

from typing import Final

from heltig.imaging.statements import SERIES_PREFIX

MANUFACTURER: Final = "Heltig"
MODEL: Final = "Heltig imaging"

IMPLEMENTATION_CLASS: Final = "2.25.132692607598973387875775910189308801706"
"""Implementation Class UID (0002,0012) of the files that an analysis writes, and of no others."""

IMPLEMENTATION_VERSION: Final = "HELTIG IMAGING"

_PREFIX: Final = SERIES_PREFIX.rstrip(" –").casefold()


def is_own_result(
    *, implementation_class: str = "", manufacturer: str = "", series_description: str = ""
) -> bool:
    """Tell whether an analysis wrote an object, or the objects of a series, by what is known of them.

    Args:
        implementation_class: Implementation Class UID (0002,0012): that of the file as it was written.
        manufacturer: Manufacturer (0008,0070). Another one says that it is not.
        series_description: Series Description (0008,103E). It decides where no manufacturer is known, as in
            answers to a query; the dash of its prefix may have been lost on the way.
    """
    if implementation_class.strip() == IMPLEMENTATION_CLASS:
        return True
    if manufacturer.strip():
        return manufacturer.strip().casefold() == MANUFACTURER.casefold()
    return series_description.strip().casefold().startswith(_PREFIX)
