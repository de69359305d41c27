"""What one person asks for and another consents to, about a study in quarantine.

A consent is to what was there when it was asked: where more of the study came since, or it expired, it
lapsed, and somebody has to ask anew. The study is locked whenever one of these is called.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from heltig import audit
from heltig.auth.persons import COMMAND, may_be_one
from heltig.errors import ConflictError
from heltig.store import consents, judged_with, verdicts
from heltig.store.consents import Act, Consent
from heltig.store.gate_studies import GateStudy
from heltig.store.transaction import ReadTransaction, WriteTransaction

HOLDS: Final = timedelta(days=3)
"""How long somebody is waited for: over a weekend."""

ACTS: Final[tuple[Act, ...]] = ("release", "discard")

NAMES: Final[dict[Act, str]] = {"release": "released", "discard": "thrown away"}
"""What becomes of the study."""


class _Said(msgspec.Struct):
    """What a profile says that may be of another version."""

    second_person: frozenset[Act] = frozenset()


def wanted_by_verdict(transaction: ReadTransaction, study: GateStudy) -> frozenset[Act]:
    """What needs two by the profile of a study's last verdict, whatever profile a command was given."""
    stored = verdicts.current(transaction, study.location, study.study_key)
    profile = judged_with.profile(transaction, stored.profile.hash) if stored else None
    is_told = profile is not None and profile.text.startswith(b"{")
    return msgspec.json.decode(profile.text, type=_Said).second_person if profile and is_told else frozenset()


def ask(
    transaction: WriteTransaction,
    study: GateStudy,
    act: Act,
    instances: int,
    *,
    reason: str,
    actor: str,
    origin: str,
    now: datetime,
) -> Consent:
    """Asks for a second person's consent.

    Args:
        transaction: Of `Store.write_durably`.
        study: The study.
        act: What is to be done with it.
        instances: Its objects that wait.
        reason: Why.
        actor: Who asks.
        origin: From where.
        now: The time.

    Raises:
        ConflictError: Something is asked already.
    """
    before = consents.open_of(transaction, [study.id]).get(study.id)
    if before is not None and before.at(now, study.version).state == "open":
        raise ConflictError(
            f"{before.asked_by} asked already that it be {NAMES[before.act]}. Consent to that, or decline."
        )
    if before is not None:
        consents.end(transaction, before, "lapsed", by="", answer="", at=now)
    asked = consents.ask(
        transaction,
        study.id,
        act,
        version=study.version,
        by=actor,
        reason=reason,
        at=now,
        expires=now + HOLDS,
    )
    audit.record(
        transaction,
        at=now,
        actor=actor,
        action="quarantine.ask",
        subject=f"{study.location} {study.study_key}",
        outcome="success",
        origin=origin,
        detail={"act": act, "request": asked.id, "instances": instances, "expires": asked.expires},
    )
    return asked


def consented(
    transaction: WriteTransaction, study: GateStudy, asked: int, *, reason: str, actor: str, now: datetime
) -> Consent:
    """Takes a second person's consent; what they consent to is to be done, and recorded, by whoever calls.

    Raises:
        ConflictError: It is not asked any more, or of what is not there any more, or by the same person.
    """
    found = _open(transaction, study, asked, now)
    insist_on_another(transaction, found, actor)
    consents.end(transaction, found, "given", by=actor, answer=reason, at=now)
    return found


def insist_on_another(transaction: ReadTransaction, asked: Consent, actor: str) -> None:
    """Insists that somebody may be told from whoever asked.

    Raises:
        ConflictError: They may be the same person, or nobody says who they are.
    """
    if actor.startswith(COMMAND):
        raise ConflictError("Nobody says who they are on a command line: consent on the pages, or by REST.")
    if may_be_one(transaction, asked.asked_by, actor):
        raise ConflictError(
            f"{asked.asked_by} asked for it, and for all that can be told you are the same person. Somebody "
            "else has to consent."
        )


def decline(
    transaction: WriteTransaction,
    study: GateStudy,
    asked: int,
    *,
    reason: str,
    actor: str,
    origin: str,
    now: datetime,
) -> Consent:
    """Declines what was asked; whoever asked takes it back so.

    Raises:
        ConflictError: It is not asked any more.
    """
    found = _open(transaction, study, asked, now)
    state: consents.State = "withdrawn" if found.asked_by == actor else "declined"
    consents.end(transaction, found, state, by=actor, answer=reason, at=now)
    audit.record(
        transaction,
        at=now,
        actor=actor,
        action="quarantine.decline",
        subject=f"{study.location} {study.study_key}",
        outcome="success",
        origin=origin,
        detail={"act": found.act, "request": found.id, "askedBy": found.asked_by, "state": state},
    )
    [ended] = consents.of_study(transaction, study.id, limit=1)
    return ended


def lapse(transaction: WriteTransaction, study: GateStudy, *, now: datetime) -> None:
    """Ends what is asked, since one person alone may decide now, and does."""
    before = consents.open_of(transaction, [study.id]).get(study.id)
    if before is not None:
        consents.end(transaction, before, "lapsed", by="", answer="", at=now)


def _open(transaction: WriteTransaction, study: GateStudy, asked: int, now: datetime) -> Consent:
    found = consents.open_of(transaction, [study.id]).get(study.id)
    if found is None or found.id != asked:
        raise ConflictError("This is not asked any more: somebody decided about it. Look at the study anew.")
    if found.at(now, study.version).state != "open":
        why = "It was asked too long ago" if found.expires <= now else "More of the study came since"
        raise ConflictError(f"{why}, so nobody can consent to it any more. Look at the study, and ask anew.")
    return found
