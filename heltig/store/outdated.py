"""What an upgrade leaves behind: verdicts of an older ruleset, prepared answers of an older form."""

from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, func, select

from heltig.store import lookups
from heltig.store.records import Location, Published
from heltig.store.studies import lock_rows
from heltig.store.tables import findings, locations, studies, verdicts
from heltig.store.tables import lookups as answers
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.verdicts import current


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Studies that have a verdict and are not WITHDRAWN: those that match everything that is given.

    Attributes:
        location: Where they were seen.
        study_key: The study.
        rule: Their last verdict has a finding of this rule, waived or not.
    """

    location: Location | None = None
    study_key: str | None = None
    rule: str | None = None


_LAST_VERDICT = and_(verdicts.c.study_row == studies.c.id, verdicts.c.revision == studies.c.revision)
_OLDER = (
    select(func.count())
    .select_from(studies)
    .join(verdicts, _LAST_VERDICT)
    .where(studies.c.state != "WITHDRAWN", verdicts.c.ruleset_hash != bindparam("ruleset"))
)
_OTHER_FORM = (
    select(answers.c.study_row)
    .where(answers.c.form != bindparam("form"))
    .order_by(answers.c.study_row)
    .limit(bindparam("limit"))
)
_OTHER_FORMS = select(func.count()).select_from(answers).where(answers.c.form != bindparam("form"))


def of_older_ruleset(transaction: ReadTransaction, ruleset: str) -> int:
    """The number of studies whose last verdict was given by another ruleset than this one (its hash)."""
    number: int = transaction.connection.execute(_OLDER, {"ruleset": ruleset}).scalar_one()
    return number


def count(transaction: ReadTransaction, selection: Selection) -> int:
    """The number of studies selected."""
    chosen = _chosen(select(studies.c.id), selection).subquery()
    number: int = transaction.connection.execute(select(func.count()).select_from(chosen)).scalar_one()
    return number


def chosen(
    transaction: ReadTransaction, selection: Selection, *, after: int, limit: int
) -> list[tuple[int, Location, str]]:
    """Some of the studies selected, each with its number, by which they are ordered.

    Args:
        transaction: Any.
        selection: Which studies.
        after: Only studies of a higher number.
        limit: The most studies.
    """
    query = _chosen(
        select(studies.c.id, locations.c.kind, locations.c.name, studies.c.study_key).join(
            locations, locations.c.id == studies.c.location_row
        ),
        selection,
    )
    found = transaction.connection.execute(
        query.where(studies.c.id > after).order_by(studies.c.id).limit(limit)
    )
    return [(row.id, Location(row.kind, row.name), row.study_key) for row in found]


def newest(transaction: ReadTransaction, *, limit: int) -> list[tuple[Location, str]]:
    """The studies that were first heard of last, those that have a verdict, the newest first.

    Args:
        transaction: Any.
        limit: The most studies.
    """
    query = _chosen(
        select(locations.c.kind, locations.c.name, studies.c.study_key).join(
            locations, locations.c.id == studies.c.location_row
        ),
        Selection(),
    )
    found = transaction.connection.execute(query.order_by(studies.c.id.desc()).limit(limit))
    return [(Location(row.kind, row.name), row.study_key) for row in found]


def has_findings(transaction: ReadTransaction, rule: str) -> bool:
    """Some verdict has a finding of this rule."""
    query = select(findings.c.rule).where(findings.c.rule == rule).limit(1)
    return transaction.connection.execute(query).first() is not None


def of_other_form(transaction: ReadTransaction, form: str) -> int:
    """The number of prepared answers that are not of this form."""
    number: int = transaction.connection.execute(_OTHER_FORMS, {"form": form}).scalar_one()
    return number


def render_again(transaction: WriteTransaction, *, limit: int) -> int:
    """Makes some prepared answers anew that are of another form; returns their number, 0 when none are left.

    Nothing else changes: neither a study's version nor the change feed.
    """
    parameters = {"form": transaction.render.form, "limit": limit}
    rows = transaction.connection.execute(_OTHER_FORM, parameters).scalars().all()
    for row, study in lock_rows(transaction, rows):
        verdict = current(transaction, study.location, study.study_key)
        lookups.put(transaction, row, Published(study, verdict))
    return len(rows)


def _chosen(query: Select[Any], selection: Selection) -> Select[Any]:
    query = query.where(studies.c.rank > 0, studies.c.state != "WITHDRAWN")
    if selection.location is not None:
        at = select(locations.c.id).where(
            locations.c.kind == selection.location.kind, locations.c.name == selection.location.name
        )
        query = query.where(studies.c.location_row.in_(at))
    if selection.study_key is not None:
        query = query.where(studies.c.study_key == storable_key(selection.study_key))
    if selection.rule is not None:
        found = (
            select(verdicts.c.study_row)
            .join(findings, findings.c.verdict_row == verdicts.c.id)
            .where(_LAST_VERDICT, findings.c.rule == selection.rule)
            .correlate(studies)
        )
        query = query.where(found.exists())
    return query
