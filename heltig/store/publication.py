"""Gives verdicts."""

from typing import TypeAlias

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from heltig.errors import ConflictError, NotFoundError
from heltig.rules.finding import Finding
from heltig.store import audit_trail, changes, states, study_rules, waivers
from heltig.store.encrypted_rows import FINDINGS, VERDICTS
from heltig.store.judged_with import names_of
from heltig.store.records import NewVerdict, Published, StoredVerdict, Study
from heltig.store.studies import lock
from heltig.store.tables import findings, verdicts
from heltig.store.text import storable, to_json
from heltig.store.transaction import WriteTransaction
from heltig.store.verdicts import current
from heltig.verdict import Waiver

_CURRENT_ID = select(verdicts.c.verdict_id).where(
    verdicts.c.study_row == bindparam("study"), verdicts.c.revision == bindparam("revision")
)


Locked: TypeAlias = tuple[tuple[Waiver, ...], int, Study]
"""What a transaction knows already: the waivers in force for a study, then its row, and it, locked."""


def publish(transaction: WriteTransaction, new: NewVerdict, *, locked: Locked | None = None) -> Published:
    """Makes a verdict the study's current one, and the study JUDGED.

    It gets the next revision, unless it is the current verdict again; where that still holds, nothing is
    written and the study's version stays. The verdict, its findings, the state, the prepared answer, the
    entry of the change feed and that of the audit trail are written together.

    Args:
        transaction: Of `Store.write_durably`.
        new: The verdict. Its ruleset and profile were put into the store before (`judged_with`).
        locked: What `lock_for` gave, where the transaction has it already.

    Returns:
        The study as others see it from now on.

    Raises:
        NotFoundError: The study was never seen at that location, or its ruleset or profile is not stored.
        ConflictError: The study, or the waivers for it, changed since it was judged. Judge it again.
    """
    in_force, row, before = locked or lock_for(transaction, new)
    if in_force != new.waivers:
        raise ConflictError(
            f"The waivers for study {before.study_key} of {before.location} changed since it was judged."
        )
    if (before.version, before.snapshot) != (new.version, new.inputs.snapshot):
        raise ConflictError(f"Study {before.study_key} of {before.location} changed since it was judged.")
    again = _again(transaction, row, before, new)
    if again is not None and before.at(new.judged).state == "JUDGED":
        return Published(before, again)
    verdict = again or _next(transaction, row, before, new)
    standing = [finding.severity for finding in verdict.verdict.findings if not finding.waived]
    study = replace(
        before,
        state="JUDGED",
        version=before.version + 1,
        revision=verdict.revision,
        readiness=verdict.verdict.readiness,
        judged=verdict.judged,
        valid_until=verdict.verdict.valid_until,
        blocks=standing.count("block"),
        reviews=standing.count("review"),
        notes=standing.count("note"),
        changed=new.judged,
    )
    changes.append(transaction, study, before=before, verdict_id=verdict.verdict.id, at=new.judged)
    audit_trail.append(
        transaction,
        at=new.judged,
        actor=new.actor,
        action="verdict.publish",
        subject=f"{study.location} {study.study_key}",
        outcome="success",
        origin=new.origin,
        detail={"verdict": new.verdict.id, "revision": study.revision, "readiness": study.readiness},
    )
    study_rules.put(transaction, row, study, verdict.verdict.findings)
    return states.change(transaction, row, study, verdict)


def lock_for(transaction: WriteTransaction, new: NewVerdict) -> Locked:
    """Locks a study that a verdict is to be given on.

    Raises:
        NotFoundError: It was never seen at that location.
    """
    # Before the study is locked: whoever revokes a waiver locks in this order, too.
    in_force = waivers.in_force(transaction, new.location, new.study_key, at=new.judged)
    found = lock(transaction, new.location, new.study_key)
    if found is None:
        raise NotFoundError(f"{new.location} does not have this study.")
    return in_force, *found


def _again(transaction: WriteTransaction, row: int, study: Study, new: NewVerdict) -> StoredVerdict | None:
    """The study's current verdict, if the new one is the same."""
    parameters = {"study": row, "revision": study.revision}
    if not study.revision:
        return None
    if transaction.scalar(_CURRENT_ID, parameters) != new.verdict.id:
        return None
    return current(transaction, study.location, study.study_key)


def _next(transaction: WriteTransaction, row: int, study: Study, new: NewVerdict) -> StoredVerdict:
    """The next revision."""
    verdict, inputs = new.verdict, new.inputs
    ruleset, profile = names_of(transaction, ruleset=inputs.ruleset, profile=inputs.profile)
    values = {
        "study_row": row,
        "revision": study.revision + 1,
        "verdict_id": verdict.id,
        "snapshot": inputs.snapshot,
        "ruleset_hash": inputs.ruleset,
        "profile_hash": inputs.profile,
        "reference_date": inputs.reference_date,
        "judged": new.judged,
        "readiness": verdict.readiness,
        "unwaived_readiness": verdict.unwaived_readiness,
        "valid_until": verdict.valid_until,
        "facts": to_json(inputs.facts),
        "index_facts": to_json(inputs.index_facts),
        "waivers": to_json(verdict.waivers),
        "not_evaluable": to_json(verdict.not_evaluable),
        "errors": to_json(verdict.errors),
    }
    verdict_row = transaction.insert_row(verdicts, VERDICTS.put(transaction.cipher, values))
    rows = [
        tuple(FINDINGS.put(transaction.cipher, _columns(verdict_row, position, found)).values())
        for position, found in enumerate(verdict.findings)
    ]
    transaction.insert_rows(findings, rows)
    return StoredVerdict(
        location=study.location,
        study_key=study.study_key,
        study_uid=study.study_uid,
        revision=study.revision + 1,
        judged=new.judged,
        verdict=verdict,
        inputs=inputs,
        ruleset=ruleset,
        profile=profile,
    )


def _columns(verdict_row: int, position: int, finding: Finding) -> dict[str, str | int | bool]:
    """In the order of the table."""
    return {
        "verdict_row": verdict_row,
        "position": position,
        "rule": finding.rule,
        "severity": finding.severity,
        "level": finding.level,
        "message": storable(finding.message),
        "tags": to_json(finding.tags),
        "observed": storable(finding.observed),
        "expected": storable(finding.expected),
        "count": finding.count,
        "instances": to_json(finding.instances),
        "reference": finding.reference,
        "remedy": finding.remedy,
        "waived": finding.waived,
        "proposed": to_json(finding.proposed),
        "digest": finding.digest,
    }
