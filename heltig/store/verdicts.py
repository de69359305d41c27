"""Verdicts as they were given. `publication` gives them."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, select

from heltig.rules.finding import Finding, NotEvaluable, RuleError
from heltig.rules.index_facts import IndexFact
from heltig.rules.proposal import ProposedChange
from heltig.store.encrypted_rows import FINDINGS, VERDICTS
from heltig.store.encryption import Cipher
from heltig.store.records import Location, ProfileInfo, RulesetInfo, StoredVerdict
from heltig.store.studies import IS_STUDY, named
from heltig.store.tables import findings, locations, lookups, profiles, rulesets, studies, verdicts
from heltig.store.text import from_json, storable_key
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Inputs, Verdict, Waiver

_WITHOUT_STUDY = (
    select(
        verdicts,
        studies.c.study_key,
        studies.c.study_uid,
        locations.c.kind,
        locations.c.name,
        rulesets.c.version.label("ruleset_version"),
        rulesets.c.standard.label("ruleset_standard"),
        profiles.c.name.label("profile_name"),
    )
    .join(studies, studies.c.id == verdicts.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .join(rulesets, rulesets.c.hash == verdicts.c.ruleset_hash)
    .join(profiles, profiles.c.hash == verdicts.c.profile_hash)
)
_SELECT = _WITHOUT_STUDY.where(IS_STUDY)
_CURRENT = _SELECT.where(verdicts.c.revision == studies.c.revision)
_REVISION = _SELECT.where(verdicts.c.revision == bindparam("revision"))
_CURRENT_OF_ROWS = _WITHOUT_STUDY.where(
    verdicts.c.study_row.in_(bindparam("studies", expanding=True)),
    verdicts.c.revision == studies.c.revision,
)
_HISTORY = _SELECT.order_by(verdicts.c.revision.desc()).limit(bindparam("limit"))
_others = findings.alias()
_WORST_FINDINGS = (
    select(findings, studies.c.study_key, locations.c.kind, locations.c.name)
    .select_from(lookups)
    .join(studies, studies.c.id == lookups.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .join(
        verdicts,
        and_(verdicts.c.study_row == studies.c.id, verdicts.c.revision == studies.c.revision),
    )
    .join(findings, findings.c.verdict_row == verdicts.c.id)
    .where(
        lookups.c.study_key.in_(bindparam("study_keys", expanding=True)),
        findings.c.position
        == select(func.min(_others.c.position))
        .where(_others.c.verdict_row == verdicts.c.id, _others.c.waived.is_(False))
        .scalar_subquery(),
    )
)
_FINDINGS = (
    select(findings)
    .where(findings.c.verdict_row.in_(bindparam("rows", expanding=True)))
    .order_by(findings.c.verdict_row, findings.c.position)
)


def current(transaction: ReadTransaction, location: Location, study_key: str) -> StoredVerdict | None:
    """The last verdict on a study, None before the first. A PENDING study has it too."""
    rows = transaction.rows(_CURRENT, named(location, study_key))
    return next(iter(_verdicts(transaction, rows)), None)


def current_of(transaction: ReadTransaction, rows: Sequence[int]) -> dict[int, StoredVerdict]:
    """The last verdicts on some studies, by their rows; those that were never judged are left out."""
    found = transaction.rows(_CURRENT_OF_ROWS, {"studies": list(rows)}) if rows else []
    return {row.study_row: one for row, one in zip(found, _verdicts(transaction, found), strict=True)}


def revision(
    transaction: ReadTransaction, location: Location, study_key: str, number: int
) -> StoredVerdict | None:
    """One revision of a study's verdict; the first is 1."""
    parameters = {**named(location, study_key), "revision": number}
    rows = transaction.rows(_REVISION, parameters)
    return next(iter(_verdicts(transaction, rows)), None)


def history(
    transaction: ReadTransaction, location: Location, study_key: str, *, limit: int = 100
) -> list[StoredVerdict]:
    """The last revisions of a study's verdict, the newest first."""
    parameters = {**named(location, study_key), "limit": limit}
    return _verdicts(transaction, transaction.rows(_HISTORY, parameters))


def worst_findings(
    transaction: ReadTransaction, study_keys: Iterable[str]
) -> dict[tuple[Location, str], Finding]:
    """The first unwaived finding of each study's last verdict, by location and key.

    Studies without one are left out.
    """
    keys = [storable_key(key) for key in study_keys]
    return {
        (Location(row.kind, row.name), row.study_key): finding_of(transaction.cipher, row)
        for row in transaction.rows(_WORST_FINDINGS, {"study_keys": keys})
    }


def _verdicts(transaction: ReadTransaction, rows: Sequence[Row[Any]]) -> list[StoredVerdict]:
    found: dict[int, list[Finding]] = {row.id: [] for row in rows}
    for row in transaction.rows(_FINDINGS, {"rows": list(found)}) if found else ():
        found[row.verdict_row].append(finding_of(transaction.cipher, row))
    return [_verdict(transaction.cipher, row, tuple(found[row.id])) for row in rows]


def finding_of(cipher: Cipher, stored: Any) -> Finding:
    """A finding out of a row of its table."""
    row = FINDINGS.get(cipher, stored)
    return Finding(
        rule=row.rule,
        severity=row.severity,
        level=row.level,
        message=row.message,
        tags=from_json(row.tags, tuple[str, ...]),
        observed=row.observed,
        expected=row.expected,
        count=row.count,
        instances=from_json(row.instances, tuple[str, ...]),
        reference=row.reference,
        remedy=row.remedy,
        waived=row.waived,
        proposed=from_json(row.proposed, tuple[ProposedChange, ...]),
        digest=row.digest,
    )


def _verdict(cipher: Cipher, stored: Row[Any], found: tuple[Finding, ...]) -> StoredVerdict:
    row = VERDICTS.get(cipher, stored)
    return StoredVerdict(
        location=Location(row.kind, row.name),
        study_key=row.study_key,
        study_uid=row.study_uid,
        revision=row.revision,
        judged=row.judged,
        verdict=Verdict(
            id=row.verdict_id,
            readiness=row.readiness,
            unwaived_readiness=row.unwaived_readiness,
            findings=found,
            not_evaluable=from_json(row.not_evaluable, tuple[NotEvaluable, ...]),
            errors=from_json(row.errors, tuple[RuleError, ...]),
            waivers=from_json(row.waivers, tuple[Waiver, ...]),
            valid_until=row.valid_until,
        ),
        inputs=Inputs(
            snapshot=row.snapshot,
            ruleset=row.ruleset_hash,
            profile=row.profile_hash,
            reference_date=row.reference_date,
            facts=from_json(row.facts, tuple[str, ...]),
            index_facts=from_json(row.index_facts, tuple[IndexFact, ...]),
        ),
        ruleset=RulesetInfo(
            hash=row.ruleset_hash, version=row.ruleset_version, standard=row.ruleset_standard
        ),
        profile=ProfileInfo(hash=row.profile_hash, name=row.profile_name),
    )
