"""The names that vendors are known to reserve blocks of private attributes with (PS3.5 7.8.1)."""

from functools import cache

from heltig.standard.edition import read_table


def is_known(name: str) -> bool:
    """Whether a vendor is known to use a private creator, in small letters or capitals."""
    return name.casefold() in _known()


@cache
def _known() -> frozenset[str]:
    return frozenset(name.casefold() for name in read_table("private_creators", list[str]).rows)
