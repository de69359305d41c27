"""The synthetic studies of the demo, each made once a process: to make all takes a third of a second."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from heltig.demo.cases import BROKEN, CLEAN
from heltig.demo.studies import SyntheticStudy, make_study


def synthetic_studies() -> Mapping[str, SyntheticStudy]:
    """All of them by name; nobody changes them."""
    return MappingProxyType({case.name: synthetic_study(case.name) for case in (*CLEAN, *BROKEN)})


@cache
def synthetic_study(name: str, seed: int = 1) -> SyntheticStudy:
    """One of them, which nobody changes; another one of its kind for each seed."""
    return make_study(name, seed)
