"""To which of the studies that are ticked something would be done, and why not to the others."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from heltig.store import archives, studies
from heltig.store.records import Location, Study
from heltig.store.transaction import ReadTransaction

GONE: Final = "It is not known any more, or was withdrawn."


class Left(msgspec.Struct, frozen=True):
    """A study that stays as it is, and why."""

    study_key: str
    why: str


class Plan(msgspec.Struct, frozen=True):
    """What would be done.

    Attributes:
        does: The studies to which it would be done.
        leaves: Those that stay as they are.
    """

    does: tuple[Study, ...]
    leaves: tuple[Left, ...]


Ticked = Iterable[tuple[Location, str]]


def plan_rejudging(transaction: ReadTransaction, ticked: Ticked) -> Plan:
    """Every study that was judged can be judged again."""
    return plan(transaction, ticked, lambda study: "")


def plan_owning(transaction: ReadTransaction, ticked: Ticked) -> Plan:
    """Every study that was judged can have an owner."""
    return plan(transaction, ticked, lambda study: "")


def plan_pulling(transaction: ReadTransaction, ticked: Ticked) -> Plan:
    """Studies of archives that are configured can be pulled again."""

    def refuses(study: Study) -> str:
        if study.location.kind != "archive":
            return "It came by an upload or through a gate, so there is no archive to pull it from."
        if archives.find(transaction, study.location.name) is None:
            return "Its archive was removed."
        if study.study_uid is None:
            return "It has no StudyInstanceUID to ask for."
        return ""

    return plan(transaction, ticked, refuses)


def plan(transaction: ReadTransaction, ticked: Ticked, refuses: Callable[[Study], str]) -> Plan:
    """Looks at each study.

    Args:
        transaction: Any.
        ticked: The studies.
        refuses: Says why a study stays as it is; nothing where it does not.
    """
    does, leaves = [], []
    for location, study_key in ticked:
        study = studies.find(transaction, location, study_key)
        known = study is not None and study.readiness is not None and study.state != "WITHDRAWN"
        why = refuses(study) if study is not None and known else GONE
        if study is None or why:
            leaves.append(Left(study_key, why))
        else:
            does.append(study)
    return Plan(tuple(does), tuple(leaves))
