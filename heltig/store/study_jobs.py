"""The jobs that see to one study: those that wait or are at work, those that ended badly, and its pulls."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import bindparam, or_, select, text

from heltig.store import archives, gate_studies
from heltig.store.archives import location_of
from heltig.store.handing_on import job_key
from heltig.store.jobs import Job, job_of
from heltig.store.records import Location
from heltig.store.tables import jobs
from heltig.store.tables.operations import ENDED_BADLY, LIVE, SUCCEEDED
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction

MOST: Final = 20
"""Jobs of a study that are told, the newest ones."""

_BY_STUDY: Final = ("pull", "rejudge")  # their keys are those of `job_key`
_BY_ROW: Final = ("forward", "gate-settle")  # their keys are rows of studies

# Two queries, so that each reads its own index: few jobs are alive under a key, few ended badly at all.
_WHICH: Final = or_(
    jobs.c.kind.in_(bindparam("by_study", expanding=True))
    & jobs.c.key.in_(bindparam("keys", expanding=True)),
    jobs.c.kind.in_(bindparam("by_row", expanding=True)) & jobs.c.key.in_(bindparam("rows", expanding=True)),
)
_NEWEST: Final = select(jobs).where(_WHICH).order_by(jobs.c.id.desc()).limit(MOST)
_QUERIES: Final = (_NEWEST.where(text(LIVE)), _NEWEST.where(text(ENDED_BADLY)))
_PULLED: Final = (
    select(jobs)
    .where(jobs.c.kind == "pull", jobs.c.key.in_(bindparam("keys", expanding=True)), text(SUCCEEDED))
    .order_by(jobs.c.id.desc())
    .limit(MOST)
)


def of_study(transaction: ReadTransaction, study_key: str, seen_at: Iterable[Location] = ()) -> list[Job]:
    """The unfinished jobs of a study, and those that ended badly, the newest first.

    Args:
        transaction: Any.
        study_key: StudyInstanceUID, or the key of a study without one; it need not be known.
        seen_at: Where it was seen. All archives count besides: somebody may have asked one of them for it.
    """
    key, places = storable_key(study_key), tuple(seen_at)
    locations = {*places, *(location_of(entry.name) for entry in archives.every(transaction))}
    gates = (gate_studies.row_of(transaction, place, key) for place in places if place.kind == "gate")
    parameters = {
        "by_study": _BY_STUDY,
        "keys": sorted(job_key(location, key) for location in locations),
        "by_row": _BY_ROW,
        "rows": sorted(str(row) for row in gates if row is not None),
    }
    found = [job_of(row) for query in _QUERIES for row in transaction.rows(query, parameters)]
    return sorted(found, key=lambda job: -job.id)[:MOST]


def pulls_of(transaction: ReadTransaction, study_key: str) -> list[Job]:
    """The pulls of a study that came to an end without an error, as far as they are kept, the newest first.

    Of a study that nobody has seen they tell which archives were asked, and do not have it.

    Args:
        transaction: Any.
        study_key: StudyInstanceUID.
    """
    key = storable_key(study_key)
    keys = sorted(job_key(location_of(entry.name), key) for entry in archives.every(transaction))
    return [job_of(row) for row in transaction.rows(_PULLED, {"keys": keys})]
